/** Streams of what happens now: traces and the log (admin-api.md 6.4). They end when the client goes. */
import type { ServerResponse } from "node:http";
import { StoreError } from "../model/errors.ts";
import type { LogEntry } from "../observe/log-tail.ts";
import { httpTrace, TRACE_TYPES } from "../observe/trace.ts";
import type { TraceRecord } from "../observe/trace.ts";
import type { Answer } from "./answer.ts";
import { addressOf } from "../iam/signed-caller.ts";
import type { AdminDeps } from "./deps.ts";
import { LOG_LINES_MAX } from "./limits.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";

const EVENT_STREAM = "text/event-stream";
const NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** A duration as Go writes it (`0s`, `5ms`, `1m30s`), in ns. Undefined when it is none. */
export function goDuration(text: string): number | undefined {
  if (text === "" || text === "0") return 0;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, digits, , unit] of text.matchAll(/(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    total += Number(digits) * (NS[unit ?? ""] ?? 0);
  return total;
}

const isInternal = (record: TraceRecord): boolean => record.path === "/minio" || record.path.startsWith("/minio/");

/** Which records a follower asked for. */
export function traceFilter(request: Pick<AdminRequest, "flag" | "param">): (record: TraceRecord) => boolean {
  const all = request.flag("all");
  const wanted = {
    s3: all || request.flag("s3"),
    internal: all || request.flag("internal"),
    replication: request.flag("replication") || request.flag("replication-resync"),
  };
  const onlyErrors = request.flag("err");
  const threshold = goDuration(request.param("threshold"));
  if (threshold === undefined) throw new StoreError("InvalidArgument", { message: "threshold is not a duration" });
  return (record) => {
    const kind =
      record.type === TRACE_TYPES.replication ? wanted.replication : isInternal(record) ? wanted.internal : wanted.s3;
    if (!kind || record.dur < threshold) return false;
    return !onlyErrors || (record.error ?? "") !== "" || (record.http?.response.statuscode ?? 0) >= 400;
  };
}

async function trace(request: AdminRequest): Promise<Answer> {
  const { traces } = request.deps;
  const filter = traceFilter(request);
  const open = async function* (signal: AbortSignal): AsyncGenerator<object, void, undefined> {
    if (traces === undefined) return;
    for await (const record of traces.follow(signal)) if (filter(record)) yield record;
  };
  return { kind: "stream", open, type: EVENT_STREAM };
}

const LEVELS: Readonly<Record<LogEntry["level"], string>> = { info: "INFO", warn: "WARNING", error: "ERROR" };

/** `ConsoleMsg` makes clients print the line as it is. */
function logJson(deps: AdminDeps, entry: LogEntry): object {
  return {
    deploymentid: deps.settings.deploymentId,
    level: LEVELS[entry.level],
    errKind: "ALL",
    time: entry.time,
    message: entry.message,
    ConsoleMsg: entry.text,
    node: deps.site.nodeName,
  };
}

async function log(request: AdminRequest): Promise<Answer> {
  const { deps } = request;
  const asked = request.param("limit");
  const limit = asked === "" ? 10 : Number(asked);
  if (!Number.isInteger(limit) || limit < 0)
    throw new StoreError("InvalidArgument", { message: "limit is not a number" });
  const open = async function* (signal: AbortSignal): AsyncGenerator<object, void, undefined> {
    if (deps.logTail === undefined) return;
    // Followed before the old lines are read, so that none falls between.
    const coming = deps.logTail.feed.follow(signal);
    for (const entry of deps.logTail.newest(Math.min(limit, LOG_LINES_MAX))) yield logJson(deps, entry);
    for await (const entry of coming) yield logJson(deps, entry);
  };
  return { kind: "stream", open, type: EVENT_STREAM };
}

/** Publishes a call of the admin API when it ends, if anybody follows then. */
export function traceAdminCall(request: AdminRequest, response: ServerResponse, funcName: string): void {
  const { deps, incoming } = request;
  const { traces, clock } = deps;
  if (traces === undefined) return;
  const startMs = clock.nowMs();
  response.once("close", () => {
    if (!traces.active) return;
    const durationMs = clock.nowMs() - startMs;
    traces.publish(
      httpTrace({
        nodeName: deps.site.nodeName,
        funcName: `admin.${funcName}`,
        method: request.method,
        url: incoming.url ?? "",
        httpVersion: incoming.httpVersion,
        requestHeaders: incoming.headers,
        responseHeaders: ["X-Amz-Request-Id", request.requestId],
        client: addressOf(deps, incoming).address,
        status: response.headersSent ? response.statusCode : 499,
        startMs,
        durationMs,
        timeToFirstByteMs: durationMs,
        bytesIn: Number(request.header("content-length") ?? 0),
        bytesOut: 0,
        error: response.statusCode >= 400 ? String(response.statusCode) : "",
      }),
    );
  });
}

export const TRACE_ROUTES: readonly Route[] = [
  { method: "GET", path: "trace", query: [], actions: ["admin:ServerTrace"], run: trace },
  { method: "GET", path: "log", query: [], actions: ["admin:ConsoleLog"], run: log },
];
