/** One request with its body in hand, and the answer to it, whole: its bytes, its end, and what cuts it short. */
import { NetworkError } from "./errors.ts";
import type { Answer } from "./answer-parser.ts";

export interface WholeRequest {
  /** `http(s)://host[:port]` */
  readonly origin: string;
  readonly method: string;
  /** Raw path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bodies up to this size are copied behind the head: one buffer, one write. */
const JOINED_BODY_BYTES_MAX = 16 * 1024;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// oxlint-disable-next-line no-control-regex -- what no value of a field may hold
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const NOT_IN_PATH = /[^\x21-\x7e]/;
/** Told by what is sent, not by the caller. */
const OWN_FIELDS = new Set(["content-length", "connection", "transfer-encoding", "keep-alive"]);
/** Names that were found to be tokens: they are few. */
const known = new Set<string>();
const KNOWN_MAX = 1000;

/** Throws Error for what would not be one request on the wire. */
function headOf({ origin, method, path, headers, body }: WholeRequest): string {
  if (!TOKEN.test(method) || NOT_IN_PATH.test(path)) throw new Error("a method or path that no request can have");
  let head = `${method} ${path} HTTP/1.1\r\n`;
  if (headers["host"] === undefined) head += `host: ${new URL(origin).host}\r\n`;
  for (const name in headers) {
    const value = headers[name] as string;
    if (!isToken(name) || NOT_IN_VALUE.test(value)) throw new Error(`a field that no request can have: ${name}`);
    if (!OWN_FIELDS.has(name)) head += `${name}: ${value}\r\n`;
  }
  if (body !== undefined || method === "PUT" || method === "POST") head += `content-length: ${body?.length ?? 0}\r\n`;
  return `${head}\r\n`;
}

function isToken(name: string): boolean {
  if (known.has(name)) return true;
  if (!TOKEN.test(name)) return false;
  if (known.size < KNOWN_MAX) known.add(name);
  return true;
}

/** The bytes of a request: one buffer, or its head and its body. */
export type RequestBytes = readonly [Buffer, Buffer?];

function bytesOf(request: WholeRequest): RequestBytes {
  const head = headOf(request);
  const { body } = request;
  if (body === undefined) return [Buffer.from(head, "latin1")];
  if (body.length > JOINED_BODY_BYTES_MAX) return [Buffer.from(head, "latin1"), body];
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, "latin1");
  body.copy(bytes, head.length);
  return [bytes];
}

/**
 * Exchanges under way by the signal that cuts them: many share one, and a listener for each would cost more than all.
 * Not a Set: the tables that it outgrows hold on to what was in them, and each to the next, until a full collection.
 */
const cutBy = new WeakMap<AbortSignal, Exchange[]>();

function underWay(signal: AbortSignal): Exchange[] {
  const found = cutBy.get(signal);
  if (found !== undefined) return found;
  const exchanges: Exchange[] = [];
  cutBy.set(signal, exchanges);
  signal.addEventListener(
    "abort",
    () => {
      for (const exchange of exchanges.splice(0)) exchange.fail(signal.reason);
    },
    { once: true },
  );
  return exchanges;
}

/** Settled once, by whichever end comes first. */
export class Exchange {
  readonly request: WholeRequest;
  readonly bytes: RequestBytes;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: NetworkError) => void;
  readonly #others: Exchange[] | undefined;
  /** Its place among the others. */
  #at = -1;
  #isSettled = false;
  /** Whoever carries it is told when it fails, so that no answer to it is taken for another's. */
  dropped: (() => void) | undefined;

  /** `reject` gets a NetworkError; so it does when the request cannot be made. */
  constructor(request: WholeRequest, resolve: (answer: Answer) => void, reject: (error: NetworkError) => void) {
    this.request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.bytes = bytesOf(request);
    const { signal } = request;
    this.#others = signal === undefined ? undefined : underWay(signal);
    if (this.#others !== undefined) this.#at = this.#others.push(this) - 1;
    if (signal?.aborted === true) this.fail(signal.reason);
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  succeed(answer: Answer): void {
    if (!this.#settle()) return;
    this.#resolve(answer);
  }

  fail(cause: unknown): void {
    if (!this.#settle()) return;
    this.#reject(new NetworkError(`${this.request.method} ${this.request.origin}`, cause));
    this.dropped?.();
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    const others = this.#others;
    if (others === undefined || others[this.#at] !== this) return true;
    const last = others.pop() as Exchange;
    if (last !== this) {
      others[this.#at] = last;
      last.#at = this.#at;
    }
    return true;
  }
}
