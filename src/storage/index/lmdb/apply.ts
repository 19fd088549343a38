/** Writes batches of commits: one transaction and one sync for all of them, each commit all or nothing. */
import { BATCH_BYTES_MAX } from "../../limits.ts";
import { LookupChanges } from "../digest/update.ts";
import type { Check, Commit } from "../index.ts";
import type { LmdbStore } from "./binding.ts";

/** What became of a commit, as one byte of the answer. */
export const OUTCOME = { committed: 0, conflict: 1, full: 2, failed: 3 } as const;

export interface BatchAnswer {
  /** One `OUTCOME` for each commit, in order. */
  readonly outcomes: Uint8Array;
  /** Why commits have the outcome `full` or `failed`. */
  readonly reason?: string | undefined;
}

const MDB_MAP_FULL = -30792;
const EIO = 5;
/** ENOSPC, EDQUOT, EFBIG: the file system takes no more. */
const FULL_CODES: readonly unknown[] = [MDB_MAP_FULL, 28, 122, 27];

/**
 * Applies the commits in order, each seeing those before it. If the transaction cannot be written (a full disk, say),
 * each commit is tried alone, so that a small one that still fits is not lost for the sake of a large one.
 * `freeBytes` asks the file system how much it would still take.
 */
export function applyBatch(store: LmdbStore, commits: readonly Commit[], freeBytes: () => number): BatchAnswer {
  const outcomeOf = (error: unknown): number => {
    const { code } = error as { code?: unknown };
    // LMDB says EIO when the last piece that fitted was written short, so then the file system is asked.
    const full = FULL_CODES.includes(code) || (code === EIO && freeBytes() < BATCH_BYTES_MAX);
    return full ? OUTCOME.full : OUTCOME.failed;
  };
  const outcomes = new Uint8Array(commits.length);
  try {
    applyTogether(store, commits, outcomes, 0);
    return { outcomes };
  } catch (error) {
    if (commits.length === 1) return { outcomes: outcomes.fill(outcomeOf(error)), reason: reasonOf(error) };
  }
  let reason: string | undefined;
  for (const [at, commit] of commits.entries()) {
    try {
      applyTogether(store, [commit], outcomes, at);
    } catch (error) {
      outcomes[at] = outcomeOf(error);
      reason = reasonOf(error);
    }
  }
  return { outcomes, reason };
}

function applyTogether(store: LmdbStore, commits: readonly Commit[], outcomes: Uint8Array, at: number): void {
  store.transaction(() => {
    const lookups = new LookupChanges();
    for (const [i, commit] of commits.entries()) {
      const holds = commit.checks.every((check) => checkHolds(store, check));
      outcomes[at + i] = holds ? OUTCOME.committed : OUTCOME.conflict;
      if (holds) applyOne(store, commit, lookups);
    }
    lookups.apply(store);
  });
}

function applyOne(store: LmdbStore, commit: Commit, lookups: LookupChanges): void {
  for (const key of commit.deletes) {
    lookups.note(store, key, undefined);
    store.remove(key);
  }
  for (const row of commit.puts) {
    lookups.note(store, row.key, row.value);
    store.put(row.key, row.value);
  }
  for (const { key, delta } of commit.adds) {
    const before = store.get(key);
    const sum = BigInt.asIntN(64, (before === undefined ? 0n : before.readBigInt64LE(0)) + delta);
    if (sum === 0n) {
      if (before !== undefined) store.remove(key);
      continue;
    }
    const value = Buffer.allocUnsafe(8);
    value.writeBigInt64LE(sum);
    store.put(key, value);
  }
}

function checkHolds(store: LmdbStore, check: Check): boolean {
  const found = check.kind === "value" ? store.get(check.key) : store.first(check.range);
  const wanted = check.kind === "value" ? check.value : check.key;
  return wanted === null ? found === undefined : found !== undefined && found.equals(wanted);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
