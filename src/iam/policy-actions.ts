/** The names a policy may use: actions of each class and the condition keys that go with them (admin-api.md 7.3, 7.4). */
import { wildcardMatch } from "./wildcard.ts";

const words = (prefix: string, text: string): string[] =>
  text
    .trim()
    .split(/\s+/)
    .map((word) => prefix + word);

/** The last lines are AWS actions that MinIO does not know; accepted, so that policies written for AWS can be stored. */
const S3_ACTIONS: readonly string[] = words(
  "s3:",
  `
  AbortMultipartUpload BypassGovernanceRetention CreateBucket DeleteBucket DeleteBucketCors DeleteBucketPolicy
  DeleteObject DeleteObjectTagging DeleteObjectVersion DeleteObjectVersionTagging ForceDeleteBucket GetBucketCors
  GetBucketLocation GetBucketNotification GetBucketObjectLockConfiguration GetBucketPolicy GetBucketPolicyStatus
  GetBucketTagging GetBucketVersioning GetEncryptionConfiguration GetLifecycleConfiguration GetObject
  GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectVersion
  GetObjectVersionAttributes GetObjectVersionForReplication GetObjectVersionTagging GetReplicationConfiguration
  HeadBucket ListAllMyBuckets ListBucket ListBucketMultipartUploads ListBucketVersions ListMultipartUploadParts
  ListenBucketNotification ListenNotification PutBucketCors PutBucketNotification PutBucketObjectLockConfiguration
  PutBucketPolicy PutBucketTagging PutBucketVersioning PutEncryptionConfiguration PutLifecycleConfiguration PutObject
  PutObjectFanOut PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionTagging
  PutReplicationConfiguration ReplicateDelete ReplicateObject ReplicateTags ResetBucketReplicationState RestoreObject
  DeleteReplicationConfiguration GetBucketAcl PutBucketAcl GetObjectAcl PutObjectAcl GetObjectVersionAcl
  PutObjectVersionAcl GetBucketPublicAccessBlock PutBucketPublicAccessBlock DeleteBucketPublicAccessBlock
  GetBucketOwnershipControls PutBucketOwnershipControls GetBucketLogging PutBucketLogging GetBucketWebsite
  PutBucketWebsite DeleteBucketWebsite GetAccelerateConfiguration PutAccelerateConfiguration GetBucketRequestPayment
  PutBucketRequestPayment`,
);

const ADMIN_NAMES = words(
  "admin:",
  `
  Heal Decommission Rebalance StorageInfo Prometheus DataUsageInfo TopLocksInfo Profiling ServerTrace ConsoleLog
  KMSCreateKey KMSKeyStatus ServerInfo OBDInfo BandwidthMonitor ServerUpdate ServiceRestart ServiceStop ServiceFreeze
  ConfigUpdate CreateUser DeleteUser ListUsers EnableUser DisableUser GetUser SiteReplicationAdd
  SiteReplicationDisable SiteReplicationRemove SiteReplicationResync SiteReplicationInfo SiteReplicationOperation
  CreateServiceAccount UpdateServiceAccount RemoveServiceAccount ListServiceAccounts ListTemporaryAccounts
  AddUserToGroup RemoveUserFromGroup GetGroup ListGroups EnableGroup DisableGroup CreatePolicy DeletePolicy GetPolicy
  AttachUserOrGroupPolicy UpdatePolicyAssociation ListUserPolicies SetBucketQuota GetBucketQuota SetBucketTarget
  GetBucketTarget ReplicationDiff ImportBucketMetadata ExportBucketMetadata SetTier ListTier ExportIAM ImportIAM
  ListBatchJobs DescribeBatchJob StartBatchJob CancelBatchJob ForceUnlock LicenseInfo InspectData GenerateBatchJob
  ClusterInfo PoolList PoolInfo SetInfo DriveInfo *`,
);

const KMS_NAMES = words(
  "kms:",
  `
  CreateKey DeleteKey ListKeys ImportKey DescribePolicy AssignPolicy DeletePolicy SetPolicy GetPolicy ListPolicies
  DescribeIdentity DescribeSelfIdentity DeleteIdentity ListIdentities KeyStatus Status API Metrics Version AuditLog
  ErrorLog *`,
);

export const ADMIN_ACTIONS: ReadonlySet<string> = new Set(ADMIN_NAMES);
export const KMS_ACTIONS: ReadonlySet<string> = new Set(KMS_NAMES);
export const STS_ACTIONS: ReadonlySet<string> = new Set(["sts:AssumeRoleWithWebIdentity", "sts:AssumeRole", "sts:*"]);

export type ActionClass = "s3" | "admin" | "kms" | "sts";

/** The class of a request's action, by its prefix. */
export function classOfAction(action: string): ActionClass {
  if (action.startsWith("s3:")) return "s3";
  if (action.startsWith("admin:")) return "admin";
  return action.startsWith("kms:") ? "kms" : "sts";
}

/** True when a pattern with wildcards names at least one known S3 action. */
export function namesS3Action(pattern: string): boolean {
  return S3_ACTIONS.some((action) => wildcardMatch(pattern, action));
}

const JWT_KEYS = words(
  "jwt:",
  `
  sub iss aud jti upn name groups given_name family_name middle_name nickname preferred_username profile picture
  website email gender birthdate phone_number address scope client_id`,
);

const IDENTITY_KEYS = [
  ...words(
    "aws:",
    `
    Referer SourceIp UserAgent SecureTransport CurrentTime EpochTime principaltype userid username groups`,
  ),
  ...words("ldap:", "user username groups"),
  ...JWT_KEYS,
];

/** Usable with every S3 action, and as variables `${key}`. */
export const COMMON_KEYS: readonly string[] = [
  ...IDENTITY_KEYS,
  ...words("s3:", "signatureversion authType signatureAge x-amz-content-sha256 LocationConstraint"),
];

const SSE = words(
  "s3:",
  `
  x-amz-server-side-encryption x-amz-server-side-encryption-customer-algorithm
  x-amz-server-side-encryption-aws-kms-key-id`,
);
const LOCK = words(
  "s3:",
  `
  object-lock-remaining-retention-days object-lock-retain-until-date object-lock-mode object-lock-legal-hold`,
);
const ACL = words(
  "s3:",
  `
  x-amz-acl x-amz-grant-full-control x-amz-grant-read x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp`,
);
const EXISTING_TAG = "s3:ExistingObjectTag/*";
const REQUEST_TAGS = ["s3:RequestObjectTagKeys", "s3:RequestObjectTag/*"];
const LISTING = words("s3:", "prefix delimiter max-keys");

/** Keys of single actions; the first pattern that names the action counts. */
const KEYS_BY_ACTION: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^s3:ListBucket(Versions|MultipartUploads)?$/, LISTING],
  [/^s3:GetObject(Version)?(Attributes)?$/, [...SSE, "s3:versionid", EXISTING_TAG]],
  [/^s3:PutObjectRetention$/, [...SSE, ...LOCK, "s3:versionid"]],
  [
    /^s3:PutObject$/,
    [
      ...SSE,
      ...LOCK,
      ...REQUEST_TAGS,
      ...words(
        "s3:",
        `
    x-amz-copy-source x-amz-metadata-directive x-amz-storage-class versionid x-amz-website-redirect-location`,
      ),
      ...ACL,
    ],
  ],
  [/^s3:(CreateBucket|Put(Bucket|Object|ObjectVersion)Acl)$/, [...ACL, "s3:x-amz-object-ownership"]],
  [/^s3:BypassGovernanceRetention$/, [...LOCK, ...REQUEST_TAGS]],
  [
    /^s3:(PutObjectLegalHold|PutBucketObjectLockConfiguration|GetObject(Retention|LegalHold))$/,
    [...LOCK, "s3:versionid"],
  ],
  [/^s3:(Get|Put|Delete)Object(Version)?Tagging$/, ["s3:versionid", EXISTING_TAG, ...REQUEST_TAGS]],
  [/^s3:DeleteObject(Version)?$/, ["s3:versionid", EXISTING_TAG]],
  [/^s3:(Replicate\w+|GetObjectVersionForReplication)$/, ["s3:versionid", EXISTING_TAG]],
];

function keysOfS3Action(action: string): readonly string[] {
  return KEYS_BY_ACTION.find(([pattern]) => pattern.test(action))?.[1] ?? [];
}

function allows(keys: readonly string[], key: string): boolean {
  return keys.some((known) => (known.endsWith("/*") ? key.startsWith(known.slice(0, -1)) : known === key));
}

const ALL_S3_KEYS: readonly string[] = KEYS_BY_ACTION.flatMap(([, keys]) => keys);

/** Whether `key` may stand in a Condition beside `action` (a name or a pattern) of a statement of class `kind`. */
export function conditionKeyAllowed(kind: ActionClass | "any", action: string, key: string): boolean {
  if (kind === "any") return allows(COMMON_KEYS, key) || allows(ALL_S3_KEYS, key) || key === "sts:DurationSeconds";
  if (kind === "sts") return allows(IDENTITY_KEYS, key) || key === "sts:DurationSeconds";
  if (kind !== "s3") return allows(IDENTITY_KEYS, key) || key === "svc:DurationSeconds";
  if (allows(COMMON_KEYS, key)) return true;
  if (action === "s3:*") return allows(ALL_S3_KEYS, key);
  return S3_ACTIONS.some((known) => wildcardMatch(action, known) && allows(keysOfS3Action(known), key));
}
