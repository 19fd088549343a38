/**
 * The few calls of the `lmdb` binding that the index uses, typed, and the two habits they need: values are copied out
 * of the binding's shared buffer once, and a range is walked with one reused iterable (making one costs more than
 * reading a row). Whatever of this the binding changed, the contract suite would show.
 */
import * as lmdb from "lmdb";
import { INDEX_MAP_BYTES, INDEX_READERS_MAX, KEY_BYTES_MAX } from "../../limits.ts";
import type { Entry, KeyRange, ScanOptions } from "../index.ts";

/** What `getRange(...).iterate()` gives: synchronous, and must be ended by `return` when it was not read to its end. */
interface RangeWalk<T> {
  next(): { done?: boolean; value: T | undefined };
  return(): unknown;
}

interface RangeOptions {
  start: Uint8Array;
  end: Uint8Array;
  reverse: boolean;
  exclusiveStart: boolean;
  inclusiveEnd: boolean;
  values: boolean;
}

interface Walkable<T> {
  iterate(): RangeWalk<T>;
}

interface ReadTransaction {
  readonly address: number;
  done(): void;
}

interface Store {
  get(key: Uint8Array): Buffer | undefined;
  getRange(options: RangeOptions): Walkable<Entry | Buffer>;
  put(key: Uint8Array, value: Uint8Array): unknown;
  remove(key: Uint8Array): unknown;
  transactionSync(run: () => unknown): unknown;
  useReadTransaction(): ReadTransaction;
  readerCheck(): number;
  close(): Promise<void>;
}

const native = (lmdb as unknown as { nativeAddon: { resetTxn(address: number): void } }).nativeAddon;

/** The binding lends its buffer for the length of a call only. Its `length` is that of the value, so `copy` is told. */
function copied(bytes: Buffer, start: number, end: number): Buffer {
  const out = Buffer.allocUnsafe(end - start);
  bytes.copy(out, 0, start, end);
  return out;
}

const KEYS = {
  writeKey(key: Uint8Array, target: Uint8Array, start: number): number {
    target.set(key, start);
    return start + key.length;
  },
  readKey: copied,
};

const VALUES = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (bytes: Buffer): Buffer => copied(bytes, 0, bytes.length),
};

const NO_VALUE = Buffer.alloc(0);
const ZERO = Buffer.from([0]);

/** Where the rows lie: a directory. */
export interface StoreOptions {
  readonly path: string;
  /** The rows are neither changed nor made. */
  readonly readOnly?: boolean | undefined;
}

/** One thread's handle of the environment at `path`. All threads and processes that open the same path share it. */
export class LmdbStore {
  readonly #store: Store;
  readonly #snapshot: ReadTransaction;
  readonly #withValues: RangeOptions = rangeOptions(true);
  readonly #keysOnly: RangeOptions = rangeOptions(false);
  readonly #rows: Walkable<Entry>;
  readonly #keys: Walkable<Buffer>;

  constructor(options: StoreOptions) {
    this.#store = lmdb.open({
      path: options.path,
      noSubdir: false,
      readOnly: options.readOnly === true,
      keyEncoder: KEYS,
      encoder: VALUES,
      // One fdatasync inside each transaction's end; the overlapping form answers before the disk has it.
      overlappingSync: false,
      noMemInit: true,
      mapSize: INDEX_MAP_BYTES,
      maxReaders: INDEX_READERS_MAX,
      maxDbs: 1,
      permissionsMode: 0o600,
    } as unknown as lmdb.RootDatabaseOptionsWithPath) as unknown as Store;
    this.#snapshot = this.#store.useReadTransaction();
    this.#snapshot.done();
    this.#rows = this.#store.getRange(this.#withValues) as Walkable<Entry>;
    this.#keys = this.#store.getRange(this.#keysOnly) as Walkable<Buffer>;
  }

  /**
   * The next read takes a new snapshot. The binding would keep one for a turn of the event loop, and with it miss a
   * commit of another process whose answer has already been seen.
   */
  refresh(): void {
    native.resetTxn(this.#snapshot.address);
  }

  /** A copy of the value. Inside `transaction`: as changed so far. */
  get(key: Buffer): Buffer | undefined {
    return key.length > KEY_BYTES_MAX ? undefined : this.#store.get(key);
  }

  scan(range: KeyRange, options: ScanOptions): Entry[] {
    const out: Entry[] = [];
    if (options.limit <= 0 || Buffer.compare(range.start, range.end) >= 0) return out;
    const reverse = options.reverse === true;
    if (options.keysOnly === true) {
      aim(this.#keysOnly, range, reverse);
      walk(this.#keys, options.limit, (key) => out.push({ key, value: NO_VALUE }));
    } else {
      aim(this.#withValues, range, reverse);
      walk(this.#rows, options.limit, (row) => out.push(row));
    }
    return out;
  }

  /** The first key of the range. */
  first(range: KeyRange): Buffer | undefined {
    if (Buffer.compare(range.start, range.end) >= 0) return undefined;
    let first: Buffer | undefined;
    aim(this.#keysOnly, range, false);
    walk(this.#keys, 1, (key) => (first = key));
    return first;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#store.put(key, value);
  }

  remove(key: Uint8Array): void {
    this.#store.remove(key);
  }

  /**
   * Runs `run` in one write transaction, which is on disk when this returns. When `run` throws, nothing is applied.
   * `run` must not hand back a promise: the binding would leave the transaction open for it.
   */
  transaction(run: () => void): void {
    this.#store.transactionSync(run);
  }

  /** Frees reader slots of killed processes: their snapshots would keep old pages from being used again. */
  checkReaders(): void {
    this.#store.readerCheck();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function rangeOptions(values: boolean): RangeOptions {
  const none = Buffer.alloc(0);
  return { start: none, end: none, reverse: false, exclusiveStart: false, inclusiveEnd: false, values };
}

/** The binding walks backwards from `start` to `end`, so both the order and which end is inclusive are turned round. */
function aim(options: RangeOptions, range: KeyRange, reverse: boolean): void {
  const [start, end] = [bound(range.start), bound(range.end)];
  options.start = reverse ? end : start;
  options.end = reverse ? start : end;
  options.reverse = reverse;
  options.exclusiveStart = reverse;
  options.inclusiveEnd = reverse;
}

/**
 * A bound that the binding takes: a client's marker may be longer than any key. Whatever key there is lies on the same side
 * of its beginning and one zero.
 */
function bound(key: Buffer): Buffer {
  return key.length > KEY_BYTES_MAX ? Buffer.concat([key.subarray(0, KEY_BYTES_MAX), ZERO]) : key;
}

function walk<T>(rows: Walkable<T>, limit: number, take: (row: T) => void): void {
  const walker = rows.iterate();
  let left = limit;
  try {
    while (left-- > 0) {
      const step = walker.next();
      if (step.done === true) return;
      take(step.value as T);
    }
  } finally {
    // The cursor is given back also when the page ended early; after the last row this does nothing.
    walker.return();
  }
}
