/** The CORS configuration of a bucket: read, set, removed. What it does is in `../cors.ts`. */
import { StoreError } from "../../model/errors.ts";
import { parseCorsConfiguration, renderCorsConfiguration } from "../../protocol/cors-xml.ts";
import { authorize } from "../authorize.ts";
import { readCheckedDocument } from "../body.ts";
import { CORS_BYTES_MAX } from "../limits.ts";
import { EMPTY_OK, NO_CONTENT, xmlReply } from "../reply.ts";
import type { Operation } from "../request.ts";

export const getBucketCors: Operation = {
  name: "GetBucketCors",
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetBucketCors");
    const { cors } = await request.deps.objects.bucket(bucket);
    if (cors === undefined) throw new StoreError("NoSuchCORSConfiguration");
    return xmlReply(renderCorsConfiguration(cors));
  },
};

export const putBucketCors: Operation = {
  name: "PutBucketCors",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutBucketCors");
    const cors = parseCorsConfiguration(await readCheckedDocument(request, CORS_BYTES_MAX));
    await request.deps.objects.updateBucket(name, (bucket) => ({ ...bucket, cors }));
    return EMPTY_OK;
  },
};

export const deleteBucketCors: Operation = {
  name: "DeleteBucketCors",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:DeleteBucketCors");
    await request.deps.objects.updateBucket(name, ({ cors: _removed, ...bucket }) => bucket);
    return NO_CONTENT;
  },
};
