/** The lifecycle of a bucket: read, set, removed (s3-api.md section 16). Who carries it out is objects/expire.ts. */
import { StoreError } from "../../model/errors.ts";
import { parseLifecycle, renderLifecycle } from "../../protocol/lifecycle-xml.ts";
import { amzDate } from "../../protocol/time.ts";
import { authorize } from "../authorize.ts";
import { readCheckedDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { EMPTY_OK, NO_CONTENT, xmlReply } from "../reply.ts";
import type { Operation } from "../request.ts";

export const getBucketLifecycle: Operation = {
  name: "GetBucketLifecycle",
  async run(request) {
    const { bucket } = request;
    await authorize(request, "s3:GetLifecycleConfiguration");
    const { lifecycle } = await request.deps.objects.bucket(bucket);
    if (lifecycle === undefined) throw new StoreError("NoSuchLifecycleConfiguration");
    // Clients parse this one form and fail on others.
    const updated = request.query.get("withUpdatedAt") === "true";
    const headers = updated ? ["X-Minio-LifecycleConfig-UpdatedAt", amzDate(lifecycle.updatedMs)] : [];
    return xmlReply(renderLifecycle(lifecycle.rules), headers);
  },
};

export const putBucketLifecycle: Operation = {
  name: "PutBucketLifecycle",
  async run(request) {
    const { bucket: name, deps } = request;
    await authorize(request, "s3:PutLifecycleConfiguration");
    const body = await readCheckedDocument(request, DOCUMENT_BYTES_MAX);
    const lifecycle = { updatedMs: deps.clock.nowMs(), rules: parseLifecycle(body, () => deps.random.uuid()) };
    await deps.objects.updateBucket(name, (bucket) => ({ ...bucket, lifecycle }));
    return EMPTY_OK;
  },
};

export const deleteBucketLifecycle: Operation = {
  name: "DeleteBucketLifecycle",
  async run(request) {
    const { bucket: name } = request;
    await authorize(request, "s3:PutLifecycleConfiguration");
    await request.deps.objects.updateBucket(name, ({ lifecycle: _removed, ...bucket }) => bucket);
    return NO_CONTENT;
  },
};
