/** ListObjects v1 and v2, ListObjectVersions; all with MinIO's `metadata=true` (s3-api.md section 8). */
import { DAMAGED_ETAG } from "../../protocol/replication-headers.ts";
import { StoreError } from "../../model/errors.ts";
import { parseVersionId } from "../../model/names.ts";
import type { ObjectVersion } from "../../model/version.ts";
import { replicationStatus } from "../../model/version.ts";
import type { ListedVersion } from "../../objects/types.ts";
import { renderListV1, renderListV2, renderListVersions } from "../../protocol/s3-xml-listing.ts";
import type { ListingEntry, VersionEntry } from "../../protocol/s3-xml-listing.ts";
import { isoMillis } from "../../protocol/time.ts";
import { allowed, authorize, authorizeEither } from "../authorize.ts";
import { LIST_KEYS_MAX } from "../limits.ts";
import { taggingHeader } from "../../protocol/tagging-header.ts";
import { pageSize, urlEncoding } from "../listing-parameters.ts";
import { seesLocks } from "../lock-request.ts";
import { lockHeaders } from "../object-headers.ts";
import { isPeerRead } from "../replica.ts";
import { xmlReply, type Reply } from "../reply.ts";
import { invalidArgument, type Operation, type S3Request } from "../request.ts";

export const listObjects: Operation = { name: "ListObjects", run: (request) => list(request, listV1) };
export const listObjectsV2: Operation = { name: "ListObjectsV2", run: (request) => list(request, listV2) };

interface ListParameters {
  readonly prefix: string;
  readonly delimiter: string;
  /** As asked, even above what a page holds. */
  readonly maxKeys: number;
  readonly urlEncoding: boolean;
  readonly metadata: boolean;
}

function parametersOf(request: S3Request): ListParameters {
  const { query } = request;
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    maxKeys: pageSize(query.get("max-keys"), "max-keys", LIST_KEYS_MAX),
    urlEncoding: urlEncoding(request),
    metadata: query.get("metadata") === "true",
  };
}

async function list(
  request: S3Request,
  form: (request: S3Request, parameters: ListParameters) => Promise<string>,
): Promise<Reply> {
  await authorize(request, "s3:ListBucket");
  // Millions of keys whose newest version is a delete marker may lie before the first one to be told.
  request.longRunning();
  return xmlReply(await form(request, parametersOf(request)));
}

async function page(request: S3Request, parameters: ListParameters, after: string) {
  const { bucket } = request;
  const maxKeys = Math.min(parameters.maxKeys, LIST_KEYS_MAX);
  const found = await request.deps.objects.list({
    bucket,
    prefix: parameters.prefix,
    delimiter: parameters.delimiter,
    after,
    maxKeys,
  });
  const peer = isPeerRead(request);
  const shown = peer ? found.objects.filter((version) => version.damaged === undefined) : found.objects;
  const objects: ListingEntry[] = [];
  for (const version of shown) objects.push(await entryOf(request, version, parameters.metadata));
  return {
    ...parameters,
    bucket,
    objects,
    commonPrefixes: found.commonPrefixes,
    truncated: found.truncated,
    next: found.truncated ? found.next : undefined,
  };
}

/**
 * XML cannot write U+FFFE and U+FFFF. A marker with one of them would come back as another, smaller key, and the client
 * would be given the same page for ever. So would one that looks like a marker of MinIO's, or like this form: base64.
 */
const UNWRITABLE = /[\ufffe\uffff]/;
const WRITTEN = /^\[resilver:([\w-]+)\]$/;
/** Markers of MinIO carry a suffix: a client that resumes there may hand it to us. */
const OF_MINIO = /\[minio_cache:[^[\]]*\]$/;

function writableMarker(marker: string | undefined, urlEncoding: boolean): string | undefined {
  if (marker === undefined) return undefined;
  const plain = (urlEncoding || !UNWRITABLE.test(marker)) && !OF_MINIO.test(marker) && !WRITTEN.test(marker);
  return plain ? marker : `[resilver:${Buffer.from(marker).toString("base64url")}]`;
}

function plainMarker(marker: string): string {
  const written = WRITTEN.exec(marker)?.[1];
  if (written !== undefined) return Buffer.from(written, "base64url").toString("utf8");
  return marker.replace(OF_MINIO, "");
}

async function listV1(request: S3Request, parameters: ListParameters): Promise<string> {
  const marker = request.query.get("marker") ?? "";
  const { next, ...answer } = await page(request, parameters, plainMarker(marker));
  return renderListV1({ ...answer, marker, nextMarker: writableMarker(next, parameters.urlEncoding) });
}

async function listV2(request: S3Request, parameters: ListParameters): Promise<string> {
  const { query } = request;
  const token = query.get("continuation-token");
  const startAfter = query.get("start-after") ?? "";
  const after = token === undefined || token === "" ? startAfter : plainMarker(tokenMarker(token));
  const { next, ...answer } = await page(request, parameters, after);
  return renderListV2({
    ...answer,
    startAfter,
    continuationToken: token,
    nextContinuationToken: next && Buffer.from(writableMarker(next, true) ?? "").toString("base64"),
    fetchOwner: query.get("fetch-owner") === "true",
  });
}

function tokenMarker(token: string): string {
  const bytes = Buffer.from(token, "base64");
  if (bytes.toString("base64").replace(/=+$/, "") !== token.replace(/=+$/, "")) {
    throw invalidArgument("The continuation token provided is incorrect");
  }
  return bytes.toString("utf8");
}

async function entryOf(request: S3Request, version: ObjectVersion, metadata: boolean): Promise<ListingEntry> {
  const entry: ListingEntry = {
    key: version.key,
    lastModified: isoMillis(version.mtime),
    etag: version.etag,
    size: version.size,
    storageClass: version.storageClass,
    checksumAlgorithm: version.checksum?.algorithm,
    checksumType: version.checksum?.type,
  };
  if (!metadata) return entry;
  const on = { key: version.key };
  const seesMetadata = await allowed(request, { action: "s3:GetObject", ...on });
  const locked = version.retention !== undefined || version.legalHold !== undefined;
  const locks = locked && seesMetadata ? lockHeaders(version, await seesLocks(request, on)) : [];
  const seesTags = version.tags !== undefined && (await allowed(request, { action: "s3:GetObjectTagging", ...on }));
  return {
    ...entry,
    userMetadata: seesMetadata ? listedMetadata(version, locks) : {},
    userTags: seesTags ? taggingHeader(version.tags?.value ?? {}) : "",
  };
}

/** `locks`: name, value, name, value, ... */
function listedMetadata(version: ObjectVersion, locks: readonly string[]): Record<string, string> {
  const status = replicationStatus(version.replication);
  const out: Record<string, string> = status === undefined ? {} : { "X-Amz-Replication-Status": status };
  for (let i = 0; i + 1 < locks.length; i += 2) out[locks[i] as string] = locks[i + 1] as string;
  return { ...out, ...version.headers, ...version.userMetadata };
}

export const listObjectVersions: Operation = {
  name: "ListObjectVersions",
  async run(request) {
    const { bucket, query } = request;
    await authorizeEither(request, "s3:ListBucketVersions", "s3:ListBucket");
    const parameters = parametersOf(request);
    const keyMarker = query.get("key-marker") ?? "";
    const versionIdMarker = query.get("version-id-marker") ?? "";
    if (versionIdMarker !== "" && keyMarker === "") {
      throw invalidArgument("A version-id marker cannot be specified without a key marker.");
    }
    const found = await request.deps.objects.listVersions({
      bucket,
      prefix: parameters.prefix,
      delimiter: parameters.delimiter,
      keyMarker: plainMarker(keyMarker),
      versionIdMarker: versionIdMarker === "" ? undefined : parseVersionId(versionIdMarker),
      maxKeys: Math.min(parameters.maxKeys, LIST_KEYS_MAX),
    });
    const versions: VersionEntry[] = [];
    for (const listed of found.versions) {
      const { version } = listed;
      const entry = await versionEntry(request, listed, parameters.metadata);
      // To a peer damaged bytes are not what it has, and it sends them again; or purges them, when they were purged there.
      const damaged = version.kind === "object" && version.damaged !== undefined && isPeerRead(request);
      versions.push(damaged ? { ...entry, etag: DAMAGED_ETAG } : entry);
    }
    return xmlReply(
      renderListVersions({
        ...parameters,
        bucket,
        versions,
        commonPrefixes: found.commonPrefixes,
        truncated: found.truncated,
        keyMarker,
        versionIdMarker,
        nextKeyMarker: found.truncated ? writableMarker(found.nextKeyMarker, parameters.urlEncoding) : undefined,
        nextVersionIdMarker: found.truncated ? found.nextVersionIdMarker : undefined,
      }),
    );
  },
};

async function versionEntry(request: S3Request, listed: ListedVersion, metadata: boolean): Promise<VersionEntry> {
  const { version, isLatest } = listed;
  const own = { versionId: version.versionId, isLatest };
  if (version.kind === "object")
    return { ...(await entryOf(request, version, metadata)), ...own, isDeleteMarker: false };
  return {
    key: version.key,
    lastModified: isoMillis(version.mtime),
    etag: "",
    size: 0,
    storageClass: "STANDARD",
    ...own,
    isDeleteMarker: true,
  };
}

/** GET of a bucket with `events`: a stream of notifications, which do not exist here. */
export const listenNotification: Operation = {
  name: "ListenBucketNotification",
  run() {
    return Promise.reject(new StoreError("NotImplemented"));
  },
};
