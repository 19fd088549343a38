/** PUT: bytes first, then one commit, then forget the old bytes. Also the commit that copy and multipart completion end with. */
import { StoreError } from "../model/errors.ts";
import { keepsVersions, type Bucket } from "../model/bucket.ts";
import type { ObjectEncryption } from "../model/encryption.ts";
import { NULL_VERSION, type Arn, type BucketName, type ObjectKey, type VersionId } from "../model/names.ts";
import {
  newerRegister,
  type BlobRef,
  type Checksum,
  type ObjectVersion,
  type Part,
  type Register,
  type Tombstone,
  type Version,
} from "../model/version.ts";
import { freeMemory } from "../runtime/owned-bytes.ts";
import type { WriteOptions, WrittenBlob } from "../storage/blobs/blobs.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { checkWrite, hasConditions, preconditionFailed } from "./conditions.ts";
import type { Context } from "./context.ts";
import { checkLockAllowed, locksOfNew, removerOf, replaceable } from "./locks.ts";
import { blobSeal, encryptionFor, sealFor, type BlobSeal } from "./encryption.ts";
import { liftPurge, purgedBefore } from "./purges.ts";
import * as rows from "./rows.ts";
import type {
  IncomingBody,
  ObjectAttributesInput,
  PutRequest,
  PutResult,
  ReplicaSource,
  VersionRow,
  WriteConditions,
} from "./types.ts";

/** Everything of a new object but its place in time: what PUT, copy and complete hand to `commitObject`. */
export interface NewObject {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly versionId?: VersionId | undefined;
  readonly source?: ReplicaSource | undefined;
  readonly conditions?: WriteConditions | undefined;
  readonly attributes: ObjectAttributesInput;
  readonly size: number;
  readonly etag: string;
  readonly checksum?: Checksum | undefined;
  readonly encryption?: ObjectEncryption | undefined;
  readonly blob?: BlobRef | undefined;
  readonly inlineRow?: Buffer | undefined;
  readonly parts?: readonly Part[] | undefined;
  readonly uploadId?: string | undefined;
  /** Rows that must leave with this commit (an upload's), added after the version's own. */
  readonly also?: ((commit: CommitBuilder) => void) | undefined;
}

/** Stores an object. Errors: NoSuchBucket, PreconditionFailed, BadDigest, IncompleteBody, XMinioStorageFull, ... */
export async function put(context: Context, request: PutRequest): Promise<PutResult> {
  const bucket = await refuseEarly(context, request);
  const asked = encryptionFor(context, bucket, request.encryption);
  const seal = asked === undefined ? undefined : await sealFor(context, request, asked);
  const { source } = request;
  const written = await receive(context, request.body, seal && blobSeal(context, seal, 0), source?.etag);
  const checksum = checksumOf(request.body, written);
  const object: NewObject = {
    bucket: request.bucket,
    key: request.key,
    versionId: request.versionId,
    source,
    conditions: request.conditions,
    attributes: request.attributes,
    size: written.size,
    etag: written.etag,
    checksum,
    encryption: seal?.encryption,
    blob: written.ref,
    inlineRow: written.inlineRow,
  };
  try {
    return await commitOrDiscard(context, object);
  } finally {
    // The index has its own copy, or will never have one.
    if (written.inlineRow !== undefined) freeMemory(written.inlineRow);
  }
}

/** What was received: `etag` is that of the source, else the MD5, or random digits where that must not be told. */
export interface Received extends WrittenBlob {
  readonly etag: string;
}

/**
 * Reads a body to durable bytes, sealed or not, and holds it against what the client claimed. `etag`: what a replica had at its
 * source, which need not be an MD5.
 */
export async function receive(
  context: Context,
  body: IncomingBody,
  seal?: BlobSeal,
  etag?: string | undefined,
): Promise<Received> {
  const hidden = seal?.hidesMd5 === true;
  const isMd5 = etag === undefined && !hidden;
  const written = await write(context, body, {
    sizeHint: body.size,
    lent: body.lent,
    md5: isMd5 || body.md5 !== undefined,
    sha256: body.sha256 !== undefined,
    checksum: body.checksumAlgorithm,
    sealKey: seal?.sealKey,
  });
  const fault = claimFault(body, written);
  if (fault === undefined) {
    const own = isMd5 ? (written.md5 as string) : (etag ?? context.random.bytes(16).toString("hex"));
    return { ...written, etag: own, ref: seal === undefined ? written.ref : { ...written.ref, salt: seal.salt } };
  }
  await discardUnnamed(context, written.ref, fault);
  throw fault;
}

/** A small body goes the short way: in one piece, to a row beside the index. */
async function write(context: Context, body: IncomingBody, options: WriteOptions): Promise<WrittenBlob> {
  if (body.whole === undefined) return context.blobs.write(body.stream, options);
  const whole = await body.whole();
  try {
    const { bytes } = whole;
    if (options.sealKey === undefined) {
      const room = context.blobs.room(bytes.length);
      if (room !== undefined) await room;
      const inline = context.blobs.writeInline(bytes, options);
      if (inline !== undefined) return inline;
    }
    return await context.blobs.write(inOnePiece(bytes), { ...options, lent: false });
  } finally {
    whole.free();
  }
}

async function* inOnePiece(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  if (bytes.length > 0) yield bytes;
}

/** What a client claimed of its body and does not hold. */
export function claimFault(body: IncomingBody, written: WrittenBlob): StoreError | undefined {
  if (body.size !== undefined && written.size !== body.size) return new StoreError("IncompleteBody");
  if (body.md5 !== undefined && written.md5 !== body.md5) return new StoreError("BadDigest");
  if (body.sha256 !== undefined && written.sha256 !== body.sha256) return new StoreError("XAmzContentSHA256Mismatch");
  const expected = body.expectedChecksum?.();
  if (expected !== undefined && expected !== written.checksum) {
    return new StoreError("BadDigest", { message: "The checksum you specified did not match what was received." });
  }
  return undefined;
}

export function checksumOf(body: IncomingBody, written: WrittenBlob): Checksum | undefined {
  if (body.checksumAlgorithm === undefined || written.checksum === undefined) return undefined;
  return { algorithm: body.checksumAlgorithm, type: "FULL_OBJECT", value: written.checksum };
}

/**
 * Removes bytes at once that no commit names, because of `reason`. After an InternalError nobody knows: the writer may have
 * died behind its sync, and the commit then took the older bytes' place. Such are left to the sweep of orphans.
 */
export async function discardUnnamed(context: Context, ref: BlobRef | undefined, reason: unknown): Promise<void> {
  if (ref === undefined || ref.inline || !(reason instanceof StoreError) || reason.code === "InternalError") return;
  await context.blobs.discard(ref.id);
}

/** Commits; when nothing is stored, the bytes are removed. */
export async function commitOrDiscard(context: Context, object: NewObject): Promise<PutResult> {
  try {
    const result = await commitObject(context, object);
    if (result.purged !== undefined && object.blob?.inline === false) await context.blobs.discard(object.blob.id);
    return result;
  } catch (error) {
    await discardUnnamed(context, object.blob, error);
    throw error;
  }
}

/** Refuses before the body is read what would be refused after it: saves the client the transfer. */
async function refuseEarly(context: Context, request: PutRequest): Promise<Bucket> {
  const { bucket } = await context.bucketRow(request.bucket);
  checkLockAllowed(bucket, request.attributes, request.source);
  // Where the write may replace another, only the commit knows how much more there will be.
  if (keepsVersions(bucket, request.key)) await checkQuota(context, bucket, request.body.size ?? 0);
  if (hasConditions(request.conditions)) {
    checkWrite(request.conditions, (await context.currentRow(bucket.id, request.key))?.version);
  }
  if (request.versionId !== undefined) {
    checkVersionIdAllowed(bucket, request.versionId);
    const { row } = await context.rowById(bucket.id, request.key, request.versionId);
    if (row !== undefined) decideExisting(row.version, request.source);
  }
  return bucket;
}

/** replication.md 3.2: a UUID needs versioning Enabled; `null` is fine anywhere. */
export function checkVersionIdAllowed(bucket: Bucket, versionId: VersionId): void {
  if (versionId !== NULL_VERSION && bucket.versioning?.status !== "Enabled") {
    throw new StoreError("InvalidArgument", {
      message: "A version id needs a bucket with versioning enabled.",
      bucket: bucket.name,
    });
  }
}

/**
 * A replica meets a version that is already here (replication.md 3.3). "keep" is told to the sender as 412, which
 * every source takes as success; damaged bytes are always replaced.
 */
function decideExisting(existing: Version, source: ReplicaSource | undefined): void {
  const isNull = existing.versionId === NULL_VERSION;
  if (existing.kind === "delete-marker") {
    if (!isNull) throw new StoreError("MethodNotAllowed", { key: existing.key });
    // An object wins over a marker of the same time; one that is older has been deleted and stays so.
    if (source?.mtime !== undefined && source.mtime >= existing.mtime) return;
    throw new StoreError("PreconditionFailed", { key: existing.key });
  }
  // Damaged bytes are replaced by those of the same version; an older null version is not what was lost.
  if (existing.damaged !== undefined && (!isNull || source?.mtime === undefined || source.mtime >= existing.mtime))
    return;
  if (source?.etag !== undefined && source.etag === existing.etag && sameSecondOrOlder(source, existing)) {
    throw preconditionFailed(existing);
  }
  if (source?.mtime === undefined || source.mtime > existing.mtime) return;
  // An older other content must not replace what is here (MinIO lets it: replication.md B5). Null versions of the same
  // time were written at two sites: the larger ETag wins at both.
  const tie = isNull && source.mtime === existing.mtime && source.etag !== undefined && source.etag > existing.etag;
  if (!tie) throw preconditionFailed(existing);
}

/** What a write from elsewhere meets under its id. NoSuchVersion: what it repairs was removed meanwhile. */
export function decideMet(existing: Version | undefined, at: Pick<NewObject, "bucket" | "key" | "source">): void {
  const { bucket, key, source } = at;
  if (source !== undefined && existing !== undefined) decideExisting(existing, source);
  if (source?.repairs === true && existing === undefined) throw new StoreError("NoSuchVersion", { bucket, key });
}

function sameSecondOrOlder(source: ReplicaSource, existing: ObjectVersion): boolean {
  return existing.versionId !== NULL_VERSION || source.mtime === undefined || source.mtime <= existing.mtime;
}

interface Place {
  readonly bucketRaw: { key: Buffer; raw: Buffer };
  readonly bucket: Bucket;
  readonly versionId: VersionId;
  readonly versioned: boolean;
}

function placeOf(context: Context, row: { bucket: Bucket; key: Buffer; raw: Buffer }, object: NewObject): Place {
  const { bucket } = row;
  if (object.versionId !== undefined) checkVersionIdAllowed(bucket, object.versionId);
  const versioned =
    object.versionId === undefined ? keepsVersions(bucket, object.key) : object.versionId !== NULL_VERSION;
  const versionId = object.versionId ?? (versioned ? (context.random.uuid() as VersionId) : NULL_VERSION);
  return { bucketRaw: row, bucket, versionId, versioned };
}

/** One commit: the version, its rows, the change log. See `decideExisting` and `purgedBefore` for replicas. */
export async function commitObject(context: Context, object: NewObject): Promise<PutResult> {
  return context.commit<PutResult>(async () => {
    // 1. Where it goes.
    const place = placeOf(context, await context.bucketRow(object.bucket), object);
    const { bucket, versionId } = place;
    checkLockAllowed(bucket, object.attributes, object.source);
    const commit = new CommitBuilder().unchanged(place.bucketRaw.key, place.bucketRaw.raw);
    // 2. What is there under its id: only a replica or a null version can meet one.
    const known = object.versionId !== undefined || versionId === NULL_VERSION;
    const before = known ? await context.rowById(bucket.id, object.key, versionId) : undefined;
    if (before !== undefined) commit.unchanged(before.idKey, before.idRaw);
    decideMet(before?.row?.version, object);
    // 3. Was it purged here? Only an explicit resync undoes a local purge; one meant for everyone stays.
    const stone = known ? await context.tombstoneRow(bucket.id, object.key, versionId) : undefined;
    if (stone !== undefined) commit.unchanged(stone.key, stone.raw);
    const purged = purgedBefore(stone?.tombstone, object.source);
    if (purged !== undefined)
      return { result: { bucket, version: build(context, object, place, {}), versioned: place.versioned, purged } };
    // 4. Conditions, against the current version, in the same commit.
    const current =
      object.source?.mtime === undefined || hasConditions(object.conditions)
        ? await context.currentRow(bucket.id, object.key)
        : undefined;
    if (hasConditions(object.conditions)) {
      checkWrite(object.conditions, current?.version);
      commit.first(keys.prefixRange(keys.objectPrefix(keys.SPACE.version, bucket.id, object.key)), current?.key);
    }
    if (bucket.quota !== undefined) await checkQuota(context, bucket, object.size - sizeOf(before?.row?.version));
    // 5. The rows.
    const arns = followersOf(bucket, object);
    const version = build(context, object, place, {
      arns,
      before: before?.row,
      current: current?.version,
      purge: stone?.tombstone,
    });
    if (stone !== undefined) liftPurge(commit, stone, version);
    if (before?.row !== undefined) {
      // The row may move to another time or be changed in place by a register write: its bytes are part of the check.
      commit.unchanged(before.row.key, before.row.raw);
      const old = replaceable(context, before.row, version, removerOf(context, object));
      rows.removeVersion(commit, bucket.id, old, await rows.partsOf(context, bucket.id, old.version));
    }
    rows.putVersion(commit, bucket.id, version, object.parts);
    if (object.inlineRow !== undefined && object.blob !== undefined) {
      commit.put(keys.blobRowKey(keys.SPACE.data, object.blob.id), object.inlineRow);
    }
    rows.putLogRows(commit, context, bucket, {
      arns,
      version,
      operation: "put",
      size: version.size,
      time: context.clock.nowNs(),
    });
    object.also?.(commit);
    return { commit, result: { bucket, version, versioned: place.versioned }, poke: arns };
  });
}

const sizeOf = (version: Version | undefined): number => (version?.kind === "object" ? version.size : 0);

/**
 * XMinioAdminBucketQuotaExceeded when `more` bytes would not fit below the bucket's quota (admin-api.md 6.5). Writes that
 * are under way at the same moment do not see each other: together they may exceed it by their own size.
 */
export async function checkQuota(context: Context, bucket: Bucket, more: number): Promise<void> {
  if (bucket.quota === undefined || more <= 0) return;
  const used = Number(keys.readCounter(await context.index.get(rows.usageCounter(bucket.id, "bytes"))));
  if (used + more >= bucket.quota) throw new StoreError("XMinioAdminBucketQuotaExceeded", { bucket: bucket.name });
}

/** The targets that a write must follow: none what came from a peer. */
function followersOf(bucket: Bucket, { key, attributes, source }: NewObject): Arn[] {
  return rows.followers(bucket, { key, tags: attributes.tags, operation: "put", fromPeer: source !== undefined });
}

/** What was there before a write, under its id, as the newest version of the key, and as a purge of its id; who must follow. */
interface Around {
  readonly arns?: readonly Arn[] | undefined;
  readonly before?: VersionRow | undefined;
  readonly current?: Version | undefined;
  readonly purge?: Tombstone | undefined;
}

/** The version that an object becomes in its place. */
export function build(
  context: Context,
  object: NewObject,
  place: Place,
  { arns = [], before, current, purge }: Around,
): ObjectVersion {
  const { attributes, source } = object;
  const mtime = source?.mtime ?? rows.timeAfter(context, current?.mtime, purge?.time);
  const register = <T>(value: T | undefined, time: bigint | undefined): Register<T> | undefined =>
    value === undefined ? undefined : { value, time: time ?? mtime };
  // The same version with new bytes keeps what it had beside them; a null id may stand for another version by now.
  const old = before?.version;
  const isSame = old?.kind === "object" && old.mtime === mtime && old.etag === object.etag;
  const healed = isSame && old.damaged !== undefined ? old : undefined;
  const twin = isSame || (old?.kind === "object" && place.versionId !== NULL_VERSION) ? old : undefined;
  // A peer's time without tags: they were cleared, and that must win over older tags as any other value.
  const cleared = source?.tagsTime === undefined ? undefined : {};
  const tags = Object.keys(attributes.tags ?? {}).length > 0 ? attributes.tags : cleared;
  return {
    kind: "object",
    key: object.key,
    versionId: place.versionId,
    mtime,
    replication: healed?.replication ?? (source?.replica ? { replica: true, targets: {} } : rows.pending(arns)),
    size: object.size,
    etag: object.etag,
    headers: attributes.headers,
    userMetadata: attributes.userMetadata,
    storageClass: attributes.storageClass,
    checksum: object.checksum,
    encryption: object.encryption,
    tags: newerRegister(healed?.tags, register(tags, source?.tagsTime)),
    ...locksOfNew(context, place.bucket, attributes, { mtime, source, twin }),
    blob: object.blob,
    partCount: object.parts?.length ?? 0,
    uploadId: object.uploadId,
  };
}
