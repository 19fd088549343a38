/**
 * May this caller do this? One question per action; condition values are built only when somebody's policy is read.
 * s3-api.md section 15.
 */
import { parseBucketPolicy } from "../iam/policy.ts";
import { isPublicPolicy } from "../iam/public-policy.ts";
import type { Bucket } from "../model/bucket.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import { remainingDays } from "../model/object-lock.ts";
import type { Tags } from "../model/version.ts";
import type { VersionSelector } from "../objects/types.ts";
import { parseAmzDate } from "../protocol/time.ts";
import type { HeaderView } from "./attributes.ts";
import type { S3Request } from "./request.ts";

export interface Question {
  /** `s3:GetObject`, ... */
  readonly action: string;
  /** Other than the request's own, e.g. the source of a copy. Empty key: the bucket itself. */
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  readonly versionId?: string | undefined;
  /** Tags of the object acted on. */
  readonly tags?: Tags | undefined;
  /** Values of condition keys that this question adds to those of the request. */
  readonly conditions?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Only an explicit Deny refuses. */
  readonly denyOnly?: boolean | undefined;
}

const CONDITION_QUERIES = ["prefix", "delimiter", "max-keys"] as const;

function baseConditions(request: S3Request): Record<string, readonly string[]> {
  const { identity, deps } = request;
  const nowMs = deps.clock.nowMs();
  const presigned2 = request.query.has("AWSAccessKeyId");
  const presigned = presigned2 || request.query.has("X-Amz-Signature");
  const out: Record<string, readonly string[]> = {
    SourceIp: [request.client.address],
    SecureTransport: [String(request.secure)],
    UserAgent: [request.header("user-agent") ?? ""],
    Referer: [request.header("referer") ?? ""],
    CurrentTime: [new Date(nowMs).toISOString()],
    EpochTime: [String(Math.floor(nowMs / 1000))],
    principaltype: [principalType(identity.kind)],
    userid: [identity.user],
    username: [identity.user],
    authType: [presigned ? "REST-QUERY-STRING" : "REST-HEADER"],
  };
  const version2 = presigned2 || request.header("authorization")?.startsWith("AWS ");
  if (identity.kind !== "anonymous") out["signatureversion"] = [version2 ? "AWS" : "AWS4-HMAC-SHA256"];
  const signedMs = presigned ? parseAmzDate(request.query.get("X-Amz-Date") ?? "") : undefined;
  if (signedMs !== undefined) out["signatureAge"] = [String(nowMs - signedMs)];
  for (const name of CONDITION_QUERIES) {
    const value = request.query.get(name);
    if (value !== undefined) out[name] = [value];
  }
  return Object.assign(out, headerConditions(request, nowMs));
}

/** Condition values that headers give, or the fields of a form that stand for them. */
export function headerConditions(view: HeaderView, nowMs: number): Record<string, readonly string[]> {
  const out: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(view.headers)) {
    if (!name.startsWith("x-amz-") || typeof value !== "string") continue;
    if (name === "x-amz-security-token") continue;
    out[name] = [value];
    if (name.startsWith("x-amz-object-lock-")) out[name.slice("x-amz-".length)] = [value];
  }
  const untilMs = Date.parse(view.header("x-amz-object-lock-retain-until-date") ?? "");
  if (!Number.isNaN(untilMs)) out["object-lock-remaining-retention-days"] = [String(remainingDays(untilMs, nowMs))];
  const tagging = view.header("x-amz-tagging");
  if (tagging === undefined || tagging === "") return out;
  return Object.assign(out, tagConditions(new URLSearchParams(tagging)));
}

const REQUEST_TAG = "RequestObjectTag/";

/** Condition values of the tags that a request wants to set. */
export function tagConditions(
  tags: Iterable<readonly [key: string, value: string]>,
): Record<string, readonly string[]> {
  const out: Record<string, readonly string[]> = {};
  const names: string[] = [];
  for (const [key, value] of tags) {
    names.push(key);
    out[REQUEST_TAG + key] = [value];
  }
  return { ...out, RequestObjectTagKeys: names };
}

function principalType(kind: S3Request["identity"]["kind"]): string {
  switch (kind) {
    case "root":
      return "Account";
    case "anonymous":
      return "Anonymous";
    case "sts":
      return "AssumedRole";
    case "user":
    case "service-account":
      return "User";
  }
}

function conditionsFor(request: S3Request, question: Question): Record<string, readonly string[]> {
  const base = (request.conditions ??= baseConditions(request));
  const versionId = question.versionId ?? request.query.get("versionId");
  const { tags, conditions } = question;
  if (tags === undefined && conditions === undefined && (versionId === undefined || versionId === "")) return base;
  const out = { ...base, ...conditions };
  // Tags in a document are all that is asked for: a header beside it must not speak for them.
  if (conditions?.["RequestObjectTagKeys"] !== undefined) {
    for (const name in base) if (name.startsWith(REQUEST_TAG) && conditions[name] === undefined) delete out[name];
  }
  if (versionId !== undefined && versionId !== "") out["versionid"] = [versionId];
  for (const [key, value] of Object.entries(tags ?? {})) out[`ExistingObjectTag/${key}`] = [value];
  return out;
}

/** A missing bucket has no policy (the operation says NoSuchBucket after the permission check). */
async function bucketOf(request: S3Request, bucket: string): Promise<Bucket | undefined> {
  if (bucket === "") return undefined;
  if (request.bucketSeen?.name === bucket) return request.bucketSeen;
  try {
    return (request.bucketSeen = await request.deps.objects.bucket(bucket as BucketName));
  } catch (error) {
    if (hasCode(error, "NoSuchBucket")) return undefined;
    throw error;
  }
}

/** Where public access is restricted, a policy that is public allows nothing to strangers. */
function isPublic({ name, policy }: Bucket): boolean {
  return policy !== undefined && isPublicPolicy(parseBucketPolicy(policy, name));
}

/** The question is the request's own, of a key: what stands in for all keys may answer it. */
function nameOf({ target }: S3Request, question: Question): string | undefined {
  const isOwn = question.bucket === undefined && question.key === undefined && target.key !== "";
  if (!isOwn || question.tags !== undefined || question.conditions !== undefined) return undefined;
  return question.denyOnly === true ? `no Deny of ${question.action}` : question.action;
}

/** True when the caller may. Root may, unless the bucket's policy denies it to everyone (Iam.allowed knows the exceptions). */
export async function allowed(request: S3Request, question: Question): Promise<boolean> {
  const { identity, target, answers } = request;
  const name = answers && nameOf(request, question);
  const known = name === undefined ? undefined : answers?.get(name);
  if (known !== undefined) return known;
  const bucket = question.bucket ?? target.bucket;
  const key = question.key ?? target.key;
  const found = await bucketOf(request, bucket);
  const bucketPolicy = found?.policy;
  if (identity.kind === "root" && bucketPolicy === undefined) return true;
  if (identity.kind === "anonymous" && found?.publicAccessBlock?.restrictPublicBuckets && isPublic(found)) return false;
  const dependence = name === undefined ? undefined : { onRequest: false };
  const answer = await request.deps.iam.allowed(identity, {
    action: question.action,
    bucket: bucket === "" ? undefined : bucket,
    key: key === "" ? undefined : key,
    conditions: conditionsFor(request, question),
    bucketPolicy,
    denyOnly: question.denyOnly,
    dependence,
  });
  if (name !== undefined && dependence?.onRequest === false) answers?.set(name, answer);
  return answer;
}

/** Throws AccessDenied unless the caller may do `action` on what the request names. */
export function authorize(request: S3Request, action: string): Promise<void> {
  const may = request.answers?.get(action) === true && request.target.key !== "";
  return may || mayAll(request) ? MAY : authorizeFor(request, { action });
}

const MAY = Promise.resolve();

/** Root, in a bucket without a policy that was read before: asked for every version of a batch, it has no other answer. */
function mayAll({ identity, target, bucketSeen }: S3Request): boolean {
  return identity.kind === "root" && bucketSeen?.name === target.bucket && bucketSeen.policy === undefined;
}

/** The same for another resource, for tags, or for an explicit Deny only. */
export async function authorizeFor(request: S3Request, question: Question): Promise<void> {
  if (await allowed(request, question)) return;
  // A bucket that does not exist is no secret: its name could be taken. AWS says so to everyone.
  const bucket = question.bucket ?? request.target.bucket;
  if (bucket !== "" && question.action !== "s3:CreateBucket") await request.deps.objects.bucket(bucket as BucketName);
  throw accessDenied(request, question);
}

/**
 * One of two rights that stand for each other, as AWS's and the one that MinIO asks for in its place: one must be given,
 * none denied.
 */
export async function authorizeEither(request: S3Request, first: string, second: string): Promise<void> {
  await authorizeFor(request, { action: first, denyOnly: true });
  if (!(await allowed(request, { action: first }))) await authorize(request, second);
}

/** s3:PutObject; where the upload brings tags, an explicit Deny of s3:PutObjectTagging refuses too. */
export async function authorizeWrite(request: S3Request): Promise<void> {
  await authorize(request, "s3:PutObject");
  if (request.headers["x-amz-tagging"]) await authorizeFor(request, { action: "s3:PutObjectTagging", denyOnly: true });
}

/** As `authorizeFor`, of a version whose tags policies may look at. */
export async function authorizeTagged(
  request: S3Request,
  selector: VersionSelector,
  question: Question,
): Promise<void> {
  const found = await request.deps.objects.version(selector);
  const tags = found?.version.kind === "object" ? found.version.tags?.value : undefined;
  const { bucket, key } = selector;
  await authorizeFor(request, { bucket, key, versionId: selector.versionId, ...question, tags });
}

function accessDenied(request: S3Request, question: Question): StoreError {
  const bucket = question.bucket ?? request.target.bucket;
  const key = question.key ?? request.target.key;
  return new StoreError("AccessDenied", { bucket: bucket || undefined, key: key || undefined });
}
