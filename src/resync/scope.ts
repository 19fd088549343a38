/** Which versions a resync is about, and in which pass each one's turn is. Pure. */
import type { Bucket } from "../model/bucket.ts";
import type { Version } from "../model/version.ts";
import { msOf } from "../protocol/time.ts";
import { followsExisting } from "../model/replication-config.ts";
import type { Order } from "./options.ts";
import { optionsOf, type ResyncRecord } from "./record.ts";

export interface Scope {
  /** False: the job is not about this version, and it counts as out of scope. */
  readonly wanted: (version: Version) => boolean;
  /** A rule for existing objects sends this version to the target. */
  readonly eligible: (version: Version) => boolean;
  /** The target was not listed: it is asked about each version. */
  readonly unlisted?: boolean | undefined;
}

const DAY_MS = 86_400_000;

/** Ages at which the passes of `recent` part: what a day saw first, then a week, then a month, then the rest. */
const RECENT_MS = [DAY_MS, 7 * DAY_MS, 30 * DAY_MS] as const;

const PASSES: Readonly<Record<Order, number>> = { key: 1, recent: RECENT_MS.length + 1, current: 2 };

/** Passes over the keys that an order takes. */
export const passesOf = (record: ResyncRecord): number => PASSES[optionsOf(record).order];

/** Whether a version's turn is in `pass`. Every version has exactly one. `isLatest`: the newest of its key. */
export function inPass(record: ResyncRecord, pass: number, version: Version, isLatest: boolean): boolean {
  const { order } = optionsOf(record);
  if (order === "key") return true;
  if (order === "current") return isLatest === (pass === 0);
  const age = msOf(record.created ?? 0n) - msOf(version.mtime);
  const band = RECENT_MS.findIndex((limit) => age < limit);
  return (band < 0 ? RECENT_MS.length : band) === pass;
}

/** Everything that the job is about, whatever the pass. */
export function scopeOf(record: ResyncRecord, bucket: Bucket): Scope {
  const { arn, beforeMs } = record;
  return {
    wanted: (version) => beforeMs === Number.MAX_SAFE_INTEGER || msOf(version.mtime) < beforeMs,
    eligible: (version) => followsExisting(bucket.replication, arn, version),
    unlisted: optionsOf(record).listed !== undefined,
  };
}
