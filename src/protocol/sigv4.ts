/** AWS Signature Version 4 as the server checks it: header and presigned form (s3-api.md 2.1 to 2.4). */
import { timingSafeEqual } from "node:crypto";
import { StoreError } from "../model/errors.ts";
import type { CanonicalParts, CredentialScope, SigningKey } from "./sigv4-canonical.ts";
import { canonicalQuery, EMPTY_SHA256, foldHeaderValue, scopeText } from "./sigv4-canonical.ts";
import { SIGV4_ALGORITHM, signatureOf, SigningKeyCache, UNSIGNED_PAYLOAD } from "./sigv4-canonical.ts";
import { parseAmzDate, parseHttpDate } from "./time.ts";
import { parseQuery } from "./uri.ts";

export { deriveSigningKey, EMPTY_SHA256, SigningKeyCache, UNSIGNED_PAYLOAD } from "./sigv4-canonical.ts";
export type { CredentialScope } from "./sigv4-canonical.ts";

const CLOCK_SKEW_MS_MAX = 15 * 60_000;
const PRESIGN_SECONDS_MAX = 604_800;

/** A request as it stood on the wire. */
export interface SignedRequest {
  readonly method: string;
  /** Raw, before `?`. */
  readonly path: string;
  /** Raw, after `?`; empty when there is none. */
  readonly query: string;
  /** Value of a lower-case header name as Latin-1 text, several joined with a comma; undefined when absent. */
  header(name: string): string | undefined;
  /** Lower-case names present; needed to refuse unsigned headers beside a presigned query. */
  readonly headerNames?: Iterable<string> | undefined;
  /** Those of them that stand in the query of a presigned URL. */
  readonly queryHeaders?: ReadonlySet<string> | undefined;
}

export interface ParsedSignature {
  readonly kind: "header" | "presigned";
  readonly accessKey: string;
  readonly scope: CredentialScope;
  /** Lower-case, sorted. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly amzDate: string;
  readonly timeMs: number;
  /** Literal of the canonical request: hex digest, UNSIGNED-PAYLOAD or a STREAMING-* word. */
  readonly payloadHash: string;
  /** Presigned only. */
  readonly expiresSeconds?: number | undefined;
  readonly sessionToken?: string | undefined;
}

export interface SignatureExpectations {
  /** Service in the scope: `s3` (also admin calls) or `sts`. */
  readonly service?: string | undefined;
  /** The configured region; undefined accepts any (admin calls, ListBuckets, GetBucketLocation, no region configured). */
  readonly region?: string | undefined;
}

/** How a request wants to be authenticated (s3-api.md 2.1). Streaming bodies are told apart by `payloadHash`. */
export type AuthScheme =
  | "v4-header"
  | "v4-presigned"
  | "v2-header"
  | "v2-presigned"
  | "bearer"
  | "post-policy"
  | "sts"
  | "anonymous"
  | "unknown";

/** The scheme of a request; InvalidRequest when it carries two. */
export function authScheme(request: SignedRequest): AuthScheme {
  const authorization = request.header("authorization");
  const query = request.query;
  const presigned4 = hasName(query, "X-Amz-Credential");
  const presigned2 = !presigned4 && hasName(query, "AWSAccessKeyId");
  if (authorization !== undefined && authorization !== "") {
    if (presigned4 || presigned2) {
      throw new StoreError("InvalidRequest", { message: "Only one auth mechanism allowed" });
    }
    if (authorization.startsWith(SIGV4_ALGORITHM)) return "v4-header";
    if (authorization.startsWith("AWS")) return "v2-header";
    return authorization.startsWith("Bearer") ? "bearer" : "unknown";
  }
  if (presigned4) return "v4-presigned";
  if (presigned2) return "v2-presigned";
  if (request.method === "POST") {
    if ((request.header("content-type") ?? "").startsWith("multipart/form-data")) return "post-policy";
    if (hasName(query, "Action")) return "sts";
  }
  return "anonymous";
}

function hasName(query: string, name: string): boolean {
  if (!query.includes(name)) return false;
  return parseQuery(query).some(([key]) => key === name);
}

/** Reads the signature of a v4 request in either form. Throws a StoreError with the code of the fault. */
export function parseAuthorization(request: SignedRequest, expected: SignatureExpectations = {}): ParsedSignature {
  const authorization = request.header("authorization");
  if (authorization !== undefined && authorization !== "") return parseHeaderForm(request, authorization, expected);
  return parsePresignedForm(request, expected);
}

function parseHeaderForm(request: SignedRequest, text: string, expected: SignatureExpectations): ParsedSignature {
  if (!text.startsWith(SIGV4_ALGORITHM)) {
    throw new StoreError("InvalidRequest", { message: "Please use AWS4-HMAC-SHA256 for request authorization." });
  }
  const rest = text.slice(SIGV4_ALGORITHM.length);
  let credential: string | undefined;
  let signedHeaders: string | undefined;
  let signature: string | undefined;
  for (const part of rest.split(",")) {
    const field = part.trim();
    if (field.startsWith("Credential=")) credential = field.slice(11);
    else if (field.startsWith("SignedHeaders=")) signedHeaders = field.slice(14);
    else if (field.startsWith("Signature=")) signature = field.slice(10);
  }
  if (!credential || !signedHeaders || !signature) {
    throw new StoreError("MissingFields", { message: "Authorization needs Credential, SignedHeaders and Signature." });
  }
  const { accessKey, scope } = parseCredential(credential, "AuthorizationHeaderMalformed", expected);
  const { amzDate, timeMs } = headerTime(request);
  const names = parseSignedHeaders(signedHeaders);
  refuseUnsignedHeaders(request, names);
  return {
    kind: "header",
    accessKey,
    scope,
    signedHeaders: names,
    signature,
    amzDate,
    timeMs,
    payloadHash: request.header("x-amz-content-sha256") || EMPTY_SHA256,
    sessionToken: request.header("x-amz-security-token"),
  };
}

function headerTime(request: SignedRequest): { amzDate: string; timeMs: number } {
  const text = request.header("x-amz-date") || request.header("date");
  if (text === undefined || text === "") {
    throw new StoreError("AccessDenied", { message: "AWS authentication requires a valid Date or x-amz-date header" });
  }
  const timeMs = parseAmzDate(text);
  if (timeMs !== undefined) return { amzDate: text, timeMs };
  // A readable HTTP date is still no SigV4 date, but it tells a wrong clock from a wrong format.
  const readable = parseHttpDate(text);
  throw new StoreError("MalformedDate", {
    message: readable === undefined ? undefined : "x-amz-date must have the form yyyymmddThhmmssZ",
  });
}

/** Remembers what was made of texts that clients repeat in every request; bounded, the oldest goes first. */
function remembered<T>(make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    let value = known.get(text);
    if (value === undefined) {
      value = make(text);
      if (known.size >= REMEMBERED_TEXTS_MAX) known.delete(known.keys().next().value as string);
      known.set(text, value);
    }
    return value;
  };
}

const REMEMBERED_TEXTS_MAX = 512;

interface Credential {
  readonly accessKey: string;
  readonly scope: CredentialScope;
  readonly terminator: string;
}

/** The parts of a credential. AuthorizationQueryParametersError unless it has five and a date. */
const splitCredential = remembered((text: string): Credential => {
  // From the right: an access key may contain slashes.
  const parts = text.trim().split("/");
  if (parts.length < 5) {
    const message = "The Credential is malformed; it must be KEY/yyyymmdd/REGION/SERVICE/aws4_request";
    throw new StoreError("AuthorizationQueryParametersError", { message });
  }
  const [date, region, service, terminator] = parts.slice(-4) as [string, string, string, string];
  if (!/^\d{8}$/.test(date)) {
    throw new StoreError("AuthorizationQueryParametersError", {
      message: "The date in the Credential must be yyyymmdd.",
    });
  }
  return { accessKey: parts.slice(0, -4).join("/"), scope: { date, region, service }, terminator };
});

/** `KEY/yyyymmdd/REGION/SERVICE/aws4_request`. Throws a StoreError with the code of the fault. */
export function parseCredential(
  text: string,
  fault: "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError",
  expected: SignatureExpectations,
): { accessKey: string; scope: CredentialScope } {
  const { accessKey, scope, terminator } = splitCredential(text);
  const { region, service } = scope;
  const wanted = expected.service ?? "s3";
  if (service !== wanted || terminator !== "aws4_request") {
    throw new StoreError("AuthorizationParametersError", {
      message: `The Credential must name service "${wanted}" and end in aws4_request.`,
    });
  }
  if (expected.region !== undefined && !sameRegion(region, expected.region)) {
    throw new StoreError(fault, {
      message: `The authorization header is malformed; the region '${region}' is wrong; expecting '${expected.region}'.`,
      fields: { Region: expected.region },
    });
  }
  if (accessKey === "") throw new StoreError("InvalidAccessKeyId");
  return { accessKey, scope };
}

function sameRegion(a: string, b: string): boolean {
  const plain = (region: string): string => (region === "US" || region === "" ? "us-east-1" : region);
  return plain(a) === plain(b);
}

const parseSignedHeaders = remembered((text: string): readonly string[] => {
  const names = text.toLowerCase().split(";");
  names.sort();
  if (!names.includes("host")) throw unsigned("host");
  return names;
});

function unsigned(name: string): StoreError {
  const message = `There were headers present in the request which were not signed: ${name}`;
  return new StoreError("AccessDenied", { message });
}

const PRESIGNED_NAMES = [
  "X-Amz-Algorithm",
  "X-Amz-Credential",
  "X-Amz-Signature",
  "X-Amz-Date",
  "X-Amz-SignedHeaders",
  "X-Amz-Expires",
] as const;

function presignedFault(message: string): StoreError {
  return new StoreError("AuthorizationQueryParametersError", { message });
}

function parsePresignedForm(request: SignedRequest, expected: SignatureExpectations): ParsedSignature {
  const values = new Map(parseQuery(request.query).reverse());
  for (const name of PRESIGNED_NAMES) {
    if (!values.get(name)) throw presignedFault(`Query-string authentication needs ${PRESIGNED_NAMES.join(", ")}.`);
  }
  const get = (name: (typeof PRESIGNED_NAMES)[number]): string => values.get(name) as string;
  if (get("X-Amz-Algorithm") !== SIGV4_ALGORITHM)
    throw presignedFault(`X-Amz-Algorithm only supports ${SIGV4_ALGORITHM}`);
  const { accessKey, scope } = parseCredential(get("X-Amz-Credential"), "AuthorizationQueryParametersError", expected);
  const timeMs = parseAmzDate(get("X-Amz-Date"));
  if (timeMs === undefined) throw presignedFault("X-Amz-Date must have the form yyyymmddThhmmssZ");
  if (!/^-?\d{1,15}$/.test(get("X-Amz-Expires"))) throw presignedFault("X-Amz-Expires should be a number");
  const expiresSeconds = Number(get("X-Amz-Expires"));
  if (expiresSeconds < 0) throw presignedFault("X-Amz-Expires must be non-negative");
  if (expiresSeconds > PRESIGN_SECONDS_MAX) {
    throw presignedFault(`X-Amz-Expires must be at most a week, ${PRESIGN_SECONDS_MAX} seconds`);
  }
  const signedHeaders = parseSignedHeaders(get("X-Amz-SignedHeaders"));
  refuseUnsignedHeaders(request, signedHeaders, values);
  return {
    kind: "presigned",
    accessKey,
    scope,
    signedHeaders,
    signature: get("X-Amz-Signature"),
    amzDate: get("X-Amz-Date"),
    timeMs,
    payloadHash: values.get("X-Amz-Content-Sha256") || request.header("x-amz-content-sha256") || UNSIGNED_PAYLOAD,
    expiresSeconds,
    sessionToken: values.get("X-Amz-Security-Token") ?? request.header("x-amz-security-token"),
  };
}

/** Headers that change what a request does: they turn a PUT into a copy, say what is stored, or speak for a peer. */
const BINDING_HEADERS = [
  "x-amz-meta-",
  "x-amz-copy-source",
  "x-amz-metadata-directive",
  "x-amz-tagging",
  "x-amz-object-lock-",
  "x-amz-bypass-",
  "x-amz-replication-",
  "x-amz-website-",
  "x-minio-",
  "x-resilver-",
];

/**
 * Whoever holds a presigned URL, or can change a request on its way, acts with the rights of its maker, and must not do
 * with it what the maker did not sign: with `x-amz-copy-source` an upload could read any object of the maker's
 * (s3-api.md 2.4, as AWS). `query`: of the presigned form.
 */
function refuseUnsignedHeaders(request: SignedRequest, signed: readonly string[], query?: Map<string, string>): void {
  for (const name of request.headerNames ?? []) {
    if (!name.startsWith("x-") || signed.includes(name) || request.queryHeaders?.has(name)) continue;
    if (!BINDING_HEADERS.some((prefix) => name.startsWith(prefix))) continue;
    if (query?.has(name) === true && query.get(name) === request.header(name)) continue;
    throw unsigned(name);
  }
}

/**
 * Checks the time of a parsed signature against the server's clock: header form within 15 minutes either way
 * (RequestTimeTooSkewed), presigned form not early and not expired (AccessDenied).
 */
export function checkSignatureTime(parsed: ParsedSignature, nowMs: number): void {
  const age = nowMs - parsed.timeMs;
  if (parsed.kind === "header") {
    if (Math.abs(age) > CLOCK_SKEW_MS_MAX) throw new StoreError("RequestTimeTooSkewed");
    return;
  }
  if (-age > CLOCK_SKEW_MS_MAX) throw new StoreError("AccessDenied", { message: "Request is not valid yet" });
  if (age > (parsed.expiresSeconds ?? 0) * 1000)
    throw new StoreError("AccessDenied", { message: "Request has expired" });
}

/** Derived keys only: a pure function's memory. */
const sharedKeys = new SigningKeyCache();

/**
 * True when the signature was made with `secret` over this request. Throws AccessDenied when a signed header is
 * missing. Takes some 20 microseconds; the comparison takes constant time.
 */
export function verifySignature(
  request: SignedRequest,
  parsed: ParsedSignature,
  secret: string,
  keys: SigningKeyCache = sharedKeys,
): boolean {
  if (parsed.scope.date !== parsed.amzDate.slice(0, 8)) return false;
  const query = canonicalQuery(request.query, parsed.kind === "presigned" ? "X-Amz-Signature" : undefined);
  const key = keys.get(secret, parsed.scope);
  const parts: CanonicalParts = {
    method: request.method,
    path: request.path,
    canonicalQuery: query.text,
    signedHeaders: parsed.signedHeaders,
    headerLines: signedHeaderLines(request, parsed.signedHeaders),
    payloadHash: parsed.payloadHash,
    amzDate: parsed.amzDate,
    scope: parsed.scope,
  };
  if (equalText(signatureOf(parts, key), parsed.signature)) return true;
  if (query.sorted === undefined) return false;
  return equalText(signatureOf({ ...parts, canonicalQuery: query.sorted }, key), parsed.signature);
}

function signedHeaderLines(request: SignedRequest, names: readonly string[]): string {
  let lines = "";
  for (const name of names) {
    const value = request.header(name) ?? hiddenHeader(request, name);
    lines += `${name}:${foldHeaderValue(value)}\n`;
  }
  return lines;
}

/** Value of a signed header that is not among the headers: `expect`, or a header moved into the query. */
function hiddenHeader(request: SignedRequest, name: string): string {
  for (const [key, value] of parseQuery(request.query)) {
    if (key.toLowerCase() === name) return Buffer.from(value, "utf8").toString("latin1");
  }
  // The HTTP layer may have answered and dropped it; AWS's command line signs it.
  if (name === "expect") return "100-continue";
  throw new StoreError("AccessDenied", { message: `A signed header is missing: ${name}` });
}

/** Compares texts in time that depends on the length only: for signatures and session tokens. */
export function equalText(a: string, b: string): boolean {
  const x = Buffer.from(a, "utf8");
  const y = Buffer.from(b, "utf8");
  return x.length === y.length && timingSafeEqual(x, y);
}

/** What the chunks of a streaming body are signed with (s3-api.md 2.7). */
export interface ChunkSigning {
  readonly key: SigningKey;
  readonly seedSignature: string;
  /** `date/region/service/aws4_request`. */
  readonly scope: string;
  readonly amzDate: string;
}

/** Chunk signing of a request whose own signature was verified. */
export function chunkSigning(
  parsed: ParsedSignature,
  secret: string,
  keys: SigningKeyCache = sharedKeys,
): ChunkSigning {
  return {
    key: keys.get(secret, parsed.scope),
    seedSignature: parsed.signature,
    scope: scopeText(parsed.scope),
    amzDate: parsed.amzDate,
  };
}
