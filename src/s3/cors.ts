/**
 * CORS: what a bucket's own configuration allows; where it has none, what the operator allows for the whole port: any
 * origin unless some are named, with credentials (s3-api.md section 15). Only requests that name an origin come here.
 */
import { wildcardMatch } from "../iam/wildcard.ts";
import { matchCors, type CorsMatch, type CorsRule } from "../model/cors.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import type { Reply } from "./reply.ts";
import type { S3Request } from "./request.ts";

const METHODS = "GET, PUT, HEAD, POST, DELETE, OPTIONS, PATCH";
const EXPOSED =
  "Date, ETag, Server, Connection, Accept-Ranges, Content-Range, Content-Encoding, Content-Length, Content-Type, " +
  "Content-Disposition, Last-Modified, Content-Language, Cache-Control, Retry-After, X-Amz-Bucket-Region, Expires, " +
  "x-amz-version-id, x-amz-delete-marker, x-amz-request-id, x-amz-id-2";

/** Headers of the whole port for one origin; an opaque origin is answered with `*`. None: not allowed. */
export function corsHeaders(origin: string, allowed: readonly string[] = ["*"]): string[] {
  if (!allowed.some((pattern) => wildcardMatch(pattern, origin))) return [];
  const named = origin !== "null";
  const out = ["Access-Control-Allow-Origin", named ? origin : "*", "Access-Control-Expose-Headers", EXPOSED];
  if (named) out.push("Access-Control-Allow-Credentials", "true");
  return out;
}

/** Headers for an answer to a request from a page of `origin`; none: the browser keeps the answer from the page. */
export async function corsAnswer(request: S3Request, origin: string): Promise<string[]> {
  const rules = await rulesOf(request);
  if (rules === undefined) return corsHeaders(origin, request.deps.settings.corsAllowOrigin);
  const match = matchCors(rules, { origin, method: methodOf(request), headers: wantedHeaders(request) });
  return match === undefined ? [] : matchHeaders(match, origin);
}

/** OPTIONS of anything: the preflight answer. BadRequest for what is no preflight, AccessForbidden for what no rule allows. */
export async function preflight(request: S3Request): Promise<Reply> {
  const { origin } = request.headers;
  if (origin === undefined || request.headers["access-control-request-method"] === undefined) {
    throw new StoreError("BadRequest", {
      message: "Insufficient information. Origin and Access-Control-Request-Method request headers are needed.",
    });
  }
  const wanted = request.header("access-control-request-headers");
  const headers = ["Vary", "Access-Control-Request-Headers, Access-Control-Request-Method"];
  if (wanted !== undefined) headers.push("Access-Control-Allow-Headers", wanted.replace(/[^\w, -]/g, "").toLowerCase());
  const rules = await rulesOf(request);
  if (rules === undefined) return { status: 204, headers: [...headers, "Access-Control-Allow-Methods", METHODS] };
  const match = matchCors(rules, { origin, method: methodOf(request), headers: wantedHeaders(request) });
  if (match === undefined) {
    throw new StoreError("AccessForbidden", {
      // AWS's words, its spelling too: some clients look for them.
      message:
        "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, " +
        "request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted " +
        "by the resource's CORS spec.",
    });
  }
  return { status: 200, headers };
}

/** A preflight asks for the request that follows; some clients say with the request itself which one they mean. */
function methodOf(request: S3Request): string {
  return request.header("access-control-request-method") ?? request.method;
}

function wantedHeaders(request: S3Request): string[] {
  const text = request.header("access-control-request-headers") ?? "";
  return text
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
}

/** Undefined: the bucket, if there is one, has no configuration of its own. */
async function rulesOf(request: S3Request): Promise<readonly CorsRule[] | undefined> {
  const { bucket } = request.target;
  if (bucket === "") return undefined;
  try {
    return (await request.deps.objects.bucket(bucket as BucketName)).cors;
  } catch (error) {
    if (hasCode(error, "NoSuchBucket")) return undefined;
    throw error;
  }
}

function matchHeaders({ rule, anyOrigin }: CorsMatch, origin: string): string[] {
  const out = ["Access-Control-Allow-Origin", anyOrigin ? "*" : origin];
  out.push("Access-Control-Allow-Methods", rule.allowedMethods.join(", "));
  if (rule.exposeHeaders !== undefined) out.push("Access-Control-Expose-Headers", rule.exposeHeaders.join(", "));
  if (rule.maxAgeSeconds !== undefined) out.push("Access-Control-Max-Age", String(rule.maxAgeSeconds));
  // A bare `*` and credentials exclude each other: browsers refuse the pair.
  if (!anyOrigin) out.push("Access-Control-Allow-Credentials", "true");
  return out;
}
