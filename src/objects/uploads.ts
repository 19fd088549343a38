/** Multipart uploads: parts are blobs of their own; completion is one commit that names them, no byte is copied. */
import { createHash } from "node:crypto";
import { hasCode, StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import type { CustomerKey } from "../model/encryption.ts";
import { combineCrc, compositeChecksum } from "../model/checksum.ts";
import { NULL_VERSION, type UploadId } from "../model/names.ts";
import type { BlobRef, Checksum, ChecksumType, ObjectVersion, Part } from "../model/version.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { decodeRow, decodeVersion, encodeRow } from "../storage/records.ts";
import { checkCopySource, checkWrite, hasConditions } from "./conditions.ts";
import type { Context } from "./context.ts";
import { checkLockAllowed } from "./locks.ts";
import { blobSeal, encryptionFor, notApplicable, openSeal, sealFor, type BlobSeal, type Place } from "./encryption.ts";
import { checkQuota, checkVersionIdAllowed, commitObject, decideMet, discardUnnamed, receive } from "./put.ts";
import { find } from "./read.ts";
import { purgedBefore } from "./purges.ts";
import * as rows from "./rows.ts";
import type {
  CompletedPart,
  CompleteUploadRequest,
  CreateUploadRequest,
  IncomingBody,
  PutResult,
  ReadConditions,
  ReplicaSource,
  StoredPart,
  Upload,
  UploadSelector,
  VersionSelector,
} from "./types.ts";

/** s3-api.md section 12. */
const PART_SIZE_MIN = 5 * 1024 * 1024;
const PARTS_PAGE = 1000;
/** Newest versions of a key among which the object of a repeated completion is looked for. */
const COMPLETED_LOOKED_AT = 100;
/** A completion that others overtake is looked at anew so often. */
const COMPLETION_TRIES_MAX = 16;
const UPLOAD_ID = /^[0-9a-f]{32}$/;

interface PartRow {
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  readonly checksum?: Checksum | undefined;
  readonly mtime: bigint;
  readonly blob: BlobRef;
}

interface UploadRow {
  readonly bucket: Bucket;
  readonly key: Buffer;
  readonly raw: Buffer;
  readonly upload: Upload;
}

export async function createUpload(context: Context, request: CreateUploadRequest): Promise<Upload> {
  return context.commit<Upload>(async () => {
    const row = await context.bucketRow(request.bucket);
    const { bucket } = row;
    checkLockAllowed(bucket, request.attributes, request.source);
    if (hasConditions(request.conditions))
      checkWrite(request.conditions, (await context.currentRow(bucket.id, request.key))?.version);
    if (request.versionId !== undefined) {
      checkVersionIdAllowed(bucket, request.versionId);
    }
    // Which of two null versions is newer can only be told by the time, which comes with the completion.
    if (request.versionId !== undefined && request.versionId !== NULL_VERSION) {
      const existing = (await context.rowById(bucket.id, request.key, request.versionId)).row;
      decideMet(existing?.version, request);
      const { tombstone } = await context.tombstoneRow(bucket.id, request.key, request.versionId);
      const purged = purgedBefore(tombstone, request.source);
      // 412 is what every source takes for "nothing to do"; the header tells our own why.
      if (purged !== undefined)
        throw new StoreError("PreconditionFailed", { key: request.key, headers: { "x-resilver-purged": purged } });
    }
    const asked = encryptionFor(context, bucket, request.encryption);
    const initiated = context.clock.nowNs();
    const upload: Upload = {
      uploadId: newUploadId(context, initiated),
      key: request.key,
      initiated,
      initiator: request.initiator,
      attributes: request.attributes,
      checksumAlgorithm: request.checksumAlgorithm,
      checksumType: request.checksumType,
      versionId: request.versionId,
      replica: request.source,
      encryption: asked && (await sealFor(context, request, asked)).encryption,
    };
    const commit = new CommitBuilder()
      .unchanged(row.key, row.raw)
      .put(keys.uploadRowKey(bucket.id, request.key, upload.uploadId), encodeRow(upload));
    return { commit, result: upload };
  });
}

/** Ids ascend with time: uploads of one key are listed, and paged through, in the order in which they began. */
function newUploadId(context: Context, initiated: bigint): UploadId {
  return (initiated.toString(16).padStart(16, "0") + context.random.bytes(8).toString("hex")) as UploadId;
}

async function uploadRow(context: Context, selector: UploadSelector): Promise<UploadRow> {
  const { bucket } = await context.bucketRow(selector.bucket);
  const missing = new StoreError("NoSuchUpload", { bucket: selector.bucket, key: selector.key });
  if (!UPLOAD_ID.test(selector.uploadId)) throw missing;
  const key = keys.uploadRowKey(bucket.id, selector.key, selector.uploadId);
  const raw = await context.index.get(key);
  if (raw === undefined) throw missing;
  return { bucket, key, raw, upload: decodeRow<Upload>(raw) };
}

export async function getUpload(context: Context, selector: UploadSelector): Promise<Upload> {
  return (await uploadRow(context, selector)).upload;
}

export async function putPart(
  context: Context,
  selector: UploadSelector,
  number: number,
  body: IncomingBody,
  customerKey?: CustomerKey,
): Promise<StoredPart & Pick<Upload, "encryption">> {
  const { bucket, upload } = await uploadRow(context, selector);
  const seal = await partSeal(context, selector, upload, { number, customerKey });
  // A part alone may already be too much; what the parts are together is known, and checked, at completion.
  await checkQuota(context, bucket, body.size ?? 0);
  if (
    upload.checksumAlgorithm !== undefined &&
    body.checksumAlgorithm !== undefined &&
    body.checksumAlgorithm !== upload.checksumAlgorithm
  ) {
    throw new StoreError("InvalidArgument", { message: "The part's checksum algorithm is not the upload's." });
  }
  const claims = { ...body, checksumAlgorithm: body.checksumAlgorithm ?? upload.checksumAlgorithm };
  const written = await receive(context, claims, seal);
  const algorithm = body.checksumAlgorithm ?? upload.checksumAlgorithm;
  const part: PartRow = {
    number,
    size: written.size,
    etag: written.etag,
    checksum:
      algorithm !== undefined && written.checksum !== undefined
        ? { algorithm, type: "FULL_OBJECT", value: written.checksum }
        : undefined,
    mtime: context.clock.nowNs(),
    blob: written.ref,
  };
  try {
    await context.commit<void>(async () => {
      const row = await uploadRow(context, selector);
      const partKey = keys.uploadPartKey(selector.uploadId, number);
      const before = await context.index.get(partKey);
      const commit = new CommitBuilder()
        .unchanged(row.key, row.raw)
        .unchanged(partKey, before)
        .put(partKey, encodeRow(part));
      if (before !== undefined) rows.dropBlob(commit, decodeRow<PartRow>(before).blob);
      if (written.inlineRow !== undefined)
        commit.put(keys.blobRowKey(keys.SPACE.data, written.ref.id), written.inlineRow);
      return { commit, result: undefined };
    });
  } catch (error) {
    await discardUnnamed(context, written.ref, error);
    throw error;
  }
  return upload.encryption === undefined ? part : { ...part, encryption: upload.encryption };
}

/** How a part of an encrypted upload is sealed. InvalidRequest unless it comes with the key of the upload (s3-api.md 12). */
async function partSeal(
  context: Context,
  place: Place,
  { encryption }: Upload,
  part: { number: number; customerKey: CustomerKey | undefined },
): Promise<BlobSeal | undefined> {
  if (encryption === undefined) {
    if (part.customerKey !== undefined) throw notApplicable(place);
    return undefined;
  }
  const open = openSeal(context, place, encryption, part.customerKey);
  const objectKey = await open.catch((error: unknown) => {
    if (!hasCode(error, "AccessDenied")) throw error;
    throw new StoreError("InvalidRequest", { message: "The key of the part is not the one of the upload.", ...place });
  });
  return blobSeal(context, { encryption, objectKey }, part.number);
}

export async function copyPart(
  context: Context,
  selector: UploadSelector,
  number: number,
  from: {
    source: VersionSelector;
    conditions?: ReadConditions | undefined;
    range?: { start: number; end: number } | undefined;
    fromKey?: CustomerKey | undefined;
    customerKey?: CustomerKey | undefined;
  },
): Promise<StoredPart & Pick<Upload, "encryption"> & { from: ObjectVersion }> {
  await uploadRow(context, selector);
  const source = await find(context, from.source);
  checkCopySource(from.conditions, source.version);
  const { start, end } = from.range ?? { start: 0, end: source.version.size };
  if (end > source.version.size) {
    throw new StoreError("InvalidRange", { message: "The range reaches beyond the end of the source." });
  }
  await source.unlock?.(from.fromKey);
  if (source.unlock === undefined && from.fromKey !== undefined) throw notApplicable(from.source);
  const body = { stream: source.read(start, end), size: end - start };
  const part = await putPart(context, selector, number, body, from.customerKey);
  return { ...part, from: source.version };
}

/** Parts of an upload by number, ascending. */
type StoredParts = Map<number, { key: Buffer; raw: Buffer; part: PartRow }>;

async function allParts(context: Context, uploadId: UploadId): Promise<StoredParts> {
  const out: StoredParts = new Map();
  const range = keys.uploadPartRange(uploadId);
  let start = range.start;
  for (;;) {
    const page = await context.index.scan({ start, end: range.end }, { limit: PARTS_PAGE });
    for (const { key, value } of page) {
      const part = decodeRow<PartRow>(value);
      out.set(part.number, { key, raw: value, part });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PARTS_PAGE) return out;
    start = keys.keyAfter(last.key);
  }
}

/**
 * These parts and no other leave with the commit: one that arrives before it is a conflict, or its row and its bytes would
 * stay for ever.
 */
function removeParts(commit: CommitBuilder, uploadId: UploadId, stored: StoredParts): void {
  const range = keys.uploadPartRange(uploadId);
  let { start } = range;
  let next = 1;
  for (const [number, { key, raw }] of stored) {
    if (number !== next) commit.first({ start, end: key }, undefined);
    commit.unchanged(key, raw).delete(key);
    start = keys.keyAfter(key);
    next = number + 1;
  }
  commit.first({ start, end: range.end }, undefined);
}

export async function listParts(
  context: Context,
  selector: UploadSelector,
  options: { after: number; limit: number },
): Promise<{ upload: Upload; parts: StoredPart[]; truncated: boolean }> {
  const { upload } = await uploadRow(context, selector);
  const range = keys.uploadPartRange(selector.uploadId);
  const start =
    options.after > 0
      ? keys.keyAfter(keys.uploadPartKey(selector.uploadId, Math.min(options.after, 65535)))
      : range.start;
  const page = await context.index.scan({ start, end: range.end }, { limit: options.limit + 1 });
  const parts = page.slice(0, options.limit).map((entry) => decodeRow<PartRow>(entry.value));
  return { upload, parts, truncated: options.limit > 0 && page.length > options.limit };
}

export async function abortUpload(context: Context, selector: UploadSelector): Promise<void> {
  await context.commit<void>(async () => {
    const row = await uploadRow(context, selector);
    const commit = new CommitBuilder().unchanged(row.key, row.raw).delete(row.key);
    const stored = await allParts(context, selector.uploadId);
    removeParts(commit, selector.uploadId, stored);
    for (const { part } of stored.values()) rows.dropBlob(commit, part.blob);
    return { commit, result: undefined };
  });
}

/** Ends every upload of a bucket that is gone. */
export async function abortAll(context: Context, bucketId: string): Promise<void> {
  const range = keys.keyPrefixRange(keys.SPACE.upload, bucketId, "");
  for (;;) {
    const [entry] = await context.index.scan(range, { limit: 1 });
    if (entry === undefined) return;
    const { uploadId } = decodeRow<Upload>(entry.value);
    const commit = new CommitBuilder().delete(entry.key);
    const stored = await allParts(context, uploadId);
    removeParts(commit, uploadId, stored);
    for (const { part } of stored.values()) rows.dropBlob(commit, part.blob);
    // A conflict: a part came in between, and the upload is looked at again.
    await context.index.commit(commit);
  }
}

/** The parts that make the object, checked against what the client lists (s3-api.md sections 5 and 12). */
function chooseParts(wanted: readonly CompletedPart[], stored: StoredParts): PartRow[] {
  wanted.reduce((last, item) => {
    if (item.number < last) throw new StoreError("InvalidPartOrder");
    return item.number;
  }, 0);
  // A part that was sent again may be listed twice: the later entry is the one that counts.
  const distinct = wanted.filter((item, position) => item.number !== wanted[position + 1]?.number);
  const chosen = distinct.map((item, position) => {
    const part = stored.get(item.number)?.part;
    if (part === undefined || part.etag !== item.etag) throw new StoreError("InvalidPart");
    if (position < distinct.length - 1 && part.size < PART_SIZE_MIN) throw new StoreError("EntityTooSmall");
    if (
      item.checksum !== undefined &&
      (part.checksum?.algorithm !== item.checksum.algorithm || part.checksum.value !== item.checksum.value)
    ) {
      throw new StoreError("InvalidPart");
    }
    return part;
  });
  if (chosen.length === 0) throw new StoreError("MalformedXML", { message: "The list of parts is empty." });
  return chosen;
}

function typeOf(upload: Upload): ChecksumType {
  if (upload.checksumType !== undefined) return upload.checksumType;
  return upload.checksumAlgorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE";
}

function objectChecksum(upload: Upload, parts: readonly PartRow[]): Checksum | undefined {
  const algorithm = upload.checksumAlgorithm;
  if (algorithm === undefined || parts.some((part) => part.checksum?.algorithm !== algorithm)) return undefined;
  const type = typeOf(upload);
  const values = parts.map((part) => ({ checksum: (part.checksum as Checksum).value, size: part.size }));
  const value =
    type === "FULL_OBJECT"
      ? combineCrc(algorithm, values)
      : compositeChecksum(
          algorithm,
          values.map((v) => v.checksum),
        );
  return { algorithm, type, value };
}

function multipartEtag(parts: readonly PartRow[]): string {
  const hash = createHash("md5");
  for (const part of parts) hash.update(Buffer.from(part.etag, "hex"));
  return `${hash.digest("hex")}-${parts.length}`;
}

/** The upload, its parts, or what the object takes the place of changed before the commit. */
class Overtaken extends Error {
  override name = "Overtaken";
}

/** Objects.completeUpload */
export async function completeUpload(context: Context, request: CompleteUploadRequest): Promise<PutResult> {
  for (let tries = 0; tries < COMPLETION_TRIES_MAX; tries++) {
    try {
      return await complete(context, request, await uploadRow(context, request));
    } catch (error) {
      if (error instanceof Overtaken) continue;
      const before = hasCode(error, "NoSuchUpload") ? await completedBefore(context, request) : undefined;
      if (before === undefined) throw error;
      return before;
    }
  }
  throw new StoreError("SlowDownWrite", { message: "The upload changes all the time; try again." });
}

/** The answer to the first completion was lost and the client asks again: the object is among the newest of its key. */
async function completedBefore(context: Context, request: CompleteUploadRequest): Promise<PutResult | undefined> {
  const { bucket } = await context.bucketRow(request.bucket);
  const range = keys.prefixRange(keys.objectPrefix(keys.SPACE.version, bucket.id, request.key));
  for (const { value } of await context.index.scan(range, { limit: COMPLETED_LOOKED_AT })) {
    const version = decodeVersion(value);
    if (version.kind === "object" && version.uploadId === request.uploadId)
      return { bucket, version, versioned: version.versionId !== NULL_VERSION };
  }
  return undefined;
}

/** The registers came with the creation, so their times do too; the version's time comes with the completion. */
function sourceOf(upload: Upload, completion: ReplicaSource | undefined): ReplicaSource | undefined {
  const created = upload.replica;
  if (created === undefined) return undefined;
  return {
    ...created,
    mtime: completion?.mtime,
    etag: completion?.etag ?? created.etag,
    resyncId: completion?.resyncId ?? created.resyncId,
  };
}

async function complete(context: Context, request: CompleteUploadRequest, row: UploadRow): Promise<PutResult> {
  const { upload } = row;
  const stored = await allParts(context, request.uploadId);
  if (
    request.checksumType !== undefined &&
    upload.checksumAlgorithm !== undefined &&
    request.checksumType !== typeOf(upload)
  ) {
    throw new StoreError("InvalidArgument", {
      message: "The checksum type is not the one that the upload was created with.",
    });
  }
  const chosen = chooseParts(request.parts, stored);
  const size = chosen.reduce((sum, part) => sum + part.size, 0);
  if (request.expectedSize !== undefined && request.expectedSize !== size) {
    throw new StoreError("InvalidRequest", {
      message: "The size of the object is not the one given in x-amz-mp-object-size.",
    });
  }
  const checksum = objectChecksum(upload, chosen);
  const { expectedChecksum } = request;
  // Not looked at, its sender would believe the bytes checked. Peers have theirs checked part by part.
  if (
    expectedChecksum !== undefined &&
    request.source === undefined &&
    checksum?.algorithm !== expectedChecksum.algorithm
  )
    throw new StoreError("InvalidRequest", {
      message: `The upload was not created with the checksum algorithm ${expectedChecksum.algorithm}, so that of the object is not known.`,
    });
  if (
    expectedChecksum !== undefined &&
    checksum?.algorithm === expectedChecksum.algorithm &&
    checksum.value !== expectedChecksum.value
  ) {
    throw new StoreError("BadDigest", { message: "The checksum you specified did not match the object's." });
  }
  const source = sourceOf(upload, request.source);
  let tried = false;
  return commitObject(context, {
    bucket: request.bucket,
    key: request.key,
    versionId: upload.versionId,
    source,
    conditions: request.conditions,
    attributes: upload.attributes,
    size,
    etag: source?.etag ?? multipartEtag(chosen),
    checksum,
    uploadId: request.uploadId,
    encryption: upload.encryption,
    parts: chosen.map((part): Part => ({
      number: part.number,
      size: part.size,
      etag: part.etag,
      checksum: part.checksum?.value,
      blob: part.blob,
    })),
    also(commit) {
      // What was read before a conflict is not what there is now.
      if (tried) throw new Overtaken();
      tried = true;
      removeUpload(commit, row, stored, new Set(chosen.map((part) => part.number)));
    },
  });
}

/** The upload and its parts leave in the commit that makes the object; a part that was replaced meanwhile is a conflict. */
function removeUpload(commit: CommitBuilder, row: UploadRow, stored: StoredParts, used: ReadonlySet<number>): void {
  commit.unchanged(row.key, row.raw).delete(row.key);
  removeParts(commit, row.upload.uploadId, stored);
  for (const [number, { part }] of stored) if (!used.has(number)) rows.dropBlob(commit, part.blob);
}
