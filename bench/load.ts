/**
 * A small HTTP/1.1 load generator on raw sockets: requests are made (and signed) before the clock starts, so that what is
 * measured is the server. Used by every benchmark here, against Resilver and against the bare server of the same run.
 */
import { connect, type Socket } from "node:net";

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** All of them, the shortest first. */
  readonly latencies: Float64Array;
  /** Answers that were not 2xx. */
  readonly failed: number;
  readonly bytesIn: number;
}

interface Answer {
  readonly status: number;
}

const HEADER_END = Buffer.from("\r\n\r\n");

/** One keep-alive connection; one request at a time. Bodies of answers are counted and dropped. */
export class Connection {
  readonly #socket: Socket;
  #head: Buffer[] = [];
  #bodyLeft = -1;
  #status = 0;
  #done: ((answer: Answer) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  bytesIn = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (piece: Buffer) => this.#take(piece));
    socket.on("error", (error) => this.#fail?.(error));
    socket.on("close", () => this.#fail?.(new Error("connection closed in the middle of an answer")));
  }

  static open(port: number, host: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host, () => resolve(new Connection(socket)));
      socket.once("error", reject);
    });
  }

  send(request: Buffer | readonly Buffer[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#fail = reject;
      if (Buffer.isBuffer(request)) {
        this.#socket.write(request);
        return;
      }
      this.#socket.cork();
      for (const piece of request) this.#socket.write(piece);
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#fail = undefined;
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    this.bytesIn += piece.length;
    let body = piece;
    if (this.#bodyLeft < 0) {
      this.#head.push(piece);
      const all = this.#head.length === 1 ? piece : Buffer.concat(this.#head);
      const end = all.indexOf(HEADER_END);
      if (end < 0) return;
      const head = all.toString("latin1", 0, end);
      this.#status = Number(head.slice(9, 12));
      const length = /\r\ncontent-length: (\d+)/i.exec(head);
      this.#bodyLeft = this.#status === 204 || this.#status === 304 ? 0 : Number(length?.[1] ?? 0);
      if (this.head) this.#bodyLeft = 0;
      this.#head = [];
      body = all.subarray(end + 4);
    }
    this.#bodyLeft -= body.length;
    if (this.#bodyLeft > 0) return;
    this.#bodyLeft = -1;
    const done = this.#done;
    this.#done = undefined;
    done?.({ status: this.#status });
  }

  /** Answers to HEAD have a Content-Length and no body. */
  head = false;
}

export interface LoadOptions {
  readonly port: number;
  readonly host?: string;
  readonly connections: number;
  /** All requests, in order; connections take the next one. */
  readonly requests: readonly (Buffer | readonly Buffer[])[];
  readonly head?: boolean;
}

/** Sends every request once and measures. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const connections = await Promise.all(
    Array.from({ length: options.connections }, () => Connection.open(options.port, options.host ?? "127.0.0.1")),
  );
  const latencies = new Float64Array(options.requests.length);
  let next = 0;
  let failed = 0;
  const started = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      connection.head = options.head === true;
      while (next < options.requests.length) {
        const index = next++;
        const from = performance.now();
        const answer = await connection.send(options.requests[index] as Buffer);
        latencies[index] = performance.now() - from;
        if (answer.status < 200 || answer.status > 299) failed++;
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const bytesIn = connections.reduce((sum, connection) => sum + connection.bytesIn, 0);
  for (const connection of connections) connection.close();
  latencies.sort();
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  const requests = options.requests.length;
  return { requests, seconds, perSecond: requests / seconds, p50: at(0.5), p99: at(0.99), latencies, failed, bytesIn };
}
