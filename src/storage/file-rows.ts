/**
 * Rows of space `F`: the versions whose bytes, or some of them, lie in files. Files can get lost without the index, so a
 * damage check looks at these alone and costs nothing for versions whose bytes are rows. While a server runs, commits keep
 * them; here they are made for directories from before there were any, and looked through.
 */
import { liesInFiles, type Part } from "../model/version.ts";
import { pagesOf } from "./version-rows.ts";
import { CommitBuilder } from "./index/commit-builder.ts";
import type { Entry, OrderedIndex } from "./index/index.ts";
import * as keys from "./keys.ts";
import { decodeRow, decodeVersion, encodeRow } from "./records.ts";

/** Says that every version that lies in files has its row. */
const READY_KEY = keys.namedRowKey(keys.SPACE.config, "files");
const FILE_ROWS_FORMAT = 1;
const EMPTY = Buffer.alloc(0);

export async function fileRowsReady(index: OrderedIndex): Promise<boolean> {
  const raw = await index.get(READY_KEY);
  return raw !== undefined && decodeRow<{ format: number }>(raw).format === FILE_ROWS_FORMAT;
}

/**
 * Gives every version that lies in files its row. To be called before anything else writes. Can be interrupted and run
 * again. `progress` hears of the versions looked at so far.
 */
export async function buildFileRows(index: OrderedIndex, progress: (versions: number) => void): Promise<void> {
  let looked = 0;
  for await (const page of pagesOf(index, keys.spaceRange(keys.SPACE.version))) {
    const commit = new CommitBuilder();
    for (const row of page) {
      const at = await fileRowOf(index, row);
      if (at !== undefined) commit.put(at, EMPTY);
    }
    if (commit.puts.length > 0) await index.commit(commit);
    progress((looked += page.length));
  }
  await index.commit(new CommitBuilder().put(READY_KEY, encodeRow({ format: FILE_ROWS_FORMAT })));
}

/** Throws all rows away and makes them anew. After a crash in the middle the next start of a server goes on. */
export async function rebuildFileRows(index: OrderedIndex, progress: (versions: number) => void): Promise<void> {
  await index.commit(new CommitBuilder().delete(READY_KEY));
  for await (const page of pagesOf(index, keys.spaceRange(keys.SPACE.file), true)) {
    const commit = new CommitBuilder();
    for (const { key } of page) commit.delete(key);
    await index.commit(commit);
  }
  await buildFileRows(index, progress);
}

export interface FileRowFault {
  readonly what: "no file row" | "file row without a file";
  /** Key of the row in question, there or not. */
  readonly row: Buffer;
}

/** Every version against its row, and the other way round. Writes nothing. */
export async function* checkFileRows(index: OrderedIndex): AsyncGenerator<FileRowFault> {
  for await (const page of pagesOf(index, keys.spaceRange(keys.SPACE.version))) {
    for (const row of page) {
      const at = await fileRowOf(index, row);
      if (at !== undefined && (await index.get(at)) === undefined) yield { what: "no file row", row: at };
    }
  }
  for await (const page of pagesOf(index, keys.spaceRange(keys.SPACE.file), true)) {
    for (const { key: row } of page)
      if (!(await namesFiles(index, row))) yield { what: "file row without a file", row };
  }
}

async function namesFiles(index: OrderedIndex, row: Buffer): Promise<boolean> {
  const bucketId = keys.bucketIdOfRow(row);
  const at = keys.splitIdRowKey(row);
  const lookup = await index.get(keys.idRowKey(keys.SPACE.byId, bucketId, at.key, at.versionId));
  if (lookup === undefined) return false;
  const key = keys.versionRowKey(bucketId, { ...at, mtime: lookup.readBigUInt64BE(0) });
  const value = await index.get(key);
  return value !== undefined && (await fileRowOf(index, { key, value }))?.equals(row) === true;
}

/** The key of the row that belongs to a version's row. Undefined: it has none. */
async function fileRowOf(index: OrderedIndex, { key: rowKey, value }: Entry): Promise<Buffer | undefined> {
  const version = decodeVersion(value);
  if (version.kind === "delete-marker") return undefined;
  const { key, versionId } = version;
  const bucketId = keys.bucketIdOfRow(rowKey);
  let parts: readonly Part[] = [];
  if (version.partCount > 0) {
    const raw = await index.get(keys.idRowKey(keys.SPACE.parts, bucketId, key, versionId));
    if (raw !== undefined) ({ parts } = decodeRow<{ parts: Part[] }>(raw));
  }
  return liesInFiles(version, parts) ? keys.idRowKey(keys.SPACE.file, bucketId, key, versionId) : undefined;
}
