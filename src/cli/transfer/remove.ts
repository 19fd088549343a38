/** Removal of many versions in batches of DeleteObjects. */
import * as calls from "../../client/s3-calls.ts";
import { S3ResponseError, type S3Client } from "../../client/s3-client.ts";
import type { Clock } from "../../runtime/clock.ts";
import { retried } from "./calls.ts";

const BATCH_MAX = 1000;

export interface Doomed {
  readonly key: string;
  /** Undefined: the current version (a delete marker is made on a versioned bucket). */
  readonly versionId: string | undefined;
  readonly modifiedMs?: number | undefined;
}

export interface Removed extends Doomed {
  /** A delete marker was made (no version was asked for), or the removed version was one. */
  readonly deleteMarker: boolean;
  readonly deleteMarkerVersionId: string | undefined;
  /** Why the server refused this one. */
  readonly error: S3ResponseError | undefined;
}

export interface RemoveOptions {
  readonly client: S3Client;
  readonly bucket: string;
  /** Delete versions under governance too. */
  readonly bypass: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Removes what `doomed` yields; one result for each, as the answers come. */
export async function* removeAll(
  doomed: AsyncIterable<Doomed> | Iterable<Doomed>,
  options: RemoveOptions,
): AsyncIterable<Removed> {
  let batch: Doomed[] = [];
  for await (const item of doomed) {
    batch.push(item);
    if (batch.length < BATCH_MAX) continue;
    yield* await removeBatch(batch, options);
    batch = [];
  }
  if (batch.length > 0) yield* await removeBatch(batch, options);
}

async function removeBatch(batch: readonly Doomed[], options: RemoveOptions): Promise<Removed[]> {
  const { client, bucket, bypass, signal } = options;
  signal.throwIfAborted();
  const headers = bypass ? { "x-amz-bypass-governance-retention": "true" } : {};
  const objects = batch.map(({ key, versionId }) => ({ key, versionId }));
  const answer = await retried(options, () => calls.deleteObjects(client, { bucket, objects, headers, signal }));
  const name = (key: string, version: string | undefined): string => JSON.stringify([key, version ?? ""]);
  const deleted = new Map(answer.deleted.map((item) => [name(item.key, item.versionId), item]));
  const errors = new Map(answer.errors.map((item) => [name(item.key, item.versionId), item]));
  return batch.map((item): Removed => {
    const done = deleted.get(name(item.key, item.versionId));
    const fault = errors.get(name(item.key, item.versionId));
    const silent = done === undefined && fault === undefined;
    return {
      ...item,
      deleteMarker: done?.deleteMarker === true,
      deleteMarkerVersionId: done?.deleteMarkerVersionId,
      error: fault === undefined && !silent ? undefined : refusal(options, item.key, fault),
    };
  });
}

/** An item that the answer does not name was not removed as far as anybody knows. */
function refusal(
  options: RemoveOptions,
  key: string,
  fault: { readonly code: string; readonly message: string } | undefined,
): S3ResponseError {
  const { bucket } = options;
  const known = {
    code: fault?.code ?? "InternalError",
    message: fault?.message ?? "The server's answer does not name this object",
  };
  return new S3ResponseError({
    status: 200,
    ...known,
    bucket,
    key,
    resource: `/${bucket}/${key}`,
    requestId: "",
    hostId: "",
    region: "",
    server: "",
  });
}
