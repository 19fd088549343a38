/** DeleteObject: a marker, a purge, or either as a peer sends it (replication.md 3.7, 3.8). */
import { authorize, authorizeFor } from "../authorize.ts";
import { bypassesGovernance } from "../lock-request.ts";
import { deleteConditions } from "../read-conditions.ts";
import { replicaSource, sourceDeleteMarker } from "../replica.ts";
import type { Operation, S3Request } from "../request.ts";
import { forceDelete } from "./force-delete.ts";

export const deleteObject: Operation = {
  name: "DeleteObject",
  async run(request) {
    const { selector } = request;
    if (request.header("x-minio-force-delete") === "true") return forceDelete(request);
    await authorizeDelete(request);
    const source = await replicaSource(request, "s3:ReplicateDelete");
    const result = await request.deps.objects.delete({
      ...selector,
      source,
      bypassGovernance: selector.versionId !== undefined && (await bypassesGovernance(request)),
      sourceDeleteMarker: source !== undefined && sourceDeleteMarker(request),
      conditions: deleteConditions(request),
    });
    const headers: string[] = [];
    if (result.deleteMarker) headers.push("x-amz-delete-marker", "true");
    // MinIO spells out no null ids in successful answers, and old clients compare with what they know.
    if (result.versionId !== undefined && result.versionId !== "null")
      headers.push("x-amz-version-id", result.versionId);
    return { status: 204, headers };
  },
};

/** s3:DeleteObject; with a version id an explicit Deny of s3:DeleteObjectVersion refuses too. */
async function authorizeDelete(request: S3Request): Promise<void> {
  await authorize(request, "s3:DeleteObject");
  if (request.query.get("versionId")) await authorizeFor(request, { action: "s3:DeleteObjectVersion", denyOnly: true });
}
