/** Listings of a server as streams of entries, page by page. */
import * as calls from "../../client/s3-calls.ts";
import type { S3Client } from "../../client/s3-client.ts";
import { compareUtf8 } from "../../model/key-order.ts";
import type { ListedObject, ListedObjectVersion } from "../../protocol/s3-xml-listing-parse.ts";
import type { Entry } from "./entry.ts";

export interface ListOptions {
  readonly bucket: string;
  readonly prefix: string;
  /** Folders are not entered. */
  readonly shallow: boolean;
  /** Ask for user metadata and tags with each entry (an extension of MinIO; other servers ignore it). */
  readonly metadata?: boolean | undefined;
  /** First page only, of this many keys. */
  readonly limit?: number | undefined;
  readonly signal: AbortSignal;
}

function pageOf(options: ListOptions): calls.ListObjectsPage {
  const { bucket, prefix, shallow, metadata, limit, signal } = options;
  return { bucket, prefix, delimiter: shallow ? "/" : "", metadata, maxKeys: limit, signal };
}

/** Current objects and, when shallow, folders; in key order. */
export async function* listObjects(client: S3Client, options: ListOptions): AsyncIterable<Entry> {
  let continuationToken: string | undefined;
  do {
    const page = await calls.listObjectsV2(client, { ...pageOf(options), continuationToken });
    const files = page.objects.map((object) => objectEntry(client, options.bucket, object));
    yield* merged(files, folders(client, options.bucket, page.commonPrefixes));
    continuationToken = options.limit === undefined && page.truncated ? page.nextContinuationToken : undefined;
  } while (continuationToken);
}

/** All versions and delete markers (newest first within a key), with ordinals. */
export async function* listVersions(client: S3Client, options: ListOptions): AsyncIterable<Entry> {
  yield* withOrdinals(rawVersions(client, options));
}

async function* rawVersions(client: S3Client, options: ListOptions): AsyncIterable<Entry> {
  let resume: calls.ListVersionsResume = {};
  do {
    const page = await calls.listVersions(client, { ...pageOf(options), ...resume });
    const entries = page.versions.map((version) => versionEntry(client, options.bucket, version));
    yield* merged(entries, folders(client, options.bucket, page.commonPrefixes));
    const more = options.limit === undefined && page.truncated;
    resume = more ? { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker } : {};
  } while (resume.keyMarker);
}

/** A key's versions come together, so its group is held until the next key begins; it counts down to 1 for the oldest. */
async function* withOrdinals(source: AsyncIterable<Entry>): AsyncIterable<Entry> {
  let group: Entry[] = [];
  for await (const entry of source) {
    if (group.length > 0 && group[0]?.key !== entry.key) {
      yield* numbered(group);
      group = [];
    }
    group.push(entry);
  }
  yield* numbered(group);
}

function numbered(group: readonly Entry[]): Entry[] {
  return group.map((entry, i) => (entry.type === "folder" ? entry : { ...entry, versionOrdinal: group.length - i }));
}

/** Unfinished multipart uploads. */
export async function* listUploads(client: S3Client, options: ListOptions): AsyncIterable<Entry> {
  const { bucket, prefix, signal } = options;
  let resume: { keyMarker?: string; uploadIdMarker?: string } = {};
  do {
    const page = await calls.listUploads(client, {
      bucket,
      prefix,
      delimiter: options.shallow ? "/" : "",
      signal,
      ...resume,
    });
    const files = page.uploads.map((upload): Entry => {
      const { key, uploadId, storageClass } = upload;
      const modifiedMs = timeOf(upload.initiated);
      return {
        type: "file",
        key,
        size: 0,
        modifiedMs,
        etag: "",
        url: bucketUrl(client, bucket),
        storageClass,
        uploadId,
      };
    });
    yield* merged(files, folders(client, bucket, page.commonPrefixes));
    const more = options.limit === undefined && page.truncated;
    resume = more ? { keyMarker: page.nextKeyMarker, uploadIdMarker: page.nextUploadIdMarker } : {};
  } while (resume.keyMarker);
}

/** Buckets as folders. */
export async function listBuckets(client: S3Client, signal: AbortSignal): Promise<Entry[]> {
  const buckets = await calls.listBuckets(client, signal);
  return buckets.map(({ name, created }): Entry => {
    return {
      type: "folder",
      key: `${name}/`,
      size: 0,
      modifiedMs: timeOf(created),
      etag: "",
      url: `${client.endpoint.url}/`,
    };
  });
}

function timeOf(text: string): number {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? 0 : ms;
}

const bucketUrl = (client: S3Client, bucket: string): string => `${client.endpoint.url}/${bucket}/`;

function objectEntry(client: S3Client, bucket: string, object: ListedObject): Entry {
  const { key, size, etag, storageClass, userMetadata, userTags } = object;
  return {
    type: "file",
    key,
    size,
    modifiedMs: timeOf(object.lastModified),
    etag,
    url: bucketUrl(client, bucket),
    storageClass,
    ...(Object.keys(userMetadata).length === 0 ? {} : { metadata: userMetadata }),
    ...(userTags === "" ? {} : { tags: Object.fromEntries(new URLSearchParams(userTags)) }),
  };
}

function versionEntry(client: S3Client, bucket: string, version: ListedObjectVersion): Entry {
  const { versionId, isLatest, isDeleteMarker } = version;
  const base = { ...objectEntry(client, bucket, version), versionId, isLatest };
  return isDeleteMarker ? { ...base, isDeleteMarker: true } : base;
}

function folders(client: S3Client, bucket: string, prefixes: readonly string[]): Entry[] {
  const url = bucketUrl(client, bucket);
  return prefixes.map((key): Entry => ({ type: "folder", key, size: 0, modifiedMs: 0, etag: "", url }));
}

function* merged(files: readonly Entry[], folderEntries: readonly Entry[]): Iterable<Entry> {
  let at = 0;
  for (const file of files) {
    for (
      let folder = folderEntries[at];
      folder !== undefined && compareUtf8(folder.key, file.key) < 0;
      folder = folderEntries[at]
    ) {
      yield folder;
      at += 1;
    }
    yield file;
  }
  yield* folderEntries.slice(at);
}

/** By listing: who may list may not be allowed to read. */
export async function hasKey(
  client: S3Client,
  at: { bucket: string; key: string },
  signal: AbortSignal,
): Promise<boolean> {
  const { bucket, key } = at;
  for await (const found of listObjects(client, { bucket, prefix: key, shallow: false, limit: 1, signal }))
    return found.key === key;
  return false;
}
