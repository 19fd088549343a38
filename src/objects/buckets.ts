/** Buckets: create, change, delete. */
import type { Bucket } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { decodeRow, decodeVersion, encodeRow } from "../storage/records.ts";
import { abortAll } from "./uploads.ts";
import type { Context } from "./context.ts";
import * as rows from "./rows.ts";

const PAGE = 500;

export async function createBucket(context: Context, name: BucketName, options: { owner: string }): Promise<Bucket> {
  const key = keys.bucketRowKey(name);
  const bucket: Bucket = {
    name,
    id: context.random.bytes(8).toString("hex"),
    created: context.clock.nowNs(),
    owner: options.owner,
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
    return { commit: new CommitBuilder().unchanged(row.key, row.raw).put(row.key, encodeRow(result)), result };
  });
}

/** The emptiness check and the removal are one commit: a write that was answered before it makes the bucket not empty. */
export async function deleteBucket(context: Context, name: BucketName, options: { force: boolean }): Promise<void> {
  const { bucket } = await context.bucketRow(name);
  if (options.force) await removeAll(context, bucket);
  const versions = keys.keyPrefixRange(keys.SPACE.version, bucket.id, "");
  const row = await context.bucketRow(name);
  const commit = new CommitBuilder().unchanged(row.key, row.raw).first(versions, undefined).delete(row.key);
  commit.delete(keys.namedRowKey(keys.SPACE.targets, bucket.id));
  for (const what of ["versions", "markers", "bytes"] as const) commit.delete(rows.usageCounter(bucket.id, what));
  if ((await context.index.commit(commit)) === "conflict") throw new StoreError("BucketNotEmpty", { bucket: name });
  await abortAll(context, bucket);
  for (const space of [keys.SPACE.tombstone, keys.SPACE.damage])
    await clear(context, keys.keyPrefixRange(space, bucket.id, ""));
}

async function removeAll(context: Context, bucket: Bucket): Promise<void> {
  const range = keys.keyPrefixRange(keys.SPACE.version, bucket.id, "");
  for (;;) {
    const page = await context.index.scan(range, { limit: PAGE });
    if (page.length === 0) return;
    const commit = new CommitBuilder();
    for (const entry of page) {
      const version = decodeVersion(entry.value);
      commit.unchanged(entry.key, entry.value);
      const parts = await rows.partsOf(context, bucket.id, version);
      rows.removeVersion(commit, bucket.id, { version, key: entry.key, raw: entry.value }, parts);
    }
    // A conflict means that someone wrote meanwhile: the next page sees it.
    await context.index.commit(commit);
  }
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
