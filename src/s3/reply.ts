/** What an operation answers, and how it is written: one writeHead, one end for small bodies, back-pressure for streams. */
import type { ServerResponse } from "node:http";

export interface Reply {
  readonly status: number;
  /** name, value, name, value, ... in addition to the common headers. */
  readonly headers: readonly string[];
  readonly body?: Buffer | string | undefined;
  /** Body in pieces; `length` is required with it. */
  readonly stream?: AsyncIterable<Buffer> | undefined;
  /** Content-Length when it is not that of `body`: streams and answers to HEAD. */
  readonly length?: number | undefined;
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

/**
 * Sends `stream` after the head was written. Returns the bytes written. Stops reading when the client goes away;
 * a failing stream rejects, and the caller must cut the connection: the status is already out.
 */
export async function pump(response: ServerResponse, stream: AsyncIterable<Buffer>): Promise<number> {
  let sent = 0;
  for await (const chunk of stream) {
    if (response.destroyed) break;
    sent += chunk.length;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
  return sent;
}
