/** ACLs as they are read and set: always the owner's FULL_CONTROL (s3-api.md 1.2). The rules are in `../acl.ts`. */
import { DEFAULT_OWNER, ownerXml } from "../../protocol/s3-xml-bucket.ts";
import { S3_NAMESPACE, XML_PROLOG } from "../../protocol/xml.ts";
import { checkNewAcl } from "../acl.ts";
import { authorizeEither } from "../authorize.ts";
import { readDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { EMPTY_OK, xmlReply } from "../reply.ts";
import type { Operation } from "../request.ts";

const OWNER_GRANT =
  `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">` +
  `<ID>${DEFAULT_OWNER.id}</ID><DisplayName>${DEFAULT_OWNER.displayName}</DisplayName></Grantee>` +
  `<Permission>FULL_CONTROL</Permission></Grant>`;
const ACL =
  `${XML_PROLOG}<AccessControlPolicy xmlns="${S3_NAMESPACE}">${ownerXml(DEFAULT_OWNER)}` +
  `<AccessControlList>${OWNER_GRANT}</AccessControlList></AccessControlPolicy>`;

export const getBucketAcl: Operation = {
  name: "GetBucketAcl",
  async run(request) {
    await authorizeEither(request, "s3:GetBucketAcl", "s3:GetBucketPolicy");
    await request.deps.objects.bucket(request.bucket);
    return xmlReply(ACL);
  },
};

export const putBucketAcl: Operation = {
  name: "PutBucketAcl",
  async run(request) {
    await authorizeEither(request, "s3:PutBucketAcl", "s3:PutBucketPolicy");
    const bucket = await request.deps.objects.bucket(request.bucket);
    await checkNewAcl(request, bucket, () => readDocument(request, DOCUMENT_BYTES_MAX));
    return EMPTY_OK;
  },
};

export const getObjectAcl: Operation = {
  name: "GetObjectAcl",
  async run(request) {
    const { selector } = request;
    await authorizeEither(request, "s3:GetObjectAcl", "s3:GetBucketPolicy");
    await request.deps.objects.find(selector);
    return xmlReply(ACL);
  },
};

export const putObjectAcl: Operation = {
  name: "PutObjectAcl",
  async run(request) {
    const { selector } = request;
    await authorizeEither(request, "s3:PutObjectAcl", "s3:PutBucketPolicy");
    const { bucket } = await request.deps.objects.find(selector);
    await checkNewAcl(request, bucket, () => readDocument(request, DOCUMENT_BYTES_MAX));
    return EMPTY_OK;
  },
};
