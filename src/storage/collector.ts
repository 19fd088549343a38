/**
 * Removes blob files that nothing names: those that commits gave up (`G` rows), and those left by crashes (orphans).
 * One process of a site runs it at a time; running it twice at once would only waste work.
 */
import type { Clock } from "../runtime/clock.ts";
import type { BlobStore } from "./blobs/blobs.ts";
import { CommitBuilder } from "./index/commit-builder.ts";
import type { Entry, OrderedIndex } from "./index/index.ts";
import { keyAfter, SPACE, spaceRange, u64 } from "./keys.ts";
import { COLLECT_FILES_AT_ONCE, COLLECT_ROWS_PER_STEP, GARBAGE_GRACE_MS, SWEEP_ROWS_PER_STEP } from "./limits.ts";

export interface CollectorOptions {
  readonly index: OrderedIndex;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

export interface GarbageOptions extends CollectorOptions {
  /** How long garbage is kept after it was first seen, for reads that had found it before; `GARBAGE_GRACE_MS`. */
  readonly graceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * One pass over the `G` rows. A row that commits wrote is empty: its first sight is written into it (8 bytes
 * big-endian, ms); at a sight `graceMs` later the file is removed, then the row, so that a crash between the two only
 * removes the file again. Resolves to the number of files removed.
 */
export async function collectGarbage(options: GarbageOptions): Promise<{ removed: number; waiting: number }> {
  const graceMs = options.graceMs ?? GARBAGE_GRACE_MS;
  let { start, end } = spaceRange(SPACE.garbage);
  let removed = 0;
  let waiting = 0;
  while (options.signal?.aborted !== true) {
    const rows = await options.index.scan({ start, end }, { limit: COLLECT_ROWS_PER_STEP });
    const now = options.clock.nowMs();
    const due = rows.filter((row) => graceMs <= 0 || (row.value.length === 8 && seenAt(row) + graceMs <= now));
    // Seen by a clock that was set back since: its grace begins anew, or it would last as long as that.
    const fresh = rows.filter((row) => graceMs > 0 && (row.value.length !== 8 || seenAt(row) > now));
    await forAll(due, (row) => options.blobs.discard(row.key.toString("hex", 1)));
    const commit = new CommitBuilder();
    for (const row of due) commit.delete(row.key);
    for (const row of fresh) commit.put(row.key, u64(BigInt(now)));
    if (due.length + fresh.length > 0) await options.index.commit(commit);
    removed += due.length;
    waiting += rows.length - due.length;
    const last = rows.at(-1);
    if (rows.length < COLLECT_ROWS_PER_STEP || last === undefined) break;
    start = keyAfter(last.key);
  }
  return { removed, waiting };
}

const seenAt = (row: Entry): number => Number(row.value.readBigUInt64BE(0));

async function forAll<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += COLLECT_FILES_AT_ONCE) {
    await Promise.all(items.slice(at, at + COLLECT_FILES_AT_ONCE).map(work));
  }
}

/** A set of blob ids in fixed memory: it never forgets one, but takes a few others for members. */
class BlobIdFilter {
  readonly #bits: Uint32Array;

  /** 16 bits for each id expected: with 8 probes about one stranger in 1700 passes for a member. */
  constructor(expected: number) {
    const words = Math.max(1024, 2 ** Math.ceil(Math.log2((expected * 16) / 32 + 1)));
    this.#bits = new Uint32Array(words);
  }

  add(id: Buffer): void {
    this.#each(id, (word, bit) => {
      this.#bits[word] = (this.#bits[word] as number) | bit;
      return true;
    });
  }

  has(id: Buffer): boolean {
    return this.#each(id, (word, bit) => ((this.#bits[word] as number) & bit) !== 0);
  }

  /** Ids are random, so their own bytes serve as hashes: h1 + i * h2. */
  #each(id: Buffer, visit: (word: number, bit: number) => boolean): boolean {
    const [h1, h2] = [id.readUInt32LE(0), id.readUInt32LE(4) | 1];
    const salt = id.readUInt32LE(8);
    for (let i = 0; i < 8; i++) {
      const hash = (h1 + Math.imul(i, h2) + Math.imul(i * i, salt)) >>> 0;
      const bit = id[12 + (i & 3)] as number;
      if (!visit((hash & (this.#bits.length - 1)) >>> 0, 1 << ((bit + i * 5) & 31))) return false;
    }
    return true;
  }
}

export interface SweepOptions extends CollectorOptions {
  /** Files changed later than this ago are left alone: their commit may still come. Longer than any upload takes. */
  readonly minAgeMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A reference to a blob in a row's JSON, whatever the row, and the members that follow the id. */
const REFERENCE = /"id":"([0-9a-f]{32})"([^}]*)/g;

/**
 * Removes blob files older than `minAgeMs` that no version, parts or upload part row names (a crash between rename and
 * commit leaves such), and old staging files. Memory: 2 bytes a file. Parts move from upload part rows to parts rows,
 * so the former are read first: a blob that moves meanwhile is seen in one place or the other.
 */
export async function sweepOrphans(options: SweepOptions): Promise<{ removed: number; staged: number }> {
  const oldMs = options.clock.nowMs() - options.minAgeMs;
  let files = 0;
  for await (const file of options.blobs.list()) if (file.mtimeMs < oldMs) files++;
  const named = new BlobIdFilter(files);
  for (const space of [SPACE.uploadPart, SPACE.parts, SPACE.version, SPACE.garbage]) {
    await addNamed(options, space, named);
    if (options.signal?.aborted === true) return { removed: 0, staged: 0 };
  }
  let removed = 0;
  for await (const file of options.blobs.list()) {
    if (file.mtimeMs >= oldMs || named.has(Buffer.from(file.id, "hex"))) continue;
    await options.blobs.discard(file.id);
    removed++;
  }
  return { removed, staged: await options.blobs.emptyStaging(oldMs) };
}

async function addNamed(options: SweepOptions, space: number, named: BlobIdFilter): Promise<void> {
  let { start, end } = spaceRange(space);
  while (options.signal?.aborted !== true) {
    const rows = await options.index.scan({ start, end }, { limit: SWEEP_ROWS_PER_STEP });
    for (const row of rows) {
      if (space === SPACE.garbage) named.add(row.key.subarray(1));
      else addReferences(row.value, named);
    }
    const last = rows.at(-1);
    if (rows.length < SWEEP_ROWS_PER_STEP || last === undefined) return;
    start = keyAfter(last.key);
  }
}

/** A user's text that looks like a reference only keeps a file that could have gone. Inline blobs have no file. */
function addReferences(value: Buffer, named: BlobIdFilter): void {
  for (const [, id = "", rest = ""] of value.toString("latin1").matchAll(REFERENCE)) {
    if (!rest.includes('"inline":true')) named.add(Buffer.from(id, "hex"));
  }
}

/** At the start of a site, by its leading process only: staged files of writes that an earlier run left. */
export function emptyOldStaging(blobs: BlobStore, startedMs: number): Promise<number> {
  return blobs.emptyStaging(startedMs);
}
