/**
 * What a resync is about to send, durable before the first byte moves. A job that goes on after `kill -9` finds
 * versions equal that it had sent itself; without these rows it would count them as never having been lost.
 *
 * The counts stay right because each version is in one of two places only. Keys up to the cursor of the record are in
 * its counters, and were put there by the commit that moved the cursor. Keys above it are in no counter yet: they are
 * compared (again), and what is found equal then counts as sent if a row names it. A row holds the keys of a whole batch
 * and stays until the cursor has passed the last of them, so it names versions on both sides of the cursor: those up to
 * it are counted already, and must never answer again, for whatever equal version lies behind them would count as sent.
 */
import { compareUtf8 } from "../model/key-order.ts";
import { RESYNC_ROW_BYTES, RESYNC_ROWS_MAX } from "./limits.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { nameOfRow, namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { rowsPrefix, type RowsOf } from "./job-rows.ts";

/** `bytes`: of the body that has to move. */
export interface Intent {
  readonly key: string;
  readonly versionId: string;
  readonly bytes: number;
}

interface Row {
  /** All keys of the row are at or below this one. */
  readonly last: string;
  readonly entries: readonly (readonly [key: string, versionId: string, bytes: number])[];
}

const nameOf = (key: string, versionId: string): string => `${versionId}/${key}`;

export class Intents {
  readonly #index: OrderedIndex;
  readonly #prefix: string;
  /** Rows in order of writing, each with the mark above which it is needed. */
  #rows: { readonly row: Buffer; readonly last: string }[] = [];
  /** Versions that a run before this one meant to send and of which nothing else is known. */
  #before = new Map<string, number>();
  #next = 0;

  constructor(index: OrderedIndex, of: RowsOf) {
    this.#index = index;
    this.#prefix = rowsPrefix("resync-intents", of);
  }

  /** Reads what earlier runs and attempts left above `cursor`; called before the first `add` of each attempt. */
  async load(cursor: string): Promise<void> {
    this.#rows = [];
    this.#before.clear();
    const entries = await this.#index.scan(namedRange(SPACE.job, this.#prefix), { limit: RESYNC_ROWS_MAX });
    for (const { key, value } of entries) {
      const row = decodeRow<Row>(value);
      this.#rows.push({ row: key, last: row.last });
      for (const [name, versionId, bytes] of row.entries)
        if (compareUtf8(name, cursor) > 0) this.#before.set(nameOf(name, versionId), bytes);
      this.#next = Number(nameOfRow(key).slice(this.#prefix.length)) + 1;
    }
  }

  /** Resolves when the intents are on disk. `last`: the highest key among them; rows come in key order. */
  async add(last: string, intents: readonly Intent[]): Promise<void> {
    if (intents.length === 0) return;
    const commit = new CommitBuilder();
    const rows: Buffer[] = [];
    for (const entries of rowsOf(intents)) {
      const key = namedRowKey(SPACE.job, `${this.#prefix}${String(this.#next++).padStart(12, "0")}`);
      commit.put(key, encodeRow({ last, entries } satisfies Row));
      rows.push(key);
    }
    await this.#index.commit(commit);
    for (const row of rows) this.#rows.push({ row, last });
  }

  /** Bytes that an earlier run meant to move for a version that is equal now: this job sent it. Answers once. */
  sentBefore(key: string, versionId: string): number | undefined {
    if (this.#before.size === 0) return undefined;
    const name = nameOf(key, versionId);
    const bytes = this.#before.get(name);
    this.#before.delete(name);
    return bytes;
  }

  /** The same for all versions up to `key`, where their equality was told by one sum. */
  sentUpTo(key: string): Intent[] {
    const out: Intent[] = [];
    for (const [name, bytes] of this.#before) {
      const at = name.indexOf("/");
      const intent = { key: name.slice(at + 1), versionId: name.slice(0, at), bytes };
      if (compareUtf8(intent.key, key) > 0) continue;
      this.#before.delete(name);
      out.push(intent);
    }
    return out;
  }

  /** Rows that nobody needs once everything up to `cursor` is saved as done: to be deleted in that commit. */
  settled(cursor: string): Buffer[] {
    const end = this.#rows.findIndex(({ last }) => compareUtf8(last, cursor) > 0);
    return (end < 0 ? this.#rows : this.#rows.slice(0, end)).map(({ row }) => row);
  }

  /** A pass is over: the next one begins at the first key again, and all rows are of no use. */
  endPass(): void {
    this.#before.clear();
    this.#rows = this.#rows.map(({ row }) => ({ row, last: "" }));
  }

  /** These rows, as `settled` told them, are deleted. A commit that failed leaves them to be told again. */
  deleted(rows: readonly Buffer[]): void {
    const gone = new Set(rows);
    this.#rows = this.#rows.filter(({ row }) => !gone.has(row));
  }
}

/** Cut where a row would outgrow what the index takes as one value. */
function* rowsOf(intents: readonly Intent[]): Generator<Row["entries"]> {
  let entries: [string, string, number][] = [];
  let size = 0;
  for (const { key, versionId, bytes } of intents) {
    size += Buffer.byteLength(JSON.stringify(key)) + 64;
    if (size > RESYNC_ROW_BYTES && entries.length > 0) {
      yield entries;
      entries = [];
      size = 0;
    }
    entries.push([key, versionId, bytes]);
  }
  yield entries;
}
