/** The route that tells a caller what it may see (admin-api.md 3.6). */
import type { Bucket } from "../model/bucket.ts";
import { mergedDocument, policyDocument } from "../iam/policy.ts";
import { isoMillis } from "../protocol/time.ts";
import type { Answer } from "./answer.ts";
import { json } from "./answer.ts";
import { quotaJson } from "./quota.ts";
import { backendInfo } from "./info.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";

async function accessTo(request: AdminRequest, bucket: Bucket): Promise<{ read: boolean; write: boolean }> {
  const { iam } = request.deps;
  const may = (action: string): Promise<boolean> =>
    iam.allowed(request.identity, { action, bucket: bucket.name, bucketPolicy: bucket.policy });
  const read = (await may("s3:ListBucket")) || (await may("s3:GetBucketLocation"));
  return { read, write: await may("s3:PutObject") };
}

async function bucketEntry(
  request: AdminRequest,
  bucket: Bucket,
  access: { read: boolean; write: boolean },
): Promise<object> {
  const usage = await request.deps.objects.usage(bucket);
  return {
    name: bucket.name,
    size: usage.bytes,
    objects: usage.objects,
    objectHistogram: {},
    objectsVersionsHistogram: {},
    details: {
      versioning: bucket.versioning?.status === "Enabled",
      versioningSuspended: bucket.versioning?.status === "Suspended",
      locking: bucket.objectLock !== undefined,
      replication: (bucket.replication?.rules.length ?? 0) > 0,
      tags: bucket.tags ?? null,
      quota: bucket.quota === undefined ? null : quotaJson(bucket.quota),
    },
    prefixUsage: null,
    created: isoMillis(bucket.created),
    access,
  };
}

/** What limits the caller: its session policy, or all that is mapped to its user. */
async function effectivePolicy(request: AdminRequest): Promise<object> {
  const { iam } = request.deps;
  const { identity } = request;
  if (identity.kind === "service-account" || identity.kind === "sts") {
    const kind = identity.kind === "sts" ? iam.sessions : iam.accessKeys;
    const session = (await kind.find(identity.accessKey))?.sessionPolicy;
    if (session !== undefined) return policyDocument(session);
  }
  return mergedDocument(await iam.policiesOf(identity.user));
}

async function accountInfo(request: AdminRequest): Promise<Answer> {
  const buckets: object[] = [];
  for (const bucket of await request.deps.objects.buckets()) {
    const access = await accessTo(request, bucket);
    if (access.read || access.write) buckets.push(await bucketEntry(request, bucket, access));
  }
  return json({
    AccountName: request.identity.user,
    Server: backendInfo(request.deps),
    Policy: await effectivePolicy(request),
    Buckets: buckets,
  });
}

export const ACCOUNT_ROUTES: readonly Route[] = [
  { method: "GET", path: "accountinfo", query: [], actions: "none", run: accountInfo },
];
