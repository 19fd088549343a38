/** `POST /resilver/v1/reconcile?bucket=B&call=compare|describe`: what a peer asks to find out what differs. */
import { StoreError } from "../../model/errors.ts";
import { parseBucketName } from "../../model/names.ts";
import { REQUEST_BYTES_MAX } from "../../reconcile/limits.ts";
import { allowed } from "../authorize.ts";
import { readDocument } from "../body.ts";
import type { Operation, S3Request } from "../request.ts";

/** What it tells is what a listing of versions with metadata and tags tells, or what a replication user is trusted with. */
const READS = ["s3:ListBucketVersions", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"] as const;

async function mayReconcile(request: S3Request, bucket: string): Promise<boolean> {
  if (await allowed(request, { action: "s3:ReplicateObject", bucket, key: "*" })) return true;
  for (const action of READS) {
    const key = action === "s3:ListBucketVersions" ? "" : "*";
    if (!(await allowed(request, { action, bucket, key }))) return false;
  }
  return true;
}

export const reconcile: Operation = {
  name: "Reconcile",
  async run(request) {
    if (request.identity.kind === "anonymous") throw new StoreError("AccessDenied");
    const bucket = parseBucketName(request.query.get("bucket") ?? "");
    if (!(await mayReconcile(request, bucket))) throw new StoreError("AccessDenied", { bucket });
    const frame = await readDocument(request, REQUEST_BYTES_MAX);
    const body = await request.deps.replication.reconcile(bucket, request.query.get("call") ?? "", frame);
    return { status: 200, headers: ["Content-Type", "application/octet-stream"], body };
  },
};
