/**
 * Clients that hold a request and let the server wait: while requests are short, those that send or take next to nothing
 * are ended, so that they cannot keep everybody else out. Nothing is counted per piece: connections are looked at.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { StoreError } from "../model/errors.ts";
import { refuseSlow } from "./connection.ts";
import { PACE_BYTES_MIN } from "./limits.ts";

/** A connection, and what Node tells about it. */
export interface Connection extends Duplex {
  readonly bytesRead: number;
}

/** What the client has done of its part, in bytes. */
interface Seen {
  readonly response: ServerResponse<IncomingMessage>;
  readonly receiving: boolean;
  readonly bytes: number;
}

/** One for each listener: remembers what a connection had done when it was last looked at. */
export class Pace {
  #seen = new Map<Connection, Seen>();

  /**
   * To be called every PACE_LOOK_MS. Ends the requests whose client was waited for at this and at the last look, and that
   * moved less than PACE_BYTES_MIN between them; none while at most half of `most` requests are under way.
   */
  look(connections: Iterable<Connection>, most: number): void {
    const before = this.#seen;
    this.#seen = new Map();
    let underWay = 0;
    for (const connection of connections) {
      const response = responseUnderWay(connection);
      if (response === undefined) continue;
      underWay++;
      const now = waitedFor(connection, response);
      if (now !== undefined) this.#seen.set(connection, now);
    }
    if (underWay * 2 <= most) return this.#seen.clear();
    for (const [connection, now] of this.#seen) {
      const then = before.get(connection);
      if (then?.response !== now.response || then.receiving !== now.receiving) continue;
      if (now.bytes - then.bytes < PACE_BYTES_MIN) end(connection, now);
    }
  }
}

/** The answer, begun or not, of the request that the connection is at. */
export function responseUnderWay(connection: Duplex): ServerResponse<IncomingMessage> | undefined {
  const underWay: unknown = Reflect.get(connection, "_httpMessage");
  return underWay === null || underWay === undefined ? undefined : (underWay as ServerResponse<IncomingMessage>);
}

/** Undefined while it is the server who is waited for: a slow disk is no fault of the client. */
function waitedFor(connection: Connection, response: ServerResponse<IncomingMessage>): Seen | undefined {
  const { req: incoming } = response;
  if (!incoming.complete) {
    // Nobody reads yet, or what has come is not taken yet.
    if (incoming.readableFlowing === null || incoming.readableLength > 0) return undefined;
    return { response, receiving: true, bytes: connection.bytesRead };
  }
  if (!response.headersSent) return undefined;
  const sent = sentOf(connection);
  return sent === undefined ? undefined : { response, receiving: false, bytes: sent };
}

/** Bytes that have left for the client while more wait in the queue of its connection; undefined: nothing waits. */
function sentOf(connection: Connection): number | undefined {
  const own = handleOf(connection, "_handle");
  // Below TLS: its own count moves only when a whole piece has left, however fast the client takes it.
  const handle = own && (handleOf(own, "_parent") ?? own);
  if (handle === undefined) return undefined;
  const queued = Number(Reflect.get(handle, "writeQueueSize"));
  return queued > 0 ? Number(Reflect.get(handle, "bytesWritten")) - queued : undefined;
}

function handleOf(of: object, name: "_handle" | "_parent"): object | undefined {
  const handle: unknown = Reflect.get(of, name);
  return typeof handle === "object" && handle !== null ? handle : undefined;
}

function end(connection: Connection, { response, receiving }: Seen): void {
  const error = new StoreError("RequestTimeout");
  if (receiving) refuseSlow(connection, response, () => void response.req.destroy(error));
  else connection.destroy();
}
