/** HTTP without a socket: a real IncomingMessage for the real handlers, and a response that keeps what they write. */
import { EventEmitter } from "node:events";
import { IncomingMessage, type ServerResponse } from "node:http";
import { Writable } from "node:stream";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface HttpRequest {
  readonly method: string;
  /** Raw path and query. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; repeated ones joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The handler cut the connection instead of answering. */
export class ConnectionCut extends Error {
  override name = "ConnectionCut";
  readonly code = "ECONNRESET";
}

type Socket = ConstructorParameters<typeof IncomingMessage>[0];

/** What the handlers ask of a socket: an address and a timeout to set. It counts as destroyed, so nothing waits for its end. */
function socketLike(): Socket {
  const socket = Object.assign(new EventEmitter(), {
    remoteAddress: "10.0.0.1",
    readable: false,
    destroyed: true,
    setTimeout: () => socket,
  });
  return socket as unknown as Socket;
}

/** The parts of ServerResponse that the handlers use. */
class Response extends Writable {
  headersSent = false;
  readonly #pieces: Buffer[] = [];
  readonly #headers: Record<string, string> = {};
  #status = 0;

  writeHead(status: number, headers: readonly string[] | Readonly<Record<string, string>> = {}): this {
    this.headersSent = true;
    this.#status = status;
    const flat = Array.isArray(headers) ? (headers as readonly string[]) : Object.entries(headers).flat();
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const name = (flat[i] as string).toLowerCase();
      const before = this.#headers[name];
      this.#headers[name] = before === undefined ? (flat[i + 1] as string) : `${before}, ${flat[i + 1]}`;
    }
    return this;
  }

  flushHeaders(): void {
    this.headersSent = true;
  }

  writeContinue(): void {
    // No client of the simulator waits for it.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#pieces.push(Buffer.from(chunk));
    done();
  }

  answer(): HttpAnswer {
    return { status: this.#status, headers: this.#headers, body: Buffer.concat(this.#pieces) };
  }
}

/** One request on its way into a handler: its body is fed piece by piece, or cut. */
export class Exchange {
  /** Rejects with ConnectionCut when the handler destroyed the response. */
  readonly answered: Promise<HttpAnswer>;
  readonly #incoming: IncomingMessage;

  constructor(handler: Handler, request: HttpRequest) {
    const incoming = new IncomingMessage(socketLike());
    incoming.method = request.method;
    incoming.url = request.path;
    incoming.headers = { ...request.headers };
    this.#incoming = incoming;
    const response = new Response();
    this.answered = new Promise((resolve, reject) => {
      response.on("finish", () => resolve(response.answer()));
      response.on("close", () => {
        if (!response.writableFinished) reject(new ConnectionCut("the connection was cut"));
      });
      response.on("error", reject);
    });
    this.answered.catch(() => undefined);
    handler(incoming, response as unknown as ServerResponse);
  }

  /** As off a socket: bytes of its own, which the handler frees. */
  feed(bytes: Buffer): void {
    if (!this.#incoming.destroyed) this.#incoming.push(Buffer.from(bytes));
  }

  end(): void {
    if (this.#incoming.destroyed) return;
    this.#incoming.complete = true;
    this.#incoming.push(null);
  }

  /** The connection breaks before the end of the body. */
  cut(): void {
    this.#incoming.destroy(new ConnectionCut("the peer is gone"));
  }
}
