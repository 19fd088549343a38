/** Multipart uploads until they are completed (complete-upload.ts) or ended: parts are blobs of their own. */
import { hasCode, StoreError } from "../model/errors.ts";
import type { CustomerKey } from "../model/encryption.ts";
import { NULL_VERSION, type UploadId } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { checkCopySource, checkWrite, hasConditions } from "./conditions.ts";
import type { Context } from "./context.ts";
import { checkLockAllowed } from "./locks.ts";
import { blobSeal, encryptionFor, notApplicable, openSeal, sealFor, type BlobSeal, type Place } from "./encryption.ts";
import { checkQuota, checkVersionIdAllowed, decideMet, discardUnnamed, receive } from "./put.ts";
import { find } from "./read.ts";
import { purgedBefore } from "./purges.ts";
import * as rows from "./rows.ts";
import type { CreateUploadRequest, IncomingBody, PartSource, StoredPart, Upload, UploadSelector } from "./types.ts";
import { allParts, removeParts, uploadRow, type PartRow } from "./upload-rows.ts";

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
  from: PartSource,
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
    await dropParts(context, commit, selector.uploadId);
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
    await dropParts(context, commit, uploadId);
    // A conflict: a part came in between, and the upload is looked at again.
    await context.index.commit(commit);
  }
}

async function dropParts(context: Context, commit: CommitBuilder, uploadId: UploadId): Promise<void> {
  const stored = await allParts(context, uploadId);
  removeParts(commit, uploadId, stored);
  for (const { part } of stored.values()) rows.dropBlob(commit, part.blob);
}
