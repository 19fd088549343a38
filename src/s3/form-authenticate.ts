/**
 * Who sends a form? A policy signed with Signature Version 4 or 2 in its fields, or nobody (s3-api.md 2.6). What the
 * policy allows is held against the form here, before a byte of the file is stored.
 */
import { createHmac } from "node:crypto";
import type { Identity } from "../iam/types.ts";
import { StoreError } from "../model/errors.ts";
import { deriveSigningKey, equalText, parseCredential } from "../protocol/sigv4.ts";
import { headerText } from "./attributes.ts";
import { identityOf, slowly } from "./authenticate.ts";
import type { FormUpload } from "./form-data.ts";
import { checkPostPolicy, parsePostPolicy, type PostPolicy } from "./post-policy.ts";
import { invalidArgument, type S3Request } from "./request.ts";

type Fields = FormUpload["fields"];

const ALGORITHM = "AWS4-HMAC-SHA256";

/**
 * Sets the identity of the signer. `key` is the object's, with the file's name in its place. Without a policy the caller
 * is nobody, and undefined is returned.
 */
export async function authenticateForm(
  request: S3Request,
  fields: Fields,
  key: string,
): Promise<PostPolicy | undefined> {
  const { policy: encoded } = fields;
  const modern = fields["x-amz-credential"] !== undefined;
  if (encoded === undefined) {
    if (!modern && fields["awsaccesskeyid"] === undefined) return undefined;
    throw new StoreError("MalformedPOSTRequest", { message: "A signed form needs a policy." });
  }
  const identity = modern ? await signer4(request, fields, encoded) : await signer2(request, fields, encoded);
  if (!equalText(identity.sessionToken ?? "", fields["x-amz-security-token"] ?? ""))
    throw new StoreError("InvalidTokenId");
  request.identity = identity;
  const policy = parsePostPolicy(encoded);
  const readable = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, headerText(value)]));
  checkPostPolicy(policy, { ...readable, key, bucket: request.bucket }, request.deps.clock.nowMs());
  return policy;
}

async function signer4(request: S3Request, fields: Fields, encoded: string): Promise<Identity> {
  const { region } = request.deps.settings;
  if (fields["x-amz-algorithm"] !== ALGORITHM) throw invalidArgument(`X-Amz-Algorithm must be ${ALGORITHM}.`);
  const { accessKey, scope } = parseCredential(fields["x-amz-credential"] ?? "", "AuthorizationHeaderMalformed", {
    region: region === "" ? undefined : region,
  });
  const date = fields["x-amz-date"] ?? "";
  if (!/^\d{8}T\d{6}Z$/.test(date) || !date.startsWith(scope.date))
    throw invalidArgument("X-Amz-Date must be yyyymmddThhmmssZ of the day in the credential.");
  const identity = await identityOf(request, accessKey);
  const expected = deriveSigningKey(identity.secretKey, scope).sign(encoded);
  return genuine(request, identity, expected, fields["x-amz-signature"]);
}

async function signer2(request: S3Request, fields: Fields, encoded: string): Promise<Identity> {
  const identity = await identityOf(request, fields["awsaccesskeyid"] ?? "");
  const expected = createHmac("sha1", identity.secretKey).update(encoded, "latin1").digest("base64");
  return genuine(request, identity, expected, fields["signature"]);
}

async function genuine(
  request: S3Request,
  identity: Identity,
  expected: string,
  signature: string | undefined,
): Promise<Identity> {
  if (equalText(expected, signature ?? "")) return identity;
  throw await slowly(request, new StoreError("SignatureDoesNotMatch"));
}
