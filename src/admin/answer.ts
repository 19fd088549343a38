/** What a route answers and how it is written: headers, sealed bodies, streams that stay alive, errors as JSON. */
import type { ServerResponse } from "node:http";
import { StoreError } from "../model/errors.ts";
import { ADMIN_ALGORITHMS, sealAdminBody, sealAdminStream } from "../protocol/admin-crypto.ts";
import type { AdminAlgorithm } from "../protocol/admin-crypto.ts";
import { renderErrorJson } from "../protocol/error-document.ts";
import { errorStatus } from "../protocol/s3-errors.ts";
import type { Clock } from "../runtime/clock.ts";
import { drained } from "../s3/reply.ts";
import type { AdminDeps } from "./deps.ts";
import { STREAM_KEEPALIVE_MS } from "./limits.ts";

/** `after`: called when the answer has left. `headers`: names and values one after another, beside the usual ones. */
export type Answer = AnswerBody & {
  readonly after?: (() => void) | undefined;
  readonly headers?: readonly string[] | undefined;
};

type AnswerBody =
  | { readonly kind: "empty"; readonly status: 200 | 204 }
  | { readonly kind: "json"; readonly value: unknown }
  /** JSON sealed with the caller's secret. */
  | { readonly kind: "sealed"; readonly value: unknown }
  | { readonly kind: "sealedText"; readonly text: string }
  /** A long JSON text, sealed and sent part by part. */
  | { readonly kind: "sealedParts"; readonly parts: AsyncIterable<string> }
  /** As `lines`, without an end of its own: `open` is given the signal that the client has gone. */
  | { readonly kind: "stream"; readonly open: (gone: AbortSignal) => AsyncIterable<object>; readonly type: string }
  /** Bytes of a type of their own: zips. */
  | { readonly kind: "bytes"; readonly bytes: Buffer; readonly type: string; readonly fileName: string }
  /** One JSON object a line. */
  | { readonly kind: "lines"; readonly lines: AsyncIterable<object>; readonly type: string };

export const OK: Answer = { kind: "empty", status: 200 };
export const NO_CONTENT: Answer = { kind: "empty", status: 204 };
export const json = (value: unknown): Answer => ({ kind: "json", value });
export const sealed = (value: unknown): Answer => ({ kind: "sealed", value });

export interface AnswerContext {
  readonly deps: AdminDeps;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** The caller's User-Agent. */
  readonly userAgent?: string | undefined;
}

/**
 * How an answer is sealed. PBKDF2 costs little, but only Go's admin client and our own read it; the SDKs of other
 * languages know the two Argon2 forms alone.
 */
function sealAlgorithm(userAgent: string | undefined): AdminAlgorithm {
  const readsAll = /madmin-go|resilver-mc/.test(userAgent ?? "");
  return readsAll ? ADMIN_ALGORITHMS.pbkdf2Aes : ADMIN_ALGORITHMS.argon2Aes;
}

/** Headers of every answer (admin-api.md 1.5). */
export function commonHeaders(deps: Pick<AdminDeps, "settings">, requestId: string): string[] {
  const { settings } = deps;
  const region = settings.region === "" ? [] : ["x-amz-bucket-region", settings.region];
  return [
    "Accept-Ranges",
    "bytes",
    "Server",
    settings.serverHeader,
    "Strict-Transport-Security",
    "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options",
    "nosniff",
    "X-Xss-Protection",
    "1; mode=block",
    "X-Amz-Request-Id",
    requestId,
    "X-Amz-Id-2",
    settings.hostId,
    ...region,
  ];
}

interface Sent {
  readonly status: number;
  readonly type?: string | undefined;
  readonly body?: Buffer | undefined;
  readonly headers?: readonly string[] | undefined;
}

function send(context: AnswerContext, { status, type, body = Buffer.alloc(0), headers = [] }: Sent): void {
  const { deps, response, requestId } = context;
  const typed = type === undefined ? [] : ["Content-Type", type];
  const length = status === 204 ? [] : ["Content-Length", String(body.length)];
  response.writeHead(status, [...commonHeaders(deps, requestId), ...typed, ...length, ...headers]);
  response.end(body);
}

async function sendSealed(context: AnswerContext, text: string, secretKey: string): Promise<void> {
  const body = await sealAdminBody(secretKey, Buffer.from(text), { algorithm: sealAlgorithm(context.userAgent) });
  send(context, { status: 200, type: "application/json", body });
}

async function sendSealedParts(context: AnswerContext, parts: AsyncIterable<string>, secretKey: string): Promise<void> {
  const { deps, response, requestId } = context;
  const plain = (async function* () {
    for await (const part of parts) yield Buffer.from(part);
  })();
  const sealed = sealAdminStream(secretKey, plain, { algorithm: sealAlgorithm(context.userAgent) });
  response.writeHead(200, [...commonHeaders(deps, requestId), "Content-Type", "application/json"]);
  try {
    for await (const fragment of sealed) {
      if (response.destroyed) return;
      if (!response.write(fragment)) await drained(response);
    }
    response.end();
  } catch (error) {
    // The status is out already; without its last fragment the body does not open.
    deps.log.error("admin answer failed", { requestId, error });
    response.destroy();
  }
}

/** Resolves when the answer is handed over; a stream, when it ended or the client went away. */
export async function sendAnswer(context: AnswerContext, answer: Answer, secretKey: string): Promise<void> {
  if (answer.after !== undefined) context.response.once("finish", answer.after);
  switch (answer.kind) {
    case "empty":
      return send(context, { status: answer.status, headers: answer.headers });
    case "json":
      return send(context, {
        status: 200,
        type: "application/json",
        body: Buffer.from(JSON.stringify(answer.value)),
        headers: answer.headers,
      });
    case "sealed":
      return sendSealed(context, JSON.stringify(answer.value), secretKey);
    case "sealedText":
      return sendSealed(context, answer.text, secretKey);
    case "sealedParts":
      return sendSealedParts(context, answer.parts, secretKey);
    case "lines":
      return sendLines(context, () => answer.lines, answer.type);
    case "stream":
      return sendLines(context, answer.open, answer.type, ["Cache-Control", "no-cache", "X-Accel-Buffering", "no"]);
    case "bytes":
      return sendBytes(context, answer);
  }
}

function sendBytes({ deps, response, requestId }: AnswerContext, answer: Extract<Answer, { kind: "bytes" }>): void {
  const { bytes, type, fileName } = answer;
  const disposition = ["Content-Disposition", `attachment; filename="${fileName}"`];
  const headers = ["Content-Type", type, "Content-Length", String(bytes.length), ...disposition];
  response.writeHead(200, [...commonHeaders(deps, requestId), ...headers]);
  response.end(bytes);
}

async function sendLines(
  context: AnswerContext,
  open: (gone: AbortSignal) => AsyncIterable<object>,
  type: string,
  headers: readonly string[] = [],
): Promise<void> {
  const { deps, response, requestId } = context;
  response.writeHead(200, [...commonHeaders(deps, requestId), "Content-Type", type, ...headers]);
  response.flushHeaders();
  const ended = new AbortController();
  response.once("close", () => ended.abort());
  void keepAlive(response, deps.clock, ended.signal);
  try {
    for await (const line of open(ended.signal)) {
      if (response.destroyed) return;
      if (!response.write(`${JSON.stringify(line)}\n`)) await drained(response);
    }
    response.end();
  } catch (error) {
    // The status is out already: a cut connection is the only way left to say that the list is not complete.
    deps.log.error("admin stream failed", { requestId, error });
    response.destroy();
  } finally {
    ended.abort();
  }
}

async function keepAlive(response: ServerResponse, clock: Clock, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await clock.sleep(STREAM_KEEPALIVE_MS, ended);
    if (ended.aborted || response.writableEnded) return;
    response.write(" ");
  }
}

/**
 * Statuses that differ from the code's usual one. A 503 makes clients repeat the call for minutes; a target that
 * refuses its credentials will not accept them the tenth time (admin-api.md 1.3, checklist 8).
 */
const STATUS_HERE: Readonly<Record<string, number>> = { XMinioAdminReplicationRemoteConnectionError: 400 };

export interface ErrorAnswer {
  readonly error: unknown;
  readonly resource: string;
  readonly bucket?: string | undefined;
  /** Overrides the status of the code. */
  readonly status?: number | undefined;
  /** The 426 for unknown routes names no request. */
  readonly anonymous?: boolean | undefined;
}

/** Writes the error document. What nobody foresaw is InternalError for the client and a line in the log. */
export function sendError(context: AnswerContext, { error, resource, bucket, status, anonymous }: ErrorAnswer): void {
  const { deps, response, requestId } = context;
  // The client is gone: nobody to tell, and nothing of ours failed.
  if (response.destroyed) return;
  const known = error instanceof StoreError ? error : new StoreError("InternalError", { cause: error });
  const code = errorStatus(known.code) === 500 ? 500 : (status ?? STATUS_HERE[known.code] ?? errorStatus(known.code));
  if (code === 500) deps.log.error("admin request failed", { resource, requestId, error });
  if (response.headersSent) return;
  const document = renderErrorJson({
    code: known.code,
    message: known.detail.message,
    key: known.detail.key,
    bucket: known.detail.bucket ?? bucket,
    resource,
    region: deps.settings.region,
    requestId: anonymous === true ? "" : requestId,
    hostId: anonymous === true ? "" : deps.settings.hostId,
    fields: known.detail.fields,
  });
  send(context, { status: code, type: "application/json", body: Buffer.from(document) });
}
