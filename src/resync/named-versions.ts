/** The versions that a resync was given one by one (a file, or all that failed), as rows of the job. */
import { compareUtf8 } from "../model/key-order.ts";
import { NULL_VERSION, type Arn, type BucketName, type ObjectKey, type VersionId } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import { RESYNC_ROW_BYTES } from "./limits.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { keyAfter, namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { rowsPrefix, type RowsOf } from "./job-rows.ts";
import { listHere, type LocalKey } from "./local-listing.ts";
import type { Named } from "./options.ts";

export interface Listed {
  readonly key: string;
  readonly versionIds: readonly VersionId[];
}

interface Row {
  readonly keys: readonly Listed[];
}

/** Writes the list, which comes in key order; resolves to the number of versions. */
export async function saveList(index: OrderedIndex, at: RowsOf, list: AsyncIterable<Listed>): Promise<number> {
  let count = 0;
  let rows = 0;
  let keys: Listed[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    if (keys.length === 0) return;
    const row = namedRowKey(SPACE.job, `${rowsPrefix("resync-list", at)}${String(rows++).padStart(12, "0")}`);
    await index.commit(new CommitBuilder().put(row, encodeRow({ keys } satisfies Row)));
    keys = [];
    size = 0;
  };
  for await (const piece of pieces(list)) {
    const bytes = Buffer.byteLength(JSON.stringify(piece.key)) + 40 * piece.versionIds.length;
    if (size + bytes > RESYNC_ROW_BYTES) await flush();
    keys.push(piece);
    size += bytes;
    count += piece.versionIds.length;
  }
  await flush();
  return count;
}

const IDS_IN_A_ROW = 1000;

/** A key of very many versions fills several rows. */
async function* pieces(list: AsyncIterable<Listed>): AsyncGenerator<Listed> {
  for await (const { key, versionIds } of list)
    for (let at = 0; at < versionIds.length; at += IDS_IN_A_ROW)
      yield { key, versionIds: versionIds.slice(at, at + IDS_IN_A_ROW) };
}

/** The list of a job, keys after `afterKey`, each key once. */
export async function* loadList(index: OrderedIndex, at: RowsOf, afterKey: string): AsyncGenerator<Listed> {
  let { start, end } = namedRange(SPACE.job, rowsPrefix("resync-list", at));
  let open: { key: string; versionIds: VersionId[] } | undefined;
  for (;;) {
    const [entry] = await index.scan({ start, end }, { limit: 1 });
    if (entry === undefined) break;
    start = keyAfter(entry.key);
    for (const { key, versionIds } of decodeRow<Row>(entry.value).keys) {
      if (afterKey !== "" && compareUtf8(key, afterKey) <= 0) continue;
      if (open !== undefined && open.key !== key) {
        yield open;
        open = undefined;
      }
      open ??= { key, versionIds: [] };
      open.versionIds.push(...versionIds);
    }
  }
  if (open !== undefined) yield open;
}

/** What a user named, in key order and without repeats; a key without an id stands for all its versions. */
export async function* namedInOrder(
  objects: Objects,
  bucket: BucketName,
  named: readonly Named[],
): AsyncGenerator<Listed> {
  const byKey = new Map<string, Set<VersionId> | "all">();
  for (const { key, versionId } of named) {
    const known = byKey.get(key);
    if (versionId === undefined) byKey.set(key, "all");
    else if (known === undefined) byKey.set(key, new Set([versionId]));
    else if (known !== "all") known.add(versionId);
  }
  for (const key of [...byKey.keys()].toSorted(compareUtf8)) {
    const ids = byKey.get(key);
    if (ids !== "all") yield { key, versionIds: [...(ids ?? [])] };
    else yield* allOf(objects, bucket, key);
  }
}

async function* allOf(objects: Objects, bucket: BucketName, key: string): AsyncGenerator<Listed> {
  for await (const found of listHere(objects, bucket, "", key)) {
    // The key itself comes first among those that begin with it.
    if (found.key === key) return yield { key, versionIds: found.versions.map(({ versionId }) => versionId) };
    break;
  }
  // A key that is not here must not be left out in silence: it stands as a version that is not here.
  yield { key, versionIds: [NULL_VERSION] };
}

/** Every version whose last attempt to reach the target failed. */
export async function* failedOf(
  objects: Objects,
  bucket: BucketName,
  arn: Arn,
  prefix: string,
): AsyncGenerator<Listed> {
  for await (const { key, versions } of listHere(objects, bucket, "", prefix)) {
    const failed = versions.filter(({ replication }) => replication.targets[arn] === "FAILED");
    if (failed.length > 0) yield { key, versionIds: failed.map(({ versionId }) => versionId) };
  }
}

/** The named versions as they are now, from a stream in key order. */
export async function* lookUp(
  objects: Objects,
  bucket: BucketName,
  named: AsyncIterable<Listed>,
): AsyncGenerator<LocalKey> {
  for await (const { key, versionIds } of named) {
    const versions: Version[] = [];
    const missing: VersionId[] = [];
    for (const versionId of versionIds) {
      const found = await objects.version({ bucket, key: key as ObjectKey, versionId });
      if (found === undefined) missing.push(versionId);
      else versions.push(found.version);
    }
    versions.sort((a, b) => (a.mtime > b.mtime ? -1 : a.mtime < b.mtime ? 1 : 0));
    yield { key, versions, missing };
  }
}
