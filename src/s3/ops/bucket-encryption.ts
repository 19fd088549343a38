/** Default encryption of a bucket (s3-api.md 13.4). */
import { keyNameOf } from "../../model/encryption.ts";
import { StoreError } from "../../model/errors.ts";
import { parseBucketEncryption, renderBucketEncryption } from "../../protocol/s3-xml-encryption.ts";
import { authorize } from "../authorize.ts";
import { readCheckedDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { EMPTY_OK, NO_CONTENT, xmlReply } from "../reply.ts";
import type { Operation } from "../request.ts";

export const getBucketEncryption: Operation = {
  name: "GetBucketEncryption",
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetEncryptionConfiguration");
    const { encryption } = await request.deps.objects.bucket(bucket);
    if (encryption === undefined) throw new StoreError("ServerSideEncryptionConfigurationNotFoundError");
    return xmlReply(renderBucketEncryption(encryption));
  },
};

export const putBucketEncryption: Operation = {
  name: "PutBucketEncryption",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutEncryptionConfiguration");
    const { objects } = request.deps;
    await objects.bucket(name);
    const encryption = parseBucketEncryption(await readCheckedDocument(request, DOCUMENT_BYTES_MAX));
    // A bucket must not promise what no write to it could keep.
    await objects.checkEncryptionKey(encryption.keyId === undefined ? undefined : keyNameOf(encryption.keyId));
    await objects.updateBucket(name, (bucket) => ({ ...bucket, encryption }));
    return EMPTY_OK;
  },
};

export const deleteBucketEncryption: Operation = {
  name: "DeleteBucketEncryption",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutEncryptionConfiguration");
    await request.deps.objects.updateBucket(name, ({ encryption: _removed, ...bucket }) => bucket);
    return NO_CONTENT;
  },
};
