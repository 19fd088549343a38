/** Typed calls over the S3 client: each sends one request and reads its answer. All throw S3ResponseError or NetworkError. */
import { createHash } from "node:crypto";
import type { VersioningConfig } from "../model/bucket.ts";
import type { ReplicationConfig } from "../model/replication-config.ts";
import type { Tags } from "../model/version.ts";
import { RESILVER_DROPPED } from "../protocol/replication-headers.ts";
import { parseReplicationXml, renderReplicationXml } from "../protocol/replication-xml.ts";
import * as bucketXml from "../protocol/s3-xml-bucket.ts";
import * as listingXml from "../protocol/s3-xml-listing-parse.ts";
import * as objectXml from "../protocol/s3-xml-objects.ts";
import * as uploadXml from "../protocol/s3-xml-uploads.ts";
import { encodeS3Path } from "../protocol/uri.ts";
import { answeredWith } from "./errors.ts";
import type { S3Client, S3Request } from "./s3-client.ts";
import type { S3Response } from "./transport.ts";

export interface ObjectName {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type Body = NonNullable<S3Request["body"]>;

type Query = Readonly<Record<string, string | number | undefined>>;

/** Without the undefined ones. */
function queryOf(values: Query): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined) out[name] = String(value);
  return out;
}

function target(name: ObjectName, query: Query = {}): Omit<S3Request, "method"> {
  const { bucket, key, headers, signal } = name;
  return { bucket, key, headers, signal, query: queryOf({ ...query, versionId: name.versionId }) };
}

/** The body of the answer. */
export async function read(client: S3Client, request: S3Request): Promise<Buffer> {
  return (await client.send(request)).bytes();
}

/** The headers of the answer, whose body is thrown away. */
export async function done(client: S3Client, request: S3Request): Promise<Readonly<Record<string, string>>> {
  const response = await client.send(request);
  await response.discard();
  return response.headers;
}

/** Content-MD5 beside the body: sub-resource writes demand it. */
export function document(body: string): { body: Buffer; headers: Record<string, string> } {
  const bytes = Buffer.from(body);
  const md5 = createHash("md5").update(bytes).digest("base64");
  return { body: bytes, headers: { "content-md5": md5, "content-type": "application/xml" } };
}

export async function listBuckets(client: S3Client, signal?: AbortSignal): Promise<bucketXml.ListedBucket[]> {
  const out: bucketXml.ListedBucket[] = [];
  let token: string | undefined;
  do {
    const query = queryOf({ "continuation-token": token });
    const page = bucketXml.parseBucketList(await read(client, { method: "GET", query, signal }));
    out.push(...page.buckets);
    token = page.continuationToken;
  } while (token !== undefined);
  return out;
}

/** False when there is no such bucket; other refusals are thrown. */
export async function bucketExists(client: S3Client, bucket: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await done(client, { method: "HEAD", bucket, signal });
    return true;
  } catch (error) {
    if (answeredWith(error, "NoSuchBucket")) return false;
    throw error;
  }
}

export interface MakeBucket {
  readonly bucket: string;
  readonly region?: string | undefined;
  readonly objectLock?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function makeBucket(client: S3Client, options: MakeBucket): Promise<void> {
  const { bucket, region, signal } = options;
  const headers = options.objectLock ? { "x-amz-bucket-object-lock-enabled": "true" } : {};
  const body = region ? Buffer.from(bucketXml.renderCreateBucketConfiguration(region)) : undefined;
  await done(client, { method: "PUT", bucket, headers, body, signal });
}

/** With `force` its content goes too (an extension of MinIO). */
export async function removeBucket(
  client: S3Client,
  bucket: string,
  options: { force?: boolean; signal?: AbortSignal } = {},
): Promise<void> {
  const headers = options.force ? { "x-minio-force-delete": "true" } : {};
  await done(client, { method: "DELETE", bucket, headers, signal: options.signal });
}

/** Empty means us-east-1. */
export async function bucketLocation(client: S3Client, bucket: string, signal?: AbortSignal): Promise<string> {
  return bucketXml.parseLocation(await read(client, { method: "GET", bucket, query: { location: "" }, signal }));
}

export interface ListObjectsPage {
  readonly bucket: string;
  readonly prefix?: string | undefined;
  readonly delimiter?: string | undefined;
  readonly maxKeys?: number | undefined;
  /** MinIO's extension: user metadata and tags with each entry. */
  readonly metadata?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

function listQuery(page: ListObjectsPage): Query {
  return {
    "encoding-type": "url",
    prefix: page.prefix ?? "",
    delimiter: page.delimiter ?? "",
    "max-keys": page.maxKeys,
    metadata: page.metadata ? "true" : undefined,
  };
}

export interface ListV2Resume {
  readonly continuationToken?: string | undefined;
  readonly startAfter?: string | undefined;
}

/** One page of ListObjectsV2; resume with `continuationToken` = the page's `nextContinuationToken`. */
export async function listObjectsV2(
  client: S3Client,
  page: ListObjectsPage & ListV2Resume,
): Promise<listingXml.ObjectsPage> {
  const query = queryOf({
    ...listQuery(page),
    "list-type": 2,
    "continuation-token": page.continuationToken,
    "start-after": page.startAfter,
  });
  return listingXml.parseObjectsPage(
    await read(client, { method: "GET", bucket: page.bucket, query, signal: page.signal }),
  );
}

export interface ListVersionsResume {
  readonly keyMarker?: string | undefined;
  readonly versionIdMarker?: string | undefined;
}

/** One page of versions and delete markers; resume with both markers of the page. */
export async function listVersions(
  client: S3Client,
  page: ListObjectsPage & ListVersionsResume,
): Promise<listingXml.VersionsPage> {
  const query = queryOf({
    ...listQuery(page),
    versions: "",
    "key-marker": page.keyMarker ?? "",
    "version-id-marker": page.versionIdMarker,
  });
  return listingXml.parseVersionsPage(
    await read(client, { method: "GET", bucket: page.bucket, query, signal: page.signal }),
  );
}

/** Response headers, lower-case names. */
export async function headObject(client: S3Client, name: ObjectName): Promise<Readonly<Record<string, string>>> {
  return done(client, { method: "HEAD", ...target(name) });
}

/** The open response; its stream must be read or discarded. `range` as in the header, `bytes=0-9`. */
export async function getObject(
  client: S3Client,
  name: ObjectName & { readonly range?: string | undefined },
): Promise<S3Response> {
  const headers = name.range === undefined ? name.headers : { ...name.headers, range: name.range };
  return client.send({ method: "GET", ...target({ ...name, headers }) });
}

/** Response headers (`etag`, `x-amz-version-id`). */
export async function putObject(
  client: S3Client,
  name: ObjectName & { readonly body: Body },
): Promise<Readonly<Record<string, string>>> {
  return done(client, { method: "PUT", ...target(name), body: name.body });
}

/** Value of x-amz-copy-source. */
export function copySource(from: {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
}): string {
  const path = `${from.bucket}/${encodeS3Path(from.key)}`;
  return from.versionId === undefined ? path : `${path}?versionId=${from.versionId}`;
}

export interface CopyObject extends ObjectName {
  readonly from: { readonly bucket: string; readonly key: string; readonly versionId?: string | undefined };
}

export async function copyObject(client: S3Client, copy: CopyObject): Promise<objectXml.CopyAnswer> {
  const headers = { ...copy.headers, "x-amz-copy-source": copySource(copy.from) };
  return objectXml.parseCopyResult(await read(client, { method: "PUT", ...target({ ...copy, headers }) }));
}

/** Response headers (`x-amz-version-id`, `x-amz-delete-marker`). */
export async function deleteObject(client: S3Client, name: ObjectName): Promise<Readonly<Record<string, string>>> {
  return done(client, { method: "DELETE", ...target(name) });
}

export interface DeleteObjects {
  readonly bucket: string;
  /** 1 to 1000. */
  readonly objects: readonly { readonly key: string; readonly versionId?: string | undefined }[];
  readonly quiet?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One request for many objects; failures of single ones are in the answer. */
export async function deleteObjects(client: S3Client, request: DeleteObjects): Promise<objectXml.DeleteObjectsAnswer> {
  const { bucket, signal } = request;
  const { body, headers } = document(
    objectXml.renderDeleteObjects({ quiet: request.quiet ?? false, objects: request.objects }),
  );
  const all = { ...request.headers, ...headers };
  return objectXml.parseDeleteResult(
    await read(client, { method: "POST", bucket, query: { delete: "" }, headers: all, body, signal }),
  );
}

/** The upload id. */
export async function createUpload(client: S3Client, name: ObjectName): Promise<string> {
  return uploadXml.parseCreateUploadResult(await read(client, { method: "POST", ...target(name, { uploads: "" }) }));
}

export interface UploadName extends ObjectName {
  readonly uploadId: string;
}

/** Response headers (`etag`, checksums). */
export async function uploadPart(
  client: S3Client,
  part: UploadName & { readonly number: number; readonly body: Body },
): Promise<Readonly<Record<string, string>>> {
  return done(client, {
    method: "PUT",
    ...target(part, { partNumber: part.number, uploadId: part.uploadId }),
    body: part.body,
  });
}

/** Copies bytes [start, end) of an object as a part; the whole object without a range. */
export async function uploadPartCopy(
  client: S3Client,
  part: UploadName & {
    readonly number: number;
    readonly from: CopyObject["from"];
    readonly start?: number;
    readonly end?: number;
  },
): Promise<objectXml.CopyAnswer> {
  const range = part.end === undefined ? {} : { "x-amz-copy-source-range": `bytes=${part.start ?? 0}-${part.end - 1}` };
  const headers = { ...part.headers, "x-amz-copy-source": copySource(part.from), ...range };
  const request = {
    method: "PUT",
    ...target({ ...part, headers }, { partNumber: part.number, uploadId: part.uploadId }),
  };
  return objectXml.parseCopyResult(await read(client, request));
}

export interface UploadDone extends uploadXml.CompleteUploadAnswer {
  readonly versionId?: string | undefined;
}

export async function completeUpload(
  client: S3Client,
  upload: UploadName & { readonly parts: readonly uploadXml.PartToComplete[] },
): Promise<UploadDone> {
  const body = Buffer.from(uploadXml.renderCompleteUpload(upload.parts));
  const response = await client.send({ method: "POST", ...target(upload, { uploadId: upload.uploadId }), body });
  const answer = uploadXml.parseCompleteUploadResult(await response.bytes());
  return { ...answer, versionId: response.headers["x-amz-version-id"] };
}

export async function abortUpload(client: S3Client, upload: UploadName): Promise<void> {
  await done(client, { method: "DELETE", ...target(upload, { uploadId: upload.uploadId }) });
}

/** All parts of an upload, page by page. */
export async function listParts(client: S3Client, upload: UploadName): Promise<uploadXml.PartEntry[]> {
  const parts: uploadXml.PartEntry[] = [];
  let marker = 0;
  for (;;) {
    const query = { uploadId: upload.uploadId, "part-number-marker": marker };
    const page = uploadXml.parsePartsPage(await read(client, { method: "GET", ...target(upload, query) }));
    parts.push(...page.parts);
    if (!page.truncated || page.nextPartNumberMarker <= marker) return parts;
    marker = page.nextPartNumberMarker;
  }
}

export interface ListUploads {
  readonly bucket: string;
  readonly prefix?: string | undefined;
  readonly delimiter?: string | undefined;
  readonly keyMarker?: string | undefined;
  readonly uploadIdMarker?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function listUploads(client: S3Client, page: ListUploads): Promise<uploadXml.UploadsPage> {
  const query = queryOf({
    uploads: "",
    "encoding-type": "url",
    prefix: page.prefix ?? "",
    delimiter: page.delimiter ?? "",
    "key-marker": page.keyMarker,
    "upload-id-marker": page.uploadIdMarker,
  });
  return uploadXml.parseUploadsPage(
    await read(client, { method: "GET", bucket: page.bucket, query, signal: page.signal }),
  );
}

/** Where a sub-resource lies: a bucket, or an object in it. */
export interface ResourceName {
  readonly bucket: string;
  readonly key?: string | undefined;
  readonly versionId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Target of a request about a sub-resource. */
export function subResource(name: ResourceName, resource: string): Omit<S3Request, "method"> {
  const { bucket, key, signal } = name;
  return { bucket, key, signal, query: queryOf({ [resource]: "", versionId: name.versionId }) };
}

/** Tags of a bucket or object; none at all is an empty record. */
export async function getTags(client: S3Client, name: ResourceName): Promise<Tags> {
  try {
    return bucketXml.parseTagging(await read(client, { method: "GET", ...subResource(name, "tagging") }));
  } catch (error) {
    if (answeredWith(error, "NoSuchTagSet")) return {};
    throw error;
  }
}

export async function putTags(client: S3Client, name: ResourceName, tags: Tags): Promise<void> {
  await done(client, { method: "PUT", ...subResource(name, "tagging"), ...document(bucketXml.renderTagging(tags)) });
}

export async function deleteTags(client: S3Client, name: ResourceName): Promise<void> {
  await done(client, { method: "DELETE", ...subResource(name, "tagging") });
}

/** Undefined when never configured. */
export async function getVersioning(client: S3Client, name: ResourceName): Promise<VersioningConfig | undefined> {
  return bucketXml.parseVersioningAnswer(await read(client, { method: "GET", ...subResource(name, "versioning") }));
}

export async function putVersioning(client: S3Client, name: ResourceName, config: VersioningConfig): Promise<void> {
  await done(client, {
    method: "PUT",
    ...subResource(name, "versioning"),
    ...document(bucketXml.renderVersioning(config)),
  });
}

/** Undefined when the bucket has none. */
export async function getReplication(client: S3Client, name: ResourceName): Promise<ReplicationConfig | undefined> {
  try {
    return parseReplicationXml(await read(client, { method: "GET", ...subResource(name, "replication") }));
  } catch (error) {
    if (answeredWith(error, "ReplicationConfigurationNotFoundError")) return undefined;
    throw error;
  }
}

export async function putReplication(client: S3Client, name: ResourceName, config: ReplicationConfig): Promise<void> {
  await done(client, { method: "PUT", ...subResource(name, "replication"), ...document(renderReplicationXml(config)) });
}

/** Returns how many changes had not reached the targets, which go too; only a Resilver says it, others: 0. */
export async function deleteReplication(client: S3Client, name: ResourceName): Promise<number> {
  const headers = await done(client, { method: "DELETE", ...subResource(name, "replication") });
  return Number(headers[RESILVER_DROPPED] ?? 0);
}

/** JSON text; undefined when the bucket has none. */
export async function getBucketPolicy(client: S3Client, name: ResourceName): Promise<string | undefined> {
  try {
    return (await read(client, { method: "GET", ...subResource(name, "policy") })).toString("utf8");
  } catch (error) {
    if (answeredWith(error, "NoSuchBucketPolicy")) return undefined;
    throw error;
  }
}

export async function putBucketPolicy(client: S3Client, name: ResourceName, policy: string): Promise<void> {
  await done(client, { method: "PUT", ...subResource(name, "policy"), ...document(policy) });
}

export async function deleteBucketPolicy(client: S3Client, name: ResourceName): Promise<void> {
  await done(client, { method: "DELETE", ...subResource(name, "policy") });
}

/** The XML document as the server writes it. */
export async function getBucketCors(client: S3Client, name: ResourceName): Promise<string> {
  return (await read(client, { method: "GET", ...subResource(name, "cors") })).toString("utf8");
}

export async function putBucketCors(client: S3Client, name: ResourceName, xml: string): Promise<void> {
  await done(client, { method: "PUT", ...subResource(name, "cors"), ...document(xml) });
}

export async function deleteBucketCors(client: S3Client, name: ResourceName): Promise<void> {
  await done(client, { method: "DELETE", ...subResource(name, "cors") });
}

/** Replication metrics, second form (replication.md 9.1). */
export async function replicationMetrics<T>(client: S3Client, name: ResourceName): Promise<T> {
  const query = { "replication-metrics": "2" };
  const body = await read(client, { method: "GET", bucket: name.bucket, query, signal: name.signal });
  return JSON.parse(body.toString("utf8")) as T;
}
