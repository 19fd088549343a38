/** Finding a version and reading its bytes, checked; damage is recorded and never served. */
import { StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import type { BucketName, VersionId } from "../model/names.ts";
import type { BlobRef, ObjectVersion, Part, Tombstone, Version } from "../model/version.ts";
import { replicationStatus } from "../model/version.ts";
import { REPLICATION_DELETE_MARKER_STATUS } from "../protocol/replication-headers.ts";
import { BlobDamagedError } from "../storage/blobs/blobs.ts";
import * as keys from "../storage/keys.ts";
import { VERSIONS_PER_TURN, type Context } from "./context.ts";
import { Lock } from "./encryption.ts";
import * as rows from "./rows.ts";
import { markDamaged } from "./status.ts";
import type { FoundObject, StoredVersion, VersionRow, VersionSelector } from "./types.ts";

async function locate(
  context: Context,
  selector: VersionSelector,
): Promise<{ bucket: Bucket; row: VersionRow | undefined }> {
  const { bucket } = await context.bucketRow(selector.bucket);
  const row =
    selector.versionId === undefined
      ? await context.currentRow(bucket.id, selector.key)
      : (await context.rowById(bucket.id, selector.key, selector.versionId)).row;
  return { bucket, row };
}

/** Objects.version */
export async function version(
  context: Context,
  selector: VersionSelector,
): Promise<{ bucket: Bucket; version: Version } | undefined> {
  const { bucket, row } = await locate(context, selector);
  return row === undefined ? undefined : { bucket, version: row.version };
}

/** Objects.stored */
export async function stored(
  context: Context,
  selector: VersionSelector & { versionId: VersionId },
): Promise<StoredVersion | undefined> {
  const { bucket, row } = await locate(context, selector);
  if (row === undefined) return undefined;
  if (row.version.kind === "delete-marker") return { ...row, bucket };
  const object = await readable(context, bucket, row, row.version);
  // Parts of another null version, or none, must not stand for this one's.
  return object === undefined ? stored(context, selector) : { ...row, bucket, object };
}

/** Objects.versionRows */
export async function versionRows(
  context: Context,
  name: BucketName,
  ids: readonly Pick<Version, "key" | "versionId">[],
): Promise<{ bucket: Bucket; rows: (VersionRow | undefined)[] }> {
  const { bucket } = await context.bucketRow(name);
  const found: (VersionRow | undefined)[] = [];
  for (const { key, versionId } of ids) {
    found.push((await context.rowById(bucket.id, key, versionId)).row);
    if (found.length % VERSIONS_PER_TURN === 0) await context.clock.sleep(0);
  }
  return { bucket, rows: found };
}

/** Objects.tombstone */
export async function tombstone(
  context: Context,
  selector: VersionSelector & { versionId: VersionId },
): Promise<Tombstone | undefined> {
  const { bucket } = await context.bucketRow(selector.bucket);
  return (await context.tombstoneRow(bucket.id, selector.key, selector.versionId)).tombstone;
}

/** Objects.find; s3-api.md section 9 for the answers about delete markers. */
export async function find(context: Context, selector: VersionSelector): Promise<FoundObject> {
  const { bucket, row } = await locate(context, selector);
  const names = { bucket: selector.bucket, key: selector.key };
  if (row === undefined) throw new StoreError(selector.versionId === undefined ? "NoSuchKey" : "NoSuchVersion", names);
  const found = row.version;
  if (found.kind === "delete-marker") {
    const status = replicationStatus(found.replication);
    const headers: Record<string, string> = { "x-amz-delete-marker": "true", "x-amz-version-id": found.versionId };
    if (status !== undefined && status !== "COMPLETED") headers[REPLICATION_DELETE_MARKER_STATUS] = status;
    headers["last-modified"] = new Date(Number(found.mtime / 1_000_000n)).toUTCString();
    if (selector.versionId === undefined) throw new StoreError("NoSuchKey", { ...names, headers });
    headers["allow"] = "DELETE";
    throw new StoreError("MethodNotAllowed", { ...names, headers });
  }
  const object = await readable(context, bucket, row, found);
  if (object === undefined) return find(context, selector);
  const isLatest = selector.versionId === undefined || (await isCurrent(context, bucket.id, row));
  return { ...object, isLatest };
}

/** The way to the bytes of a version; undefined: it was replaced meanwhile. */
async function readable(
  context: Context,
  bucket: Bucket,
  row: VersionRow,
  version: ObjectVersion,
): Promise<Omit<FoundObject, "isLatest"> | undefined> {
  const parts = await rows.partsOf(context, bucket.id, version);
  // Two reads are not one moment: parts of another null version, or none, must not stand for this one's.
  if (version.partCount > 0 && !(await context.index.get(row.key))?.equals(row.raw)) return undefined;
  const { encryption } = version;
  const place = { bucket: bucket.name, key: version.key };
  const lock = encryption === undefined ? undefined : new Lock(context, place, encryption);
  return {
    bucket,
    version,
    parts,
    read: (start, end, lent) => read(context, { bucket, version, parts, lent, lock }, start, end),
    inline: () => inline(context, version),
    unlock: lock && (async (customerKey) => void (await lock.open(customerKey))),
  };
}

/** Nothing is said of damage here: reading finds it, and records it. */
async function inline(context: Context, { blob, encryption, damaged }: ObjectVersion): Promise<Buffer | undefined> {
  if (blob?.inline !== true || encryption !== undefined || damaged !== undefined) return undefined;
  return context.blobs.inlineBytes(blob, await context.index.get(keys.blobRowKey(keys.SPACE.data, blob.id)));
}

async function isCurrent(context: Context, bucketId: string, row: VersionRow): Promise<boolean> {
  const range = keys.prefixRange(keys.objectPrefix(keys.SPACE.version, bucketId, row.version.key));
  const [first] = await context.index.scan(range, { limit: 1, keysOnly: true });
  return first !== undefined && first.key.equals(row.key);
}

interface Readable {
  readonly bucket: Bucket;
  readonly version: ObjectVersion;
  readonly parts: readonly Part[];
  /** See FoundObject.read. */
  readonly lent: boolean | undefined;
  readonly lock?: Lock | undefined;
}

async function* read(context: Context, object: Readable, start: number, end: number): AsyncIterable<Buffer> {
  if (object.version.damaged !== undefined) throw damagedError(object, object.version.damaged);
  try {
    if (object.version.blob !== undefined) {
      const key = object.lock && (await object.lock.blobKey(object.version.blob, 0));
      yield* readBlob(context, object.version.blob, { start, end, lent: object.lent, key });
      return;
    }
    let offset = 0;
    for (const part of object.parts) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, part.size);
      if (from < to) {
        const key = object.lock && (await object.lock.blobKey(part.blob, part.number));
        yield* readBlob(context, part.blob, { start: from, end: to, lent: object.lent, key });
      }
      offset += part.size;
      if (offset >= end) return;
    }
  } catch (error) {
    if (!(error instanceof BlobDamagedError)) throw error;
    throw await damageFound(context, object, error);
  }
}

/** `key`: of a sealed blob. */
interface BlobRange {
  readonly start: number;
  readonly end: number;
  readonly lent: boolean | undefined;
  readonly key: Buffer | undefined;
}

async function* readBlob(context: Context, ref: BlobRef, { start, end, lent, key }: BlobRange): AsyncIterable<Buffer> {
  if (start >= end) return;
  const row = ref.inline ? await context.index.get(keys.blobRowKey(keys.SPACE.data, ref.id)) : undefined;
  yield* context.blobs.read(ref, start, end, row, lent, key);
}

/** A version that was removed, replaced or healed while it was read lost those bytes rightly: that is no damage. */
async function damageFound(context: Context, object: Readable, error: BlobDamagedError): Promise<StoreError> {
  const { version: seen, bucket } = object;
  const selector = { bucket: bucket.name, key: seen.key, versionId: seen.versionId };
  const still = await markDamaged(context, selector, error.state, error.blobId);
  if (!still) return new StoreError("NoSuchVersion", { bucket: bucket.name, key: seen.key });
  return damagedError(object, error.state);
}

function damagedError(object: Readable, reason: string): StoreError {
  return new StoreError("XResilverObjectDamaged", {
    bucket: object.bucket.name,
    key: object.version.key,
    message: `The stored bytes of this version are ${reason}. A resync from a healthy site brings them back.`,
  });
}
