/** Export and import of what buckets are configured with, as a zip of a folder for each bucket (admin-api.md 6.7). */
import { parseBucketPolicy } from "../iam/policy.ts";
import type { Bucket } from "../model/bucket.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import { parseBucketName } from "../model/names.ts";
import { parseCorsConfiguration, renderCorsConfiguration } from "../protocol/cors-xml.ts";
import { renderReplicationXml } from "../protocol/replication-xml.ts";
import { parseTagging, parseVersioning, renderTagging, renderVersioning } from "../protocol/s3-xml-bucket.ts";
import { parseObjectLock, renderObjectLock } from "../protocol/s3-xml-lock.ts";
import type { ZipEntry } from "../protocol/zip.ts";
import { writeZip } from "../protocol/zip.ts";
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
    "versioning.xml": bucket.versioning && renderVersioning(bucket.versioning),
    "cors.xml": bucket.cors && renderCorsConfiguration(bucket.cors),
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

/** Members of the answer, by the file that they are about; `undefined`: nothing of it exists here. */
const PARTS = {
  "object-lock.xml": [
    "olock",
    (bucket: Bucket, data: Buffer): Bucket => ({
      ...bucket,
      // A bucket made by this import has no versioning yet, without which there is no object lock.
      versioning: bucket.versioning ?? { status: "Enabled" },
      objectLock: parseObjectLock(data),
    }),
  ],
  "versioning.xml": [
    "versioning",
    (bucket: Bucket, data: Buffer): Bucket => {
      const versioning = parseVersioning(data);
      if (versioning.status !== "Enabled" && bucket.replication !== undefined) {
        throw new StoreError("InvalidBucketState", {
          message: "The bucket replicates: versioning cannot be suspended.",
        });
      }
      return { ...bucket, versioning };
    },
  ],
  "policy.json": [
    "policy",
    (bucket: Bucket, data: Buffer): Bucket => {
      const policy = data.toString("utf8");
      parseBucketPolicy(policy, bucket.name);
      return { ...bucket, policy };
    },
  ],
  "tagging.xml": [
    "tagging",
    (bucket: Bucket, data: Buffer): Bucket => ({
      ...bucket,
      tags: checkedTags(Object.entries(parseTagging(data)), BUCKET_TAGS_MAX),
    }),
  ],
  "quota.json": [
    "quota",
    (bucket: Bucket, data: Buffer): Bucket => withQuota(bucket, quotaOf(parseJson(data, quotaBody, "InvalidRequest"))),
  ],
  "bucket-encryption.xml": ["sse", undefined],
  "lifecycle.xml": ["lifecycle", undefined],
  "notification.xml": ["notification", undefined],
  "cors.xml": ["cors", (bucket: Bucket, data: Buffer): Bucket => ({ ...bucket, cors: parseCorsConfiguration(data) })],
} as const satisfies Readonly<
  Record<string, readonly [member: string, apply: ((bucket: Bucket, data: Buffer) => Bucket) | undefined]>
>;

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
  for (const [file, [member, apply]] of Object.entries(PARTS)) {
    const data = files.get(file);
    if (data === undefined) {
      status[member] = { isSet: false };
      continue;
    }
    try {
      if (apply === undefined)
        throw new StoreError("NotImplemented", {
          message: `${file} is about something that does not exist on this server.`,
        });
      await request.deps.objects.updateBucket(name, (bucket) => apply(bucket, data));
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
