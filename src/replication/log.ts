/** Reading, counting and dropping the change log and the retry queue of a target. Ending rows is `Objects.finishLogRows`. */
import type { Arn, UnixNs } from "../model/names.ts";
import { endRow } from "../objects/status.ts";
import { failingCounter, logCounter } from "../objects/rows.ts";
import type { LogRow, PendingWork } from "../objects/types.ts";
import { SummingCommitBuilder } from "../storage/index/commit-builder.ts";
import type { Entry, KeyRange, OrderedIndex } from "../storage/index/index.ts";
import { logRowKey, logRowTime, readCounter, SPACE, targetRange } from "../storage/keys.ts";
import { decodeTimedRow } from "../storage/records.ts";

export interface LogEntry {
  readonly rowKey: Buffer;
  readonly row: LogRow;
  /** Its bytes. */
  readonly raw: Buffer;
}

const DROP_BATCH = 500;

/** Rows in order, at most `limit`, from `range.start`. */
export async function readRows(index: OrderedIndex, range: KeyRange, limit: number): Promise<LogEntry[]> {
  const entries = await index.scan(range, { limit });
  return entries.map(logEntry);
}

export const logEntry = ({ key, value }: Entry): LogEntry => ({
  rowKey: key,
  row: decodeTimedRow<LogRow>(value),
  raw: value,
});

export const logRange = (arn: Arn): KeyRange => targetRange(SPACE.log, arn);
export const retryRange = (arn: Arn): KeyRange => targetRange(SPACE.retry, arn);
/** Rows of the retry queue that are due at `from` or later. */
export const retryRangeFrom = (arn: Arn, from: UnixNs): KeyRange => ({
  start: logRowKey(SPACE.retry, arn, from, Buffer.alloc(8)),
  end: retryRange(arn).end,
});
/** Rows of the retry queue by the time when they were written. */
const ageRange = (arn: Arn): KeyRange => targetRange(SPACE.age, arn);

/** Time in the key of a retry row: when it is due. */
export const dueOf = (rowKey: Buffer): UnixNs => logRowTime(rowKey);

/** How much waits for a target, failing rows included. */
export async function waitingWork(index: OrderedIndex, arn: Arn): Promise<{ count: number; bytes: number }> {
  return amount(index, (what) => logCounter(arn, what));
}

async function amount(
  index: OrderedIndex,
  counter: (what: "count" | "bytes") => Buffer,
): Promise<{ count: number; bytes: number }> {
  const [count, bytes] = await Promise.all([index.get(counter("count")), index.get(counter("bytes"))]);
  return { count: Number(readCounter(count)), bytes: Number(readCounter(bytes)) };
}

/** Exact, from the counters that every writer of rows keeps in the same commit. */
export async function pendingWork(index: OrderedIndex, arn: Arn): Promise<PendingWork> {
  const [all, failing, refused, [first], [waiting]] = await Promise.all([
    waitingWork(index, arn),
    amount(index, (what) => failingCounter(arn, "retry", what)),
    amount(index, (what) => failingCounter(arn, "refused", what)),
    index.scan(logRange(arn), { limit: 1, keysOnly: true }),
    index.scan(ageRange(arn), { limit: 1, keysOnly: true }),
  ]);
  const times = [first, waiting].flatMap((entry) => (entry === undefined ? [] : [logRowTime(entry.key)]));
  const oldest = times.length === 0 ? undefined : times.reduce((a, b) => (a < b ? a : b));
  return { ...all, oldest, failing, refused };
}

/** Forgets everything that waits for a target that is gone. */
export async function dropLog(index: OrderedIndex, arn: Arn): Promise<void> {
  for (const range of [logRange(arn), retryRange(arn)]) {
    for (;;) {
      const entries = await index.scan(range, { limit: DROP_BATCH });
      if (entries.length === 0) break;
      const commit = new SummingCommitBuilder();
      for (const { key, value } of entries) {
        commit.unchanged(key, value);
        endRow(commit, arn, { rowKey: key, row: decodeTimedRow<LogRow>(value) });
      }
      await index.commit(commit);
    }
  }
}
