/**
 * AWS Signature Version 2, for clients that still make it (presigned URLs of s3cmd, old SDKs): header form and
 * presigned form (s3-api.md 2.5). It covers the method, the path, some query parameters, Content-MD5, Content-Type, the
 * date and `x-amz-*` headers; what it does not cover is refused here where it could change what a request does.
 */
import { createHmac } from "node:crypto";
import { StoreError } from "../model/errors.ts";
import { equalText, type SignedRequest } from "./sigv4.ts";
import { foldHeaderValue } from "./sigv4-canonical.ts";
import { parseAmzDate, parseHttpDate } from "./time.ts";
import { parseQuery } from "./uri.ts";

export interface ParsedSignature2 {
  readonly kind: "header" | "presigned";
  readonly accessKey: string;
  /** Base64 of an HMAC-SHA1. */
  readonly signature: string;
  /** What stands in the date's line of the signed text: `Date`, nothing beside `x-amz-date`, or `Expires`. */
  readonly dateLine: string;
  /** Header form: when it was signed. Presigned form: when it expires. Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly sessionToken?: string | undefined;
}

const CLOCK_SKEW_MS_MAX = 15 * 60_000;

/** Query parameters that are part of the signed resource: those of MinIO's list (s3-api.md 2.5), and botocore's. */
const SIGNED_NAMES = words(
  "accelerate analytics defaultObjectAcl inventory metrics object-lock replication restore storageClass",
  "acl cors delete encryption legal-hold lifecycle location logging notification partNumber policy requestPayment",
  "response-cache-control response-content-disposition response-content-encoding response-content-language",
  "response-content-type response-expires retention select select-type tagging torrent uploadId uploads versionId",
  "versioning versions website",
);

/** Sub-resources that botocore asks for and leaves out of what it signs. MinIO's clients sign the first three. */
const LEFT_OUT_NAMES = words(
  "encryption legal-hold retention attributes ownershipControls policyStatus publicAccessBlock",
);
const SIGNED_BY_BOTOCORE: ReadonlySet<string> = new Set([...SIGNED_NAMES].filter((name) => !LEFT_OUT_NAMES.has(name)));

const READS = new Set(["GET", "HEAD"]);

/** Parameters of listings: not signed, and harmless to whoever may list at all. */
const LISTING_NAMES = words(
  "prefix delimiter marker max-keys encoding-type list-type continuation-token start-after fetch-owner key-marker",
  "version-id-marker upload-id-marker max-uploads max-parts part-number-marker",
);

const PRESIGNED_NAMES = new Set(["AWSAccessKeyId", "Expires", "Signature"]);

/** Headers outside `x-amz-*` that change what a request does: none of them would be signed. */
const UNSIGNABLE_HEADERS = ["x-minio-", "x-resilver-"];

function words(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(" ")));
}

/** Reads the signature of a version 2 request in either form. Throws a StoreError with the code of the fault. */
export function parseAuthorization2(request: SignedRequest): ParsedSignature2 {
  const query = parseQuery(request.query);
  const authorization = request.header("authorization");
  const presigned = authorization === undefined || authorization === "";
  refuseUncovered(request, query, presigned);
  return presigned ? presignedForm(request, query) : headerForm(request, authorization);
}

/** Outside the signed text, anybody who sees a request could add these to it. */
function refuseUncovered(request: SignedRequest, query: readonly [string, string][], presigned: boolean): void {
  for (const [name] of query) {
    if (SIGNED_NAMES.has(name) || LISTING_NAMES.has(name)) continue;
    if (!presigned && LEFT_OUT_NAMES.has(name)) continue;
    if (presigned && (PRESIGNED_NAMES.has(name) || isSignedHeader(request, name.toLowerCase()))) continue;
    throw uncovered(name);
  }
  for (const name of request.headerNames ?? []) {
    if (UNSIGNABLE_HEADERS.some((prefix) => name.startsWith(prefix))) throw uncovered(name);
  }
}

/** SDKs repeat the headers of a presigned URL in its query. */
function isSignedHeader(request: SignedRequest, name: string): boolean {
  const covered = name.startsWith("x-amz-") || name === "content-type" || name === "content-md5";
  return covered && request.header(name) !== undefined;
}

function uncovered(name: string): StoreError {
  const message = `Signature version 2 does not cover ${name}. Please use AWS4-HMAC-SHA256.`;
  return new StoreError("InvalidRequest", { message });
}

function headerForm(request: SignedRequest, authorization: string): ParsedSignature2 {
  const fields = /^AWS ([^ ]+):([A-Za-z0-9+/=]+)$/.exec(authorization.trim());
  if (fields === null) throw new StoreError("MissingFields", { message: "Authorization must be `AWS KEY:SIGNATURE`." });
  const [, accessKey = "", signature = ""] = fields;
  const amzDate = request.header("x-amz-date");
  const text = amzDate || request.header("date");
  const timeMs = text === undefined ? undefined : (parseHttpDate(text) ?? parseAmzDate(text));
  if (text === undefined || timeMs === undefined) {
    throw new StoreError("AccessDenied", { message: "AWS authentication requires a valid Date or x-amz-date header" });
  }
  const sessionToken = request.header("x-amz-security-token");
  return { kind: "header", accessKey, signature, dateLine: amzDate ? "" : text, timeMs, sessionToken };
}

function presignedForm(request: SignedRequest, query: readonly [string, string][]): ParsedSignature2 {
  const values = new Map([...query].reverse());
  const accessKey = values.get("AWSAccessKeyId") ?? "";
  const signature = values.get("Signature") ?? "";
  const expires = values.get("Expires") ?? "";
  if (accessKey === "" || signature === "" || !/^\d{1,12}$/.test(expires)) {
    const message =
      "Query-string authentication version 2 needs AWSAccessKeyId, Signature and Expires in epoch seconds.";
    throw new StoreError("AuthorizationQueryParametersError", { message });
  }
  const sessionToken = request.header("x-amz-security-token");
  return { kind: "presigned", accessKey, signature, dateLine: expires, timeMs: Number(expires) * 1000, sessionToken };
}

/** Header form: within 15 minutes either way (RequestTimeTooSkewed). Presigned form: not expired (AccessDenied). */
export function checkSignatureTime2(parsed: ParsedSignature2, nowMs: number): void {
  if (parsed.kind === "presigned") {
    if (nowMs > parsed.timeMs) throw new StoreError("AccessDenied", { message: "Request has expired" });
  } else if (Math.abs(nowMs - parsed.timeMs) > CLOCK_SKEW_MS_MAX) throw new StoreError("RequestTimeTooSkewed");
}

/**
 * True when the signature was made with `secret` over this request. `hostBucket` is the bucket that the host names, ""
 * in path style. The comparison takes constant time. InvalidRequest: it was, but leaves out what the request would change.
 */
export function verifySignature2(
  request: SignedRequest,
  parsed: ParsedSignature2,
  secret: string,
  hostBucket = "",
): boolean {
  const left = parseQuery(request.query)
    .map(([name]) => name)
    .filter((name) => LEFT_OUT_NAMES.has(name));
  const isCovered = left.every((name) => SIGNED_NAMES.has(name));
  if (isCovered && matches(request, parsed, secret, hostBucket, SIGNED_NAMES)) return true;
  const [name] = left;
  if (name === undefined || !matches(request, parsed, secret, hostBucket, SIGNED_BY_BOTOCORE)) return false;
  // Whoever was given a signature for an upload could else change the lock of the object with it.
  if (parsed.kind === "presigned" || !READS.has(request.method)) throw uncovered(name);
  return true;
}

function matches(
  request: SignedRequest,
  parsed: ParsedSignature2,
  secret: string,
  hostBucket: string,
  names: ReadonlySet<string>,
): boolean {
  const fits = (path: string): boolean => {
    const text = stringToSign2({ ...request, path }, parsed.dateLine, hostBucket, names);
    const made = createHmac("sha1", Buffer.from(secret, "utf8")).update(text, "latin1").digest("base64");
    return equalText(made, parsed.signature);
  };
  // botocore signs a bucket in the path as `/bucket/`, and sends `/bucket`: the same resource.
  return fits(request.path) || (hostBucket === "" && /^\/[^/]+$/.test(request.path) && fits(`${request.path}/`));
}

/** The signed text; Latin-1, one character per byte of the wire. `dateLine` as in `ParsedSignature2`. */
export function stringToSign2(
  request: SignedRequest,
  dateLine: string,
  hostBucket = "",
  signedNames: ReadonlySet<string> = SIGNED_NAMES,
): string {
  const plain = [request.method, request.header("content-md5") ?? "", request.header("content-type") ?? "", dateLine];
  const names = [...(request.headerNames ?? [])].filter((name) => name.startsWith("x-amz-")).sort();
  const headers = names.map((name) => `${name}:${foldHeaderValue(request.header(name) ?? "")}\n`).join("");
  const bucket = hostBucket === "" ? "" : `/${hostBucket}`;
  return `${plain.join("\n")}\n${headers}${bucket}${request.path}${subResources(request.query, signedNames)}`;
}

/** The first value of a name counts, as everywhere. */
function subResources(rawQuery: string, signedNames: ReadonlySet<string>): string {
  const values = new Map(parseQuery(rawQuery).reverse());
  const names = [...values.keys()].filter((name) => signedNames.has(name)).sort();
  const parts = names.map((name) => {
    const value = Buffer.from(values.get(name) ?? "", "utf8").toString("latin1");
    return value === "" ? name : `${name}=${value}`;
  });
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}
