/** What every request must obey before anything looks at it: header sizes, refused headers, features that are absent. */
import { StoreError } from "../model/errors.ts";
import { INTERNAL_PREFIX } from "../protocol/replication-headers.ts";
import { DEFAULT_OWNER } from "../protocol/s3-xml-bucket.ts";
import type { HeaderView } from "./attributes.ts";
import { HEADER_BYTES_MAX, METADATA_BYTES_MAX } from "./limits.ts";
import type { S3Request } from "./request.ts";

const H = 104;
const X = 120;
const A = 97;

/**
 * MetadataTooLarge for 8 KiB of headers or 2 KiB of user metadata; InvalidArgument for internal names; AccessDenied when
 * the client expects buckets of another account: all here have one owner, the one that ListBuckets names; InvalidRequest for
 * two Host or Authorization lines: the parser drops the second, and a proxy may have gone by it; NotImplemented for a
 * transfer coding beside `chunked`: what it packed would be stored as it came.
 */
export function checkHeaders(request: S3Request): void {
  const { rawHeaders, headers } = request.incoming;
  const coding = headers["transfer-encoding"];
  if (coding !== undefined && coding.trim().toLowerCase() !== "chunked") throw new StoreError("NotImplemented");
  let total = 0;
  let metadata = 0;
  let hosts = 0;
  let authorizations = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const size = name.length + (rawHeaders[i + 1] as string).length;
    total += size;
    // Only few names need a closer look.
    const first = name.charCodeAt(0) | 32;
    if (first === H && name.length === 4 && name.toLowerCase() === "host") hosts++;
    if (first === A && name.length === 13 && name.toLowerCase() === "authorization") authorizations++;
    if (first !== X) continue;
    const lower = name.toLowerCase();
    if (lower.startsWith("x-amz-meta-") || lower.startsWith("x-minio-meta-")) metadata += size;
    else if (lower === "x-amz-expected-bucket-owner" || lower === "x-amz-source-expected-bucket-owner") {
      if (rawHeaders[i + 1] !== DEFAULT_OWNER.id) throw new StoreError("AccessDenied");
    } else if (lower.startsWith(INTERNAL_PREFIX)) {
      throw new StoreError("InvalidArgument", { message: "Headers with the prefix X-Minio-Internal- are refused." });
    }
  }
  if (total > HEADER_BYTES_MAX || metadata > METADATA_BYTES_MAX) throw new StoreError("MetadataTooLarge");
  if (hosts > 1) throw new StoreError("InvalidRequest", { message: "More than one Host header." });
  if (authorizations > 1) throw new StoreError("InvalidRequest", { message: "Only one auth mechanism allowed" });
}

/** The same limit for metadata that came as fields of a form: it must fit into the headers of every answer. */
export function checkMetadataSize(request: HeaderView): void {
  let metadata = 0;
  for (const name in request.headers) {
    if (!name.startsWith("x-amz-meta-") && !name.startsWith("x-minio-meta-")) continue;
    metadata += name.length + (request.header(name) ?? "").length;
  }
  if (metadata > METADATA_BYTES_MAX) throw new StoreError("MetadataTooLarge");
}
