/** Object lock: a bucket's configuration, retention and legal hold of a version (s3-api.md section 14). */
import { StoreError } from "../../model/errors.ts";
import { requireLock } from "../../model/object-lock.ts";
import * as xml from "../../protocol/s3-xml-lock.ts";
import { authorize, authorizeFor } from "../authorize.ts";
import { readCheckedDocument, requireDigest } from "../body.ts";
import { LOCK_DOCUMENT_BYTES_MAX } from "../limits.ts";
import { bypassesGovernance, checkFuture, lockConditions } from "../lock-request.ts";
import { EMPTY_OK, xmlReply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";

export const getObjectLock: Operation = {
  name: "GetObjectLockConfiguration",
  async run(request) {
    await authorize(request, "s3:GetBucketObjectLockConfiguration");
    const { objectLock } = await request.deps.objects.bucket(request.bucket);
    if (objectLock === undefined) throw new StoreError("ObjectLockConfigurationNotFoundError");
    return xmlReply(xml.renderObjectLock(objectLock));
  },
};

/** Also turns object lock on for a bucket with versioning, as AWS does. */
export const putObjectLock: Operation = {
  name: "PutObjectLockConfiguration",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketObjectLockConfiguration");
    await request.deps.objects.bucket(name);
    const objectLock = xml.parseObjectLock(await readCheckedDocument(request, LOCK_DOCUMENT_BYTES_MAX));
    const { objects, replication } = request.deps;
    await objects.updateBucket(name, await replication.lockChange(name, objectLock));
    return EMPTY_OK;
  },
};

export const getObjectRetention: Operation = {
  name: "GetObjectRetention",
  async run(request) {
    const { retention } = await lockedVersion(request, "s3:GetObjectRetention");
    if (!retention?.value) throw new StoreError("NoSuchObjectLockConfiguration");
    return xmlReply(xml.renderRetention(retention.value));
  },
};

export const getObjectLegalHold: Operation = {
  name: "GetObjectLegalHold",
  async run(request) {
    const { legalHold } = await lockedVersion(request, "s3:GetObjectLegalHold");
    if (legalHold === undefined) throw new StoreError("NoSuchObjectLockConfiguration");
    return xmlReply(xml.renderLegalHold(legalHold.value));
  },
};

async function lockedVersion(request: S3Request, action: string) {
  const { selector } = request;
  await authorize(request, action);
  requireLock(await request.deps.objects.bucket(selector.bucket));
  return (await request.deps.objects.find(selector)).version;
}

export const putObjectRetention: Operation = {
  name: "PutObjectRetention",
  async run(request) {
    const { selector, deps } = request;
    const body = await sentDocument(request, "s3:PutObjectRetention");
    const retention = xml.parseRetention(body);
    const nowMs = deps.clock.nowMs();
    const conditions = lockConditions({ retention: retention ?? undefined }, nowMs);
    await authorizeFor(request, { action: "s3:PutObjectRetention", conditions });
    requireLock(await deps.objects.bucket(selector.bucket));
    checkFuture(retention, nowMs);
    const bypassGovernance = await bypassesGovernance(request, { conditions });
    await deps.objects.setRetention(selector, retention, { bypassGovernance });
    return EMPTY_OK;
  },
};

export const putObjectLegalHold: Operation = {
  name: "PutObjectLegalHold",
  async run(request) {
    const { selector, deps } = request;
    const legalHold = xml.parseLegalHold(await sentDocument(request, "s3:PutObjectLegalHold"));
    const conditions = lockConditions({ legalHold }, deps.clock.nowMs());
    await authorizeFor(request, { action: "s3:PutObjectLegalHold", conditions });
    requireLock(await deps.objects.bucket(selector.bucket));
    await deps.objects.setLegalHold(selector, legalHold);
    return EMPTY_OK;
  },
};

/** Policies look at what the document asks for, so it is read first; strangers whom no policy knows get no further. */
async function sentDocument(request: S3Request, action: string): Promise<Buffer> {
  const { policy } = await request.deps.objects.bucket(request.bucket);
  if (request.identity.kind === "anonymous" && policy === undefined) await authorize(request, action);
  requireDigest(request);
  return readCheckedDocument(request, LOCK_DOCUMENT_BYTES_MAX);
}
