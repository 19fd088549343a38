/** DeleteObject with `x-minio-force-delete`: a key and all below it, with every version (s3-api.md section 18). */
import { StoreError } from "../../model/errors.ts";
import type { VersionId } from "../../model/names.ts";
import { authorize } from "../authorize.ts";
import { NO_CONTENT, type Reply } from "../reply.ts";
import type { S3Request } from "../request.ts";
import { deleteAll } from "./delete-objects.ts";

/** Versions listed and purged at once: their purges share commits. */
const PAGE = 128;

/**
 * Purges every version and marker of the key and of the keys below it, each as DeleteObject with its version id would: with
 * its own rights, and replicated as the rules say. What is written meanwhile may stay. 204, also when there is nothing.
 * Throws MethodNotAllowed in a bucket with object lock, InvalidArgument beside a version id, and the first refusal met.
 */
export async function forceDelete(request: S3Request): Promise<Reply> {
  const { bucket, key, versionId } = request.selector;
  await authorize(request, "s3:DeleteObject");
  if (versionId !== undefined) {
    throw new StoreError("InvalidArgument", { message: "A forced delete takes all versions: it cannot name one." });
  }
  const { objectLock } = await request.deps.objects.bucket(bucket);
  if (objectLock !== undefined) throw new StoreError("MethodNotAllowed");
  request.longRunning();
  if (!key.endsWith("/")) await purgeBelow(request, key, (found) => found === key);
  await purgeBelow(request, key.endsWith("/") ? key : `${key}/`, () => true);
  return NO_CONTENT;
}

/** Purges from the first key with the prefix to the last that `belongs`; those that do not follow after them. */
async function purgeBelow(request: S3Request, prefix: string, belongs: (key: string) => boolean): Promise<void> {
  const { bucket, deps } = request;
  let marker: { keyMarker: string; versionIdMarker?: VersionId | undefined } = { keyMarker: "" };
  for (;;) {
    const page = await deps.objects.listVersions({ bucket, prefix, delimiter: "", maxKeys: PAGE, ...marker });
    const found = page.versions.map(({ version }) => version);
    const ours = found.filter((version) => belongs(version.key));
    const outcomes = await deleteAll(
      request,
      ours.map(({ key, versionId }) => ({ key, versionId })),
      undefined,
    );
    for (const outcome of outcomes) {
      if ("code" in outcome) throw new StoreError(outcome.code, { message: outcome.message });
    }
    if (!page.truncated || ours.length < found.length || page.nextKeyMarker === undefined) return;
    marker = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker };
  }
}
