/** How versions, their bytes, tombstones, counters and change-log rows enter and leave a commit: one way for every use case. */
import type { Bucket } from "../model/bucket.ts";
import type { ObjectEncryption } from "../model/encryption.ts";
import type { Arn, UnixNs } from "../model/names.ts";
import { targetsFor, type ReplicatedOperation } from "../model/replication-config.ts";
import {
  liesInFiles,
  type BlobRef,
  type Part,
  type ReplicationState,
  type Tags,
  type TargetStatus,
  type Version,
} from "../model/version.ts";
import type { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { encodeLookupOf, encodeRow, encodeTimedRow, encodeVersion } from "../storage/records.ts";
import type { Context } from "./context.ts";
import type { Removable } from "./locks.ts";
import type { LogRow } from "./types.ts";

const EMPTY = Buffer.alloc(0);

/** Counters of one bucket: their keys are asked for by every write. */
interface BucketCounters {
  readonly bucketId: string;
  readonly versions: Buffer;
  readonly markers: Buffer;
  readonly bytes: Buffer;
  readonly replicas: Buffer;
  readonly replicaBytes: Buffer;
}

function bucketCounters(bucketId: string): BucketCounters {
  if (last?.bucketId === bucketId) return last;
  const usage = (what: string): Buffer => keys.counterKey(`usage/${bucketId}/${what}`);
  return (last = {
    bucketId,
    versions: usage("versions"),
    markers: usage("markers"),
    bytes: usage("bytes"),
    replicas: keys.counterKey(`replica/${bucketId}/count`),
    replicaBytes: keys.counterKey(`replica/${bucketId}/bytes`),
  });
}

/** Of the bucket that was written to last. */
let last: BucketCounters | undefined;

export const usageCounter = (bucketId: string, what: "versions" | "markers" | "bytes"): Buffer =>
  bucketCounters(bucketId)[what];
/** Rows of the change log (retry queue included) of a target: how many, and how many bytes they stand for. */
export const logCounter = (arn: Arn, what: "count" | "bytes"): Buffer => keys.counterKey(`log/${arn}/${what}`);
/** Of these rows: those that failed at least once (`retry`), and of those the ones that no repetition mends (`refused`). */
export const failingCounter = (arn: Arn, kind: "retry" | "refused", what: "count" | "bytes"): Buffer =>
  keys.counterKey(`${kind}/${arn}/${what}`);

/** Counters of a bucket's versions that are encrypted: `<kind>/<key id>` after this. */
export const encryptedPrefix = (bucketId: string): string => `encrypted/${bucketId}/`;

/** Versions of a bucket that are encrypted one way with one key: what has to be there for a bucket to be read. */
export const encryptedCounter = (bucketId: string, { kind, keyId }: Pick<ObjectEncryption, "kind" | "keyId">): Buffer =>
  keys.counterKey(`${encryptedPrefix(bucketId)}${kind}/${keyId ?? ""}`);

function addUsage(commit: CommitBuilder, bucketId: string, version: Version, sign: 1n | -1n): void {
  if (version.kind === "delete-marker") {
    commit.add(usageCounter(bucketId, "markers"), sign);
    return;
  }
  if (version.encryption !== undefined) commit.add(encryptedCounter(bucketId, version.encryption), sign);
  commit.add(usageCounter(bucketId, "versions"), sign);
  commit.add(usageCounter(bucketId, "bytes"), sign * BigInt(version.size));
}

/** Puts a version and its lookup row; parts when it is multipart; a row that says so when it lies in files. */
export function putVersion(
  commit: CommitBuilder,
  bucketId: string,
  version: Version,
  parts: readonly Part[] = [],
): void {
  const rowKey = keys.versionRowKey(bucketId, version);
  commit.put(rowKey, encodeVersion(version));
  commit.put(keys.idRowKey(keys.SPACE.byId, bucketId, version.key, version.versionId), encodeLookupOf(version));
  if (parts.length > 0) {
    commit.put(keys.idRowKey(keys.SPACE.parts, bucketId, version.key, version.versionId), encodeRow({ parts }));
  }
  if (liesInFiles(version, parts)) {
    commit.put(keys.idRowKey(keys.SPACE.file, bucketId, version.key, version.versionId), EMPTY);
  }
  addUsage(commit, bucketId, version, 1n);
  if (!version.replication.replica) return;
  const { replicas, replicaBytes } = bucketCounters(bucketId);
  commit.add(replicas, 1n);
  commit.add(replicaBytes, BigInt(version.kind === "object" ? version.size : 0));
}

/**
 * Puts a version again in its own place, with other tags, locks or damage; the commit must check that its row did not
 * change. What only replication knows of it may be put without this: no digest holds it.
 */
export function changeVersion(commit: CommitBuilder, bucketId: string, version: Version): void {
  commit.put(keys.versionRowKey(bucketId, version), encodeVersion(version));
  commit.put(keys.idRowKey(keys.SPACE.byId, bucketId, version.key, version.versionId), encodeLookupOf(version));
}

/** Forgets bytes: an inline row goes now, a file is left to the collector, since readers may hold it open. */
export function dropBlob(commit: CommitBuilder, ref: BlobRef): void {
  if (ref.inline) commit.delete(keys.blobRowKey(keys.SPACE.data, ref.id));
  else commit.put(keys.blobRowKey(keys.SPACE.garbage, ref.id), EMPTY);
}

/** Removes every row of a version that no lock keeps. `parts` are those of a multipart version. */
export function removeVersion(commit: CommitBuilder, bucketId: string, row: Removable, parts: readonly Part[]): void {
  const { version } = row;
  commit.delete(row.key);
  commit.delete(keys.idRowKey(keys.SPACE.byId, bucketId, version.key, version.versionId));
  addUsage(commit, bucketId, version, -1n);
  if (version.kind === "delete-marker") return;
  if (version.blob !== undefined) dropBlob(commit, version.blob);
  for (const part of parts) dropBlob(commit, part.blob);
  if (liesInFiles(version, parts))
    commit.delete(keys.idRowKey(keys.SPACE.file, bucketId, version.key, version.versionId));
  if (version.partCount > 0) commit.delete(keys.idRowKey(keys.SPACE.parts, bucketId, version.key, version.versionId));
  if (version.damaged !== undefined)
    commit.delete(keys.idRowKey(keys.SPACE.damage, bucketId, version.key, version.versionId));
}

/** One row in the log of each target, and the counters with it. */
export function putLogRows(
  commit: CommitBuilder,
  context: Context,
  bucket: Bucket,
  entry: {
    arns: readonly Arn[];
    version: Pick<Version, "key" | "versionId">;
    operation: LogRow["operation"];
    size: number;
    time: UnixNs;
  },
): void {
  if (entry.arns.length === 0) return;
  const row: LogRow = {
    bucket: bucket.name,
    bucketId: bucket.id,
    key: entry.version.key,
    versionId: entry.version.versionId,
    size: entry.size,
    operation: entry.operation,
    time: entry.time,
    attempts: 0,
  };
  const value = encodeTimedRow(row);
  for (const arn of entry.arns) {
    commit.put(keys.logRowKey(keys.SPACE.log, arn, entry.time, context.random.bytes(8)), value);
    commit.add(logCounter(arn, "count"), 1n);
    commit.add(logCounter(arn, "bytes"), BigInt(entry.size));
  }
}

/** The targets a change made here must reach. Writes that came from a peer go no further (replication.md 1.4). */
export function followers(
  bucket: Bucket,
  change: {
    key: Version["key"];
    tags?: Tags | undefined;
    operation: ReplicatedOperation;
    fromPeer: boolean;
    replica?: boolean;
  },
): Arn[] {
  if (change.fromPeer || bucket.replication === undefined) return [];
  return targetsFor(bucket.replication, {
    key: change.key,
    tags: change.tags,
    operation: change.operation,
    replica: change.replica ?? false,
  });
}

/** Status PENDING for every target that must follow, statuses of other targets kept. */
export function pending(arns: readonly Arn[], before?: ReplicationState): ReplicationState {
  const targets: Record<string, TargetStatus> = { ...before?.targets };
  for (const arn of arns) targets[arn] = "PENDING";
  return before?.replica ? { replica: true, targets } : { targets };
}

/**
 * After a change of registers made here: PENDING for the targets that follow, nothing for the others, since what they
 * have is no longer what is here; a rule that sends there later finds it so.
 */
export function changedState(arns: readonly Arn[], before: ReplicationState, time: UnixNs): ReplicationState {
  return { ...pending(arns, before.replica ? { replica: true, targets: {} } : undefined), changed: String(time) };
}

/** PENDING for targets that a peer's registers must reach from here; the others have what that peer sends them. */
export function sentAnewState(arns: readonly Arn[], before: ReplicationState, time: UnixNs): ReplicationState {
  const resend = before.resend?.filter((arn) => !arns.includes(arn));
  const anew = { ...before.anew };
  for (const arn of arns) anew[arn] = String(time);
  return { ...before, ...pending(arns, before), anew, resend };
}

/**
 * Time of a write made here: now, but after what it replaces (a version, a purge of its id), even when that came from a
 * site whose clock is ahead.
 */
export function timeAfter(context: Context, ...earlier: readonly (UnixNs | undefined)[]): UnixNs {
  let time = context.clock.nowNs();
  for (const before of earlier) if (before !== undefined && before >= time) time = before + 1n;
  return time;
}

/** Parts of a version's row when it has any. */
export async function partsOf(context: Context, bucketId: string, version: Version): Promise<Part[]> {
  return version.kind === "object" && version.partCount > 0 ? context.parts(bucketId, version) : [];
}
