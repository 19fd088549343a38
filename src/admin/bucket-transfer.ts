/** Export and import of what buckets are configured with, as a zip of a folder for each bucket (admin-api.md 6.7). */
import { parseBucketPolicy } from "../iam/policy.ts";
import { isPublicPolicy } from "../iam/public-policy.ts";
import type { Bucket } from "../model/bucket.ts";
import { keyNameOf } from "../model/encryption.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import { parseBucketName } from "../model/names.ts";
import { parseCorsConfiguration, renderCorsConfiguration } from "../protocol/cors-xml.ts";
import { parseLifecycle, renderLifecycle } from "../protocol/lifecycle-xml.ts";
import { renderReplicationXml } from "../protocol/replication-xml.ts";
import {
  parseOwnershipControls,
  parsePublicAccessBlock,
  renderOwnershipControls,
  renderPublicAccessBlock,
} from "../protocol/s3-xml-access.ts";
import { parseTagging, parseVersioning, renderTagging, renderVersioning } from "../protocol/s3-xml-bucket.ts";
import { parseBucketEncryption, renderBucketEncryption } from "../protocol/s3-xml-encryption.ts";
import { parseObjectLock, renderObjectLock } from "../protocol/s3-xml-lock.ts";
import type { ZipEntry } from "../protocol/zip.ts";
import { writeZip } from "../protocol/zip.ts";
import { checkedOwnership } from "../s3/acl.ts";
import { BUCKET_TAGS_MAX, checkedTags } from "../s3/tags.ts";
import type { Answer } from "./answer.ts";
import { json } from "./answer.ts";
import { quotaBody, quotaJson, quotaOf, withQuota } from "./quota.ts";
import type { AdminRequest } from "./request.ts";
import { parseJson } from "./request.ts";
import type { Route } from "./route.ts";
import { zipBody } from "./zip-body.ts";

/** Files of one bucket. Targets are left out: they hold secrets of other sites, and no import takes them. */
function filesOf(bucket: Bucket): ZipEntry[] {
  const files: Record<string, string | undefined> = {
    "policy.json": bucket.policy,
    "tagging.xml": bucket.tags && renderTagging(bucket.tags),
    "quota.json": bucket.quota === undefined ? undefined : JSON.stringify(quotaJson(bucket.quota)),
    "object-lock.xml": bucket.objectLock && renderObjectLock(bucket.objectLock),
    "bucket-encryption.xml": bucket.encryption && renderBucketEncryption(bucket.encryption),
    "public-access-block.xml": bucket.publicAccessBlock && renderPublicAccessBlock(bucket.publicAccessBlock),
    "ownership-controls.xml": bucket.ownership && renderOwnershipControls(bucket.ownership),
    "versioning.xml": bucket.versioning && renderVersioning(bucket.versioning),
    "cors.xml": bucket.cors && renderCorsConfiguration(bucket.cors),
    "lifecycle.xml": bucket.lifecycle && renderLifecycle(bucket.lifecycle.rules),
    "replication.xml": bucket.replication && renderReplicationXml(bucket.replication),
  };
  return Object.entries(files).flatMap(([name, text]) =>
    text === undefined ? [] : [{ name: `${bucket.name}/${name}`, data: Buffer.from(text) }],
  );
}

async function exportBuckets(request: AdminRequest): Promise<Answer> {
  const { objects, clock } = request.deps;
  const buckets = request.bucketText === "" ? await objects.buckets() : [await objects.bucket(request.bucket)];
  const bytes = writeZip(buckets.flatMap(filesOf), clock.nowMs());
  return { kind: "bytes", bytes, type: "application/zip", fileName: "bucket-metadata.zip" };
}

type Change = (bucket: Bucket) => Bucket;

interface Part {
  readonly file: string;
  /** Name in the answer. */
  readonly member: string;
  /** Reads and checks the file; absent: nothing of the kind exists here. */
  readonly read?:
    | ((data: Buffer, at: { readonly name: BucketName; readonly request: AdminRequest }) => Promise<Change>)
    | undefined;
  /** Not one of MinIO's files: the answer names it only when it was sent. */
  readonly own?: boolean | undefined;
}

async function readVersioning(data: Buffer): Promise<Change> {
  const versioning = parseVersioning(data);
  return (bucket) => {
    if (versioning.status !== "Enabled" && bucket.replication !== undefined) {
      throw new StoreError("InvalidBucketState", {
        message: "The bucket replicates: versioning cannot be suspended.",
      });
    }
    return { ...bucket, versioning };
  };
}

/** A bucket made by this import has no versioning yet, without which there is no object lock. */
async function readLock(
  data: Buffer,
  { name, request }: { readonly name: BucketName; readonly request: AdminRequest },
): Promise<Change> {
  const change = await request.deps.targets.lockChange(name, parseObjectLock(data));
  return (bucket) => change({ ...bucket, versioning: bucket.versioning ?? { status: "Enabled" } });
}

async function readPolicy(data: Buffer, { name }: { readonly name: BucketName }): Promise<Change> {
  const policy = data.toString("utf8");
  const isPublic = isPublicPolicy(parseBucketPolicy(policy, name));
  return (bucket) => {
    if (isPublic && bucket.publicAccessBlock?.blockPublicPolicy) {
      throw new StoreError("AccessDenied", { message: "The bucket's public access block refuses a public policy." });
    }
    return { ...bucket, policy };
  };
}

async function readTags(data: Buffer): Promise<Change> {
  const tags = checkedTags(Object.entries(parseTagging(data)), BUCKET_TAGS_MAX);
  return (bucket) => ({ ...bucket, tags });
}

async function readQuota(data: Buffer): Promise<Change> {
  const quota = quotaOf(parseJson(data, quotaBody, "InvalidRequest"));
  return (bucket) => withQuota(bucket, quota);
}

/** A key that is not here is refused: the bucket would promise what no write to it could keep. */
async function readEncryption(data: Buffer, { request }: { readonly request: AdminRequest }): Promise<Change> {
  const encryption = parseBucketEncryption(data);
  const key = encryption.keyId === undefined ? undefined : keyNameOf(encryption.keyId);
  await request.deps.objects.checkEncryptionKey(key);
  return (bucket) => ({ ...bucket, encryption });
}

async function readLifecycle(data: Buffer, { request }: { readonly request: AdminRequest }): Promise<Change> {
  const { clock, random } = request.deps;
  const lifecycle = { updatedMs: clock.nowMs(), rules: parseLifecycle(data, () => random.uuid()) };
  return (bucket) => ({ ...bucket, lifecycle });
}

async function readCors(data: Buffer): Promise<Change> {
  const cors = parseCorsConfiguration(data);
  return (bucket) => ({ ...bucket, cors });
}

async function readAccessBlock(data: Buffer): Promise<Change> {
  const publicAccessBlock = parsePublicAccessBlock(data);
  return (bucket) => ({ ...bucket, publicAccessBlock });
}

async function readOwnership(data: Buffer): Promise<Change> {
  const ownership = checkedOwnership(parseOwnershipControls(data), "MalformedXML");
  return (bucket) => ({ ...bucket, ownership });
}

/** In the order in which they are set: the access block before the policy that it may refuse. */
const PARTS: readonly Part[] = [
  { file: "object-lock.xml", member: "olock", read: readLock },
  { file: "versioning.xml", member: "versioning", read: readVersioning },
  { file: "public-access-block.xml", member: "publicAccessBlock", read: readAccessBlock, own: true },
  { file: "ownership-controls.xml", member: "ownership", read: readOwnership, own: true },
  { file: "policy.json", member: "policy", read: readPolicy },
  { file: "tagging.xml", member: "tagging", read: readTags },
  { file: "quota.json", member: "quota", read: readQuota },
  { file: "bucket-encryption.xml", member: "sse", read: readEncryption },
  { file: "lifecycle.xml", member: "lifecycle", read: readLifecycle },
  { file: "notification.xml", member: "notification" },
  { file: "cors.xml", member: "cors", read: readCors },
];

interface PartStatus {
  readonly isSet: boolean;
  readonly error?: string;
}

type BucketStatus = Record<string, PartStatus | string>;

const reasonOf = (error: unknown): string => {
  if (error instanceof StoreError) return error.detail.message ?? error.code;
  throw error;
};

async function ensureBucket(request: AdminRequest, name: BucketName): Promise<void> {
  const { objects } = request.deps;
  try {
    await objects.bucket(name);
  } catch (error) {
    if (!hasCode(error, "NoSuchBucket")) throw error;
    await objects.createBucket(name, { owner: request.identity.user });
  }
}

/** Each part on its own: one that does not fit leaves the others as they are. */
async function importBucket(
  request: AdminRequest,
  name: BucketName,
  files: ReadonlyMap<string, Buffer>,
): Promise<BucketStatus> {
  const status: BucketStatus = {};
  try {
    await ensureBucket(request, name);
  } catch (error) {
    return { ...status, error: reasonOf(error) };
  }
  for (const { file, member, read, own } of PARTS) {
    const data = files.get(file);
    if (data === undefined) {
      if (own !== true) status[member] = { isSet: false };
      continue;
    }
    try {
      if (read === undefined) {
        const message = `${file} is about something that does not exist on this server.`;
        throw new StoreError("NotImplemented", { message });
      }
      await request.deps.objects.updateBucket(name, await read(data, { name, request }));
      status[member] = { isSet: true };
    } catch (error) {
      status[member] = { isSet: false, error: reasonOf(error) };
    }
  }
  return status;
}

async function importBuckets(request: AdminRequest): Promise<Answer> {
  const folders = new Map<string, Map<string, Buffer>>();
  for (const { name, data } of await zipBody(request)) {
    const [folder = "", file] = name.split("/");
    if (file === undefined || name.split("/").length !== 2)
      throw new StoreError("InvalidRequest", { message: `${name} is not a file in a bucket's folder.` });
    folders.set(folder, (folders.get(folder) ?? new Map<string, Buffer>()).set(file, data));
  }
  const buckets: Record<string, BucketStatus> = {};
  for (const [folder, files] of folders) {
    try {
      buckets[folder] = await importBucket(request, parseBucketName(folder), files);
    } catch (error) {
      buckets[folder] = { error: reasonOf(error) };
    }
  }
  return json({ buckets });
}

export const BUCKET_TRANSFER_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "export-bucket-metadata",
    query: ["bucket"],
    actions: ["admin:ExportBucketMetadata"],
    run: exportBuckets,
  },
  {
    method: "PUT",
    path: "import-bucket-metadata",
    query: [],
    actions: ["admin:ImportBucketMetadata"],
    run: importBuckets,
  },
];
