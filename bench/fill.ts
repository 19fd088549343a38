/**
 * Fills the data directory of a site that is not running: versions go into the index in large commits, with every row that
 * a PUT writes but without HTTP and with one sync for many.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Bucket } from "../src/model/bucket.ts";
import type { ObjectKey, UnixNs, VersionId } from "../src/model/names.ts";
import type { ObjectVersion, ReplicationState } from "../src/model/version.ts";
import { putVersion } from "../src/objects/rows.ts";
import { encodeInline } from "../src/storage/blobs/format.ts";
import { CommitBuilder } from "../src/storage/index/commit-builder.ts";
import { openLmdbIndex } from "../src/storage/index/lmdb/index.ts";
import { blobRowKey, bucketRowKey, SPACE } from "../src/storage/keys.ts";
import { decodeRow } from "../src/storage/records.ts";

const PER_COMMIT = 2000;
const FOLDERS = 97;

export interface Filling {
  /** The site's data directory. */
  readonly dir: string;
  readonly bucket: string;
  readonly count: number;
  readonly body: Buffer;
  /** What the versions say of replication: `targets` at a source, `replica` at its target. */
  readonly replication: ReplicationState;
}

/** The same keys, version ids and times in every directory. */
export const keyOf = (i: number): string => `${folderOf(i)}/object-${String(i).padStart(9, "0")}`;
const folderOf = (i: number): string => (i % FOLDERS).toString(16).padStart(2, "0");
export const versionIdOf = (i: number): string =>
  `${createHash("md5").update(String(i)).digest("hex")}`.replace(/^(.{8})(.{4}).(.{3}).(.{3})/, "$1-$2-4$3-8$4-");
const FIRST_NS = 1_790_000_000_000_000_000n;

export const versionOf = (i: number, body: Buffer, etag: string): ObjectVersion => ({
  kind: "object",
  key: keyOf(i) as ObjectKey,
  versionId: versionIdOf(i) as VersionId,
  mtime: (FIRST_NS + BigInt(i) * 1_000_001n) as UnixNs,
  size: body.length,
  etag,
  headers: { "content-type": "application/octet-stream" },
  userMetadata: {},
  storageClass: "STANDARD",
  partCount: 0,
  replication: { targets: {} },
});

export async function fillDirectory({ dir, bucket, count, body, replication }: Filling): Promise<void> {
  const index = await openLmdbIndex({ path: join(dir, "index") });
  const raw = await index.get(bucketRowKey(bucket));
  if (raw === undefined) throw new Error(`no bucket ${bucket} in ${dir}`);
  const { id } = decodeRow<Bucket>(raw);
  const etag = createHash("md5").update(body).digest("hex");
  const data = encodeInline([body], body.length);
  let commit = new CommitBuilder();
  let open = 0;
  // One commit is written while the next one is made.
  let before: Promise<unknown> = Promise.resolve();
  // In the order of keys: each page of the index is written once.
  for (let folder = 0; folder < FOLDERS; folder++) {
    for (let i = folder; i < count; i += FOLDERS) {
      const blobId = `fedcba9876${i.toString(16).padStart(22, "0")}`;
      const blob = { id: blobId, size: body.length, inline: true };
      const version = { ...versionOf(i, body, etag), blob, replication };
      putVersion(commit, id, version);
      commit.put(blobRowKey(SPACE.data, blobId), data);
      if (++open < PER_COMMIT) continue;
      await before;
      before = index.commit(commit);
      commit = new CommitBuilder();
      open = 0;
    }
  }
  await before;
  if (open > 0) await index.commit(commit);
  await index.close();
}
