/**
 * The target side of replication: what a peer's headers mean, and who may send them (replication.md 3.1, 3.2).
 * Stricter than MinIO: time, ETag and version id are honoured only in replication requests, and every replication
 * request needs s3:ReplicateObject or s3:ReplicateDelete.
 */
import { StoreError } from "../model/errors.ts";
import type { VersionId } from "../model/names.ts";
import type { ReplicaSource } from "../objects/types.ts";
import * as names from "../protocol/replication-headers.ts";
import { parseRfc3339Nano, ZERO_TIME } from "../protocol/time.ts";
import { authorize } from "./authorize.ts";
import { invalidArgument, type S3Request } from "./request.ts";

/** Rows hold times in 64 bits, and a write that replaces one is later by a little. */
const TIME_MAX = 2n ** 64n - 10n ** 18n;

/** InvalidArgument for what is no time, or one that no row could hold. Go's zero time says that there is none. */
function timeOf(request: S3Request, name: string): bigint | undefined {
  const text = request.header(name);
  if (text === undefined || text === "" || text === ZERO_TIME) return undefined;
  const time = parseRfc3339Nano(text);
  if (time === undefined) throw invalidArgument(`${name} is not an RFC 3339 time.`);
  if (time < 0n || time > TIME_MAX) throw invalidArgument(`${name} lies before 1970 or too far ahead.`);
  return time;
}

/** The request is a peer's replication of a write. */
export function isReplication(request: S3Request): boolean {
  return request.headers[names.SOURCE_REPLICATION_REQUEST] !== undefined;
}

/** The request asks whether it would be let through, and changes nothing (replication.md 2.5). */
export function isDryRun(request: S3Request): boolean {
  return request.headers[names.SOURCE_REPLICATION_CHECK] !== undefined;
}

/** The request is a peer's look before a write: HEAD or listing of the replication client. */
export function isPeerRead(request: S3Request): boolean {
  return request.headers[names.SOURCE_PROXY_REQUEST] !== undefined || isReplication(request);
}

/**
 * Where a write comes from; undefined for clients. Throws ReplicationPermissionCheck for a dry run (2.5), AccessDenied
 * without `action`, InvalidArgument for malformed times. Call it after the client's own right was checked.
 */
export async function replicaSource(
  request: S3Request,
  action: "s3:ReplicateObject" | "s3:ReplicateDelete",
): Promise<ReplicaSource | undefined> {
  const marked = request.header(names.REPLICATION_STATUS) === names.REPLICA;
  const dryRun = isDryRun(request);
  const replication = isReplication(request);
  if (!replication && !marked && !dryRun) return undefined;
  await authorize(request, action);
  if (dryRun) throw new StoreError("ReplicationPermissionCheck");
  if (!replication) throw invalidArgument("X-Amz-Replication-Status is for replication requests only.");
  const etag = request.header(names.SOURCE_ETAG);
  const resyncId = request.header(names.RESILVER_RESYNC);
  return {
    replica: marked,
    ...(request.header("user-agent")?.includes("minio-go") === true ? { isMinio: true } : {}),
    mtime: timeOf(request, names.SOURCE_MTIME),
    etag: etag === undefined || etag === "" ? undefined : etag.replaceAll('"', ""),
    tagsTime: timeOf(request, names.SOURCE_TAGGING_TIME),
    retentionTime: timeOf(request, names.SOURCE_RETENTION_TIME),
    legalHoldTime: timeOf(request, names.SOURCE_LEGAL_HOLD_TIME),
    resyncId: resyncId === undefined || resyncId === "" ? undefined : resyncId,
  };
}

/** Version id that a peer gives to its write; clients cannot choose one: InvalidArgument. */
export function givenVersionId(request: S3Request, source: ReplicaSource | undefined): VersionId | undefined {
  const { versionId } = request;
  if (versionId !== undefined && source === undefined) {
    throw invalidArgument("The versionId parameter is for replication requests only.");
  }
  return versionId;
}

/** 412 with the mark of Resilver: every source takes it as "nothing to do", ours also learns why. */
export function purgedHere(will: "everywhere" | "local"): StoreError {
  return new StoreError("PreconditionFailed", {
    message: "This version was deleted here for good.",
    headers: { [names.RESILVER_PURGED]: will },
  });
}

/** `X-Minio-Source-DeleteMarker`: InvalidArgument unless `true` or `false`. */
export function sourceDeleteMarker(request: S3Request): boolean {
  const text = request.header(names.SOURCE_DELETE_MARKER);
  if (text === undefined || text === "" || text === "false") return false;
  if (text !== "true") throw invalidArgument("X-Minio-Source-DeleteMarker must be true or false.");
  return true;
}
