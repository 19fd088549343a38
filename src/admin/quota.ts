/** Routes of bucket quotas (admin-api.md 6.5): one hard limit of bytes. */
import { z } from "zod";
import type { Bucket } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import type { Answer } from "./answer.ts";
import { json, OK } from "./answer.ts";
import { PLAIN_BODY_BYTES_MAX } from "./limits.ts";
import type { AdminRequest } from "./request.ts";
import { parseJson } from "./request.ts";
import type { Route } from "./route.ts";

const bytes = z.int().nonnegative().nullish();
export const quotaBody = z.object({
  /** The older name of `size`. */
  quota: bytes,
  size: bytes,
  rate: bytes,
  requests: bytes,
  quotatype: z.string().nullish(),
});

/** Bytes asked for; undefined: no limit. InvalidRequest for kinds of limits that do not exist here. */
export function quotaOf(body: z.infer<typeof quotaBody>): number | undefined {
  if ((body.rate ?? 0) > 0 || (body.requests ?? 0) > 0) {
    throw new StoreError("InvalidRequest", {
      message: "A quota limits bytes; rates and requests cannot be limited here.",
    });
  }
  const limit = body.size || body.quota || 0;
  if (limit === 0) return undefined;
  const kind = body.quotatype ?? "";
  if (kind === "hard" || (kind === "" && (body.size ?? 0) > 0)) return limit;
  throw new StoreError("InvalidRequest", { message: "The type of a quota must be hard." });
}

/** The document of a bucket's quota, for clients old and new. */
export function quotaJson(quota: number | undefined): Record<string, unknown> {
  const limit = quota ?? 0;
  return { quota: limit, size: limit, rate: 0, requests: 0, ...(limit > 0 && { quotatype: "hard" }) };
}

export function withQuota(bucket: Bucket, quota: number | undefined): Bucket {
  const { quota: _before, ...rest } = bucket;
  return quota === undefined ? rest : { ...rest, quota };
}

async function setQuota(request: AdminRequest): Promise<Answer> {
  const { bucket } = request;
  await request.deps.objects.bucket(bucket);
  const text = await request.body(PLAIN_BODY_BYTES_MAX, "EntityTooLarge");
  const quota = quotaOf(parseJson(text, quotaBody, "InvalidRequest"));
  await request.deps.objects.updateBucket(bucket, (before) => withQuota(before, quota));
  return OK;
}

async function getQuota(request: AdminRequest): Promise<Answer> {
  return json(quotaJson((await request.deps.objects.bucket(request.bucket)).quota));
}

export const QUOTA_ROUTES: readonly Route[] = [
  { method: "PUT", path: "set-bucket-quota", query: ["bucket"], actions: ["admin:SetBucketQuota"], run: setQuota },
  { method: "GET", path: "get-bucket-quota", query: ["bucket"], actions: ["admin:GetBucketQuota"], run: getQuota },
];
