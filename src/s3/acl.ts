/**
 * ACLs in the one form of an account whose buckets belong to their owner alone: everything is the owner's, and requests
 * may say so or say nothing. What a request asks beyond that is refused where somebody forbade it, and has no effect
 * otherwise (s3-api.md sections 15 and 22).
 */
import type { Bucket } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import { DEFAULT_OWNER } from "../protocol/s3-xml-bucket.ts";
import { parseXml } from "../protocol/xml.ts";
import { invalidArgument, type S3Request } from "./request.ts";
import type { HeaderView } from "./attributes.ts";

const PUBLIC = ["public-read", "public-read-write", "authenticated-read"];
const CANNED = new Set([
  ...PUBLIC,
  "private",
  "aws-exec-read",
  "bucket-owner-read",
  "bucket-owner-full-control",
  "log-delivery-write",
]);
/** Canned ACLs that say what holds anyway. */
const OWNERS = new Set(["private", "bucket-owner-full-control"]);
const GRANTS = ["full-control", "read", "read-acp", "write", "write-acp"].map((name) => `x-amz-grant-${name}`);

/** `x-amz-acl`, checked; undefined when absent or empty. InvalidArgument for a word that is none. */
function cannedAcl(request: HeaderView): string | undefined {
  const canned = request.header("x-amz-acl");
  if (canned === undefined || canned === "") return undefined;
  if (!CANNED.has(canned)) throw invalidArgument(`x-amz-acl has no meaning: ${canned}`);
  return canned;
}

/** A grant to the owner: `id="..."` of nobody else. */
function grantsOwnerOnly(value: string): boolean {
  return value.split(",").every((grantee) => /^\s*id="?([0-9a-f]+)"?\s*$/.exec(grantee)?.[1] === DEFAULT_OWNER.id);
}

function grantsOf(request: HeaderView): string[] {
  return GRANTS.flatMap((name) => {
    const value = request.header(name);
    return value === undefined || value === "" ? [] : [value];
  });
}

/** A request that says nothing of ACLs, as nearly all, need not be held against its bucket. */
export function carriesAcl(request: HeaderView): boolean {
  return request.header("x-amz-acl") !== undefined || GRANTS.some((name) => request.header(name) !== undefined);
}

/**
 * For requests that write and may carry an ACL: AccessDenied for a public one where the bucket blocks those,
 * AccessControlListNotSupported where the bucket was told that the owner alone counts.
 */
export function checkAclHeaders(request: HeaderView, bucket: Pick<Bucket, "publicAccessBlock" | "ownership">): void {
  const canned = cannedAcl(request);
  const grants = canned === undefined ? grantsOf(request) : [];
  if (canned === undefined && grants.length === 0) return;
  const isPublic = canned !== undefined ? PUBLIC.includes(canned) : grants.some((value) => value.includes("uri="));
  if (isPublic && bucket.publicAccessBlock?.blockPublicAcls) throw new StoreError("AccessDenied");
  const ownersOnly = canned !== undefined ? canned === "bucket-owner-full-control" : grants.every(grantsOwnerOnly);
  if (bucket.ownership !== undefined && !ownersOnly) throw new StoreError("AccessControlListNotSupported");
}

/** For PUT of an ACL: beyond the checks of every write, only what holds anyway can be set: NotImplemented for the rest. */
export async function checkNewAcl(request: S3Request, bucket: Bucket, body: () => Promise<Buffer>): Promise<void> {
  checkAclHeaders(request, bucket);
  const canned = cannedAcl(request);
  if (canned !== undefined) {
    if (!OWNERS.has(canned)) throw new StoreError("NotImplemented");
    return;
  }
  const headers = grantsOf(request);
  if (headers.length > 0) {
    if (!headers.every(grantsOwnerOnly)) throw new StoreError("NotImplemented");
    return;
  }
  const grants =
    parseXml(await body())
      .child("AccessControlList")
      ?.all("Grant") ?? [];
  const groups = grants.some((grant) => grant.child("Grantee")?.child("URI") !== undefined);
  if (groups && bucket.publicAccessBlock?.blockPublicAcls) throw new StoreError("AccessDenied");
  const ownersOnly = grants.length > 0 && grants.every((grant) => grant.value("Permission") === "FULL_CONTROL");
  if (groups || !ownersOnly) {
    throw new StoreError(bucket.ownership === undefined ? "NotImplemented" : "AccessControlListNotSupported");
  }
}

/** ObjectOwnership. NotImplemented for the kinds that make ACLs count, `fault` for a word that is none. */
export function checkedOwnership(text: string, fault: "MalformedXML" | "InvalidArgument"): "BucketOwnerEnforced" {
  if (text === "BucketOwnerEnforced") return text;
  if (text !== "BucketOwnerPreferred" && text !== "ObjectWriter") {
    throw new StoreError(fault, { message: `${text} is no ObjectOwnership.` });
  }
  throw new StoreError("NotImplemented", {
    message: "Objects belong to the owner of their bucket here: BucketOwnerEnforced is the only ObjectOwnership.",
  });
}
