/**
 * Leases: at most one holder of a name at a time, until it lets go or its time is over. Rows of the index, taken by
 * conditional commits, so they hold across processes. A holder must renew well before the end (at a third, say) and
 * stop its work when a renewal fails.
 */
import type { Clock } from "../runtime/clock.ts";
import { CommitBuilder } from "./index/commit-builder.ts";
import type { OrderedIndex } from "./index/index.ts";
import { namedRowKey, SPACE } from "./keys.ts";
import { decodeRow, encodeRow } from "./records.ts";

export interface Lease {
  readonly holder: string;
  /** End of the lease, ms since the Unix epoch. */
  readonly untilMs: number;
  /** One more than the lease before it had: an older holder's writes can be told apart. */
  readonly term: number;
}

const keyOf = (name: string): Buffer => namedRowKey(SPACE.lease, name);

/** Takes the lease when it is free, over, or already the holder's; undefined when somebody else has it. */
export async function acquireLease(
  index: OrderedIndex,
  clock: Clock,
  name: string,
  holder: string,
  ttlMs: number,
): Promise<Lease | undefined> {
  const row = await index.get(keyOf(name));
  const held = row === undefined ? undefined : decodeRow<Lease>(row);
  const now = clock.nowMs();
  if (held !== undefined && held.holder !== holder && held.untilMs > now) return undefined;
  const term = held === undefined ? 1 : held.holder === holder ? held.term : held.term + 1;
  return swap(index, name, row, { holder, untilMs: now + ttlMs, term });
}

/** Lengthens the holder's lease; undefined when it is no longer the holder's: stop the work. */
export async function renewLease(
  index: OrderedIndex,
  clock: Clock,
  name: string,
  holder: string,
  ttlMs: number,
): Promise<Lease | undefined> {
  const row = await index.get(keyOf(name));
  const held = row === undefined ? undefined : decodeRow<Lease>(row);
  if (held === undefined || held.holder !== holder) return undefined;
  return swap(index, name, row, { ...held, untilMs: clock.nowMs() + ttlMs });
}

/** Lets go at once; false when it was not the holder's any more. The row stays, ended, so that terms go on rising. */
export async function releaseLease(index: OrderedIndex, clock: Clock, name: string, holder: string): Promise<boolean> {
  const row = await index.get(keyOf(name));
  const held = row === undefined ? undefined : decodeRow<Lease>(row);
  if (held === undefined || held.holder !== holder) return false;
  return (await swap(index, name, row, { holder: "", untilMs: clock.nowMs(), term: held.term })) !== undefined;
}

async function swap(
  index: OrderedIndex,
  name: string,
  before: Buffer | undefined,
  lease: Lease,
): Promise<Lease | undefined> {
  const commit = new CommitBuilder().unchanged(keyOf(name), before).put(keyOf(name), encodeRow(lease));
  return (await index.commit(commit)) === "committed" ? lease : undefined;
}
