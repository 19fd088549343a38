/** Who sends this admin request: SigV4 in the header, any region, the body's hash always named (admin-api.md 1.2). */
import type { IncomingMessage } from "node:http";
import { directAddress } from "../iam/client-address.ts";
import type { ClientAddress } from "../iam/client-address.ts";
import { StoreError } from "../model/errors.ts";
import type { SignedRequest } from "../protocol/sigv4.ts";
import { authScheme, checkSignatureTime, equalText, parseAuthorization } from "../protocol/sigv4.ts";
import { UNSIGNED_PAYLOAD, verifySignature } from "../protocol/sigv4.ts";
import type { AdminDeps } from "./deps.ts";
import type { AdminRequest } from "./request.ts";

const SHA256_HEX = /^[0-9a-f]{64}$/i;

/** The request as its signer saw it. `path` and `query` are raw. */
export function signedHeaderView(incoming: IncomingMessage, path: string, query: string): SignedRequest {
  return {
    method: incoming.method ?? "GET",
    path,
    query,
    header(name) {
      const distinct = incoming.headersDistinct[name];
      if (distinct !== undefined && distinct.length > 1) return distinct.join(",");
      const value = incoming.headers[name];
      return Array.isArray(value) ? value.join(",") : value;
    },
    get headerNames() {
      return Object.keys(incoming.headers);
    },
  };
}

export function addressOf(deps: AdminDeps, incoming: IncomingMessage): ClientAddress {
  return (deps.clientAddress ?? directAddress)(incoming);
}

/** A signature was bad: resolves when that may be said. */
export async function noteBadSignature(deps: AdminDeps, incoming: IncomingMessage): Promise<void> {
  await deps.failures?.note(addressOf(deps, incoming).address);
}

/** Condition values that every call has. */
export function requestConditions(deps: AdminDeps, incoming: IncomingMessage): Record<string, string[]> {
  const { address, secure } = addressOf(deps, incoming);
  return {
    SourceIp: [address],
    SecureTransport: [String(secure)],
    UserAgent: [incoming.headers["user-agent"] ?? ""],
    Referer: [incoming.headers.referer ?? ""],
  };
}

/** Sets identity and payload hash. Throws AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, InvalidTokenId, ... */
export async function authenticate(request: AdminRequest): Promise<void> {
  const { deps, incoming } = request;
  const signed = signedHeaderView(incoming, request.path, request.rawQuery);
  if (authScheme(signed) !== "v4-header") throw new StoreError("AccessDenied");
  const payloadHash = request.header("x-amz-content-sha256") ?? "";
  if (payloadHash !== UNSIGNED_PAYLOAD && !SHA256_HEX.test(payloadHash)) throw new StoreError("AccessDenied");
  const parsed = parseAuthorization(signed, { service: "s3" });
  checkSignatureTime(parsed, deps.clock.nowMs());
  const identity = await deps.iam.lookup(parsed.accessKey);
  const fault =
    identity === undefined || !identity.enabled
      ? "InvalidAccessKeyId"
      : !verifySignature(signed, parsed, identity.secretKey)
        ? "SignatureDoesNotMatch"
        : !equalText(parsed.sessionToken ?? "", identity.sessionToken ?? "")
          ? "InvalidTokenId"
          : undefined;
  if (fault !== undefined || identity === undefined) {
    await noteBadSignature(deps, incoming);
    throw new StoreError(fault ?? "InvalidAccessKeyId");
  }
  request.identity = identity;
  request.payloadHash = payloadHash;
}
