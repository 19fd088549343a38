/**
 * Sub-resources that this server has no setting for: they answer what a bucket or object without that setting answers,
 * and refuse to set one (s3-api.md 1.2, 15; captures.md 9).
 */
import { StoreError } from "../../model/errors.ts";
import { DEFAULT_OWNER, ownerXml } from "../../protocol/s3-xml-bucket.ts";
import { document, parseXml, S3_NAMESPACE, XML_PROLOG } from "../../protocol/xml.ts";
import { authorize } from "../authorize.ts";
import { readDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { EMPTY_OK, NO_CONTENT, xmlReply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";

/** GET of a sub-resource that is not set: an error of its own, once the bucket exists. */
export function unset(name: string, action: string, code: string): Operation {
  return {
    name,
    async run(request) {
      await authorize(request, action);
      await request.deps.objects.bucket(request.bucket);
      throw new StoreError(code);
    },
  };
}

/** GET of a sub-resource with a fixed answer. */
export function fixed(name: string, action: string, body: string): Operation {
  return {
    name,
    async run(request) {
      await authorize(request, action);
      await request.deps.objects.bucket(request.bucket);
      return xmlReply(body);
    },
  };
}

/** DELETE of a setting that is never set: nothing to do. */
export function nothingToDelete(name: string, action: string): Operation {
  return {
    name,
    async run(request) {
      await authorize(request, action);
      await request.deps.objects.bucket(request.bucket);
      return NO_CONTENT;
    },
  };
}

/** PUT of object lock: no bucket here was made with it. */
export const putObjectLock: Operation = {
  name: "PutObjectLockConfiguration",
  async run(request) {
    await authorize(request, "s3:PutBucketObjectLockConfiguration");
    await request.deps.objects.bucket(request.bucket);
    throw new StoreError("InvalidBucketState", {
      message: "Object Lock configuration cannot be enabled on existing buckets",
    });
  },
};

/** 501. */
export function notImplemented(name: string): Operation {
  return { name, run: () => Promise.reject(new StoreError("NotImplemented")) };
}

export const NO_NOTIFICATIONS = `<NotificationConfiguration xmlns="${S3_NAMESPACE}"></NotificationConfiguration>`;
export const NO_ACCELERATION = document("AccelerateConfiguration", "");
export const OWNER_PAYS = document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>");
export const NO_LOGGING = document("BucketLoggingStatus", "");

const OWNER_GRANT =
  `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">` +
  `<ID>${DEFAULT_OWNER.id}</ID><DisplayName>${DEFAULT_OWNER.displayName}</DisplayName></Grantee>` +
  `<Permission>FULL_CONTROL</Permission></Grant>`;
const ACL =
  `${XML_PROLOG}<AccessControlPolicy xmlns="${S3_NAMESPACE}">${ownerXml(DEFAULT_OWNER)}` +
  `<AccessControlList>${OWNER_GRANT}</AccessControlList></AccessControlPolicy>`;

const CANNED_ACLS = new Set([
  "private",
  "public-read",
  "public-read-write",
  "authenticated-read",
  "aws-exec-read",
  "bucket-owner-read",
  "bucket-owner-full-control",
  "log-delivery-write",
]);

/** Only the canned `private`, or a document whose first grant is FULL_CONTROL: everything else is 501, never ignored. */
async function checkAcl(request: S3Request): Promise<void> {
  const canned = request.header("x-amz-acl");
  if (canned !== undefined && canned !== "") {
    if (!CANNED_ACLS.has(canned)) throw new StoreError("InvalidArgument");
    if (canned !== "private") throw new StoreError("NotImplemented");
    return;
  }
  const root = parseXml(await readDocument(request, DOCUMENT_BYTES_MAX));
  const grant = root.child("AccessControlList")?.child("Grant");
  if (grant?.value("Permission") !== "FULL_CONTROL") throw new StoreError("NotImplemented");
}

export const getBucketAcl: Operation = fixed("GetBucketAcl", "s3:GetBucketPolicy", ACL);

export const putBucketAcl: Operation = {
  name: "PutBucketAcl",
  async run(request) {
    await authorize(request, "s3:PutBucketPolicy");
    await request.deps.objects.bucket(request.bucket);
    await checkAcl(request);
    return EMPTY_OK;
  },
};

export const getObjectAcl: Operation = {
  name: "GetObjectAcl",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:GetBucketPolicy");
    await request.deps.objects.find(selector);
    return xmlReply(ACL);
  },
};

export const putObjectAcl: Operation = {
  name: "PutObjectAcl",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:PutBucketPolicy");
    await request.deps.objects.find(selector);
    await checkAcl(request);
    return EMPTY_OK;
  },
};

/** Retention and legal hold: no bucket here has object lock. */
export function needsLock(name: string, action: string): Operation {
  return {
    name,
    async run(request) {
      const { selector } = request;
      await authorize(request, action);
      await request.deps.objects.find(selector);
      throw new StoreError("InvalidRequest", { message: "Bucket is missing ObjectLockConfiguration" });
    },
  };
}
