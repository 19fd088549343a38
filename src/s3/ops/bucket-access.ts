/** Who may reach a bucket beside its policy: public access block and object ownership. */
import { parseBucketPolicy } from "../../iam/policy.ts";
import { isPublicPolicy } from "../../iam/public-policy.ts";
import { StoreError } from "../../model/errors.ts";
import * as access from "../../protocol/s3-xml-access.ts";
import { document, tag } from "../../protocol/xml.ts";
import { checkedOwnership } from "../acl.ts";
import { authorize } from "../authorize.ts";
import { readCheckedDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { EMPTY_OK, NO_CONTENT, xmlReply } from "../reply.ts";
import type { Operation } from "../request.ts";

export const getPublicAccessBlock: Operation = {
  name: "GetPublicAccessBlock",
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetBucketPublicAccessBlock");
    const { publicAccessBlock } = await request.deps.objects.bucket(bucket);
    if (publicAccessBlock === undefined) throw new StoreError("NoSuchPublicAccessBlockConfiguration");
    return xmlReply(access.renderPublicAccessBlock(publicAccessBlock));
  },
};

export const putPublicAccessBlock: Operation = {
  name: "PutPublicAccessBlock",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketPublicAccessBlock");
    const publicAccessBlock = access.parsePublicAccessBlock(await readCheckedDocument(request, DOCUMENT_BYTES_MAX));
    await request.deps.objects.updateBucket(name, (bucket) => ({ ...bucket, publicAccessBlock }));
    return EMPTY_OK;
  },
};

/** AWS's right for it is that of setting one. */
export const deletePublicAccessBlock: Operation = {
  name: "DeletePublicAccessBlock",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketPublicAccessBlock");
    await request.deps.objects.updateBucket(name, ({ publicAccessBlock: _removed, ...bucket }) => bucket);
    return NO_CONTENT;
  },
};

export const getOwnershipControls: Operation = {
  name: "GetBucketOwnershipControls",
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetBucketOwnershipControls");
    const { ownership } = await request.deps.objects.bucket(bucket);
    if (ownership === undefined) throw new StoreError("OwnershipControlsNotFoundError");
    return xmlReply(access.renderOwnershipControls(ownership));
  },
};

export const putOwnershipControls: Operation = {
  name: "PutBucketOwnershipControls",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketOwnershipControls");
    const written = access.parseOwnershipControls(await readCheckedDocument(request, DOCUMENT_BYTES_MAX));
    const ownership = checkedOwnership(written, "MalformedXML");
    await request.deps.objects.updateBucket(name, (bucket) => ({ ...bucket, ownership }));
    return EMPTY_OK;
  },
};

export const deleteOwnershipControls: Operation = {
  name: "DeleteBucketOwnershipControls",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketOwnershipControls");
    await request.deps.objects.updateBucket(name, ({ ownership: _removed, ...bucket }) => bucket);
    return NO_CONTENT;
  },
};

export const getBucketPolicyStatus: Operation = {
  name: "GetBucketPolicyStatus",
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetBucketPolicyStatus");
    const { policy } = await request.deps.objects.bucket(bucket);
    const isPublic = policy !== undefined && isPublicPolicy(parseBucketPolicy(policy, bucket));
    return xmlReply(document("PolicyStatus", tag("IsPublic", isPublic)));
  },
};
