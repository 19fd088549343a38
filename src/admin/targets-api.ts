/** What the admin API needs from replication; `server/replication.ts` has it. All throw StoreErrors. */
import type { Bucket } from "../model/bucket.ts";
import type { BucketName } from "../model/names.ts";
import type { ObjectLockConfig } from "../model/object-lock.ts";
import type { DiffLine, DiffRequest, FailureLine } from "../replication/status.ts";

/** Flags of set-remote-target (admin-api.md 4.3). Without `update` a target is added, with it the flagged parts change. */
export const TARGET_FLAGS = ["update", "creds", "sync", "proxy", "bandwidth", "healthcheck", "path"] as const;
export type TargetFlag = (typeof TARGET_FLAGS)[number];

export interface TargetsApi {
  /** `target`: the client's JSON document, parsed. Returns the ARN. Errors: admin-api.md 4.3. */
  set(bucket: BucketName, target: unknown, flags: Iterable<TargetFlag>): Promise<string>;
  /** JSON objects of admin-api.md 4.2 without secrets; `""`: of all buckets; null: there are none. */
  list(bucket: BucketName | "", type: string): Promise<object[] | null>;
  /** Returns how many changes had not reached it. XMinioAdminRemoteArnInvalid, XMinioAdminRemoteTargetNotFoundError, XMinioAdminRemoteRemoveDisallowed. */
  remove(bucket: BucketName, arn: string): Promise<number>;
  /** The change that gives a bucket this object lock; ReplicationDestinationMissingLockError: a target could not keep it. */
  lockChange(bucket: BucketName, objectLock: ObjectLockConfig): Promise<(bucket: Bucket) => Bucket>;
}

export interface BacklogApi {
  /** Rejects before the first line: NoSuchBucket, ReplicationConfigurationNotFoundError, InvalidRequest (unknown ARN). */
  diff(bucket: BucketName, request: DiffRequest): Promise<AsyncIterable<DiffLine>>;
  /** Of one bucket (NoSuchBucket), or of all. */
  failures(bucket: BucketName | undefined): Promise<AsyncIterable<FailureLine>>;
}
