/** Versioning, tags and policy of a bucket (s3-api.md sections 9, 15, 18). */
import { StoreError } from "../../model/errors.ts";
import { parseBucketPolicy } from "../../iam/policy.ts";
import { isPublicPolicy } from "../../iam/public-policy.ts";
import { parseTagging, parseVersioning, renderTagging, renderVersioning } from "../../protocol/s3-xml-bucket.ts";
import { authorize } from "../authorize.ts";
import { hasBody, readCheckedDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX, POLICY_BYTES_MAX } from "../limits.ts";
import { EMPTY_OK, jsonReply, NO_CONTENT, xmlReply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";
import { BUCKET_TAGS_MAX, checkedTags } from "../tags.ts";

export const getBucketVersioning: Operation = {
  name: "GetBucketVersioning",
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetBucketVersioning");
    return xmlReply(renderVersioning((await request.deps.objects.bucket(bucket)).versioning));
  },
};

export const putBucketVersioning: Operation = {
  name: "PutBucketVersioning",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketVersioning");
    const versioning = parseVersioning(await readCheckedDocument(request, DOCUMENT_BYTES_MAX));
    await request.deps.objects.updateBucket(name, (bucket) => {
      if (versioning.status !== "Enabled" && bucket.replication !== undefined) {
        throw new StoreError("InvalidBucketState", {
          message: "A replication configuration is present on this bucket, bucket wide versioning cannot be suspended.",
        });
      }
      return { ...bucket, versioning };
    });
    return EMPTY_OK;
  },
};

export const getBucketTagging: Operation = {
  name: "GetBucketTagging",
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetBucketTagging");
    const { tags } = await request.deps.objects.bucket(bucket);
    if (tags === undefined) throw new StoreError("NoSuchTagSet");
    return xmlReply(renderTagging(tags));
  },
};

export const putBucketTagging: Operation = {
  name: "PutBucketTagging",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketTagging");
    const sent = parseTagging(await readCheckedDocument(request, DOCUMENT_BYTES_MAX));
    const tags = checkedTags(Object.entries(sent), BUCKET_TAGS_MAX);
    await request.deps.objects.updateBucket(name, (bucket) => ({ ...bucket, tags }));
    return EMPTY_OK;
  },
};

export const deleteBucketTagging: Operation = {
  name: "DeleteBucketTagging",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketTagging");
    await request.deps.objects.updateBucket(name, ({ tags: _removed, ...bucket }) => bucket);
    return NO_CONTENT;
  },
};

async function policyOf(request: S3Request): Promise<string> {
  const { policy } = await request.deps.objects.bucket(request.bucket);
  if (policy === undefined) throw new StoreError("NoSuchBucketPolicy");
  return policy;
}

export const getBucketPolicy: Operation = {
  name: "GetBucketPolicy",
  async run(request) {
    await authorize(request, "s3:GetBucketPolicy");
    return jsonReply(await policyOf(request));
  },
};

export const putBucketPolicy: Operation = {
  name: "PutBucketPolicy",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketPolicy");
    if (!hasBody(request.incoming)) throw new StoreError("MissingContentLength");
    if (Number(request.header("content-length") ?? 0) > POLICY_BYTES_MAX) throw new StoreError("PolicyTooLarge");
    const policy = (await readCheckedDocument(request, POLICY_BYTES_MAX)).toString("utf8");
    const isPublic = isPublicPolicy(parseBucketPolicy(policy, name));
    await request.deps.objects.updateBucket(name, (bucket) => {
      if (isPublic && bucket.publicAccessBlock?.blockPublicPolicy) throw new StoreError("AccessDenied");
      return { ...bucket, policy };
    });
    return NO_CONTENT;
  },
};

export const deleteBucketPolicy: Operation = {
  name: "DeleteBucketPolicy",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:DeleteBucketPolicy");
    await request.deps.objects.updateBucket(name, ({ policy: _removed, ...bucket }) => bucket);
    return NO_CONTENT;
  },
};
