/** Buckets: create, change, delete. */
import type { Bucket } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { peerMarksKey } from "../storage/peer-marks.ts";
import { decodeRow, decodeVersion, encodeRow } from "../storage/records.ts";
import { abortAll } from "./uploads.ts";
import type { BucketRow, Context } from "./context.ts";
import { checkLockKept, CLIENT, removable } from "./locks.ts";
import * as rows from "./rows.ts";
import type { NewBucket } from "./types.ts";

const PAGE = 500;

export async function createBucket(context: Context, name: BucketName, options: NewBucket): Promise<Bucket> {
  const key = keys.bucketRowKey(name);
  const bucket: Bucket = {
    name,
    id: context.random.bytes(8).toString("hex"),
    created: context.clock.nowNs(),
    owner: options.owner,
    ...(options.ownership === undefined ? {} : { ownership: options.ownership }),
    ...(options.tags === undefined ? {} : { tags: options.tags }),
    ...(options.objectLock === true ? { versioning: { status: "Enabled" }, objectLock: {} } : {}),
  };
  const commit = new CommitBuilder().unchanged(key, undefined).put(key, encodeRow(bucket));
  if ((await context.index.commit(commit)) === "conflict")
    throw new StoreError("BucketAlreadyOwnedByYou", { bucket: name });
  return bucket;
}

export async function listBuckets(context: Context): Promise<Bucket[]> {
  const out: Bucket[] = [];
  const range = keys.allBucketRows();
  let start = range.start;
  for (;;) {
    const page = await context.index.scan({ start, end: range.end }, { limit: PAGE });
    for (const entry of page) out.push(decodeRow<Bucket>(entry.value));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return out;
    start = keys.keyAfter(last.key);
  }
}

export async function updateBucket(
  context: Context,
  name: BucketName,
  change: (bucket: Bucket) => Bucket,
): Promise<Bucket> {
  return context.commit<Bucket>(async () => {
    const row = await context.bucketRow(name);
    const result = change(row.bucket);
    checkLockKept(row.bucket, result);
    return { commit: new CommitBuilder().unchanged(row.key, row.raw).put(row.key, encodeRow(result)), result };
  });
}

/** The emptiness check and the removal are one commit: a write that was answered before it makes the bucket not empty. */
export async function deleteBucket(context: Context, name: BucketName, options: { force: boolean }): Promise<void> {
  const found = await context.bucketRow(name);
  const { bucket } = found;
  if (options.force) await removeAll(context, found);
  const versions = keys.keyPrefixRange(keys.SPACE.version, bucket.id, "");
  const row = await context.bucketRow(name);
  const commit = new CommitBuilder().unchanged(row.key, row.raw).first(versions, undefined).delete(row.key);
  commit.delete(keys.namedRowKey(keys.SPACE.targets, bucket.id)).delete(peerMarksKey(bucket.id));
  for (const what of ["versions", "markers", "bytes"] as const) commit.delete(rows.usageCounter(bucket.id, what));
  if ((await context.index.commit(commit)) === "conflict") throw new StoreError("BucketNotEmpty", { bucket: name });
  await clearRest(context, bucket.id);
}

/** Spaces in which a bucket without versions may have rows. */
const LEFT_SPACES = [keys.SPACE.upload, keys.SPACE.tombstone, keys.SPACE.damage] as const;

/** What a bucket that is gone leaves. */
async function clearRest(context: Context, bucketId: string): Promise<void> {
  await abortAll(context, bucketId);
  for (const space of [keys.SPACE.tombstone, keys.SPACE.damage])
    await clear(context, keys.keyPrefixRange(space, bucketId, ""));
}

/** Objects.clearDeleted: one look for each bucket that has rows. */
export async function clearDeleted(context: Context): Promise<number> {
  const idsNow = async (): Promise<Set<string>> => new Set((await listBuckets(context)).map(({ id }) => id));
  let known = await idsNow();
  let cleared = 0;
  for (const space of LEFT_SPACES) {
    let { start, end } = keys.spaceRange(space);
    for (;;) {
      const [row] = await context.index.scan({ start, end }, { limit: 1, keysOnly: true });
      if (row === undefined) break;
      const id = keys.bucketIdOfRow(row.key);
      // Read again after the row: a bucket is there before anything in it is, so one that is not has been deleted.
      if (!known.has(id)) known = await idsNow();
      if (!known.has(id)) {
        await clearRest(context, id);
        cleared++;
      }
      start = keys.keyPrefixRange(space, id, "").end;
    }
  }
  return cleared;
}

/** MethodNotAllowed with object lock; a bucket that changes meanwhile (gets object lock) is left as it is. */
async function removeAll(context: Context, { bucket, key, raw }: BucketRow): Promise<void> {
  if (bucket.objectLock !== undefined) throw new StoreError("MethodNotAllowed", { bucket: bucket.name });
  const range = keys.keyPrefixRange(keys.SPACE.version, bucket.id, "");
  for (;;) {
    const page = await context.index.scan(range, { limit: PAGE });
    if (page.length === 0) return;
    const commit = new CommitBuilder().unchanged(key, raw);
    for (const entry of page) {
      const listed = { version: decodeVersion(entry.value), key: entry.key, raw: entry.value };
      const row = removable(context, listed, CLIENT);
      commit.unchanged(row.key, row.raw);
      rows.removeVersion(commit, bucket.id, row, await rows.partsOf(context, bucket.id, row.version));
    }
    // A conflict means that someone wrote meanwhile: the next page sees it.
    if ((await context.index.commit(commit)) === "conflict") await sameBucket(context, bucket.name, raw);
  }
}

/** BucketNotEmpty when the bucket's configuration is another than the one that was read. */
async function sameBucket(context: Context, name: BucketName, raw: Buffer): Promise<void> {
  if (!(await context.bucketRow(name)).raw.equals(raw)) throw new StoreError("BucketNotEmpty", { bucket: name });
}

async function clear(context: Context, range: { start: Buffer; end: Buffer }): Promise<void> {
  for (;;) {
    const page = await context.index.scan(range, { limit: PAGE, keysOnly: true });
    if (page.length === 0) return;
    const commit = new CommitBuilder();
    for (const entry of page) commit.delete(entry.key);
    await context.index.commit(commit);
  }
}

export async function usage(
  context: Context,
  bucket: Bucket,
): Promise<{ objects: number; versions: number; deleteMarkers: number; bytes: number }> {
  const read = async (what: "versions" | "markers" | "bytes"): Promise<number> =>
    Number(keys.readCounter(await context.index.get(rows.usageCounter(bucket.id, what))));
  const versions = await read("versions");
  return { objects: versions, versions, deleteMarkers: await read("markers"), bytes: await read("bytes") };
}
