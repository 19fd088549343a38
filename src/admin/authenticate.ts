/** Who sends this admin request: SigV4 in the header, any region, the body's hash always named (admin-api.md 1.2). */
import { signedCaller } from "../iam/signed-caller.ts";
import { StoreError } from "../model/errors.ts";
import { UNSIGNED_PAYLOAD } from "../protocol/sigv4.ts";
import type { AdminRequest } from "./request.ts";

const SHA256_HEX = /^[0-9a-f]{64}$/i;

/** Sets identity and payload hash. Throws what `signedCaller` does; AccessDenied also without a hash. */
export async function authenticate(request: AdminRequest): Promise<void> {
  const payloadHash = request.header("x-amz-content-sha256") ?? "";
  if (payloadHash !== UNSIGNED_PAYLOAD && !SHA256_HEX.test(payloadHash)) throw new StoreError("AccessDenied");
  request.identity = await signedCaller(request.deps, request.incoming, {
    path: request.path,
    query: request.rawQuery,
  });
  request.payloadHash = payloadHash;
}
