/**
 * Policies that exist without being stored (admin-api.md 7.6, 7.7): a stored policy of the same name takes their place.
 * The two for replication are MinIO's published ones plus what resync and comparison need.
 */
import { parsePolicy, POLICY_VERSION } from "./policy.ts";
import type { Policy } from "./policy.ts";

const ALL = "arn:aws:s3:::*";

interface Plain {
  readonly Sid?: string;
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource?: readonly string[];
}

function policy(...statements: readonly Plain[]): Policy {
  return parsePolicy(JSON.stringify({ Version: POLICY_VERSION, Statement: statements }));
}

const allow = (Action: readonly string[], Resource?: readonly string[]): Plain =>
  Resource === undefined ? { Effect: "Allow", Action } : { Effect: "Allow", Action, Resource };

const s3 = (names: string): string[] =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => `s3:${name}`);
const admin = (names: string): string[] =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => `admin:${name}`);

/** Who configures replication at the source. PutBucketVersioning is left out: it could end replication for everyone. */
const replicationAdmin = policy(
  {
    ...allow(
      admin(`
      SetBucketTarget GetBucketTarget ReplicationDiff ListBatchJobs DescribeBatchJob StartBatchJob CancelBatchJob`),
    ),
    Sid: "EnableRemoteBucketConfiguration",
  },
  {
    ...allow(
      s3(`
      GetReplicationConfiguration PutReplicationConfiguration ResetBucketReplicationState ListBucket ListBucketVersions
      ListBucketMultipartUploads GetBucketLocation GetBucketVersioning GetObjectRetention GetObjectLegalHold`),
      [ALL],
    ),
    Sid: "EnableReplicationRuleConfiguration",
  },
);

/** Whose keys the source holds: writes replicas at the target, and reads there what a comparison needs. Tags are set for clients of a site that has not the version yet. */
const replicationRemoteUser = policy(
  {
    ...allow(
      s3(`
      GetReplicationConfiguration ListBucket ListBucketVersions ListBucketMultipartUploads GetBucketLocation
      GetBucketVersioning GetBucketObjectLockConfiguration GetEncryptionConfiguration`),
      [ALL],
    ),
    Sid: "EnableReplicationOnBucket",
  },
  {
    ...allow(
      s3(`
      GetReplicationConfiguration ReplicateTags AbortMultipartUpload GetObject GetObjectVersion
      GetObjectVersionForReplication GetObjectTagging GetObjectVersionTagging PutObjectTagging DeleteObjectTagging
      GetObjectRetention GetObjectLegalHold PutObject PutObjectRetention PutBucketObjectLockConfiguration PutObjectLegalHold DeleteObject ReplicateObject
      ReplicateDelete`),
      [ALL],
    ),
    Sid: "EnableReplicatingDataIntoBucket",
  },
);

export const BUILTIN_POLICIES: ReadonlyMap<string, Policy> = new Map([
  ["readwrite", policy(allow(["s3:*"], [ALL]))],
  ["readonly", policy(allow(["s3:GetBucketLocation", "s3:GetObject"], [ALL]))],
  ["writeonly", policy(allow(["s3:PutObject"], [ALL]))],
  [
    "diagnostics",
    policy(
      allow(
        admin(`
      Profiling ServerTrace ConsoleLog ServerInfo TopLocksInfo OBDInfo BandwidthMonitor Prometheus`),
        [ALL],
      ),
    ),
  ],
  ["consoleAdmin", policy(allow(["admin:*"]), allow(["kms:*"]), allow(["s3:*"], [ALL]))],
  ["ReplicationAdminPolicy", replicationAdmin],
  ["ReplicationRemoteUserPolicy", replicationRemoteUser],
]);
