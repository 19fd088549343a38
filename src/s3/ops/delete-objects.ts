/** DeleteObjects: up to 1000 keys, each with a result of its own (s3-api.md section 10). */
import { asStoreError, StoreError } from "../../model/errors.ts";
import type { ObjectKey, VersionId } from "../../model/names.ts";
import { parseObjectKey, parseVersionId } from "../../model/names.ts";
import type { DeleteConditions, DeleteResult, ReplicaSource } from "../../objects/types.ts";
import { errorMessage } from "../../protocol/s3-errors.ts";
import { parseDeleteObjects, renderDeleteResult } from "../../protocol/s3-xml-objects.ts";
import type { DeletedObject, DeleteObjectsFault, ObjectToDelete } from "../../protocol/s3-xml-objects.ts";
import { authorizeFor } from "../authorize.ts";
import { hasBody, readCheckedDocument, requireDigest } from "../body.ts";
import { DELETE_BYTES_MAX } from "../limits.ts";
import { bypassesGovernance } from "../lock-request.ts";
import { parseDeleteConditions } from "../read-conditions.ts";
import { replicaSource } from "../replica.ts";
import { xmlReply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";

/** Keys in work at once: their commits share a sync. */
const PARALLEL = 64;

export const deleteObjects: Operation = {
  name: "DeleteObjects",
  async run(request) {
    if (!hasBody(request.incoming)) throw new StoreError("MissingContentLength");
    requireDigest(request);
    await refuseStrangers(request);
    const { quiet, objects } = parseDeleteObjects(await readCheckedDocument(request, DELETE_BYTES_MAX));
    const source = await replicaSource(request, "s3:ReplicateDelete");
    const results = await deleteAll(request, withoutRepeats(objects), source);
    const deleted = results.filter((result) => !("code" in result)) as DeletedObject[];
    const errors = results.filter((result) => "code" in result) as DeleteObjectsFault[];
    return xmlReply(renderDeleteResult({ deleted: quiet ? [] : deleted, errors }));
  },
};

/** Each key is asked for on its own, so the document is read first: nobody is let that far who can delete nothing. */
async function refuseStrangers(request: S3Request): Promise<void> {
  const { policy } = await request.deps.objects.bucket(request.bucket);
  if (request.identity.kind === "anonymous" && policy === undefined) throw new StoreError("AccessDenied");
}

function withoutRepeats(objects: readonly ObjectToDelete[]): ObjectToDelete[] {
  const seen = new Map<string, ObjectToDelete>();
  for (const object of objects) seen.set(`${object.versionId ?? ""}\0${object.key}`, object);
  return [...seen.values()];
}

type Outcome = DeletedObject | DeleteObjectsFault;

/** What became of each, in their order. Removals of versions first, then markers: one request may do both to a key. */
export async function deleteAll(
  request: S3Request,
  objects: readonly ObjectToDelete[],
  source: ReplicaSource | undefined,
): Promise<Outcome[]> {
  const outcomes = new Map<ObjectToDelete, Outcome>();
  for (const wave of [objects.filter((one) => one.versionId), objects.filter((one) => !one.versionId)]) {
    for (let i = 0; i < wave.length; i += PARALLEL) {
      const batch = wave.slice(i, i + PARALLEL);
      const done = await Promise.all(batch.map((one) => deleteOne(request, one, source)));
      batch.forEach((one, at) => outcomes.set(one, done[at] as Outcome));
    }
  }
  return objects.map((one) => outcomes.get(one) as Outcome);
}

async function deleteOne(
  request: S3Request,
  object: ObjectToDelete,
  source: ReplicaSource | undefined,
): Promise<Outcome> {
  const { versionId: asked } = object;
  try {
    const key = parseObjectKey(object.key);
    const versionId = asked === undefined ? undefined : versionOf(asked);
    await authorizeKey(request, key, versionId);
    const result = await request.deps.objects.delete({
      bucket: request.bucket,
      key,
      versionId,
      source,
      bypassGovernance: versionId !== undefined && (await bypassesGovernance(request, { key, versionId })),
      conditions: conditionsOf(object),
    });
    return deletedEntry(object, result);
  } catch (error) {
    const fault = asStoreError(error);
    return {
      key: object.key,
      versionId: asked,
      code: fault.code,
      message: fault.detail.message ?? errorMessage(fault.code),
    };
  }
}

/** InvalidArgument for a condition that cannot be read: ignoring it would delete what it protects. */
function conditionsOf({ etag, lastModified, size }: ObjectToDelete): DeleteConditions | undefined {
  if (etag === undefined && lastModified === undefined && size === undefined) return undefined;
  return parseDeleteConditions({ etag, lastModified, size });
}

function versionOf(text: string): VersionId {
  try {
    return parseVersionId(text);
  } catch (cause) {
    throw new StoreError("NoSuchVersion", { cause });
  }
}

async function authorizeKey(request: S3Request, key: ObjectKey, versionId: VersionId | undefined): Promise<void> {
  await authorizeFor(request, { action: "s3:DeleteObject", key, versionId });
  if (versionId !== undefined)
    await authorizeFor(request, { action: "s3:DeleteObjectVersion", key, versionId, denyOnly: true });
}

function deletedEntry(object: ObjectToDelete, result: DeleteResult): DeletedObject {
  if (object.versionId !== undefined) {
    const id = result.deleteMarker ? object.versionId : undefined;
    return {
      key: object.key,
      versionId: object.versionId,
      deleteMarker: result.deleteMarker,
      deleteMarkerVersionId: id,
    };
  }
  return {
    key: object.key,
    deleteMarker: result.deleteMarker,
    deleteMarkerVersionId: result.deleteMarker ? result.versionId : undefined,
  };
}
