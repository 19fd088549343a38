/** What bucket sub-resources need from replication and resync. `server/replication.ts` has it. */
import type { Bucket } from "../model/bucket.ts";
import type { Arn, BucketName } from "../model/names.ts";
import type { ObjectLockConfig } from "../model/object-lock.ts";
import type { ReplicationConfig } from "../model/replication-config.ts";
import type { Peer, ProxiedCall } from "../replication/peer-reads.ts";
import type { ControlRequest } from "../resync/jobs.ts";
import type { StartRequest } from "../resync/prepare.ts";

/** All of them throw StoreErrors with the codes of replication.md 1.3, 2.5, 7.1. */
export interface ReplicationApi {
  /** Rows 6 to 14 of replication.md 1.3: ARNs are known, remote buckets reachable and fit. Stores nothing. */
  validateConfig(bucket: BucketName, config: ReplicationConfig): Promise<void>;
  /** The change that gives a bucket this object lock; ReplicationDestinationMissingLockError: a target could not keep it. */
  lockChange(bucket: BucketName, objectLock: ObjectLockConfig): Promise<(bucket: Bucket) => Bucket>;
  /** The stored configuration is another one now (or gone). */
  configChanged(bucket: BucketName): Promise<void>;
  /** XMinioAdminRemoteTargetNotFoundError when the bucket has none. */
  removeAllTargets(bucket: BucketName): Promise<number>;
  /** replication.md 2.5: dry-run writes on every target. */
  check(bucket: BucketName): Promise<void>;
  /** JSON of replication.md 9.1: version 1 is `currStats` alone. */
  metrics(bucket: BucketName, version: 1 | 2): Promise<object>;
  resyncStart(bucket: BucketName, request: StartRequest): Promise<object>;
  /** `{}` when none ran. */
  resyncStatus(bucket: BucketName, arn?: Arn): Promise<object>;
  /** Answers a peer's frame of a comparison (docs/reference/peers.md). Throws NoSuchBucket and InvalidRequest. */
  reconcile(bucket: BucketName, call: string, frame: Buffer): Promise<Buffer>;
  /** Sites to ask, one after another, for a key that is not here (replication.md 8); none: it is simply not here. */
  peersFor(bucket: Bucket, key: string): Promise<readonly Peer[]>;
  /** One call that was passed on to a peer ended. */
  proxied(bucketId: string, call: ProxiedCall, succeeded: boolean): void;
  /** Returns the id of the cancelled resync. An empty ARN: the only one. */
  resyncCancel(bucket: BucketName, arn: string): Promise<string>;
  /** What a start would do: progress, at last the whole. Stores nothing. */
  resyncPlan(bucket: BucketName, request: StartRequest, signal: AbortSignal): Promise<AsyncIterable<object>>;
  /** Pauses, resumes, or changes limits; answers as the status does. */
  resyncControl(bucket: BucketName, arn: string, request: ControlRequest): Promise<object>;
  /** The signed report of the last resync. */
  resyncReport(bucket: BucketName, arn: string): Promise<string>;
}
