/** Calls that only another Resilver makes, below `/resilver/v1/`, signed like every other request. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { directAddress } from "../iam/client-address.ts";
import type { ClientAddressOf } from "../iam/client-address.ts";
import type { Failures } from "../iam/failures.ts";
import type { Iam, Identity } from "../iam/types.ts";
import { StoreError } from "../model/errors.ts";
import { parseBucketName } from "../model/names.ts";
import { renderErrorJson } from "../protocol/error-document.ts";
import { errorMessage, errorStatus } from "../protocol/s3-errors.ts";
import {
  authScheme,
  checkSignatureTime,
  equalText,
  parseAuthorization,
  verifySignature,
  type SignedRequest,
} from "../protocol/sigv4.ts";
import { damageCheckLines, type DamageCheckDeps } from "../resync/damage-check.ts";

export interface PeerDeps extends DamageCheckDeps {
  readonly iam: Iam;
  readonly clientAddress?: ClientAddressOf | undefined;
  readonly failures?: Failures | undefined;
}

export const PEER_PREFIX = "/resilver/";

async function identify(deps: PeerDeps, request: IncomingMessage, path: string, query: string): Promise<Identity> {
  const signed: SignedRequest = {
    method: request.method ?? "GET",
    path,
    query,
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(",") : value;
    },
  };
  if (authScheme(signed) !== "v4-header") throw new StoreError("AccessDenied");
  const parsed = parseAuthorization(signed, { service: "s3" });
  checkSignatureTime(parsed, deps.clock.nowMs());
  const identity = await deps.iam.lookup(parsed.accessKey);
  const token = parsed.sessionToken ?? "";
  const fault =
    identity === undefined || !identity.enabled
      ? "InvalidAccessKeyId"
      : !verifySignature(signed, parsed, identity.secretKey)
        ? "SignatureDoesNotMatch"
        : !equalText(token, identity.sessionToken ?? "")
          ? "InvalidTokenId"
          : undefined;
  if (fault === undefined && identity !== undefined) return identity;
  await deps.failures?.note((deps.clientAddress ?? directAddress)(request).address);
  throw new StoreError(fault ?? "InvalidAccessKeyId");
}

/** `POST /resilver/v1/damage-check?bucket=B[&deep=true]`; needs what a replication user has: s3:ReplicateObject. */
async function damageCheck(
  deps: PeerDeps,
  request: IncomingMessage,
  response: ServerResponse,
  at: { path: string; query: string },
): Promise<void> {
  const identity = await identify(deps, request, at.path, at.query);
  const parameters = new URLSearchParams(at.query);
  const bucket = parseBucketName(parameters.get("bucket") ?? "");
  if (!(await deps.iam.allowed(identity, { action: "s3:ReplicateObject", bucket, key: "*" })))
    throw new StoreError("AccessDenied");
  await deps.objects.bucket(bucket);
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  await pipeline(Readable.from(damageCheckLines(deps, bucket, { deep: parameters.get("deep") === "true" })), response);
}

/** Answers everything below PEER_PREFIX; returns true. */
export function createPeerHandler(
  deps: PeerDeps,
): (request: IncomingMessage, response: ServerResponse, path: string, query: string) => boolean {
  return (request, response, path, query) => {
    request.resume();
    const known = request.method === "POST" && path === "/resilver/v1/damage-check";
    const work = known
      ? damageCheck(deps, request, response, { path, query })
      : Promise.reject(new StoreError("NotImplemented"));
    work.catch((error: unknown) => {
      if (response.headersSent) return void response.destroy();
      const code = error instanceof StoreError ? error.code : "InternalError";
      const message =
        error instanceof StoreError && error.detail.message !== undefined ? error.detail.message : errorMessage(code);
      response.writeHead(errorStatus(code), { "content-type": "application/json" });
      response.end(renderErrorJson({ code, message, resource: path, requestId: "", hostId: "" }));
    });
    return true;
  };
}
