/**
 * Names and ids of the product, parsed once at the edge into types that cannot be swapped.
 * Each `parseX` is the only cast to its type; it throws a StoreError with the S3 code of the fault.
 */
import type { Brand } from "../runtime/brand.ts";
import { StoreError } from "./errors.ts";

export type BucketName = Brand<string, "BucketName">;
export type ObjectKey = Brand<string, "ObjectKey">;
/** A lower-case UUID, or `null` for the version of an unversioned or suspended bucket. */
export type VersionId = Brand<string, "VersionId">;
export type UploadId = Brand<string, "UploadId">;
export type Arn = Brand<string, "Arn">;
/** Nanoseconds since the Unix epoch. */
export type UnixNs = bigint;

export const NULL_VERSION = "null" as VersionId;

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;
const NIL_UUID = "00000000-0000-0000-0000-000000000000";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const KEY_BYTES_MAX = 1024;

/** s3-api.md section 15: 3 to 63 of `a-z0-9.-`, alphanumeric ends, no `..`, `.-`, `-.`, not an IPv4 form, not reserved. */
export function parseBucketName(text: string): BucketName {
  if (text === "minio" || text === ".minio.sys" || text === "resilver") throw new StoreError("AllAccessDisabled");
  const bad =
    !BUCKET.test(text) || IPV4.test(text) || text.includes("..") || text.includes(".-") || text.includes("-.");
  if (bad) throw new StoreError("InvalidBucketName");
  return text as BucketName;
}

/**
 * A key: 1 to 1024 bytes of well-formed UTF-8, no NUL, no `.` or `..` segment (s3-api.md section 19:
 * a MinIO peer could not hold those). `//`, a leading slash, and `a` beside `a/b` are fine here.
 */
export function parseObjectKey(text: string): ObjectKey {
  if (text.length === 0) throw new StoreError("InvalidArgument", { message: "The object key is empty." });
  if (Buffer.byteLength(text) > KEY_BYTES_MAX) throw new StoreError("KeyTooLongError");
  if (text.includes("\0") || !text.isWellFormed()) throw new StoreError("XMinioInvalidObjectName");
  if (hasDotSegment(text)) throw new StoreError("XMinioInvalidResourceName");
  return text as ObjectKey;
}

/** True when a `/`-separated segment is `.` or `..`. */
function hasDotSegment(text: string): boolean {
  if (!text.includes(".")) return false;
  for (const segment of text.split("/")) if (segment === "." || segment === "..") return true;
  return false;
}

/**
 * `null` or any UUID but the one of zeros, which is how the index writes `null`; stored in lower case. Anything else is
 * 400 InvalidArgument (replication.md 3.2).
 */
export function parseVersionId(text: string): VersionId {
  if (text === "null") return NULL_VERSION;
  if (!UUID.test(text) || text === NIL_UUID)
    throw new StoreError("InvalidArgument", { message: "Invalid version id specified" });
  return text.toLowerCase() as VersionId;
}

/** `arn:minio:replication:<region>:<id>:<bucket>`: six fields, id and bucket not empty (replication.md 2.1). */
export function parseArn(text: string): Arn {
  const fields = text.split(":");
  const ok =
    fields.length === 6 && fields[0] === "arn" && fields[1] === "minio" && fields[4] !== "" && fields[5] !== "";
  if (!ok) throw new StoreError("XMinioAdminRemoteArnInvalid");
  return text as Arn;
}
