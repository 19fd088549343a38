/** What an operation answers, and how it is written: one writeHead, one end for small bodies, back-pressure for streams. */
import type { ServerResponse } from "node:http";

export interface Reply {
  readonly status: number;
  /** name, value, name, value, ... in addition to the common headers. */
  readonly headers: readonly string[];
  readonly body?: Buffer | string | undefined;
  /** Body in pieces; `length` is required with it, and `unknown` sends it in chunks. */
  readonly stream?: AsyncIterable<Buffer> | undefined;
  /** Content-Length when it is not that of `body`: streams and answers to HEAD. */
  readonly length?: number | "unknown" | undefined;
}

const XML = ["Content-Type", "application/xml"] as const;
const JSON_TYPE = ["Content-Type", "application/json"] as const;

/** 200 without content. */
export const EMPTY_OK: Reply = { status: 200, headers: [] };
/** 204. */
export const NO_CONTENT: Reply = { status: 204, headers: [] };

/** 200 with an XML document. */
export function xmlReply(body: string, headers: readonly string[] = []): Reply {
  return { status: 200, headers: [...XML, ...headers], body };
}

/** 200 with a JSON document. */
export function jsonReply(value: object | string): Reply {
  return { status: 200, headers: [...JSON_TYPE], body: typeof value === "string" ? value : JSON.stringify(value) };
}

/** Resolves when the response takes more bytes, or when its connection is gone. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve();
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

/** Pieces below this size may be taken without having left, whatever `write` answers. */
const SURELY_FULL_BYTES = 256 * 1024;

/** Resolves when the piece has left for the kernel, or the connection is gone: its memory is the sender's again. */
function left(response: ServerResponse, chunk: Buffer): Promise<void> | undefined {
  if (chunk.length >= SURELY_FULL_BYTES) return response.write(chunk) ? undefined : drained(response);
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("close", done);
      resolve();
    };
    response.once("close", done);
    response.write(chunk, done);
  });
}

/**
 * Sends `stream` after the head was written; a piece is done with when the next one is asked for. Returns the bytes
 * written. Stops reading when the client goes away; a failing stream rejects, and the caller must cut the connection:
 * the status is already out.
 */
export async function pump(response: ServerResponse, stream: AsyncIterable<Buffer>): Promise<number> {
  let sent = 0;
  for await (const chunk of stream) {
    if (response.destroyed) break;
    sent += chunk.length;
    const wait = left(response, chunk);
    if (wait !== undefined) await wait;
  }
  response.end();
  return sent;
}

/** Lets go of a stream that nobody will send: what it holds open is closed. */
export async function abandon(stream: AsyncIterable<Buffer>): Promise<void> {
  // A generator that was never begun would not run its end.
  for await (const _piece of stream) break;
}
