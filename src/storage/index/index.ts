/**
 * The ordered index: the only authority of a site. One small interface; LMDB, memory (simulator) and later a database
 * behind it pass the same contract suite (`contract.ts`). Keys are bytes in memcmp order, at most 1900 bytes.
 * A commit is data, so it can be batched, sent to another thread, replayed and simulated.
 */
import type { Digest } from "./digest/digest.ts";
import type { DigestPart, PlaceRange } from "./digest/query.ts";

export interface KeyRange {
  /** First key, inclusive. */
  readonly start: Buffer;
  /** End, exclusive. */
  readonly end: Buffer;
}

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export type Check =
  /** The row holds exactly these bytes; `null`: the row is absent. */
  | { readonly kind: "value"; readonly key: Buffer; readonly value: Buffer | null }
  /** The first key of the range is `key`; `null`: the range is empty. */
  | { readonly kind: "first"; readonly range: KeyRange; readonly key: Buffer | null };

/** Applied in this order: checks, deletes, puts, adds. So a row that is deleted and put in one commit is there after it. */
export interface Commit {
  readonly checks: readonly Check[];
  readonly puts: readonly Entry[];
  readonly deletes: readonly Buffer[];
  /** Signed 64-bit counters (8 bytes, little-endian); an absent row counts as 0; a row that becomes 0 is deleted. */
  readonly adds: readonly { readonly key: Buffer; readonly delta: bigint }[];
}

/** `conflict`: a check failed and nothing of the commit was applied; read again and retry. */
export type CommitResult = "committed" | "conflict";

export interface ScanOptions {
  /** Most entries to return; the page may end there. */
  readonly limit: number;
  /** From the end of the range towards its start. */
  readonly reverse?: boolean | undefined;
  /** Values are left out (empty buffers): for counting and for key-only walks. */
  readonly keysOnly?: boolean | undefined;
}

export interface OrderedIndex {
  /** The value of a row, or undefined. The buffer is the caller's own. */
  get(key: Buffer): Promise<Buffer | undefined>;
  /** One page of a range, in order, as of one moment. Fewer than `limit` entries: the range is at its end. */
  scan(range: KeyRange, options: ScanOptions): Promise<Entry[]>;
  /**
   * All or nothing. Resolves "committed" only when it is on disk (fsync). Commits handed over together are applied in
   * order, each seeing those before it. Rejects with StoreError `XMinioStorageFull` when the disk is full, and with
   * `InternalError` for any other failure of the storage; then nothing of this commit was applied.
   */
  commit(commit: Commit): Promise<CommitResult>;
  /**
   * What the versions of a range sum up to, as of one moment. Commits keep the digests themselves: whatever puts or
   * removes a row of space `I` has changed them when it is committed. A range of one bucket.
   */
  digest(range: PlaceRange): Promise<Digest>;
  /** The range cut into about as many parts as asked for, with their digests; empty: too few versions to cut. */
  digestParts(range: PlaceRange, count: { least: number; most: number }): Promise<DigestPart[]>;
  /** Waits for commits under way, then releases everything. */
  close(): Promise<void>;
}
