/** Response headers of an object version (s3-api.md section 3), as flat name-value lists. */
import { replicationStatus } from "../model/version.ts";
import type { Checksum, ObjectVersion } from "../model/version.ts";
import * as names from "../protocol/replication-headers.ts";
import { httpDate } from "../protocol/time.ts";

/** Spelling of stored content headers in a response. */
export const SPELLING: Readonly<Record<string, string>> = {
  "content-type": "Content-Type",
  "content-encoding": "Content-Encoding",
  "cache-control": "Cache-Control",
  "content-disposition": "Content-Disposition",
  "content-language": "Content-Language",
  expires: "Expires",
};

const DATES_CACHED_MAX = 4096;
const dates = new Map<number, string>();

/** `Last-Modified` of a time in ms: formatted once a second value, objects of one upload share it. */
export function lastModified(ms: number): string {
  const second = Math.floor(ms / 1000);
  let text = dates.get(second);
  if (text === undefined) {
    if (dates.size >= DATES_CACHED_MAX) dates.clear();
    text = httpDate(second * 1000);
    dates.set(second, text);
  }
  return text;
}

/** Modification time in ms. */
export function mtimeMs(version: { readonly mtime: bigint }): number {
  return Number(version.mtime / 1_000_000n);
}

/** A header value: printable ASCII as it is, anything else as a MIME encoded word (s3-api.md section 3). */
export function headerValue(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code > 126) return `=?UTF-8?B?${Buffer.from(text).toString("base64")}?=`;
  }
  return text;
}

/** Headers that 200, 206 and 304 share: Last-Modified, ETag, x-amz-version-id. `nullId`: spell out `null` too. */
export function identityHeaders(version: ObjectVersion, nullId: boolean): string[] {
  const out = ["Last-Modified", lastModified(mtimeMs(version)), "ETag", `"${version.etag}"`];
  if (version.versionId !== "null" || nullId) out.push("x-amz-version-id", version.versionId);
  return out;
}

/** Exact times, for peers: `Last-Modified` has whole seconds, and registers of equal value may have different times. */
export function peerHeaders(version: ObjectVersion): string[] {
  const { mtime, tags, retention, legalHold } = version;
  const out = [names.RESILVER_MTIME, String(mtime), names.RESILVER_TAGS_TIME, String(tags?.time ?? 0)];
  out.push(names.RESILVER_RETENTION_TIME, String(retention?.time ?? 0));
  out.push(names.RESILVER_LEGAL_HOLD_TIME, String(legalHold?.time ?? 0));
  return out;
}

/** `Expires` and `Cache-Control`: what a 304 carries beside the identity. */
export function cacheHeaders(version: ObjectVersion): string[] {
  const out: string[] = [];
  for (const name of ["expires", "cache-control"]) {
    const value = version.headers[name];
    if (value !== undefined) out.push(SPELLING[name] as string, headerValue(value));
  }
  return out;
}

/** Checksum headers of a whole object: composite values carry the number of parts. */
export function checksumHeaders(checksum: Checksum | undefined, partCount: number): string[] {
  if (checksum === undefined) return [];
  const value = checksum.type === "COMPOSITE" ? `${checksum.value}-${partCount}` : checksum.value;
  return [`x-amz-checksum-${checksum.algorithm.toLowerCase()}`, value, "x-amz-checksum-type", checksum.type];
}

/** Everything stored with a version that GET and HEAD answer, in addition to `identityHeaders`. */
export function metadataHeaders(version: ObjectVersion): string[] {
  const out: string[] = [];
  const { headers, userMetadata } = version;
  if (headers["content-type"] === undefined) out.push("Content-Type", "binary/octet-stream");
  for (const name in headers) out.push(SPELLING[name] ?? name, headerValue(headers[name] as string));
  for (const name in userMetadata) out.push(name, headerValue(userMetadata[name] as string));
  if (version.storageClass !== "STANDARD") out.push("x-amz-storage-class", version.storageClass);
  const tags = version.tags === undefined ? 0 : Object.keys(version.tags.value).length;
  if (tags > 0) out.push("x-amz-tagging-count", String(tags));
  const status = replicationStatus(version.replication);
  if (status !== undefined) out.push("X-Amz-Replication-Status", status);
  return out;
}

/** Lock headers, to callers who may see them. */
export function lockHeaders(version: ObjectVersion, may: { retention: boolean; legalHold: boolean }): string[] {
  const out: string[] = [];
  const retention = version.retention?.value;
  if (may.retention && retention !== undefined && retention !== null) {
    out.push("x-amz-object-lock-mode", retention.mode, "x-amz-object-lock-retain-until-date", retention.until);
  }
  if (may.legalHold && version.legalHold !== undefined) {
    out.push("x-amz-object-lock-legal-hold", version.legalHold.value ? "ON" : "OFF");
  }
  return out;
}
