/**
 * Rows beside the record of a resync: the list that it was given, and what it is about to send. They stand under a name
 * of their own job, so that of two starts at the same moment each writes its own, and the one commit that puts the
 * record decides which of them exist; the other's were never seen.
 */
import type { Arn } from "../model/names.ts";
import { RESYNC_ROWS_KEPT_MS, RESYNC_ROWS_MAX } from "./limits.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { keyAfter, nameOfRow, namedRange, SPACE } from "../storage/keys.ts";

export interface RowsOf {
  readonly bucketId: string;
  readonly arn: Arn;
  /** Names the rows of one job. Absent in records of older versions: its rows are those without such a name. */
  readonly rows?: string | undefined;
}

export type RowKind = "resync-intents" | "resync-list";

const KINDS: readonly RowKind[] = ["resync-intents", "resync-list"];
const MS_DIGITS = 15;

/** A name that no other job has; it begins with its time. */
export const newRowsName = (clock: Clock, random: Random): string =>
  `${String(clock.nowMs()).padStart(MS_DIGITS, "0")}-${random.uuid()}`;

const targetPrefix = (kind: RowKind, { bucketId, arn }: RowsOf): string => `${kind}/${bucketId}/${arn}/`;

/** What the names of a job's rows begin with; a number follows. */
export const rowsPrefix = (kind: RowKind, of: RowsOf): string =>
  targetPrefix(kind, of) + (of.rows === undefined ? "" : `${of.rows}/`);

/** Removes the rows of a target that `isGarbage` says so of, by the name of their job; "": without such a name. */
async function clearWhere(index: OrderedIndex, of: RowsOf, isGarbage: (rows: string) => boolean): Promise<void> {
  for (const kind of KINDS) {
    const prefix = targetPrefix(kind, of);
    let { start, end } = namedRange(SPACE.job, prefix);
    for (;;) {
      const found = await index.scan({ start, end }, { limit: RESYNC_ROWS_MAX, keysOnly: true });
      const last = found.at(-1);
      if (last === undefined) break;
      start = keyAfter(last.key);
      const commit = new CommitBuilder();
      for (const { key } of found) {
        const name = nameOfRow(key).slice(prefix.length);
        if (isGarbage(name.slice(0, Math.max(0, name.lastIndexOf("/"))))) commit.delete(key);
      }
      if (commit.deletes.length > 0) await index.commit(commit);
    }
  }
}

/** Removes the rows of one job, which has ended or never began. */
export const clearRows = (index: OrderedIndex, of: RowsOf): Promise<void> =>
  clearWhere(index, of, (rows) => rows === (of.rows ?? ""));

/**
 * After `job` took the place of `before`: removes the rows of that one, and what starts left that died before their
 * commit. Those of a start that is under way this moment stay: it finds out by itself that it came too late.
 */
export function clearEarlier(
  index: OrderedIndex,
  clock: Clock,
  job: RowsOf,
  before: RowsOf | undefined,
): Promise<void> {
  const oldest = String(clock.nowMs() - RESYNC_ROWS_KEPT_MS).padStart(MS_DIGITS, "0");
  const isOld = (rows: string): boolean => rows === (before?.rows ?? "") || rows < oldest;
  return clearWhere(index, job, (rows) => rows !== job.rows && isOld(rows));
}
