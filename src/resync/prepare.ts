/** A job that is asked for: whether it is possible, which versions it is about, and its record. Nothing is stored yet. */
import type { Bucket } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import type { Objects } from "../objects/objects.ts";
import type { Connection } from "../replication/connections.ts";
import { checkEncryption } from "../replication/encryption.ts";
import { checkAlive, checkBucketThere, checkVersioned } from "../replication/target-checks.ts";
import type { Targets } from "../replication/targets.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { chosenArn } from "./chosen-arn.ts";
import { askDirection } from "./direction.ts";
import { newRowsName } from "./job-rows.ts";
import { countVersions } from "./local-listing.ts";
import { failedOf, namedInOrder, type Listed } from "./named-versions.ts";
import { olderThanMs } from "./older-than.ts";
import { DEFAULT_OPTIONS, type JobLimits, type JobOptions, type Named } from "./options.ts";
import { NO_COUNTS, optionsOf, recordKey, type ResyncRecord } from "./record.ts";

/** What a start asks for; empty text: absent (replication.md 7.1). */
export interface StartRequest {
  readonly arn: string;
  readonly resetId: string;
  /** As it was sent: a Go duration whose nanoseconds mean hours. */
  readonly olderThan: string;
  readonly options?: JobOptions | undefined;
  readonly limits?: Partial<JobLimits> | undefined;
  /** Only these versions. */
  readonly named?: readonly Named[] | undefined;
}

export interface PrepareDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly targets: Targets;
  readonly clock: Clock;
  readonly random: Random;
}

/** A job that was asked for and found possible, and of which nothing is stored yet. */
export interface PreparedJob {
  readonly bucket: Bucket;
  readonly connection: Connection;
  readonly record: ResyncRecord;
  /** The row of the job before it to the same target. */
  readonly raw: Buffer | undefined;
  /** Only versions older than this; 0: all. */
  readonly ageMs: number;
  /** The versions that it is about, in order; undefined: all that the options leave. */
  readonly named: (() => AsyncIterable<Listed>) | undefined;
}

/** Throws what replication.md 7.1 says where a resync is not possible. */
export async function prepareJob(
  deps: PrepareDeps,
  bucketName: BucketName,
  request: StartRequest,
): Promise<PreparedJob> {
  const { index, objects, targets, clock, random } = deps;
  const bucket = await objects.bucket(bucketName);
  if (bucket.replication === undefined)
    throw new StoreError("ReplicationConfigurationNotFoundError", { bucket: bucketName });
  const arn = chosenArn(bucketName, bucket.replication, request.arn);
  const ageMs = olderThanMs(request.olderThan);
  const raw = await index.get(recordKey(bucket.id, arn));
  const connection = targets.connect(await targets.get(bucketName, arn));
  await checkBucketThere(connection.client, "XMinioAdminRemoteTargetNotFoundError");
  await checkVersioned(connection.client);
  await connection.endpoint.known();
  // It would find every version there already, and call the sites equal.
  if (connection.endpoint.leadsHome) throw new StoreError("XMinioAdminRemoteIdenticalToSource", { bucket: bucketName });
  await checkAlive(connection.client);
  await checkEncryption(objects, bucketName, connection, clock.nowNs());
  const options = request.options ?? DEFAULT_OPTIONS;
  const { endpoint, targetBucket } = connection.record;
  const record: ResyncRecord = {
    id: request.resetId === "" ? random.uuid() : request.resetId,
    arn,
    bucket: bucketName,
    bucketId: bucket.id,
    rows: newRowsName(clock, random),
    target: { endpoint, bucket: targetBucket },
    state: "Pending",
    phase: "damage-check",
    options,
    created: clock.nowNs(),
    updated: clock.nowNs(),
    pass: 0,
    activeMs: 0,
    // Without an age everything counts, versions from a site whose clock is ahead included.
    beforeMs: ageMs === 0 ? Number.MAX_SAFE_INTEGER : clock.nowMs() - ageMs,
    total: await totalOf(deps, bucket, options.prefix),
    cursor: "",
    counters: NO_COUNTS,
    samples: [],
  };
  const { named } = request;
  const list =
    named !== undefined
      ? () => namedInOrder(objects, bucketName, named)
      : options.failedOnly
        ? () => failedOf(objects, bucketName, arn, options.prefix)
        : undefined;
  return { bucket, connection, record, raw, ageMs, named: list };
}

async function totalOf({ index, objects }: PrepareDeps, bucket: Bucket, prefix: string): Promise<number> {
  if (prefix !== "") return countVersions(index, bucket.id, prefix);
  const usage = await objects.usage(bucket);
  return usage.versions + usage.deleteMarkers;
}

/** Why a resync from here looks like one in the wrong direction; never of versions that were named, or with `force`. */
export async function directionFault(
  { objects }: PrepareDeps,
  { bucket, connection, record, named }: PreparedJob,
): Promise<string | undefined> {
  const { force, prefix } = optionsOf(record);
  if (force || named !== undefined) return undefined;
  return askDirection({ objects, bucket, connection, prefix, resyncId: record.id });
}

/** The record of a job about so many versions that were named. */
export const withListed = (record: ResyncRecord, listed: number): ResyncRecord => ({
  ...record,
  options: { ...optionsOf(record), listed },
  total: listed,
});
