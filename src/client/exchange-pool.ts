/**
 * Keep-alive connections to one origin for requests whose body is in hand and whose answer is wanted whole, as replication
 * sends them by the thousand: one write and one read for each, no streams, no callback for a piece. One request at a time
 * on a connection: not every server answers pipelined ones.
 */
import type { buildConnector } from "undici";
import { Fifo } from "../runtime/fifo.ts";
import { AnswerParser, type Answer } from "./answer-parser.ts";
import type { Exchange } from "./exchange.ts";

type Socket = NonNullable<Parameters<buildConnector.Callback>[1]>;

export interface PoolOptions {
  /** `http(s)://host[:port]` */
  readonly origin: string;
  /** Makes sockets that read with `READ_INTO`. */
  readonly connect: buildConnector.connector;
  /** Most connections at once; further requests wait. */
  readonly connections: number;
  /** Nothing moves for so long before the answer's head has come: it failed. */
  readonly headTimeoutMs: number;
  /** The same in the middle of an answer's body. */
  readonly bodyTimeoutMs: number;
  /** Longest that a connection is kept without a request, if the other side does not say less. */
  readonly keepAliveMs: number;
}

/** The other side closes an idle connection at its own time: ours is before that. */
const KEEP_ALIVE_MARGIN_MS = 1000;

/** Reading happens at once and in turn, so all connections share the memory: none is allocated for a read. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
const wires = new WeakMap<object, Wire>();

/** What a socket is made with to be used here. */
export const READ_INTO = {
  buffer: readBuffer,
  callback(this: object, length: number): boolean {
    wires.get(this)?.received(readBuffer.subarray(0, length));
    return true;
  },
} as const;

class ConnectionError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const closedEarly = (): Error => new ConnectionError("ECONNRESET", "the other side closed the connection");

/** One connection. */
class Wire {
  readonly #socket: Socket;
  readonly #pool: ExchangePool;
  readonly #parser = new AnswerParser();
  #exchange: Exchange | undefined;
  #isInBody = false;
  readonly #dropped = (): void => this.destroy();

  constructor(socket: Socket, pool: ExchangePool) {
    this.#socket = socket;
    this.#pool = pool;
    wires.set(socket, this);
    socket.on("timeout", () => this.#fail(new ConnectionError("ETIMEDOUT", "the other side was silent for too long")));
    socket.on("error", (error) => this.#fail(error));
    socket.on("end", () => this.#ended());
    socket.on("close", () => {
      this.#fail(closedEarly());
      pool.closed(this);
    });
  }

  send(exchange: Exchange): void {
    const [head, body] = exchange.bytes;
    this.#exchange = exchange;
    exchange.dropped = this.#dropped;
    this.#isInBody = false;
    this.#parser.begin(exchange.request.method === "HEAD");
    this.#socket.ref();
    this.#socket.setTimeout(this.#pool.options.headTimeoutMs);
    if (body !== undefined) this.#socket.cork();
    this.#socket.write(head);
    if (body === undefined) return;
    this.#socket.write(body);
    this.#socket.uncork();
  }

  received(piece: Buffer): void {
    // Nobody asked: a server that gives up on an idle connection may say so. No later answer can be trusted.
    if (this.#exchange === undefined) return this.destroy();
    let answer: Answer | undefined;
    try {
      answer = this.#parser.push(piece);
    } catch (error) {
      return this.#fail(error);
    }
    if (answer !== undefined) this.#answered(this.#exchange, answer);
    else if (this.#parser.isInBody && !this.#isInBody) {
      this.#isInBody = true;
      this.#socket.setTimeout(this.#pool.options.bodyTimeoutMs);
    }
  }

  /** Without a request: kept for the next one, unless that would come too late. */
  rest(): void {
    const { keepAliveMs } = this.#pool.options;
    const theirs = this.#parser.idleSeconds;
    const ms = theirs === undefined ? keepAliveMs : Math.min(keepAliveMs, theirs * 1000 - KEEP_ALIVE_MARGIN_MS);
    if (ms <= 0) return this.destroy();
    this.#socket.setTimeout(ms);
    // A connection at rest keeps no process alive.
    this.#socket.unref();
  }

  get isDestroyed(): boolean {
    return this.#socket.destroyed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #answered(exchange: Exchange, answer: Answer): void {
    this.#exchange = undefined;
    exchange.dropped = undefined;
    // An answer before the request is out: what is left of it must not go to waste the next one's place.
    if (this.#parser.lasts && this.#socket.writableLength === 0) this.#pool.free(this);
    else this.destroy();
    exchange.succeed(answer);
  }

  #ended(): void {
    const exchange = this.#exchange;
    const answer = exchange === undefined ? undefined : this.#parser.end();
    if (exchange !== undefined && answer !== undefined) this.#answered(exchange, answer);
    else this.#fail(closedEarly());
  }

  #fail(cause: unknown): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.destroy();
    exchange?.fail(cause);
  }
}

export class ExchangePool {
  readonly options: PoolOptions;
  readonly #url: URL;
  readonly #wires = new Set<Wire>();
  /** The one used last is used next: the others grow old and are closed. */
  readonly #idle: Wire[] = [];
  readonly #waiting = new Fifo<Exchange>();
  #opening = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.options = options;
    this.#url = new URL(options.origin);
  }

  send(exchange: Exchange): void {
    if (this.#closed) return exchange.fail(new ConnectionError("ECLOSED", "the client was closed"));
    if (exchange.isSettled) return;
    for (let wire = this.#idle.pop(); wire !== undefined; wire = this.#idle.pop())
      if (!wire.isDestroyed) return wire.send(exchange);
    this.#waiting.push(exchange);
    this.#grow();
  }

  /** Ends every connection; what is under way or waits fails. */
  close(): void {
    this.#closed = true;
    for (const exchange of this.#waiting.drain())
      exchange.fail(new ConnectionError("ECLOSED", "the client was closed"));
    for (const wire of this.#wires) wire.destroy();
  }

  /** A connection may carry the next request. */
  free(wire: Wire): void {
    const next = this.#next();
    if (next !== undefined) return wire.send(next);
    wire.rest();
    this.#idle.push(wire);
  }

  /** A connection is gone. */
  closed(wire: Wire): void {
    this.#wires.delete(wire);
    const at = this.#idle.indexOf(wire);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#grow();
  }

  #next(): Exchange | undefined {
    let next = this.#waiting.shift();
    while (next?.isSettled === true) next = this.#waiting.shift();
    return next;
  }

  #grow(): void {
    while (
      !this.#closed &&
      this.#opening < this.#waiting.length &&
      this.#opening + this.#wires.size < this.options.connections
    )
      this.#open();
  }

  #open(): void {
    const { hostname, host, protocol, port } = this.#url;
    this.#opening++;
    const opened: buildConnector.Callback = (error, socket) => {
      this.#opening--;
      // undici leaves the socket out where its type says null.
      if (error !== null) {
        // Each connection that fails ends one request: those that wait do not try for ever.
        this.#next()?.fail(error);
        this.#grow();
        return;
      }
      const wire = new Wire(socket, this);
      this.#wires.add(wire);
      if (this.#closed) wire.destroy();
      else this.free(wire);
    };
    try {
      const place = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
      this.options.connect({ hostname: place, host, protocol, port }, opened);
    } catch (error) {
      opened(error as Error, null);
    }
  }
}
