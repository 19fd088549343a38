/**
 * The table of operations. A row matches by method and by the presence of a query name or header; the first match
 * wins, rows without a condition are what remains (s3-api.md section 1). One object per level and method, so that
 * plain requests find theirs without a search.
 */
import { StoreError } from "../model/errors.ts";
import { parseBucketName } from "../model/names.ts";
import { INGEST_PATH } from "../protocol/ingest.ts";
import { RECONCILE_PATH } from "../reconcile/remote.ts";
import * as acl from "./ops/acl.ts";
import * as access from "./ops/bucket-access.ts";
import * as config from "./ops/bucket-config.ts";
import * as cors from "./ops/bucket-cors.ts";
import * as encryption from "./ops/bucket-encryption.ts";
import * as lifecycle from "./ops/bucket-lifecycle.ts";
import * as replication from "./ops/bucket-replication.ts";
import * as resync from "./ops/bucket-resync.ts";
import * as buckets from "./ops/buckets.ts";
import { copyObject, uploadPartCopy } from "./ops/copy-object.ts";
import { deleteObject } from "./ops/delete-object.ts";
import { deleteObjects } from "./ops/delete-objects.ts";
import { getObject, headObject } from "./ops/get-object.ts";
import { ingest } from "./ops/ingest.ts";
import { reconcile } from "./ops/reconcile.ts";
import * as listings from "./ops/list-objects.ts";
import * as multipart from "./ops/multipart.ts";
import { getObjectAttributes } from "./ops/object-attributes.ts";
import * as lock from "./ops/object-lock.ts";
import * as tagging from "./ops/object-tagging.ts";
import { postObject } from "./ops/post-object.ts";
import { putObject } from "./ops/put-object.ts";
import * as unset from "./ops/unset.ts";
import { invalidArgument, type Operation, type S3Request } from "./request.ts";

interface Row {
  /** Query name that must be present. */
  readonly query?: string;
  /** Its value, when not any. */
  readonly value?: string;
  /** Header that must be present. */
  readonly header?: string;
  readonly operation: Operation;
}

type Rows = Readonly<Record<string, readonly Row[]>>;

const on = (query: string, operation: Operation, value?: string): Row => ({
  query,
  operation,
  ...(value === undefined ? {} : { value }),
});
const rest = (operation: Operation): Row => ({ operation });

const COPY_SOURCE = "x-amz-copy-source";
/** The last three belong to kinds of buckets that only AWS has. */
const ABSENT = ["inventory", "metrics", "intelligent-tiering", "analytics", "session", "metadataTable", "abac"];
/** MinIO's newer clients know these, and objects with notes beside them; a plain read or write is not what they ask for. */
const ABSENT_OF_MINIO = ["qos", "qos-metrics", "minio-inventory"];
const absent = [...ABSENT, ...ABSENT_OF_MINIO].map((name) => on(name, unset.notImplemented(name)));
const annotation = on("annotation", unset.notImplemented("ObjectAnnotation"));
/** Members of a zip archive under names of their own: without it the archive's name is taken for a folder. */
const extract: Row = { header: "x-minio-extract", operation: unset.notImplemented("GetObjectFromArchive") };

const SERVICE: Rows = { GET: [on("events", listings.listenNotification), rest(buckets.listBuckets)] };

const BUCKET: Rows = {
  GET: [
    on("location", buckets.getBucketLocation),
    on("versioning", config.getBucketVersioning),
    on("versions", listings.listObjectVersions),
    on("uploads", multipart.listMultipartUploads),
    on("replication", replication.getBucketReplication),
    on("replication-metrics", replication.getReplicationMetrics),
    on("replication-reset-status", resync.resyncStatus),
    on("replication-reset-report", resync.resyncReport),
    on("replication-check", replication.checkBucketReplication),
    on("policy", config.getBucketPolicy),
    on("policyStatus", access.getBucketPolicyStatus),
    on("tagging", config.getBucketTagging),
    on("object-lock", lock.getObjectLock),
    on("encryption", encryption.getBucketEncryption),
    on("lifecycle", lifecycle.getBucketLifecycle),
    on("notification", unset.fixed("GetBucketNotification", "s3:GetBucketNotification", unset.NO_NOTIFICATIONS)),
    on("acl", acl.getBucketAcl),
    on("cors", cors.getBucketCors),
    on("publicAccessBlock", access.getPublicAccessBlock),
    on("ownershipControls", access.getOwnershipControls),
    on("website", unset.unset("GetBucketWebsite", "s3:GetBucketPolicy", "NoSuchWebsiteConfiguration")),
    on("accelerate", unset.fixed("GetBucketAccelerate", "s3:GetBucketPolicy", unset.NO_ACCELERATION)),
    on("requestPayment", unset.fixed("GetBucketRequestPayment", "s3:GetBucketPolicy", unset.OWNER_PAYS)),
    on("logging", unset.fixed("GetBucketLogging", "s3:GetBucketPolicy", unset.NO_LOGGING)),
    on("events", listings.listenNotification),
    ...absent,
    extract,
    on("list-type", listings.listObjectsV2, "2"),
    rest(listings.listObjects),
  ],
  HEAD: [rest(buckets.headBucket)],
  PUT: [
    on("versioning", config.putBucketVersioning),
    on("replication", replication.putBucketReplication),
    on("replication-reset", resync.startResync),
    on("replication-reset-cancel", resync.cancelResync),
    on("replication-reset-control", resync.controlResync),
    on("policy", config.putBucketPolicy),
    on("tagging", config.putBucketTagging),
    on("acl", acl.putBucketAcl),
    on("object-lock", lock.putObjectLock),
    on("encryption", encryption.putBucketEncryption),
    on("lifecycle", lifecycle.putBucketLifecycle),
    on("notification", unset.notImplemented("PutBucketNotification")),
    on("cors", cors.putBucketCors),
    on("publicAccessBlock", access.putPublicAccessBlock),
    on("ownershipControls", access.putOwnershipControls),
    on("website", unset.notImplemented("PutBucketWebsite")),
    on("accelerate", unset.notImplemented("PutBucketAccelerate")),
    on("requestPayment", unset.notImplemented("PutBucketRequestPayment")),
    on("logging", unset.notImplemented("PutBucketLogging")),
    ...absent,
    rest(buckets.createBucket),
  ],
  POST: [on("delete", deleteObjects), on("replication-reset-plan", resync.planResync), rest(postObject)],
  DELETE: [
    on("policy", config.deleteBucketPolicy),
    on("tagging", config.deleteBucketTagging),
    on("replication", replication.deleteBucketReplication),
    on("encryption", encryption.deleteBucketEncryption),
    on("lifecycle", lifecycle.deleteBucketLifecycle),
    on("cors", cors.deleteBucketCors),
    on("publicAccessBlock", access.deletePublicAccessBlock),
    on("ownershipControls", access.deleteOwnershipControls),
    on("website", unset.nothingToDelete("DeleteBucketWebsite", "s3:PutBucketPolicy")),
    on("accelerate", unset.notImplemented("DeleteBucketAccelerate")),
    on("requestPayment", unset.notImplemented("DeleteBucketRequestPayment")),
    on("logging", unset.notImplemented("DeleteBucketLogging")),
    ...absent,
    rest(buckets.deleteBucket),
  ],
};

const OBJECT: Rows = {
  GET: [
    on("attributes", getObjectAttributes),
    on("tagging", tagging.getObjectTagging),
    on("uploadId", multipart.listParts),
    on("acl", acl.getObjectAcl),
    on("retention", lock.getObjectRetention),
    on("legal-hold", lock.getObjectLegalHold),
    on("torrent", unset.notImplemented("GetObjectTorrent")),
    on("lambdaArn", unset.notImplemented("GetObjectLambda")),
    annotation,
    extract,
    rest(getObject),
  ],
  HEAD: [extract, rest(headObject)],
  PUT: [
    { query: "uploadId", header: COPY_SOURCE, operation: uploadPartCopy },
    on("uploadId", multipart.uploadPart),
    on("tagging", tagging.putObjectTagging),
    on("acl", acl.putObjectAcl),
    on("retention", lock.putObjectRetention),
    on("legal-hold", lock.putObjectLegalHold),
    // Unknown to PutObject: it would store an empty object over the one that was to get a new name or key.
    on("renameObject", unset.notImplemented("RenameObject")),
    on("encryption", unset.notImplemented("UpdateObjectEncryption")),
    { header: COPY_SOURCE, operation: copyObject },
    { header: "x-amz-write-offset-bytes", operation: unset.notImplemented("AppendObject") },
    { header: "x-amz-meta-snowball-auto-extract", operation: unset.notImplemented("PutObjectExtract") },
    rest(putObject),
  ],
  POST: [
    on("uploads", multipart.createMultipartUpload),
    on("uploadId", multipart.completeMultipartUpload),
    on("select", unset.notImplemented("SelectObjectContent")),
    on("restore", unset.notImplemented("RestoreObject")),
    on("lambdaArn", unset.notImplemented("PromptObject")),
  ],
  DELETE: [
    on("uploadId", multipart.abortMultipartUpload),
    on("tagging", tagging.deleteObjectTagging),
    on("acl", unset.notImplemented("DeleteObjectAcl")),
    rest(deleteObject),
  ],
};

/** Names that change nothing about what a write is; those of signatures begin with `X-Amz-`. */
const HARMLESS = new Set(["versionId", "x-id"]);

/**
 * NotImplemented for a write to a sub-resource that is not known here (`DELETE /b/k?annotation`): to do what the bare
 * request means would replace or remove the object or bucket itself.
 */
function checkSubResources({ query }: S3Request): void {
  for (const [name, value] of query.pairs) {
    // A part whose upload id got lost on the way must not become, or remove, the object.
    if (name === "partNumber") throw invalidArgument("partNumber is for parts of an upload: uploadId is missing.");
    if (value !== "" || HARMLESS.has(name) || /^x-/i.test(name)) continue;
    throw new StoreError("NotImplemented", { message: `The sub-resource ${name} is not implemented.` });
  }
}

function matches(row: Row, request: S3Request): boolean {
  if (row.query !== undefined) {
    const value = request.query.get(row.query);
    if (value === undefined || (row.value !== undefined && value !== row.value)) return false;
  }
  return row.header === undefined || request.headers[row.header] !== undefined;
}

/**
 * The operation a request asks for. Throws the fault of a bad bucket name, MethodNotAllowed for a form that is posted to a
 * key, and BadRequest for what else no row matches.
 */
export function findOperation(request: S3Request): Operation {
  const { target, method } = request;
  if (method === "POST" && target.rawPath === INGEST_PATH) return ingest;
  if (method === "POST" && target.rawPath === RECONCILE_PATH) return reconcile;
  const level = target.bucket === "" && target.key === "" ? SERVICE : target.key === "" ? BUCKET : OBJECT;
  if (level !== SERVICE) parseBucketName(target.bucket);
  const rows = level[method] ?? [];
  const bare = target.query.pairs.length === 0;
  for (const row of rows) {
    if (bare && row.query !== undefined) continue;
    if (!matches(row, request)) continue;
    if (row.query === undefined && !bare && method !== "GET" && method !== "HEAD") checkSubResources(request);
    return row.operation;
  }
  const isForm = method === "POST" && request.header("content-type")?.startsWith("multipart/form-data") === true;
  if (isForm && level === OBJECT) throw new StoreError("MethodNotAllowed");
  throw new StoreError("BadRequest", {
    message: `An unsupported API call for method: ${method} at '${request.incoming.url ?? ""}'`,
  });
}
