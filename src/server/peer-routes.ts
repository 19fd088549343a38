/** Calls that only another Resilver makes, below `/resilver/v1/`, signed like every other request. */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { readWhole } from "../admin/body.ts";
import { requestConditions, signedCaller, type CallerDeps } from "../iam/signed-caller.ts";
import type { Iam } from "../iam/types.ts";
import { StoreError } from "../model/errors.ts";
import { parseArn, parseBucketName, parseObjectKey, parseVersionId, type BucketName } from "../model/names.ts";
import { purgeOf } from "../model/version.ts";
import { renderErrorJson } from "../protocol/error-document.ts";
import { errorMessage, errorStatus } from "../protocol/s3-errors.ts";
import { peerMark, raisePeerMark } from "../storage/peer-marks.ts";
import { damageCheckLines, type DamageCheckDeps } from "../resync/damage-check.ts";

export interface PeerDeps extends DamageCheckDeps, CallerDeps {
  readonly iam: Iam;
}

export const PEER_PREFIX = "/resilver/";

interface PeerCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bucket: BucketName;
  readonly parameters: URLSearchParams;
}

/** Most bytes of a question about purges. */
const PURGES_BYTES_MAX = 4 * 1024 * 1024;

/** `POST /resilver/v1/damage-check?bucket=B[&deep=true][&prefix=P][&dry-run=true]`: lines of progress. */
async function damageCheck(deps: PeerDeps, { response, bucket, parameters }: PeerCall): Promise<void> {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const is = (name: string): boolean => parameters.get(name) === "true";
  const options = { deep: is("deep"), dryRun: is("dry-run"), prefix: parameters.get("prefix") ?? "" };
  await pipeline(Readable.from(damageCheckLines(deps, bucket, options)), response);
}

function answerJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** `GET /resilver/v1/usage?bucket=B`: exact counts of the bucket. */
async function usage(deps: PeerDeps, { response, bucket }: PeerCall): Promise<void> {
  answerJson(response, await deps.objects.usage(await deps.objects.bucket(bucket)));
}

/**
 * `POST /resilver/v1/purges?bucket=B`, a JSON array of `{key, versionId, mtime}`: for each, in the same order, whose will
 * its purge here was (`everywhere` or `local`), null where it was not purged. `mtime` (ns in decimal, may be absent) tells
 * null versions apart.
 */
async function purges(deps: PeerDeps, { request, response, bucket }: PeerCall): Promise<void> {
  const wills: (string | null)[] = [];
  for (const { key, versionId, mtime } of parseVersions(await gathered(request))) {
    const version = { bucket, key: parseObjectKey(key), versionId: parseVersionId(versionId) };
    const stone = await deps.objects.tombstone(version);
    wills.push(stone === undefined ? null : mtime === undefined ? stone.will : (purgeOf(stone, BigInt(mtime)) ?? null));
  }
  answerJson(response, wills);
}

async function gathered(request: IncomingMessage): Promise<Buffer> {
  const body = await readWhole(request, PURGES_BYTES_MAX, "EntityTooLarge");
  const signed = request.headers["x-amz-content-sha256"];
  if (signed !== createHash("sha256").update(body).digest("hex")) throw new StoreError("XAmzContentSHA256Mismatch");
  return body;
}

function parseVersions(body: Buffer): { key: string; versionId: string; mtime?: string }[] {
  const bad = new StoreError("InvalidArgument", { message: "expected an array of objects with key and versionId" });
  let rows: unknown;
  try {
    rows = JSON.parse(body.toString("utf8"));
  } catch {
    throw bad;
  }
  if (!Array.isArray(rows)) throw bad;
  for (const row of rows as { key?: unknown; versionId?: unknown; mtime?: unknown }[]) {
    if (typeof row?.key !== "string" || typeof row.versionId !== "string") throw bad;
    if (row.mtime !== undefined && !(typeof row.mtime === "string" && /^\d{1,20}$/.test(row.mtime))) throw bad;
  }
  return rows as { key: string; versionId: string; mtime?: string }[];
}

/**
 * `GET /resilver/v1/mark?bucket=B&arn=A`: the mark that the sender with this target has left here. `POST`, with `least`
 * and `floor`: raises it first (storage/peer-marks.ts). 0: there is none.
 */
async function mark(deps: PeerDeps, { request, response, bucket, parameters }: PeerCall): Promise<void> {
  const { id: bucketId } = await deps.objects.bucket(bucket);
  const arn = parseArn(parameters.get("arn") ?? "");
  if (request.method === "GET") return answerJson(response, { mark: await peerMark(deps.index, bucketId, arn) });
  const [least, floor] = ["least", "floor"].map((name) => Number(parameters.get(name) ?? ""));
  if (!Number.isSafeInteger(least) || !Number.isSafeInteger(floor))
    throw new StoreError("InvalidArgument", { message: "least and floor are whole numbers" });
  const bounds = { least: least as number, floor: floor as number };
  answerJson(response, { mark: await raisePeerMark(deps.index, { bucketId, arn }, bounds) });
}

const CALLS: Readonly<Record<string, (deps: PeerDeps, call: PeerCall) => Promise<void>>> = {
  "POST /resilver/v1/damage-check": damageCheck,
  "GET /resilver/v1/usage": usage,
  "POST /resilver/v1/purges": purges,
  "GET /resilver/v1/mark": mark,
  "POST /resilver/v1/mark": mark,
};

/** Every call names its bucket and needs what a replication user has: s3:ReplicateObject. */
async function answer(
  deps: PeerDeps,
  request: IncomingMessage,
  response: ServerResponse,
  at: { path: string; query: string },
): Promise<void> {
  const run = CALLS[`${request.method} ${at.path}`];
  if (run === undefined) throw new StoreError("NotImplemented");
  const identity = await signedCaller(deps, request, at);
  const conditions = requestConditions(deps, request);
  const parameters = new URLSearchParams(at.query);
  const bucket = parseBucketName(parameters.get("bucket") ?? "");
  if (!(await deps.iam.allowed(identity, { action: "s3:ReplicateObject", bucket, key: "*", conditions })))
    throw new StoreError("AccessDenied");
  await deps.objects.bucket(bucket);
  await run(deps, { request, response, bucket, parameters });
}

/** Answers everything below PEER_PREFIX; returns true. */
export function createPeerHandler(
  deps: PeerDeps,
): (request: IncomingMessage, response: ServerResponse, path: string, query: string) => boolean {
  return (request, response, path, query) => {
    // Unread bodies would block the connection for the next request.
    response.once("finish", () => request.resume());
    answer(deps, request, response, { path, query }).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy();
      const code = error instanceof StoreError ? error.code : "InternalError";
      const message =
        error instanceof StoreError && error.detail.message !== undefined ? error.detail.message : errorMessage(code);
      response.writeHead(errorStatus(code), { "content-type": "application/json" });
      response.end(renderErrorJson({ code, message, resource: path, requestId: "", hostId: "" }));
    });
    return true;
  };
}
