/**
 * The ordered index in memory: for tests and for the simulator. Same contract as the durable one, except that nothing
 * survives the process. Rows lie in sorted chunks: a binary search finds the chunk, another the row in it.
 */
import { StoreError } from "../../model/errors.ts";
import { checkRows } from "./check-rows.ts";
import type { Digest } from "./digest/digest.ts";
import type { WritableRows } from "./digest/levels.ts";
import { digestOfRange, partsOfRange, type DigestPart, type PlaceRange } from "./digest/query.ts";
import { LookupChanges } from "./digest/update.ts";
import type { Check, Commit, CommitResult, Entry, KeyRange, OrderedIndex, ScanOptions } from "./index.ts";

/** A chunk is cut in two above this size: an insert moves at most this many references. */
const CHUNK_ROWS_MAX = 512;

interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

interface Position {
  readonly chunk: number;
  readonly row: number;
  /** The row at the position has exactly the key that was looked for. */
  readonly exact: boolean;
}

/** Sorted rows. There is always at least one chunk, and only a sole chunk may be empty. */
class SortedRows {
  readonly #chunks: Row[][] = [[]];

  /** Where `key` is, or where it would be inserted: never past the end of a chunk that has a successor's first row. */
  find(key: Buffer): Position {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (Buffer.compare(this.#at(middle, 0).key, key) <= 0) low = middle;
      else high = middle - 1;
    }
    const rows = this.#chunks[low] as Row[];
    let first = 0;
    let end = rows.length;
    while (first < end) {
      const middle = (first + end) >> 1;
      const order = Buffer.compare(this.#at(low, middle).key, key);
      if (order === 0) return { chunk: low, row: middle, exact: true };
      if (order < 0) first = middle + 1;
      else end = middle;
    }
    return { chunk: low, row: first, exact: false };
  }

  get(key: Buffer): Buffer | undefined {
    const at = this.find(key);
    return at.exact ? this.#at(at.chunk, at.row).value : undefined;
  }

  put(row: Row): void {
    const at = this.find(row.key);
    const rows = this.#chunks[at.chunk] as Row[];
    if (at.exact) {
      rows[at.row] = row;
      return;
    }
    rows.splice(at.row, 0, row);
    if (rows.length > CHUNK_ROWS_MAX) this.#chunks.splice(at.chunk + 1, 0, rows.splice(rows.length >> 1));
  }

  delete(key: Buffer): void {
    const at = this.find(key);
    if (!at.exact) return;
    const rows = this.#chunks[at.chunk] as Row[];
    rows.splice(at.row, 1);
    if (rows.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at.chunk, 1);
  }

  *forward(range: KeyRange): Generator<Row> {
    const at = this.find(range.start);
    let from = at.row;
    for (let chunk = at.chunk; chunk < this.#chunks.length; chunk++) {
      const rows = this.#chunks[chunk] as Row[];
      for (let i = from; i < rows.length; i++) {
        const row = rows[i] as Row;
        if (Buffer.compare(row.key, range.end) >= 0) return;
        yield row;
      }
      from = 0;
    }
  }

  *backward(range: KeyRange): Generator<Row> {
    const at = this.find(range.end);
    let from = at.row - 1;
    for (let chunk = at.chunk; chunk >= 0; chunk--) {
      for (let i = from; i >= 0; i--) {
        const row = this.#at(chunk, i);
        if (Buffer.compare(row.key, range.start) < 0) return;
        yield row;
      }
      from = (this.#chunks[chunk - 1]?.length ?? 0) - 1;
    }
  }

  #at(chunk: number, row: number): Row {
    return (this.#chunks[chunk] as Row[])[row] as Row;
  }
}

class MemoryIndex implements OrderedIndex {
  readonly #rows = new SortedRows();
  /** The rows as digests are kept and read with. */
  readonly #view: WritableRows = {
    get: (key) => this.#rows.get(key),
    scan: (range, options) => this.#scan(range, options),
    put: (key, value) => this.#rows.put({ key, value }),
    remove: (key) => this.#rows.delete(key),
  };
  #closed = false;

  get(key: Buffer): Promise<Buffer | undefined> {
    const value = this.#rows.get(key);
    return Promise.resolve(value === undefined ? undefined : Buffer.from(value));
  }

  scan(range: KeyRange, options: ScanOptions): Promise<Entry[]> {
    return Promise.resolve(this.#scan(range, options));
  }

  async digest(range: PlaceRange): Promise<Digest> {
    return digestOfRange(this.#view, range);
  }

  async digestParts(range: PlaceRange, count: { least: number; most: number }): Promise<DigestPart[]> {
    return partsOfRange(this.#view, range, count);
  }

  // Applied before anything is awaited, so commits handed over together are applied in order.
  async commit(commit: Commit): Promise<CommitResult> {
    if (this.#closed) throw new StoreError("InternalError", { message: "The index is closed." });
    checkRows(commit);
    if (!commit.checks.every((check) => this.#holds(check))) return "conflict";
    const lookups = new LookupChanges();
    for (const key of commit.deletes) {
      lookups.note(this.#view, key, undefined);
      this.#rows.delete(key);
    }
    for (const { key, value } of commit.puts) {
      lookups.note(this.#view, key, value);
      this.#rows.put({ key: Buffer.from(key), value: Buffer.from(value) });
    }
    for (const { key, delta } of commit.adds) this.#add(key, delta);
    lookups.apply(this.#view);
    return "committed";
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #scan(range: KeyRange, options: ScanOptions): Entry[] {
    const out: Entry[] = [];
    if (options.limit <= 0 || Buffer.compare(range.start, range.end) >= 0) return out;
    const rows = options.reverse === true ? this.#rows.backward(range) : this.#rows.forward(range);
    for (const row of rows) {
      const value = options.keysOnly === true ? Buffer.alloc(0) : Buffer.from(row.value);
      out.push({ key: Buffer.from(row.key), value });
      if (out.length === options.limit) break;
    }
    return out;
  }

  #holds(check: Check): boolean {
    if (check.kind === "value") {
      const value = this.#rows.get(check.key);
      return check.value === null ? value === undefined : value !== undefined && value.equals(check.value);
    }
    for (const row of this.#rows.forward(check.range)) return check.key !== null && row.key.equals(check.key);
    return check.key === null;
  }

  #add(key: Buffer, delta: bigint): void {
    const before = this.#rows.get(key);
    const sum = BigInt.asIntN(64, (before === undefined ? 0n : before.readBigInt64LE(0)) + delta);
    if (sum === 0n) return this.#rows.delete(key);
    const value = Buffer.allocUnsafe(8);
    value.writeBigInt64LE(sum);
    this.#rows.put({ key: Buffer.from(key), value });
  }
}

/** An empty index that lives as long as the process. */
export function memoryIndex(): OrderedIndex {
  return new MemoryIndex();
}
