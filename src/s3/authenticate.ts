/**
 * Who sends this request? Signature Version 4 in header, presigned and streaming form, Version 2 in header and presigned
 * form, or nobody. Every signed form has its signature and its date verified, streaming bodies included
 * (s3-api.md 2.1, 2.5, 2.7).
 */
import { StoreError } from "../model/errors.ts";
import type { ChunkedMode } from "../protocol/aws-chunked.ts";
import { chunkedMode } from "../protocol/aws-chunked.ts";
import { checkSignatureTime2, parseAuthorization2, verifySignature2 } from "../protocol/sigv2.ts";
import type { ChunkSigning, ParsedSignature, SignedRequest } from "../protocol/sigv4.ts";
import { authScheme, checkSignatureTime, chunkSigning, equalText, parseAuthorization } from "../protocol/sigv4.ts";
import { UNSIGNED_PAYLOAD, verifySignature, type SigningKeyCache } from "../protocol/sigv4.ts";
import type { Identity } from "../iam/types.ts";
import { headerAsSigned, type Operation, type S3Request } from "./request.ts";

/** What the signature says about the body. */
export type BodyAuth =
  | { readonly kind: "plain"; readonly sha256?: string | undefined }
  | { readonly kind: "chunked"; readonly mode: ChunkedMode; readonly signing?: ChunkSigning | undefined };

const SHA256_HEX = /^[0-9a-f]{64}$/i;

/** The request as the signer saw it. */
function signedRequest(request: S3Request): SignedRequest {
  const { incoming, target } = request;
  return {
    method: request.method,
    path: target.rawPath,
    query: target.rawQuery,
    header(name) {
      return name === "authorization" ? request.header(name) : headerAsSigned(incoming, name);
    },
    get headerNames() {
      return Object.keys(incoming.headers);
    },
    queryHeaders: request.queryHeaders,
  };
}

/** Sets `identity` and `bodyAuth` of the request. Throws a StoreError with the code of the fault. */
export async function authenticate(request: S3Request, operation: Operation, keys: SigningKeyCache): Promise<void> {
  const signed = signedRequest(request);
  const scheme = authScheme(signed);
  switch (scheme) {
    case "v4-header":
    case "v4-presigned":
      return authenticateV4(request, operation, signed, keys);
    case "anonymous":
      return authenticateNobody(request, operation);
    case "post-policy":
      if (operation.formUpload) return;
      throw new StoreError("InvalidRequest", { message: "A form upload is valid for a bucket only." });
    case "sts":
      throw new StoreError("NotImplemented");
    case "v2-header":
    case "v2-presigned":
      return authenticateV2(request, signed);
    case "bearer":
    case "unknown":
      throw new StoreError("InvalidRequest", {
        message: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
      });
  }
}

async function authenticateV4(
  request: S3Request,
  operation: Operation,
  signed: SignedRequest,
  keys: SigningKeyCache,
): Promise<void> {
  const { deps } = request;
  const region = operation.anyRegion || deps.settings.region === "" ? undefined : deps.settings.region;
  const parsed = parseAuthorization(signed, { service: "s3", region });
  checkSignatureTime(parsed, deps.clock.nowMs());
  const identity = await identityOf(request, parsed.accessKey);
  const genuine = verifySignature(signed, parsed, identity.secretKey, keys);
  if (!genuine) throw await slowly(request, new StoreError(forgedCode(parsed)));
  if (!tokenFits(identity, parsed.sessionToken)) throw await slowly(request, new StoreError("InvalidTokenId"));
  const mode = chunkedMode(parsed.payloadHash);
  if (mode === undefined) checkPayloadHash(parsed.payloadHash);
  if (mode !== undefined) {
    checkStreaming(operation);
    const signing = mode === "unsigned-trailer" ? undefined : chunkSigning(parsed, identity.secretKey, keys);
    request.bodyAuth = { kind: "chunked", mode, signing };
  } else request.bodyAuth = { kind: "plain", sha256: digestOf(parsed.payloadHash) };
  request.identity = identity;
}

/** The account of an access key. InvalidAccessKeyId, ever more slowly, for one that is not known, or disabled. */
export async function identityOf(request: S3Request, accessKey: string): Promise<Identity> {
  const identity = await request.deps.iam.lookup(accessKey);
  if (identity === undefined) throw await slowly(request, new StoreError("InvalidAccessKeyId"));
  if (!identity.enabled) throw new StoreError("InvalidAccessKeyId", { message: "Your account is disabled." });
  return identity;
}

/** Bodies are bound by Content-MD5 or by `x-amz-content-sha256`, where they are sent: both are in the signed text. */
async function authenticateV2(request: S3Request, signed: SignedRequest): Promise<void> {
  const parsed = parseAuthorization2(signed);
  checkSignatureTime2(parsed, request.deps.clock.nowMs());
  const identity = await identityOf(request, parsed.accessKey);
  const { bucket, inHost } = request.target;
  const genuine = verifySignature2(signed, parsed, identity.secretKey, inHost ? bucket : "");
  if (!genuine) throw await slowly(request, new StoreError("SignatureDoesNotMatch"));
  if (!tokenFits(identity, parsed.sessionToken)) throw await slowly(request, new StoreError("InvalidTokenId"));
  const payloadHash = request.header("x-amz-content-sha256") ?? UNSIGNED_PAYLOAD;
  checkPayloadHash(payloadHash);
  request.bodyAuth = { kind: "plain", sha256: digestOf(payloadHash) };
  request.identity = identity;
}

/** A presigned URL used beside a hash that is none: MinIO's clients expect to be told of the hash, not of the signature. */
function forgedCode({ kind, payloadHash }: ParsedSignature): string {
  if (kind === "header" || chunkedMode(payloadHash) !== undefined || bindsOrWaives(payloadHash)) {
    return "SignatureDoesNotMatch";
  }
  return "XAmzContentSHA256Mismatch";
}

function bindsOrWaives(payloadHash: string): boolean {
  return payloadHash === UNSIGNED_PAYLOAD || SHA256_HEX.test(payloadHash);
}

/** Any other word would leave the body unbound without saying so, or its chunk headers would be stored as data. */
function checkPayloadHash(payloadHash: string): void {
  if (bindsOrWaives(payloadHash)) return;
  throw new StoreError("InvalidArgument", {
    message:
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- word that this server knows, or a valid sha256 value.",
  });
}

/** A hex digest binds the body, whatever its case; other words do not. */
function digestOf(payloadHash: string): string | undefined {
  return SHA256_HEX.test(payloadHash) ? payloadHash.toLowerCase() : undefined;
}

function tokenFits(identity: Identity, token: string | undefined): boolean {
  return equalText(identity.sessionToken ?? "", token ?? "");
}

/** The fault, once its address may be told: whoever guesses keys is answered ever more slowly. */
export async function slowly(request: S3Request, fault: StoreError): Promise<StoreError> {
  await request.deps.failures?.note(request.client.address);
  return fault;
}

function checkStreaming(operation: Operation): void {
  if (operation.takesObjectBody) return;
  throw new StoreError("InvalidRequest", {
    message: "Streaming signatures are valid for PutObject and UploadPart only.",
  });
}

/** Without credentials only plain bodies and unsigned chunks are possible: nothing could verify a signed one. */
function authenticateNobody(request: S3Request, operation: Operation): void {
  request.identity = request.deps.iam.anonymous;
  const mode = chunkedMode(request.header("x-amz-content-sha256") ?? "");
  if (mode === undefined) {
    const sha256 = digestOf(request.header("x-amz-content-sha256") ?? "");
    request.bodyAuth = { kind: "plain", sha256 };
    return;
  }
  checkStreaming(operation);
  if (mode !== "unsigned-trailer") throw new StoreError("AccessDenied");
  request.bodyAuth = { kind: "chunked", mode };
}
