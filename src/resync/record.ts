/**
 * The durable record of a resync: written before the first byte moves, saved with a low-water mark while it runs, kept
 * until the next one of the same target. One row a bucket and target.
 */
import type { Arn, BucketName, UnixNs } from "../model/names.ts";
import type { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { DEFAULT_LIMITS, DEFAULT_OPTIONS, type JobLimits, type JobOptions } from "./options.ts";

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
  /** Versions to look at there: those in files, with `deep` all; absent when an older target does not tell. */
  readonly total?: number | undefined;
  /** Every byte was read; otherwise presence, size and time. */
  readonly deep?: boolean | undefined;
  readonly examined: number;
  readonly missing: number;
  readonly corrupt: number;
}

export interface Sample {
  readonly key: string;
  readonly versionId: string;
  readonly reason: string;
}

/** How closely a verification looked: keys, ids, times, sizes and ETags; also metadata, tags and locks; also all bytes. */
export type VerifyLevel = "identity" | "metadata" | "bytes";

export interface VerifyReport {
  /** Absent in records of older versions of this program. */
  readonly level?: VerifyLevel | undefined;
  readonly compared: number;
  /** Versions that still differ though they should not; 0 proves the copy. */
  readonly different: number;
  /** Versions that differ and cannot be replicated. Absent in records of older versions of this program. */
  readonly exempt?: number | undefined;
  readonly samples: readonly Sample[];
}

export interface ResyncRecord {
  readonly id: string;
  readonly arn: Arn;
  readonly bucket: BucketName;
  readonly bucketId: string;
  /** See RowsOf. */
  readonly rows?: string | undefined;
  readonly state: ResyncState;
  readonly phase: ResyncPhase;
  /** Set when work began (again after a restart it stays). */
  readonly started?: UnixNs | undefined;
  readonly updated?: UnixNs | undefined;
  /** Absent in records of older versions of this program: the defaults. */
  readonly options?: JobOptions | undefined;
  readonly target?: { readonly endpoint: string; readonly bucket: string } | undefined;
  readonly created?: UnixNs | undefined;
  /** Passes over the keys that are done: an order other than by key takes several. */
  readonly pass?: number | undefined;
  /** Time at work, in ms: pauses and the time between processes do not count. */
  readonly activeMs?: number | undefined;
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

/** What an operator last said about a running job: a row of its own, so that it never races with the job's savings. */
export interface Control {
  readonly id: string;
  readonly paused: boolean;
  readonly limits: JobLimits;
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

export const optionsOf = (record: ResyncRecord): JobOptions => record.options ?? DEFAULT_OPTIONS;

const controlKey = (bucketId: string, arn: Arn): Buffer => namedRowKey(SPACE.job, `resync-control/${bucketId}/${arn}`);

/** The control of a job; one that was said about an earlier job of the same target is none. */
export async function loadControl(index: OrderedIndex, record: ResyncRecord): Promise<Control> {
  const raw = await index.get(controlKey(record.bucketId, record.arn));
  const control = raw === undefined ? undefined : decodeRow<Control>(raw);
  return control?.id === record.id ? control : { id: record.id, paused: false, limits: DEFAULT_LIMITS };
}

/** Adds what was said to the commit. */
export const putControl = (commit: CommitBuilder, record: ResyncRecord, control: Control): CommitBuilder =>
  commit.put(controlKey(record.bucketId, record.arn), encodeRow(control));
