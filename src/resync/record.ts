/**
 * The durable record of a resync: written before the first byte moves, saved with a low-water mark while it runs, kept
 * until the next one of the same target. One row a bucket and target.
 */
import type { Arn, BucketName, UnixNs } from "../model/names.ts";
import { rfc3339Nano, ZERO_TIME } from "../protocol/time.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow } from "../storage/records.ts";

export type ResyncState = "Pending" | "Ongoing" | "Completed" | "Failed" | "Canceled";
export type ResyncPhase = "damage-check" | "compare" | "verify" | "done";

export interface Counters {
  /** sent + alreadyEqual + notReplicable + failed = compared. */
  readonly compared: number;
  readonly sent: number;
  readonly alreadyEqual: number;
  readonly notReplicable: number;
  readonly failed: number;
  /** Bytes of object bodies that were moved. */
  readonly sentBytes: number;
  /** Sizes of the versions that are at the target now, moved or not. */
  readonly presentBytes: number;
  readonly failedBytes: number;
  /** Versions that only the target has and that were purged here for every site: purged there too. */
  readonly purged: number;
  /** Versions that only the target has; they stay. */
  readonly onlyAtTarget: number;
  /** Written after the cut-off of `older-than`: not looked at. */
  readonly outOfScope: number;
}

export const NO_COUNTS: Counters = {
  compared: 0,
  sent: 0,
  alreadyEqual: 0,
  notReplicable: 0,
  failed: 0,
  sentBytes: 0,
  presentBytes: 0,
  failedBytes: 0,
  purged: 0,
  onlyAtTarget: 0,
  outOfScope: 0,
};

export interface DamageReport {
  readonly examined: number;
  readonly missing: number;
  readonly corrupt: number;
}

export interface Sample {
  readonly key: string;
  readonly versionId: string;
  readonly reason: string;
}

export interface VerifyReport {
  readonly compared: number;
  /** Versions that still differ though they should not; 0 proves the copy. */
  readonly different: number;
  readonly samples: readonly Sample[];
}

export interface ResyncRecord {
  readonly id: string;
  readonly arn: Arn;
  readonly bucket: BucketName;
  readonly bucketId: string;
  readonly state: ResyncState;
  readonly phase: ResyncPhase;
  /** Set when work began (again after a restart it stays). */
  readonly started?: UnixNs | undefined;
  readonly updated?: UnixNs | undefined;
  /** Only versions older than this, in ms since the epoch. */
  readonly beforeMs: number;
  /** Versions and markers in the bucket at the start. */
  readonly total: number;
  /** Every key up to and including this one is done. */
  readonly cursor: string;
  readonly counters: Counters;
  /** What the target found missing or corrupt among its own bytes; absent when it cannot tell. */
  readonly damage?: DamageReport | undefined;
  readonly verify?: VerifyReport | undefined;
  /** Versions that failed or cannot be replicated, the first few. */
  readonly samples: readonly Sample[];
  readonly error?: string | undefined;
}

const PREFIX = "resync/";

export const recordKey = (bucketId: string, arn: Arn): Buffer => namedRowKey(SPACE.job, `${PREFIX}${bucketId}/${arn}`);

export async function loadRecords(
  index: OrderedIndex,
  bucketId = "",
): Promise<{ key: Buffer; raw: Buffer; record: ResyncRecord }[]> {
  const entries = await index.scan(namedRange(SPACE.job, `${PREFIX}${bucketId}`), { limit: 100_000 });
  return entries.map(({ key, value }) => ({ key, raw: value, record: decodeRow<ResyncRecord>(value) }));
}

export const isRunning = (record: ResyncRecord): boolean => record.state === "Pending" || record.state === "Ongoing";

/** One element of `target` in the JSON of replication.md 7.1 and 7.2, with members of our own after MinIO's. */
export function resyncJson(record: ResyncRecord): object {
  const { counters } = record;
  return {
    arn: record.arn,
    resetid: record.id,
    startTime: timeText(record.started),
    endTime: timeText(record.updated),
    resyncStatus: record.state,
    completedReplicationSize: counters.presentBytes,
    failedReplicationSize: counters.failedBytes,
    failedReplicationCount: counters.failed,
    replicationCount: counters.sent + counters.alreadyEqual,
    bucket: record.bucket,
    ...(record.cursor === "" ? {} : { object: record.cursor }),
    ...progress(record),
  };
}

/** The answer to a start has no state yet (7.1). */
export function startedJson(record: ResyncRecord): object {
  return {
    arn: record.arn,
    resetid: record.id,
    startTime: ZERO_TIME,
    endTime: ZERO_TIME,
    completedReplicationSize: 0,
    failedReplicationSize: 0,
    failedReplicationCount: 0,
    replicationCount: 0,
  };
}

const timeText = (time: UnixNs | undefined): string => (time === undefined ? ZERO_TIME : rfc3339Nano(time));

function progress(record: ResyncRecord): object {
  const { counters, started, updated, total } = record;
  const seconds = started === undefined || updated === undefined ? 0 : Number(updated - started) / 1e9;
  const perSecond = seconds > 0 ? counters.compared / seconds : 0;
  const left = Math.max(total - counters.compared - counters.outOfScope, 0);
  return {
    phase: record.phase,
    total,
    done: counters.compared,
    compared: counters.compared,
    sent: counters.sent,
    alreadyEqual: counters.alreadyEqual,
    notReplicable: counters.notReplicable,
    failed: counters.failed,
    purged: counters.purged,
    onlyAtTarget: counters.onlyAtTarget,
    outOfScope: counters.outOfScope,
    bytes: counters.sentBytes,
    rate: seconds > 0 ? Math.round(counters.sentBytes / seconds) : 0,
    versionsPerSecond: Math.round(perSecond * 10) / 10,
    ...(isRunning(record) && perSecond > 0 ? { eta: Math.ceil(left / perSecond) } : {}),
    ...(record.damage === undefined ? {} : { damage: record.damage }),
    ...(record.verify === undefined ? {} : { verify: record.verify, verified: record.verify.different === 0 }),
    ...(record.samples.length === 0 ? {} : { samples: record.samples }),
    ...(record.error === undefined ? {} : { error: record.error }),
  };
}
