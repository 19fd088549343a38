/** Routes of remote targets and of what still has to reach them (admin-api.md 4.1, 5.1). */
import { z } from "zod";
import { StoreError } from "../model/errors.ts";
import type { Arn } from "../model/names.ts";
import { RESILVER_DROPPED } from "../protocol/replication-headers.ts";
import type { VerifyLevel } from "../verify/seen.ts";
import type { Answer } from "./answer.ts";
import { json, NO_CONTENT } from "./answer.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";
import { TARGET_FLAGS } from "./targets-api.ts";

async function setTarget(request: AdminRequest): Promise<Answer> {
  const { bucket } = request;
  // A bucket that is not there is said before the body is looked at (4.3 step 1).
  await request.deps.objects.bucket(bucket);
  const target = await request.sealedJson(z.record(z.string(), z.unknown()));
  const flags = TARGET_FLAGS.filter((flag) => request.flag(flag));
  return json(await request.deps.targets.set(bucket, target, flags));
}

async function listTargets(request: AdminRequest): Promise<Answer> {
  const bucket = request.bucketText === "" ? "" : request.bucket;
  if (bucket !== "") await request.deps.objects.bucket(bucket);
  return json(await request.deps.targets.list(bucket, request.param("type")));
}

async function removeTarget(request: AdminRequest): Promise<Answer> {
  const dropped = await request.deps.targets.remove(request.bucket, request.param("arn"));
  return dropped === 0 ? NO_CONTENT : { ...NO_CONTENT, headers: [RESILVER_DROPPED, String(dropped)] };
}

async function diff(request: AdminRequest): Promise<Answer> {
  if (request.bucketText === "") throw new StoreError("InvalidRequest", { message: "bucket is missing" });
  const arn = request.param("arn");
  const lines = await request.deps.backlog.diff(request.bucket, {
    verbose: request.flag("verbose"),
    arn: arn === "" ? undefined : arn,
    prefix: request.param("prefix"),
  });
  return { kind: "lines", lines, type: "text/plain; charset=utf-8" };
}

async function failures(request: AdminRequest): Promise<Answer> {
  const bucket = request.bucketText === "" ? undefined : request.bucket;
  return { kind: "lines", lines: await request.deps.backlog.failures(bucket), type: "text/plain; charset=utf-8" };
}

const LEVELS: readonly VerifyLevel[] = ["identity", "metadata", "bytes"];

/** Our own: proves a bucket and its target equal, or says what differs (docs/reference/verify.md). */
async function verifyTarget(request: AdminRequest): Promise<Answer> {
  const { verifier } = request.deps;
  if (verifier === undefined) throw new StoreError("NotImplemented");
  const text = request.param("level");
  const level = text === "" ? "metadata" : LEVELS.find((known) => known === text);
  if (level === undefined) throw new StoreError("InvalidArgument", { message: `level is one of ${LEVELS.join(", ")}` });
  const arn = request.param("arn") === "" ? undefined : (request.param("arn") as Arn);
  const lines = await verifier.start(request.bucket, { arn, level, prefix: request.param("prefix") });
  return { kind: "lines", lines, type: "text/plain; charset=utf-8" };
}

export const TARGET_ROUTES: readonly Route[] = [
  { method: "PUT", path: "set-remote-target", query: ["bucket"], actions: ["admin:SetBucketTarget"], run: setTarget },
  {
    method: "GET",
    path: "list-remote-targets",
    query: ["bucket", "type"],
    actions: ["admin:GetBucketTarget"],
    run: listTargets,
  },
  {
    method: "DELETE",
    path: "remove-remote-target",
    query: ["bucket", "arn"],
    actions: ["admin:SetBucketTarget"],
    run: removeTarget,
  },
  { method: "POST", path: "replication/diff", query: ["bucket"], actions: ["admin:ReplicationDiff"], run: diff },
  {
    method: "POST",
    path: "replication/verify",
    query: ["bucket"],
    actions: ["admin:ReplicationDiff"],
    run: verifyTarget,
  },
  { method: "GET", path: "replication/mrf", query: ["bucket"], actions: ["admin:ReplicationDiff"], run: failures },
];
