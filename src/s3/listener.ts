/**
 * The S3 port: common headers, limits, authentication, the operation, its answer, one record per request.
 * Operations live in `ops/`, the table that finds them in `route.ts`.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { asStoreError, StoreError } from "../model/errors.ts";
import { httpTrace, type TraceRecord } from "../observe/trace.ts";
import { RESILVER_RESYNC, SOURCE_REPLICATION_REQUEST } from "../protocol/replication-headers.ts";
import { SigningKeyCache } from "../protocol/sigv4.ts";
import { authenticate } from "./authenticate.ts";
import { hasBody } from "./body.ts";
import { corsAnswer, preflight } from "./cors.ts";
import type { RequestRecord, S3Deps } from "./deps.ts";
import { inTurn, refuseUnparsed } from "./connection.ts";
import * as limits from "./limits.ts";
import { renderError } from "./render-error.ts";
import type { Reply } from "./reply.ts";
import { abandon, pump } from "./reply.ts";
import { isBackground, isSystemPath } from "./request-kinds.ts";
import { S3Request, type Operation } from "./request.ts";
import { takeHeadersOfQuery } from "./presigned-headers.ts";
import { checkHeaders } from "./request-checks.ts";
import { findOperation } from "./route.ts";
import { parseTarget, type Target } from "./target.ts";

export type S3Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Requests that came by `checkContinue`: their clients wait before sending the body. */
const waiting = new WeakSet<IncomingMessage>();

const NOWHERE: Target = { ...parseTarget("/", "", []), rawPath: "" };

interface Shared {
  readonly deps: S3Deps;
  readonly keys: SigningKeyCache;
  /** Headers that never change, as a flat list. */
  readonly common: readonly string[];
  running: number;
}

/** Handles every request of the port. Never throws and never rejects: failures are answers and records. */
export function createS3Handler(deps: S3Deps): S3Handler {
  const shared: Shared = { deps, keys: new SigningKeyCache(), common: commonHeaders(deps), running: 0 };
  return (incoming, response) => {
    const url = incoming.url ?? "/";
    if ((isSystemPath(url) || isForm(incoming, url)) && deps.fallback?.(incoming, response, url)) return;
    inTurn(incoming.socket, response, () => handle(shared, incoming, response));
  };
}

/** Nothing of S3 is posted to the root: a form there is a call of STS. */
function isForm(incoming: IncomingMessage, url: string): boolean {
  if (incoming.method !== "POST" || (url !== "/" && !url.startsWith("/?"))) return false;
  return incoming.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
}

function commonHeaders(deps: S3Deps): string[] {
  const { settings } = deps;
  const out = ["Server", settings.serverHeader, "Accept-Ranges", "bytes", "Vary", "Origin"];
  out.push("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
  out.push("X-Content-Type-Options", "nosniff", "X-Xss-Protection", "1; mode=block");
  out.push("X-Amz-Id-2", settings.hostId);
  if (settings.region !== "") out.push("x-amz-bucket-region", settings.region);
  return out;
}

/** What one request leaves behind for its record. */
interface Progress {
  request: S3Request;
  operation: string;
  error?: StoreError | undefined;
  status: number;
  bytesOut: number;
  firstByteMs: number;
  /** Headers of the answer, names and values one after another. */
  head: readonly string[];
}

async function handle(shared: Shared, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { deps } = shared;
  const startMs = deps.clock.nowMs();
  const requestId = deps.clock.nowNs().toString(16).toUpperCase();
  const request = new S3Request(deps, incoming, response, NOWHERE, requestId);
  const progress: Progress = { request, operation: "Unknown", status: 0, bytesOut: 0, firstByteMs: startMs, head: [] };
  const clients = isBackground(incoming.url ?? "/") ? undefined : deps.clients;
  shared.running++;
  clients?.begin();
  let reply: Reply | undefined;
  try {
    reply = await answer(shared, progress);
    await send(shared, progress, reply);
  } catch (error) {
    // The status line is out, or the connection is gone: cutting it is the only honest answer left.
    progress.error ??= asStoreError(error);
    response.destroy();
    // It may not have come as far as its body, whose file is open.
    if (reply?.stream !== undefined) await abandon(reply.stream).catch(() => undefined);
  } finally {
    shared.running--;
    clients?.end(deps.clock.nowMs());
    const record = recordOf(progress, startMs);
    deps.observe.request(record);
    if (deps.trace?.active === true) deps.trace.publish(traceOf(progress, record));
  }
}

/** Parse, authenticate, run; every failure becomes an error reply. */
async function answer(shared: Shared, progress: Progress): Promise<Reply> {
  const { deps } = shared;
  const { incoming, response, requestId } = progress.request;
  try {
    const target = parseTarget(incoming.url ?? "/", incoming.headers.host ?? "", deps.settings.domains);
    const request = new S3Request(deps, incoming, response, target, requestId);
    progress.request = request;
    request.expectsContinue = waiting.has(incoming);
    if (request.method === "OPTIONS") return await preflight(request);
    request.queryHeaders = takeHeadersOfQuery(request);
    if (shared.running > (deps.settings.requestsMax ?? limits.REQUESTS_MAX))
      throw new StoreError(isRead(request) ? "SlowDownRead" : "SlowDownWrite");
    const operation: Operation = findOperation(request);
    progress.operation = operation.name;
    checkHeaders(request);
    await authenticate(request, operation, shared.keys);
    return await operation.run(request);
  } catch (error) {
    progress.error = asStoreError(error);
    return renderError(progress.error, errorContext(progress.request));
  }
}

function isRead(request: S3Request): boolean {
  return request.method === "GET" || request.method === "HEAD";
}

function errorContext(request: S3Request) {
  const { settings } = request.deps;
  const { target, requestId } = request;
  const url = request.incoming.url ?? "";
  const mark = url.indexOf("?");
  return {
    method: request.method,
    resource: mark < 0 ? url : url.slice(0, mark),
    bucket: target.bucket,
    key: target.key,
    region: settings.region,
    requestId,
    hostId: settings.hostId,
  };
}

async function send(shared: Shared, progress: Progress, reply: Reply): Promise<void> {
  const { request } = progress;
  const { incoming, response, deps } = request;
  progress.status = reply.status;
  if (response.headersSent || response.destroyed) {
    if (reply.stream !== undefined) await abandon(reply.stream);
    return;
  }
  // From here on it is the client who takes its time. Streams of progress are the server's at work.
  if (request.isLong && reply.stream === undefined) incoming.socket.setTimeout(limits.IDLE_MS_MAX);
  const head = shared.common.slice();
  head.push("X-Amz-Request-Id", request.requestId);
  const most = deps.settings.requestsMax ?? limits.REQUESTS_MAX;
  head.push("X-Ratelimit-Limit", String(most), "X-Ratelimit-Remaining", String(Math.max(most - shared.running, 0)));
  if (incoming.headers.origin !== undefined) head.push(...(await corsAnswer(request, incoming.headers.origin)));
  for (const text of reply.headers) head.push(text);
  const body = reply.stream === undefined ? bodyBytes(reply) : undefined;
  const length = reply.length ?? body?.length;
  // 204 and 304 have no body, and no length of one.
  if (reply.status !== 204 && reply.status !== 304 && length !== "unknown")
    head.push("Content-Length", String(length ?? 0));
  const refused = progress.error !== undefined && !incoming.complete && hasBody(incoming);
  if (refused) head.push("Connection", "close");
  progress.head = head;
  response.writeHead(reply.status, head);
  progress.firstByteMs = request.deps.clock.nowMs();
  if (reply.stream !== undefined && request.method !== "HEAD") {
    progress.bytesOut = await pump(response, reply.stream);
    return;
  }
  progress.bytesOut = body?.length ?? 0;
  if (!refused) {
    response.end(body);
    return;
  }
  if (body !== undefined) response.write(body);
  else response.flushHeaders();
  if (!request.expectsContinue) await discard(incoming);
  response.end();
}

function bodyBytes(reply: Reply): Buffer | undefined {
  const { body } = reply;
  return typeof body === "string" ? Buffer.from(body) : body;
}

/**
 * Reads what is left of a refused body, up to a limit: closing with unread bytes would reset the connection, and the
 * client would see the reset instead of the answer.
 */
function discard(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let length = 0;
    const count = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > limits.DISCARD_BYTES_MAX) done();
    };
    const done = (): void => {
      incoming.off("data", count);
      resolve();
    };
    incoming.on("data", count);
    for (const event of ["end", "error", "close"] as const) incoming.once(event, done);
    if (incoming.destroyed || incoming.complete) done();
  });
}

function traceOf({ request, head }: Progress, record: RequestRecord): TraceRecord {
  return httpTrace({
    ...record,
    nodeName: request.deps.nodeName ?? "",
    funcName: `s3.${record.api}`,
    httpVersion: request.incoming.httpVersion,
    requestHeaders: request.headers,
    responseHeaders: head,
    client: record.remoteAddress,
    error: record.errorCode,
  });
}

function recordOf(progress: Progress, startMs: number): RequestRecord {
  const { request, error } = progress;
  const { deps, target, identity } = request;
  const cause = error?.detail.cause;
  return {
    api: progress.operation,
    method: request.method,
    url: withoutSignature(request.incoming.url ?? ""),
    bucket: target.bucket,
    key: target.key,
    status: progress.status === 0 ? 499 : progress.status,
    errorCode: error?.code ?? "",
    // SlowDown has a cause when the machine is short of something: the operator must know what.
    error: error?.code === "InternalError" ? (cause ?? error) : error?.code === "SlowDown" ? cause : undefined,
    accessKey: identity.accessKey,
    remoteAddress: request.client.address,
    userAgent: request.headers["user-agent"] ?? "",
    requestId: request.requestId,
    startMs,
    durationMs: deps.clock.nowMs() - startMs,
    timeToFirstByteMs: progress.firstByteMs - startMs,
    bytesIn: Number(request.headers["content-length"] ?? 0) || 0,
    bytesOut: progress.bytesOut,
    replication: SOURCE_REPLICATION_REQUEST in request.headers || RESILVER_RESYNC in request.headers,
  };
}

/** A presigned URL is a key to the object until it expires: its signature stays out of logs and traces. */
function withoutSignature(url: string): string {
  if (!url.includes("Signature") && !url.includes("X-Amz-S")) return url;
  return url.replace(/((?:[?&]|X-Amz-)(?:Signature|Security-Token)=)[^&]*/g, "$1***");
}

/** Options for `http.createServer` that go with `configureServer`. */
export const SERVER_OPTIONS = {
  maxHeaderSize: limits.PARSER_HEADER_BYTES_MAX,
  headersTimeout: limits.HEADERS_MS_MAX,
  keepAliveTimeout: limits.KEEP_ALIVE_MS,
  // A large upload over a slow line is no attack: connections that make no progress are ended by the idle limit.
  requestTimeout: 0,
  noDelay: true,
} as const;

/** Connection limits, idle limit and `Expect: 100-continue` for a server that serves `handler`. */
export function configureServer(server: Server, handler: S3Handler): void {
  server.maxConnections = limits.CONNECTIONS_MAX;
  server.setTimeout(limits.IDLE_MS_MAX);
  server.on("checkContinue", (incoming: IncomingMessage, response: ServerResponse) => {
    waiting.add(incoming);
    handler(incoming, response);
  });
  server.on("clientError", refuseUnparsed);
  // Other expectations are ignored, as by every S3 server; Node's own answer would be 417.
  server.on("checkExpectation", handler);
}
