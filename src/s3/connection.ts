/** What belongs to a connection and not to one request: the order of its requests, and bytes that are no request. */
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { renderErrorXml } from "../protocol/error-document.ts";
import { errorStatus } from "../protocol/s3-errors.ts";

interface Turn {
  readonly response: ServerResponse;
  /** No request before it was in work when it came. */
  readonly first: boolean;
  readonly done: Promise<void>;
}

/** The last request of each connection that has one in work. */
const turns = new WeakMap<Duplex, Turn>();

/**
 * Runs `work`, which never rejects, after the work of earlier requests of the same connection. A client that sends
 * PUT and GET without waiting must see what it has put: RFC 9112 9.3.2 allows to work on safe methods only at once.
 */
export function inTurn(socket: Duplex, response: ServerResponse, work: () => Promise<void>): void {
  const before = turns.get(socket);
  const turn: Turn = {
    response,
    first: before === undefined,
    done: before === undefined ? work() : before.done.then(work),
  };
  turns.set(socket, turn);
  void turn.done.then(() => {
    if (turns.get(socket) === turn) turns.delete(socket);
  });
}

/** Codes of what the HTTP parser refuses. */
const CODES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "MetadataTooLarge",
  ERR_HTTP_REQUEST_TIMEOUT: "RequestTimeout",
};

/** Answers bytes that the HTTP parser could not read, and ends the connection. */
export function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
  const turn = turns.get(socket);
  // After a head that is out, or among answers to requests before it, these bytes would pass for a part of them.
  const clean = turn === undefined || (turn.first && !turn.response.headersSent);
  if (!clean || !socket.writable || error.code === "ECONNRESET") socket.destroy();
  else socket.end(refusal(error.code ?? ""), () => socket.destroy());
}

/**
 * Tells a client whose body comes too slowly so, if it can still be told; then `end` has to destroy the request. The
 * answer goes out by itself: Node gives up the connection of a request that is destroyed, and its response with it.
 */
export function refuseSlow(socket: Duplex, response: ServerResponse, end: () => void): void {
  const turn = turns.get(socket);
  const clean = !response.headersSent && (turn === undefined || turn.first) && socket.writable;
  if (clean) socket.end(refusal("ERR_HTTP_REQUEST_TIMEOUT"), end);
  else end();
}

function refusal(parserCode: string): string {
  const code = CODES[parserCode] ?? "BadRequest";
  const status = code === "RequestTimeout" ? 408 : errorStatus(code);
  const body = renderErrorXml({ code });
  const head = [`HTTP/1.1 ${status} ${status === 408 ? "Request Timeout" : "Bad Request"}`, "Connection: close"];
  head.push("Content-Type: application/xml", `Content-Length: ${Buffer.byteLength(body)}`);
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
