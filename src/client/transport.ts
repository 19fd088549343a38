/** Connections to one server: streams by undici, small answers by exchange-pool.ts; TLS roots, fixed name resolution, limits of waiting. */
import { Agent, buildConnector, type Dispatcher } from "undici";
import { NetworkError } from "./errors.ts";
import { Exchange, type WholeRequest } from "./exchange.ts";
import { ExchangePool, READ_INTO } from "./exchange-pool.ts";

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

const isInHand = (request: TransportRequest): request is TransportRequest & WholeRequest =>
  request.body === undefined || Buffer.isBuffer(request.body);

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
  readonly #options: TransportOptions;
  readonly #agent: Agent;
  /** By origin. */
  readonly #pools = new Map<string, ExchangePool>();
  readonly #connectWhole: buildConnector.connector;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#connectWhole = connectorOf(options, { onread: READ_INTO });
    this.#agent = new Agent({
      connections: options.connections ?? CONNECTIONS,
      headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      bodyTimeout: options.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      pipelining: 1,
      connect: connectorOf(options, {}),
    });
  }

  /** Throws NetworkError; never throws for a status. */
  request(request: TransportRequest): Promise<S3Response> {
    return request.whole === true && isInHand(request) ? this.#whole(request) : this.#streamed(request);
  }

  async #streamed(request: TransportRequest): Promise<S3Response> {
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

  #whole(request: WholeRequest): Promise<S3Response> {
    return new Promise((resolve, reject) => {
      let exchange: Exchange;
      try {
        exchange = new Exchange(request, resolve, reject);
      } catch (cause) {
        return reject(new NetworkError(`${request.method} ${request.origin}`, cause));
      }
      this.#poolOf(request.origin).send(exchange);
    });
  }

  #poolOf(origin: string): ExchangePool {
    const known = this.#pools.get(origin);
    if (known !== undefined) return known;
    const { connections, headersTimeoutMs, bodyTimeoutMs } = this.#options;
    const pool = new ExchangePool({
      origin,
      connect: this.#connectWhole,
      connections: connections ?? CONNECTIONS,
      headTimeoutMs: headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      bodyTimeoutMs: bodyTimeoutMs ?? BODY_TIMEOUT_MS,
      keepAliveMs: KEEP_ALIVE_MS,
    });
    this.#pools.set(origin, pool);
    return pool;
  }

  close(): Promise<void> {
    for (const pool of this.#pools.values()) pool.close();
    return this.#agent.destroy();
  }
}

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
    timeout: CONNECT_TIMEOUT_MS,
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

interface Reading {
  readonly onread?: typeof READ_INTO;
}

/** A connector for the roots as they are now: sessions that others vouched for are not taken up again. */
function connectorOf(options: TransportOptions, more: Reading): buildConnector.connector {
  const { ca } = options;
  if (typeof ca !== "function") return buildConnector({ ...connectOptions(options, ca), ...more });
  let roots: readonly string[] | undefined;
  let connector: buildConnector.connector | undefined;
  return (request, done) => {
    const now = ca();
    if (connector === undefined || now !== roots)
      connector = buildConnector({ ...connectOptions(options, now), ...more });
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
