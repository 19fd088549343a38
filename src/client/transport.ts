/** Connections to one server: keep-alive pools of undici, TLS roots, fixed name resolution, limits of waiting. */
import { Agent, buildConnector, type Dispatcher } from "undici";
import { NetworkError } from "./errors.ts";

export interface TransportOptions {
  /** Accept any certificate (`--insecure`). */
  readonly insecureTls?: boolean | undefined;
  /** PEM roots, or where to ask for them before each new connection; absent: those of the machine. */
  readonly ca?: readonly string[] | (() => readonly string[]) | undefined;
  /** Certificate and key (PEM) that this side shows. */
  readonly identity?: { readonly cert: string; readonly key: string } | undefined;
  /** `host:port` or `host` to address (`--resolve`). */
  readonly resolve?: Readonly<Record<string, string>> | undefined;
  /** Most connections at once; default 64. */
  readonly connections?: number | undefined;
  /** No answer's head after this long is a failure; default 10 minutes (a completion may take long). */
  readonly headersTimeoutMs?: number | undefined;
  /** No byte of an answer's body for this long is a failure; default 60 s. */
  readonly bodyTimeoutMs?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
}

const CONNECTIONS = 64;
const HEADERS_TIMEOUT_MS = 600_000;
const BODY_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 15_000;

export interface TransportRequest {
  readonly origin: string;
  readonly method: string;
  /** Raw path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | AsyncIterable<Buffer> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The answer's body is gathered before the answer is given: for small ones, which need no stream of their own. */
  readonly whole?: boolean | undefined;
}

export interface S3Response {
  readonly status: number;
  /** Lower-case names; values of a repeated header joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** The body; must be read to its end, or `discard` called. */
  readonly stream: AsyncIterable<Buffer>;
  bytes(): Promise<Buffer>;
  discard(): Promise<void>;
}

export class Transport {
  readonly #agent: Agent;

  constructor(options: TransportOptions) {
    this.#agent = new Agent({
      connections: options.connections ?? CONNECTIONS,
      headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      bodyTimeout: options.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      pipelining: 1,
      connect: connectorOf(options),
    });
  }

  /** Throws NetworkError; never throws for a status. */
  async request(request: TransportRequest): Promise<S3Response> {
    if (request.whole === true) return this.#whole(request);
    let data: Dispatcher.ResponseData;
    try {
      data = await this.#agent.request({
        origin: request.origin,
        method: request.method as Dispatcher.HttpMethod,
        path: request.path,
        headers: request.headers,
        body: (request.body as Buffer | undefined) ?? null,
        signal: request.signal ?? null,
      });
    } catch (cause) {
      throw new NetworkError(`${request.method} ${request.origin}`, cause);
    }
    return responseOf(data, `${request.method} ${request.origin}`);
  }

  #whole(request: TransportRequest): Promise<S3Response> {
    return new Promise((resolve, reject) => {
      const what = `${request.method} ${request.origin}`;
      const failed = (cause: unknown): void => reject(new NetworkError(what, cause));
      const answer = new WholeAnswer(request.signal, resolve, failed);
      try {
        this.#agent.dispatch(
          {
            origin: request.origin,
            method: request.method as Dispatcher.HttpMethod,
            path: request.path,
            headers: request.headers,
            body: (request.body as Buffer | undefined) ?? null,
          },
          answer,
        );
      } catch (cause) {
        answer.fail(cause);
      }
    });
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

/**
 * Requests under way by the signal that cuts them: many share one, and a listener for each would cost more than all.
 * Not a Set: the tables that it outgrows hold on to what was in them, and each to the next, until a full collection.
 */
const cutBy = new WeakMap<AbortSignal, WholeAnswer[]>();

function underWay(signal: AbortSignal): WholeAnswer[] {
  const known = cutBy.get(signal);
  if (known !== undefined) return known;
  const answers: WholeAnswer[] = [];
  cutBy.set(signal, answers);
  signal.addEventListener(
    "abort",
    () => {
      for (const answer of answers.splice(0)) answer.cut(signal.reason);
    },
    { once: true },
  );
  return answers;
}

/** What undici tells of one request, as one answer. */
class WholeAnswer implements Dispatcher.DispatchHandler {
  readonly #resolve: (response: S3Response) => void;
  readonly #fail: (cause: unknown) => void;
  readonly #others: WholeAnswer[] | undefined;
  /** Its place among the others; below 0: it is none of them any more. */
  #at = -1;
  #controller: Dispatcher.DispatchController | undefined;
  #isCut = false;
  #reason: unknown;
  #status = 0;
  #headers: Record<string, string> = {};
  #body: Buffer | undefined;
  #more: Buffer[] | undefined;

  constructor(
    signal: AbortSignal | undefined,
    resolve: (response: S3Response) => void,
    fail: (cause: unknown) => void,
  ) {
    this.#resolve = resolve;
    this.#fail = fail;
    this.#others = signal === undefined ? undefined : underWay(signal);
    if (this.#others !== undefined) this.#at = this.#others.push(this) - 1;
    if (signal?.aborted === true) this.cut(signal.reason);
  }

  /** Ends the request, also one that waits for a connection. */
  cut(reason: unknown): void {
    this.#isCut = true;
    this.#reason = reason;
    this.#controller?.abort(reason instanceof Error ? reason : new Error("aborted"));
    this.fail(reason);
  }

  fail(cause: unknown): void {
    this.#leave();
    this.#fail(cause);
  }

  #leave(): void {
    const others = this.#others;
    if (others === undefined || others[this.#at] !== this) return;
    const last = others.pop() as WholeAnswer;
    if (last !== this) {
      others[this.#at] = last;
      last.#at = this.#at;
    }
    this.#at = -1;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isCut) this.cut(this.#reason);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#headers = joined(headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body === undefined) this.#body = chunk;
    else (this.#more ??= [this.#body]).push(chunk);
  }

  onResponseEnd(): void {
    this.#leave();
    const body = this.#more === undefined ? (this.#body ?? NO_BYTES) : Buffer.concat(this.#more);
    this.#resolve(gathered(this.#status, this.#headers, body));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }
}

const NO_BYTES = Buffer.alloc(0);

/** An answer whose body lies in memory. */
export function gathered(status: number, headers: Readonly<Record<string, string>>, body: Buffer): S3Response {
  return {
    status,
    headers,
    get stream() {
      return once(body);
    },
    bytes: () => Promise.resolve(body),
    discard: () => Promise.resolve(),
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  if (bytes.length > 0) yield bytes;
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return out;
}

function connectOptions(options: TransportOptions, ca: readonly string[] | undefined): buildConnector.BuildOptions {
  const { resolve } = options;
  return {
    timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    rejectUnauthorized: options.insecureTls !== true,
    ...(ca === undefined ? {} : { ca: [...ca] }),
    ...options.identity,
    ...(resolve === undefined ? {} : { lookup: fixedLookup(resolve) }),
  };
}

function fixedLookup(resolve: Readonly<Record<string, string>>) {
  return (
    host: string,
    _options: unknown,
    done: (error: null, addresses: { address: string; family: number }[]) => void,
  ): void => {
    const address = resolve[host] ?? host;
    done(null, [{ address, family: address.includes(":") ? 6 : 4 }]);
  };
}

/** A connector for the roots as they are now: sessions that others vouched for are not taken up again. */
function connectorOf(options: TransportOptions): buildConnector.connector | buildConnector.BuildOptions {
  const { ca } = options;
  if (typeof ca !== "function") return connectOptions(options, ca);
  let roots: readonly string[] | undefined;
  let connector: buildConnector.connector | undefined;
  return (request, done) => {
    const now = ca();
    if (connector === undefined || now !== roots) connector = buildConnector(connectOptions(options, now));
    roots = now;
    connector(request, done);
  };
}

function responseOf(data: Dispatcher.ResponseData, what: string): S3Response {
  return {
    status: data.statusCode,
    headers: joined(data.headers),
    stream: guarded(data.body as AsyncIterable<Buffer>, what),
    async bytes() {
      try {
        return Buffer.from(await data.body.arrayBuffer());
      } catch (cause) {
        throw new NetworkError(what, cause);
      }
    },
    async discard() {
      await data.body.dump().catch(() => undefined);
    },
  };
}

async function* guarded(body: AsyncIterable<Buffer>, what: string): AsyncIterable<Buffer> {
  try {
    yield* body;
  } catch (cause) {
    throw new NetworkError(what, cause);
  }
}
