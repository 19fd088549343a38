/** A row of the change log as a target's queue holds it. */
import type { Entry } from "../storage/index/index.ts";
import { LARGE_OBJECT_BYTES } from "./limits.ts";
import { logEntry, type LogEntry } from "./log.ts";

export interface QueueItem extends LogEntry {
  /** The row's key as a string. */
  readonly name: string;
  /** Bucket and key: rows with the same one run one after another. */
  readonly lane: string;
  /** It goes through the lane of large objects. */
  readonly large: boolean;
}

export const nameOf = ({ key }: Entry): string => key.toString("latin1");

export function itemOf(entry: Entry): QueueItem {
  const { rowKey, row, raw } = logEntry(entry);
  const large = row.size >= LARGE_OBJECT_BYTES;
  return { rowKey, row, raw, name: nameOf(entry), lane: `${row.bucketId}/${row.key}`, large };
}
