/** PutObject, also as a replica of a peer's version (replication.md 3.4). */
import type { PutResult } from "../../objects/types.ts";
import { attributesOf } from "../attributes.ts";
import { authorize } from "../authorize.ts";
import { objectBody } from "../body.ts";
import { checksumHeaders } from "../object-headers.ts";
import { writeConditions } from "../read-conditions.ts";
import { givenVersionId, purgedHere, replicaSource } from "../replica.ts";
import { refuseEncryption, refuseLock } from "../request-checks.ts";
import type { Operation } from "../request.ts";

export const putObject: Operation = {
  name: "PutObject",
  takesObjectBody: true,
  async run(request) {
    const { bucket, key } = request;
    await authorize(request, "s3:PutObject");
    const source = await replicaSource(request, "s3:ReplicateObject");
    refuseEncryption(request);
    refuseLock(request);
    const result = await request.deps.objects.put({
      bucket,
      key,
      attributes: attributesOf(request),
      body: objectBody(request),
      conditions: writeConditions(request),
      versionId: givenVersionId(request, source),
      source,
    });
    if (result.purged !== undefined) throw purgedHere(result.purged);
    return { status: 200, headers: storedHeaders(result) };
  },
};

/** Headers of every answer that says "stored": ETag, the version id when it can be asked for, the checksum. */
export function storedHeaders(result: PutResult): string[] {
  const { version } = result;
  const out = ["ETag", `"${version.etag}"`];
  if (result.versioned) out.push("x-amz-version-id", version.versionId);
  if (version.checksum !== undefined) out.push(...checksumHeaders(version.checksum, version.partCount));
  return out;
}
