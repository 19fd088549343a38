/** A bucket and its configuration, as one value: it is read on every request and replaced as a whole. */
import type { CorsRule } from "./cors.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { BucketName, UnixNs } from "./names.ts";
import type { ObjectLockConfig } from "./object-lock.ts";
import type { BucketEncryption } from "./encryption.ts";
import type { ReplicationConfig } from "./replication-config.ts";
import type { Tags } from "./version.ts";

export interface VersioningConfig {
  readonly status: "Enabled" | "Suspended";
  readonly excludedPrefixes?: readonly string[] | undefined;
  readonly excludeFolders?: boolean | undefined;
}

/** What keeps a bucket from becoming public, whatever policies and ACLs say. */
export interface PublicAccessBlock {
  readonly blockPublicAcls: boolean;
  readonly ignorePublicAcls: boolean;
  readonly blockPublicPolicy: boolean;
  readonly restrictPublicBuckets: boolean;
}

export interface Bucket {
  readonly name: BucketName;
  /** 16 hex digits, new for every creation: rows of a deleted bucket can never be seen by its successor. */
  readonly id: string;
  readonly created: UnixNs;
  /** Access key of the creator. */
  readonly owner: string;
  /** Absent: never configured. */
  readonly versioning?: VersioningConfig | undefined;
  /** Present: object lock is on, for good, and with it versioning of every key. */
  readonly objectLock?: ObjectLockConfig | undefined;
  readonly tags?: Tags | undefined;
  readonly replication?: ReplicationConfig | undefined;
  /** Bucket policy document, as sent (JSON text). */
  readonly policy?: string | undefined;
  readonly publicAccessBlock?: PublicAccessBlock | undefined;
  /** Present when it was set: ACLs of requests are refused then, instead of having no effect. */
  readonly ownership?: "BucketOwnerEnforced" | undefined;
  readonly lifecycle?: Lifecycle | undefined;
  /** Which pages of other origins may call; absent: what the operator allows for the whole port. */
  readonly cors?: readonly CorsRule[] | undefined;
  /** Most bytes that all versions together may hold; absent: no limit. */
  readonly quota?: number | undefined;
  /** Default encryption of new objects. */
  readonly encryption?: BucketEncryption | undefined;
}

/** True when new objects get version ids of their own (MinIO's exclusions: s3-api.md section 9). */
export function keepsVersions(bucket: Bucket, key: string): boolean {
  const config = bucket.versioning;
  if (config?.status !== "Enabled") return false;
  if (config.excludeFolders && key.endsWith("/")) return false;
  return !(config.excludedPrefixes ?? []).some((pattern) => wildcard(`${pattern}*`, key));
}

function wildcard(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, "[^]*")
    .replace(/\?/g, "[^]");
  return new RegExp(`^${source}$`, "u").test(text);
}
