/** Who sends this admin request: SigV4 in the header, any region, the body's hash always named (admin-api.md 1.2). */
import { StoreError } from "../model/errors.ts";
import type { SignedRequest } from "../protocol/sigv4.ts";
import { authScheme, checkSignatureTime, equalText, parseAuthorization } from "../protocol/sigv4.ts";
import { UNSIGNED_PAYLOAD, verifySignature } from "../protocol/sigv4.ts";
import type { AdminRequest } from "./request.ts";

const SHA256_HEX = /^[0-9a-f]{64}$/i;

function signedRequest(request: AdminRequest): SignedRequest {
  const { incoming } = request;
  return {
    method: request.method,
    path: request.path,
    query: request.rawQuery,
    header(name) {
      const distinct = incoming.headersDistinct[name];
      if (distinct !== undefined && distinct.length > 1) return distinct.join(",");
      return request.header(name);
    },
    get headerNames() {
      return Object.keys(incoming.headers);
    },
  };
}

/** Sets identity and payload hash. Throws AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, InvalidTokenId, ... */
export async function authenticate(request: AdminRequest): Promise<void> {
  const signed = signedRequest(request);
  if (authScheme(signed) !== "v4-header") throw new StoreError("AccessDenied");
  const payloadHash = request.header("x-amz-content-sha256") ?? "";
  if (payloadHash !== UNSIGNED_PAYLOAD && !SHA256_HEX.test(payloadHash)) throw new StoreError("AccessDenied");
  const parsed = parseAuthorization(signed, { service: "s3" });
  checkSignatureTime(parsed, request.deps.clock.nowMs());
  const identity = await request.deps.iam.lookup(parsed.accessKey);
  if (identity === undefined || !identity.enabled) throw new StoreError("InvalidAccessKeyId");
  if (!verifySignature(signed, parsed, identity.secretKey)) throw new StoreError("SignatureDoesNotMatch");
  if (!equalText(parsed.sessionToken ?? "", identity.sessionToken ?? "")) throw new StoreError("InvalidTokenId");
  request.identity = identity;
  request.payloadHash = payloadHash;
}
