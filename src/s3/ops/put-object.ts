/** PutObject, also as a replica of a peer's version (replication.md 3.4). */
import type { EncryptionRequest } from "../../model/encryption.ts";
import type { IncomingBody, PutRequest, PutResult } from "../../objects/types.ts";
import { carriesAcl, checkAclHeaders } from "../acl.ts";
import { attributesOf, type HeaderView } from "../attributes.ts";
import { authorizeWrite } from "../authorize.ts";
import { objectBody } from "../body.ts";
import { askedMd5, encryptionHeaders, encryptionOf } from "../encryption.ts";
import { locksAsked } from "../lock-request.ts";
import { expirationHeaders } from "../expiration.ts";
import { checksumHeaders } from "../object-headers.ts";
import { writeConditions } from "../read-conditions.ts";
import { givenVersionId, isDryRun, purgedHere, replicaSource } from "../replica.ts";
import type { Operation, S3Request } from "../request.ts";

export const putObject: Operation = {
  name: "PutObject",
  takesObjectBody: true,
  async run(request) {
    const result = await storeObject(request, objectBody);
    if (result.purged !== undefined) throw purgedHere(result.purged);
    return { status: 200, headers: storedHeaders(result, request) };
  },
};

/** A PUT from its headers and a body, which is asked for once it may be stored. */
async function storeObject<R extends S3Request>(request: R, bodyOf: (request: R) => IncomingBody): Promise<PutResult> {
  return request.deps.objects.put(await putRequestOf(request, bodyOf));
}

/** What a PUT asks for, once it is known that it may be stored. */
export async function putRequestOf<R extends S3Request>(
  request: R,
  bodyOf: (request: R) => IncomingBody,
): Promise<PutRequest> {
  const { bucket, key } = request;
  await authorizeWrite(request);
  const encryption = encryptionOf(request, request.secure);
  if (encryption !== undefined && isDryRun(request)) await checkKeyOf(request, encryption);
  const source = await replicaSource(request, "s3:ReplicateObject");
  if (carriesAcl(request)) checkAclHeaders(request, await request.deps.objects.bucket(bucket));
  const locks = await locksAsked(request, request, { source });
  return {
    bucket,
    key,
    attributes: { ...attributesOf(request), ...locks },
    body: bodyOf(request),
    conditions: writeConditions(request),
    versionId: givenVersionId(request, source),
    source,
    encryption,
  };
}

/** A peer asks with a dry run whether its encrypted versions could be stored: its key must be here, and work. */
async function checkKeyOf(request: S3Request, asked: EncryptionRequest): Promise<void> {
  await request.deps.objects.checkEncryptionKey(asked.kind === "SSE-KMS" ? asked.keyId : undefined);
}

/**
 * Headers of every answer that says "stored": ETag, the version id when it can be asked for, the checksum, and how it is
 * encrypted.
 */
export function storedHeaders(result: PutResult, request: HeaderView): string[] {
  const { version } = result;
  const out = ["ETag", `"${version.etag}"`];
  if (result.bucket.lifecycle !== undefined) out.push(...expirationHeaders(result.bucket, version));
  if (result.versioned) out.push("x-amz-version-id", version.versionId);
  if (version.checksum !== undefined) out.push(...checksumHeaders(version.checksum, version.partCount));
  if (version.encryption !== undefined) out.push(...encryptionHeaders(version.encryption, askedMd5(request)));
  return out;
}
