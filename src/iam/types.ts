/** Identities and the question that authorization answers. Used by `s3/` and `admin/`; implemented beside this file. */
import type { BucketName } from "../model/names.ts";

export interface Identity {
  readonly kind: "root" | "user" | "service-account" | "sts" | "anonymous";
  /** Empty for anonymous. */
  readonly accessKey: string;
  /** The secret that signs requests and opens admin bodies. */
  readonly secretKey: string;
  /** The user behind it: itself, or the parent of a service account or STS key. `aws:username` in policies. */
  readonly user: string;
  readonly enabled: boolean;
  readonly sessionToken?: string | undefined;
}

/** Filled in by a decision, for who asks it of many keys of one bucket. */
export interface Dependence {
  /** Another key of the bucket, or other condition values, could have been answered otherwise. */
  onRequest: boolean;
}

/** One authorization question. */
export interface Access {
  /** `s3:GetObject`, `admin:ServerInfo`, ... */
  readonly action: string;
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  /** Condition values by key name without prefix, as policies see them (`prefix`, `SourceIp`, `x-amz-...`). */
  readonly conditions?: Readonly<Record<string, readonly string[]>> | undefined;
  /** The bucket's policy document (JSON text), consulted for anonymous callers and as an additional Allow/Deny. */
  readonly bucketPolicy?: string | undefined;
  /** Only an explicit Deny refuses (acting on oneself, DeleteObjectVersion beside DeleteObject). */
  readonly denyOnly?: boolean | undefined;
  /** To be told what the answer hangs on; the key must not be empty. */
  readonly dependence?: Dependence | undefined;
}

export interface Iam {
  /** The identity of an access key, or undefined. Always current: rows are compared with the index on each call. */
  lookup(accessKey: string): Promise<Identity | undefined>;
  readonly anonymous: Identity;
  allowed(identity: Identity, access: Access): Promise<boolean>;
}

export type { BucketName };
