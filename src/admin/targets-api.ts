/** What the admin API needs from replication; `replication/` has it, `server/` hands it in. All throw StoreErrors. */
import type { BucketName } from "../model/names.ts";

/** Flags of set-remote-target (admin-api.md 4.3). Without `update` a target is added, with it the flagged parts change. */
export const TARGET_FLAGS = ["update", "creds", "sync", "proxy", "bandwidth", "healthcheck", "path"] as const;
export type TargetFlag = (typeof TARGET_FLAGS)[number];

export interface TargetsApi {
  /** `target`: the client's JSON document, parsed. Returns the ARN. Errors: admin-api.md 4.3. */
  set(bucket: BucketName, target: unknown, flags: Iterable<TargetFlag>): Promise<string>;
  /** JSON objects of admin-api.md 4.2 without secrets; `""`: of all buckets; null: there are none. */
  list(bucket: BucketName | "", type: string): Promise<object[] | null>;
  /** XMinioAdminRemoteArnInvalid, XMinioAdminRemoteTargetNotFoundError, XMinioAdminRemoteRemoveDisallowed. */
  remove(bucket: BucketName, arn: string): Promise<void>;
}

/** A version that is not where it should be: one line of replication/diff (admin-api.md 5.1). Times are RFC 3339. */
export interface DiffLine {
  readonly object: string;
  readonly versionId: string;
  readonly targets?: Readonly<Record<string, { readonly rStatus?: string | undefined; readonly drStatus?: string | undefined }>> | undefined;
  readonly rStatus?: string | undefined;
  readonly dStatus?: string | undefined;
  readonly replTimestamp: string;
  readonly lastModified: string;
  readonly deletemarker: boolean;
}

/** One version whose sending failed lately: one line of replication/mrf. */
export interface FailureLine {
  readonly nodeName: string;
  readonly bucket: string;
  readonly object: string;
  readonly versionId: string;
  readonly retryCount: number;
  readonly error?: string | undefined;
}

export interface DiffRequest {
  /** Replicated versions too. */
  readonly verbose: boolean;
  /** One target; absent: all. */
  readonly arn?: string | undefined;
  readonly prefix: string;
}

export interface BacklogApi {
  /** Rejects before the first line: NoSuchBucket, ReplicationConfigurationNotFoundError, InvalidRequest (unknown ARN). */
  diff(bucket: BucketName, request: DiffRequest): Promise<AsyncIterable<DiffLine>>;
  /** Of one bucket (NoSuchBucket), or of all. */
  failures(bucket: BucketName | undefined): Promise<AsyncIterable<FailureLine>>;
}
