/** Resyncs of a bucket: start, plan, status, control, cancel, report (replication.md 7; docs/reference/resync.md). */
import { hasCode, StoreError } from "../../model/errors.ts";
import type { Arn } from "../../model/names.ts";
import { RESYNC_LIST_BYTES_MAX } from "../../resync/limits.ts";
import type { StartRequest } from "../../resync/prepare.ts";
import { parseLimits, parseNamed, parseOptions } from "../../resync/options.ts";
import { authorize } from "../authorize.ts";
import { hasBody, readDocument } from "../body.ts";
import { JsonStoreError } from "../render-error.ts";
import { jsonReply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";

async function allowed(request: S3Request): Promise<void> {
  await authorize(request, "s3:ResetBucketReplicationState");
  const { replication } = await request.deps.objects.bucket(request.bucket);
  if (replication === undefined) throw new StoreError("ReplicationConfigurationNotFoundError");
}

/** mc reads these refusals as JSON (replication.md 7.1). */
async function refusedAsJson<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, "BadRequest")) throw new JsonStoreError(error.code, error.detail);
    throw error;
  }
}

async function startOf(request: S3Request): Promise<StartRequest> {
  const parameter = (name: string): string | undefined => request.query.get(name);
  const body = hasBody(request.incoming) ? (await readDocument(request, RESYNC_LIST_BYTES_MAX)).toString("utf8") : "";
  return {
    arn: parameter("arn") ?? "",
    resetId: parameter("reset-id") ?? "",
    olderThan: parameter("older-than") ?? "",
    options: parseOptions(parameter),
    limits: parseLimits(parameter),
    ...(body.trim() === "" ? {} : { named: parseNamed(body) }),
  };
}

export const startResync: Operation = {
  name: "ResetBucketReplicationStart",
  async run(request) {
    await allowed(request);
    request.longRunning();
    const start = await startOf(request);
    return jsonReply(await refusedAsJson(request.deps.replication.resyncStart(request.bucket, start)));
  },
};

/** One JSON object a line: progress, at last the plan with `done`; a failure on the way is a line with `error`. */
async function* planLines(plan: AsyncIterable<object>): AsyncGenerator<Buffer> {
  try {
    for await (const line of plan) yield Buffer.from(`${JSON.stringify(line)}\n`);
  } catch (error) {
    yield Buffer.from(`${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`);
  }
}

export const planResync: Operation = {
  name: "PlanBucketReplicationReset",
  async run(request) {
    await allowed(request);
    request.longRunning();
    const gone = new AbortController();
    request.response.once("close", () => gone.abort());
    const { replication } = request.deps;
    const plan = replication.resyncPlan(request.bucket, await startOf(request), gone.signal);
    const stream = planLines(await refusedAsJson(plan));
    return { status: 200, headers: ["Content-Type", "application/x-ndjson"], stream, length: "unknown" };
  },
};

export const resyncStatus: Operation = {
  name: "ResetBucketReplicationStatus",
  async run(request) {
    await allowed(request);
    const arn = request.query.get("arn");
    return jsonReply(
      await request.deps.replication.resyncStatus(
        request.bucket,
        arn === undefined || arn === "" ? undefined : (arn as Arn),
      ),
    );
  },
};

/** `action` is pause, resume or limits; limits may be named with each. */
export const controlResync: Operation = {
  name: "ControlBucketReplicationReset",
  async run(request) {
    await allowed(request);
    const parameter = (name: string): string | undefined => request.query.get(name);
    const action = parameter("action") ?? "";
    if (!["pause", "resume", "limits"].includes(action))
      throw new StoreError("InvalidArgument", { message: "action is one of pause, resume, limits" });
    const paused = action === "limits" ? undefined : action === "pause";
    const { replication } = request.deps;
    const said = replication.resyncControl(request.bucket, parameter("arn") ?? "", {
      paused,
      limits: parseLimits(parameter),
    });
    return jsonReply(await refusedAsJson(said));
  },
};

export const cancelResync: Operation = {
  name: "ResetBucketReplicationCancel",
  async run(request) {
    await allowed(request);
    const id = await request.deps.replication.resyncCancel(request.bucket, request.query.get("arn") ?? "");
    return { status: 200, headers: ["Content-Type", "text/plain"], body: id };
  },
};

export const resyncReport: Operation = {
  name: "GetBucketReplicationResetReport",
  async run(request) {
    await allowed(request);
    const { replication } = request.deps;
    return jsonReply(await refusedAsJson(replication.resyncReport(request.bucket, request.query.get("arn") ?? "")));
  },
};
