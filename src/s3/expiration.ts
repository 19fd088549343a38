/** `x-amz-expiration` of objects in buckets that have a lifecycle. */
import type { Bucket } from "../model/bucket.ts";
import { expiryOf } from "../model/lifecycle.ts";
import type { ObjectVersion } from "../model/version.ts";
import { httpDate } from "../protocol/time.ts";

/** When a current version expires, and by which rule; nothing where none says so. */
export function expirationHeaders({ lifecycle }: Bucket, version: ObjectVersion): readonly string[] {
  const expiry = lifecycle === undefined ? undefined : expiryOf(lifecycle.rules, version);
  if (expiry === undefined) return [];
  const ruleId = encodeURIComponent(expiry.ruleId);
  return ["x-amz-expiration", `expiry-date="${httpDate(expiry.atMs)}", rule-id="${ruleId}"`];
}
