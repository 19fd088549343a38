/** Who signed a request whose signature is in its header: of the admin API, of the token service, of a peer's own calls. */
import type { IncomingMessage } from "node:http";
import { StoreError } from "../model/errors.ts";
import {
  authScheme,
  checkSignatureTime,
  equalText,
  parseAuthorization,
  verifySignature,
  type SignedRequest,
} from "../protocol/sigv4.ts";
import type { Clock } from "../runtime/clock.ts";
import { directAddress, type ClientAddress, type ClientAddressOf } from "./client-address.ts";
import type { Failures } from "./failures.ts";
import type { Iam, Identity } from "./types.ts";

export interface CallerDeps {
  readonly iam: Pick<Iam, "lookup">;
  readonly clock: Clock;
  /** Whom a request is from; absent: the peer of its connection. */
  readonly clientAddress?: ClientAddressOf | undefined;
  /** Slows down whoever sends bad signatures; absent: nobody is slowed down. */
  readonly failures?: Failures | undefined;
}

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

export function addressOf(deps: Pick<CallerDeps, "clientAddress">, incoming: IncomingMessage): ClientAddress {
  return (deps.clientAddress ?? directAddress)(incoming);
}

/** A signature was bad: resolves when that may be said. */
export async function noteBadSignature(deps: CallerDeps, incoming: IncomingMessage): Promise<void> {
  await deps.failures?.note(addressOf(deps, incoming).address);
}

/** Condition values that every call has. */
export function requestConditions(
  deps: Pick<CallerDeps, "clientAddress">,
  incoming: IncomingMessage,
): Record<string, string[]> {
  const { address, secure } = addressOf(deps, incoming);
  return {
    SourceIp: [address],
    SecureTransport: [String(secure)],
    UserAgent: [incoming.headers["user-agent"] ?? ""],
    Referer: [incoming.headers.referer ?? ""],
  };
}

/**
 * The identity behind a signature for S3, in any region. That the body is the one of `x-amz-content-sha256` is for the
 * caller to look at. Throws AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, InvalidTokenId, RequestTimeTooSkewed.
 */
export async function signedCaller(
  deps: CallerDeps,
  incoming: IncomingMessage,
  { path, query }: { readonly path: string; readonly query: string },
): Promise<Identity> {
  const signed = signedHeaderView(incoming, path, query);
  if (authScheme(signed) !== "v4-header") throw new StoreError("AccessDenied");
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
  if (fault === undefined && identity !== undefined) return identity;
  await noteBadSignature(deps, incoming);
  throw new StoreError(fault ?? "InvalidAccessKeyId");
}
