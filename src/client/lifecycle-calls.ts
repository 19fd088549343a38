/** The lifecycle of a bucket, from outside. */
import type { LifecycleRule } from "../model/lifecycle.ts";
import { parseLifecycle, renderLifecycle } from "../protocol/lifecycle-xml.ts";
import { parseAmzDate } from "../protocol/time.ts";
import { answeredWith } from "./errors.ts";
import { document, done, subResource, type ResourceName } from "./s3-calls.ts";
import type { S3Client } from "./s3-client.ts";

export interface BucketLifecycle {
  readonly rules: readonly LifecycleRule[];
  /** Unix milliseconds; undefined: the server does not say (it is not MinIO or Resilver). */
  readonly updatedMs: number | undefined;
}

/** Undefined: there is none. NotImplemented when a rule holds what this program has no name for: it would be lost. */
export async function getLifecycle(client: S3Client, name: ResourceName): Promise<BucketLifecycle | undefined> {
  const target = subResource(name, "lifecycle");
  const query = { ...target.query, withUpdatedAt: "true" };
  try {
    const response = await client.send({ method: "GET", ...target, query });
    const rules = parseLifecycle(await response.bytes(), () => "");
    const updated = response.headers["x-minio-lifecycleconfig-updatedat"];
    return { rules, updatedMs: updated === undefined ? undefined : parseAmzDate(updated) };
  } catch (error) {
    if (answeredWith(error, "NoSuchLifecycleConfiguration")) return undefined;
    throw error;
  }
}

/** Without rules the whole lifecycle goes. */
export async function putLifecycle(
  client: S3Client,
  name: ResourceName,
  rules: readonly LifecycleRule[],
): Promise<void> {
  const target = subResource(name, "lifecycle");
  if (rules.length === 0) await done(client, { method: "DELETE", ...target });
  else await done(client, { method: "PUT", ...target, ...document(renderLifecycle(rules)) });
}
