/** Buckets themselves: list, create, head, delete, location (s3-api.md section 15). */
import { hasCode, StoreError } from "../../model/errors.ts";
import type { Bucket } from "../../model/bucket.ts";
import { parseCreateBucketConfiguration, renderBucketList, renderLocation } from "../../protocol/s3-xml-bucket.ts";
import { isoMillis } from "../../protocol/time.ts";
import { checkAclHeaders, checkedOwnership } from "../acl.ts";
import { allowed, authorize, authorizeEither } from "../authorize.ts";
import { readDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { pageSize } from "../listing-parameters.ts";
import { EMPTY_OK, NO_CONTENT, xmlReply } from "../reply.ts";
import { invalidArgument, type Operation, type S3Request } from "../request.ts";
import { BUCKET_TAGS_MAX, checkedTags } from "../tags.ts";

export const listBuckets: Operation = {
  name: "ListBuckets",
  anyRegion: true,
  async run(request) {
    if (request.identity.kind === "anonymous") throw new StoreError("AccessDenied");
    const visible = await visibleBuckets(request);
    const { prefix, page, continuationToken } = pageOf(request, visible);
    const listed = page.map((bucket) => ({ name: bucket.name, created: isoMillis(bucket.created) }));
    return xmlReply(renderBucketList(listed, { prefix, continuationToken }));
  },
};

/** All of them with s3:ListAllMyBuckets, else those that the caller may look into; none left is AccessDenied. */
async function visibleBuckets(request: S3Request): Promise<Bucket[]> {
  const all = await request.deps.objects.buckets();
  if (await allowed(request, { action: "s3:ListAllMyBuckets" })) return all;
  const visible: Bucket[] = [];
  for (const bucket of all) {
    const on = { bucket: bucket.name };
    const may =
      (await allowed(request, { action: "s3:ListBucket", ...on })) ||
      (await allowed(request, { action: "s3:GetBucketLocation", ...on }));
    if (may) visible.push(bucket);
  }
  if (visible.length === 0) throw new StoreError("AccessDenied");
  return visible;
}

/** AWS's pages: `max-buckets`, `prefix`, `continuation-token` (the last name of the page before, base64). */
function pageOf(request: S3Request, buckets: readonly Bucket[]) {
  const { query } = request;
  const prefix = query.get("prefix");
  const after = Buffer.from(query.get("continuation-token") ?? "", "base64").toString("utf8");
  const limit = pageSize(query.get("max-buckets"), "max-buckets", buckets.length);
  if (limit === 0 && query.has("max-buckets")) throw invalidArgument("Argument max-buckets must be at least 1");
  const rest = buckets.filter((bucket) => bucket.name.startsWith(prefix ?? "") && bucket.name > after);
  rest.sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  const more = page.length < rest.length && last !== undefined;
  return { prefix, page, continuationToken: more ? Buffer.from(last.name).toString("base64") : undefined };
}

export const createBucket: Operation = {
  name: "CreateBucket",
  anyRegion: true,
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:CreateBucket");
    const lock = request.header("x-amz-bucket-object-lock-enabled")?.toLowerCase();
    if (lock !== undefined && lock !== "true" && lock !== "false") throw new StoreError("InvalidRequest");
    if (lock === "true")
      await authorizeParts(request, ["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"]);
    const ownership = ownershipAsked(request);
    const { region, tags: sent } = parseCreateBucketConfiguration(await readDocument(request, DOCUMENT_BYTES_MAX));
    const own = request.deps.settings.region;
    if (own !== "" && region !== "" && region !== own && !(region === "US" && own === "us-east-1"))
      throw new StoreError("InvalidRegion");
    if (sent !== undefined) await authorizeParts(request, ["s3:PutBucketTagging"]);
    const tags = sent && checkedTags(Object.entries(sent), BUCKET_TAGS_MAX);
    const owner = request.identity.user;
    await request.deps.objects.createBucket(bucket, { owner, objectLock: lock === "true", ownership, tags });
    return { status: 200, headers: ["Location", `/${bucket}`] };
  },
};

/** `x-amz-object-ownership`, and that the ACL beside it, if any, goes with it. */
function ownershipAsked(request: S3Request): Bucket["ownership"] {
  const text = request.header("x-amz-object-ownership");
  const ownership = text === undefined || text === "" ? undefined : checkedOwnership(text, "InvalidArgument");
  // A bucket begins private: the ACL that says so gives nobody anything, and tools send it beside this ownership.
  if (request.header("x-amz-acl") === "private") return ownership;
  try {
    checkAclHeaders(request, { ownership });
  } catch (error) {
    throw hasCode(error, "AccessControlListNotSupported")
      ? new StoreError("InvalidBucketAclWithObjectOwnership")
      : error;
  }
  return ownership;
}

/** The bucket begins with what these actions set later. It is not there yet, which is no reason to say so. */
async function authorizeParts(request: S3Request, actions: readonly string[]): Promise<void> {
  for (const action of actions)
    if (!(await allowed(request, { action }))) throw new StoreError("AccessDenied", { bucket: request.bucket });
}

export const headBucket: Operation = {
  name: "HeadBucket",
  anyRegion: true,
  async run(request) {
    const { bucket } = request;
    await authorizeEither(request, "s3:ListBucket", "s3:HeadBucket");
    await request.deps.objects.bucket(bucket);
    return EMPTY_OK;
  },
};

export const deleteBucket: Operation = {
  name: "DeleteBucket",
  async run(request) {
    const { bucket } = request;
    const force = request.header("x-minio-force-delete") === "true";
    await authorize(request, force ? "s3:ForceDeleteBucket" : "s3:DeleteBucket");
    if (force && (await replicates(request))) throw new StoreError("MethodNotAllowed");
    if (force) request.longRunning();
    await request.deps.objects.deleteBucket(bucket, { force });
    return NO_CONTENT;
  },
};

async function replicates(request: S3Request): Promise<boolean> {
  const { replication } = await request.deps.objects.bucket(request.bucket);
  return replication?.rules.some((rule) => rule.enabled) ?? false;
}

export const getBucketLocation: Operation = {
  name: "GetBucketLocation",
  anyRegion: true,
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetBucketLocation");
    await request.deps.objects.bucket(bucket);
    return xmlReply(renderLocation(request.deps.settings.region));
  },
};
