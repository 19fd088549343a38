/** CORS of the whole port: any origin unless the operator names some, with credentials (s3-api.md section 15). */
import { wildcardMatch } from "../iam/wildcard.ts";
import { StoreError } from "../model/errors.ts";
import type { Reply } from "./reply.ts";
import type { S3Request } from "./request.ts";

const METHODS = "GET, PUT, HEAD, POST, DELETE, OPTIONS, PATCH";
const EXPOSED =
  "Date, ETag, Server, Connection, Accept-Ranges, Content-Range, Content-Encoding, Content-Length, Content-Type, " +
  "Content-Disposition, Last-Modified, Content-Language, Cache-Control, Retry-After, X-Amz-Bucket-Region, Expires, " +
  "x-amz-version-id, x-amz-delete-marker, x-amz-request-id, x-amz-id-2";

/** Headers for an answer to a request that names its origin; an opaque origin is answered with `*`. None: not allowed. */
export function corsHeaders(origin: string, allowed: readonly string[] = ["*"]): string[] {
  if (!allowed.some((pattern) => wildcardMatch(pattern, origin))) return [];
  const named = origin !== "null";
  const out = ["Access-Control-Allow-Origin", named ? origin : "*", "Access-Control-Expose-Headers", EXPOSED];
  if (named) out.push("Access-Control-Allow-Credentials", "true");
  return out;
}

/** OPTIONS of anything: the preflight answer; BadRequest for what is no preflight. */
export function preflight(request: S3Request): Reply {
  if (request.headers.origin === undefined || request.headers["access-control-request-method"] === undefined) {
    throw new StoreError("BadRequest", {
      message: "Insufficient information. Origin and Access-Control-Request-Method request headers are needed.",
    });
  }
  const wanted = request.header("access-control-request-headers");
  const headers = ["Access-Control-Allow-Methods", METHODS];
  if (wanted !== undefined) headers.push("Access-Control-Allow-Headers", wanted.replace(/[^\w, -]/g, ""));
  return { status: 204, headers };
}
