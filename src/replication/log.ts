/** Reading, counting and dropping the change log and the retry queue of a target. Ending rows is `Objects.finishLogRows`. */
import type { Arn, UnixNs } from "../model/names.ts";
import { logCounter } from "../objects/rows.ts";
import type { LogRow, PendingWork } from "../objects/types.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { KeyRange, OrderedIndex } from "../storage/index/index.ts";
import { logRowTime, readCounter, SPACE, targetRange } from "../storage/keys.ts";
import { decodeRow } from "../storage/records.ts";

export interface LogEntry {
  readonly rowKey: Buffer;
  readonly row: LogRow;
}

const DROP_BATCH = 500;

/** Rows in order, at most `limit`, from `range.start`. */
export async function readRows(index: OrderedIndex, range: KeyRange, limit: number): Promise<LogEntry[]> {
  const entries = await index.scan(range, { limit });
  return entries.map(({ key, value }) => ({ rowKey: key, row: decodeRow<LogRow>(value) }));
}

export const logRange = (arn: Arn): KeyRange => targetRange(SPACE.log, arn);
export const retryRange = (arn: Arn): KeyRange => targetRange(SPACE.retry, arn);

/** Time in the key of a retry row: when it is due. */
export const dueOf = (rowKey: Buffer): UnixNs => logRowTime(rowKey);

/** Exact, from the counters that every writer of rows keeps in the same commit. */
export async function pendingWork(index: OrderedIndex, arn: Arn): Promise<PendingWork> {
  const [count, bytes, [first], [retry]] = await Promise.all([
    index.get(logCounter(arn, "count")),
    index.get(logCounter(arn, "bytes")),
    readRows(index, logRange(arn), 1),
    readRows(index, retryRange(arn), 1),
  ]);
  const times = [first?.row.time, retry?.row.time].filter((time) => time !== undefined);
  const oldest = times.length === 0 ? undefined : times.reduce((a, b) => (a < b ? a : b));
  return { count: Number(readCounter(count)), bytes: Number(readCounter(bytes)), oldest };
}

/** Forgets everything that waits for a target that is gone. */
export async function dropLog(index: OrderedIndex, arn: Arn): Promise<void> {
  for (const range of [logRange(arn), retryRange(arn)]) {
    for (;;) {
      const entries = await index.scan(range, { limit: DROP_BATCH });
      if (entries.length === 0) break;
      const commit = new CommitBuilder();
      for (const { key, value } of entries) {
        const row = decodeRow<LogRow>(value);
        commit
          .unchanged(key, value)
          .delete(key)
          .add(logCounter(arn, "count"), -1n)
          .add(logCounter(arn, "bytes"), -BigInt(row.size));
      }
      await index.commit(commit);
    }
  }
}
