/** Request headers of replication, built from a version (replication.md 3.4 to 3.8). Names are lower-case. */
import { KMS_KEY_PREFIX, type ObjectEncryption } from "../model/encryption.ts";
import type { Checksum, ObjectVersion } from "../model/version.ts";
import type { UnixNs } from "../model/names.ts";
import * as wire from "../protocol/replication-headers.ts";
import { taggingHeader } from "../protocol/tagging-header.ts";
import { rfc3339Nano } from "../protocol/time.ts";

/** Set for a resync: the receiver undoes its local purges, and treats damaged versions as absent. */
export interface SendMarks {
  readonly resyncId?: string | undefined;
}

type Headers = Record<string, string>;

function addChecksum(headers: Headers, checksum: Checksum, partCount: number, inParts: boolean): void {
  const composite = checksum.type === "COMPOSITE";
  headers["x-amz-checksum-algorithm"] = checksum.algorithm;
  headers[`x-amz-checksum-${checksum.algorithm.toLowerCase()}`] = composite
    ? `${checksum.value}-${partCount}`
    : checksum.value;
  // MinIO's own sources dropped this header in 2025 and then fail on full-object CRC32 multipart objects for ever.
  if (inParts) headers["x-amz-checksum-type"] = checksum.type;
}

/**
 * What the wire says of an encryption (3.10): the target chooses its own key for SSE-S3, and needs one of the same name
 * for SSE-KMS.
 */
export function encryptionHeaders(encryption: Pick<ObjectEncryption, "kind" | "keyId"> | undefined): Headers {
  if (encryption === undefined) return {};
  if (encryption.kind === "SSE-S3") return { "x-amz-server-side-encryption": "AES256" };
  return {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": KMS_KEY_PREFIX + (encryption.keyId ?? ""),
  };
}

/** What marks every write of replication. */
export const sourceHeaders = (marks: SendMarks, mtime?: UnixNs): Headers => withSource({}, marks, mtime);

function withSource(headers: Headers, marks: SendMarks, mtime: UnixNs | undefined): Headers {
  headers[wire.SOURCE_REPLICATION_REQUEST] = "true";
  if (mtime !== undefined) headers[wire.SOURCE_MTIME] = rfc3339Nano(mtime);
  if (marks.resyncId !== undefined) headers[wire.RESILVER_RESYNC] = marks.resyncId;
  return headers;
}

/** Content headers, user metadata and storage class of a version. */
function describedHeaders(version: ObjectVersion): Headers {
  const headers: Headers = { "content-type": "application/octet-stream", "x-amz-storage-class": version.storageClass };
  return Object.assign(headers, version.headers, version.userMetadata);
}

/** Tags, retention and legal hold of a new version, each with its time. */
function addRegisters(headers: Headers, { tags, retention, legalHold }: ObjectVersion): void {
  if (tags !== undefined) {
    const text = taggingHeader(tags.value);
    if (text !== "") headers["x-amz-tagging"] = text;
    headers[wire.SOURCE_TAGGING_TIME] = rfc3339Nano(tags.time);
  }
  if (retention !== undefined) {
    // A time without a retention: it was cleared, which must win over what others still have.
    headers[wire.SOURCE_RETENTION_TIME] = rfc3339Nano(retention.time);
    if (retention.value !== null) {
      headers["x-amz-object-lock-mode"] = retention.value.mode;
      // Whole seconds as MinIO sends them; what lies between must not be cut off a retention.
      headers["x-amz-object-lock-retain-until-date"] = retention.value.until.replace(/\.000Z$/, "Z");
    }
  }
  if (legalHold !== undefined) {
    headers["x-amz-object-lock-legal-hold"] = legalHold.value ? "ON" : "OFF";
    headers[wire.SOURCE_LEGAL_HOLD_TIME] = rfc3339Nano(legalHold.time);
  }
}

/** PUT of a whole object, or (without `mtime`, 3.5) CreateMultipartUpload. */
export function newObjectHeaders(
  version: ObjectVersion,
  marks: SendMarks,
  options: { mtime: boolean; etag: boolean },
): Headers {
  // One object from its first header to its last: this is done for each version that replicates.
  const headers = describedHeaders(version);
  const { checksum, partCount, encryption } = version;
  addRegisters(headers, version);
  if (checksum !== undefined) addChecksum(headers, checksum, partCount, partCount > 0 || !options.mtime);
  if (encryption !== undefined) Object.assign(headers, encryptionHeaders(encryption));
  withSource(headers, marks, options.mtime ? version.mtime : undefined);
  headers[wire.REPLICATION_STATUS] = wire.REPLICA;
  if (options.etag) headers[wire.SOURCE_ETAG] = version.etag;
  return headers;
}

/** CompleteMultipartUpload: no version id, REPLICA or lock headers here (3.5). */
export function completeHeaders(version: ObjectVersion, marks: SendMarks): Headers {
  const headers: Headers = {
    ...sourceHeaders(marks, version.mtime),
    "content-type": "application/octet-stream",
    [wire.SOURCE_ETAG]: version.etag,
    [wire.REPLICATION_ACTUAL_SIZE]: String(version.size),
  };
  if (version.checksum !== undefined) {
    headers["x-amz-checksum-algorithm"] = version.checksum.algorithm;
    headers[`x-amz-checksum-${version.checksum.algorithm.toLowerCase()}`] = version.checksum.value;
    headers["x-amz-checksum-type"] = version.checksum.type;
  }
  return headers;
}

/** The metadata-only self copy (3.6). Cleared values are sent empty, as MinIO does: they mean "removed". */
export function metadataCopyHeaders(version: ObjectVersion, copySource: string, marks: SendMarks): Headers {
  const { tags, retention, legalHold } = version;
  const headers: Headers = {
    ...describedHeaders(version),
    ...sourceHeaders(marks, version.mtime),
    "x-amz-copy-source": copySource,
    [wire.TAGGING_DIRECTIVE]: "REPLACE",
    "x-amz-tagging": tags === undefined ? "" : taggingHeader(tags.value),
    [wire.REPLICATION_STATUS]: wire.REPLICA,
    [wire.SOURCE_ETAG]: version.etag,
  };
  if (tags !== undefined) headers[wire.SOURCE_TAGGING_TIME] = rfc3339Nano(tags.time);
  if (retention !== undefined) {
    headers["x-amz-object-lock-mode"] = retention.value?.mode ?? "";
    headers["x-amz-object-lock-retain-until-date"] = retention.value === null ? "" : fullMillis(retention.value.until);
    headers[wire.SOURCE_RETENTION_TIME] = rfc3339Nano(retention.time);
  }
  if (legalHold !== undefined) {
    headers["x-amz-object-lock-legal-hold"] = legalHold.value ? "ON" : "OFF";
    headers[wire.SOURCE_LEGAL_HOLD_TIME] = rfc3339Nano(legalHold.time);
  }
  return headers;
}

/** MinIO compares lock dates as text and stores what came: always with milliseconds. */
function fullMillis(until: string): string {
  const ms = Date.parse(until);
  return Number.isNaN(ms) ? until : new Date(ms).toISOString();
}
