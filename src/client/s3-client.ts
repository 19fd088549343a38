/** The outgoing S3 client: signs, sends, tells errors apart. Replication and the command line use the same one. */
import { createHash, hash } from "node:crypto";
import { amzDate } from "../protocol/time.ts";
import { encodeQueryValue, encodeS3Path } from "../protocol/uri.ts";
import { signRequest } from "../protocol/sigv4-sign.ts";
import { parseErrorDocument } from "../protocol/error-document.ts";
import { ERROR_CODE, ERROR_DESC } from "../protocol/replication-headers.ts";
import { S3ResponseError, type ErrorFields } from "./errors.ts";
import { gathered, Transport, type S3Response, type TransportOptions } from "./transport.ts";

export { NetworkError, S3ResponseError } from "./errors.ts";
export type { S3Response } from "./transport.ts";

export interface S3Endpoint extends TransportOptions {
  /** `http(s)://host[:port]`, no path. */
  readonly url: string;
  /** Empty: anonymous. */
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string | undefined;
  /** Absent: us-east-1, corrected by the server's own word. */
  readonly region?: string | undefined;
  /** `on`: path style, `off`: virtual-host style, `auto`: path style except for hosts that demand the other. */
  readonly path?: "auto" | "on" | "off" | undefined;
  readonly userAgent?: string | undefined;
  readonly extraHeaders?: Readonly<Record<string, string>> | undefined;
  /** Another way to the server than connections of this client's own: the simulator's. */
  readonly transport?: Pick<Transport, "request" | "close"> | undefined;
}

export interface S3Request {
  readonly method: string;
  readonly bucket?: string | undefined;
  /** Decoded. */
  readonly key?: string | undefined;
  /** Decoded; an empty value is sent as `name=`. */
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Lower-case names; UTF-8 text. Empty values are sent and signed. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer | { readonly stream: AsyncIterable<Buffer>; readonly length: number } | undefined;
  /** The signature binds a buffered body of any size, also over TLS. */
  readonly hashBody?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The answer's body is small, and wanted in one piece. */
  readonly whole?: boolean | undefined;
}

/** Bodies up to this size are hashed and signed over plain HTTP; larger ones travel as UNSIGNED-PAYLOAD. */
const SIGNED_BODY_BYTES_MAX = 64 * 1024;
const EMPTY_HASH = createHash("sha256").digest("hex");
const VIRTUAL_HOSTS = /(^|\.)(amazonaws\.com(\.cn)?|storage\.googleapis\.com|aliyuncs\.com)$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

export class S3Client {
  readonly endpoint: S3Endpoint;
  readonly #url: URL;
  readonly #transport: Pick<Transport, "request" | "close">;
  readonly #now: () => number;
  readonly #virtual: boolean;
  #region: string;

  constructor(endpoint: S3Endpoint, now: () => number = Date.now) {
    this.endpoint = endpoint;
    this.#url = new URL(endpoint.url);
    this.#transport = endpoint.transport ?? new Transport(endpoint);
    this.#now = now;
    this.#region = endpoint.region || "us-east-1";
    const path = endpoint.path ?? "auto";
    this.#virtual = path === "off" || (path === "auto" && VIRTUAL_HOSTS.test(this.#url.hostname));
  }

  /** `host[:port]`, without a default port. */
  get host(): string {
    return this.#url.host;
  }

  /** `host:port`, always with the port. */
  get hostAndPort(): string {
    return `${this.#url.hostname}:${this.#url.port || (DEFAULT_PORTS[this.#url.protocol] ?? "")}`;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  /** Sends once. Any status is an answer; NetworkError when there is none. */
  async request(request: S3Request): Promise<S3Response> {
    const response = await this.#once(request);
    const replayable = request.body === undefined || Buffer.isBuffer(request.body);
    if (response.status !== 400 || !replayable || request.method === "HEAD") return response;
    // A region that is not the server's: it says which one it wants.
    const bytes = await response.bytes();
    const wanted = parseErrorDocument(bytes);
    if (wanted?.code === "AuthorizationHeaderMalformed" && wanted.region && wanted.region !== this.#region) {
      this.#region = wanted.region;
      return this.#once(request);
    }
    return gathered(response.status, response.headers, bytes);
  }

  /** Sends and throws S3ResponseError unless the status is 2xx or one of `expected`. */
  async send(request: S3Request, ...expected: number[]): Promise<S3Response> {
    const response = await this.request(request);
    if ((response.status >= 200 && response.status < 300) || expected.includes(response.status)) return response;
    throw new S3ResponseError(await errorFields(request, response));
  }

  #once(request: S3Request): Promise<S3Response> {
    const { body } = request;
    const virtual = this.#virtual && request.bucket !== undefined;
    const host = virtual ? `${request.bucket}.${this.#url.host}` : this.#url.host;
    const key = request.key === undefined ? "" : encodeS3Path(request.key);
    const path = virtual || request.bucket === undefined ? `/${key}` : `/${request.bucket}/${key}`;
    const query = queryText(request.query);
    const headers: Record<string, string> = { host };
    addHeaders(headers, this.endpoint.extraHeaders);
    addHeaders(headers, request.headers);
    const length = body === undefined ? undefined : Buffer.isBuffer(body) ? body.length : body.length;
    if (length !== undefined) headers["content-length"] = String(length);
    else if (request.method === "PUT" || request.method === "POST") headers["content-length"] = "0";
    const signed = this.#sign(request, { path, query, headers });
    if (this.endpoint.userAgent !== undefined) signed["user-agent"] = this.endpoint.userAgent;
    return this.#transport.request({
      origin: `${this.#url.protocol}//${host}`,
      method: request.method,
      path: query === "" ? path : `${path}?${query}`,
      headers: signed,
      body: body === undefined || Buffer.isBuffer(body) ? body : body.stream,
      signal: request.signal,
      whole: request.whole,
    });
  }

  #sign(
    request: S3Request,
    parts: { path: string; query: string; headers: Record<string, string> },
  ): Record<string, string> {
    const { accessKey, secretKey, sessionToken } = this.endpoint;
    const nowMs = this.#now();
    if (accessKey === "") return { ...parts.headers, "x-amz-date": amzDate(nowMs) };
    return signRequest({
      ...parts,
      method: request.method,
      payloadHash: this.#payloadHash(request),
      accessKey,
      secretKey,
      sessionToken,
      region: this.#region,
      nowMs,
    });
  }

  #payloadHash({ body, hashBody }: S3Request): string {
    if (body === undefined) return EMPTY_HASH;
    const small = Buffer.isBuffer(body) && this.#url.protocol !== "https:" && body.length <= SIGNED_BODY_BYTES_MAX;
    if (!Buffer.isBuffer(body) || (!small && hashBody !== true)) return "UNSIGNED-PAYLOAD";
    return hash("sha256", body, "hex");
  }
}

function queryText(query: Readonly<Record<string, string>> | undefined): string {
  let text = "";
  for (const name in query)
    text += `${text === "" ? "" : "&"}${encodeQueryValue(name)}=${encodeQueryValue(query[name] as string)}`;
  return text;
}

// oxlint-disable-next-line no-control-regex -- all that is not ASCII
const NOT_ASCII = /[^\x00-\x7f]/;

/** As they are on the wire: one character a byte of UTF-8. */
function addHeaders(headers: Record<string, string>, more: Readonly<Record<string, string>> | undefined): void {
  for (const name in more) {
    const value = more[name] as string;
    headers[name.toLowerCase()] = NOT_ASCII.test(value) ? Buffer.from(value, "utf8").toString("latin1") : value;
  }
}

const unquote = (text: string): string => (text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text);

/** The error of an answer: from its document, or for HEAD from its headers, or from its bare status. */
export async function errorFields(request: S3Request, response: S3Response): Promise<ErrorFields> {
  const document = parseErrorDocument(await response.bytes());
  const { headers, status } = response;
  const guess =
    status === 404 ? (request.key === undefined ? "NoSuchBucket" : "NoSuchKey") : status === 403 ? "AccessDenied" : "";
  return {
    status,
    code: document?.code || headers[ERROR_CODE] || guess,
    message: document?.message || unquote(headers[ERROR_DESC] ?? ""),
    bucket: document?.bucket || (request.bucket ?? ""),
    key: document?.key || (request.key ?? ""),
    resource: document?.resource ?? "",
    requestId: document?.requestId || (headers["x-amz-request-id"] ?? ""),
    hostId: document?.hostId || (headers["x-amz-id-2"] ?? ""),
    region: document?.region || (headers["x-amz-bucket-region"] ?? ""),
    server: headers["server"] ?? "",
  };
}
