/** MinIO's admin API from the client's side (admin-api.md 1 and 2): empty region, real body hash, sealed bodies. */
import { createHash } from "node:crypto";
import { openAdminBody, openAdminStream, sealAdminBody } from "../protocol/admin-crypto.ts";
import { jsonMembers } from "../protocol/json-members.ts";
import { signRequest } from "../protocol/sigv4-sign.ts";
import { encodeQueryValue } from "../protocol/uri.ts";
import { AdminError } from "./errors.ts";
import { errorFields, type S3Endpoint } from "./s3-client.ts";
import { Transport, type S3Response } from "./transport.ts";

export { AdminError } from "./errors.ts";

export interface AdminCall {
  readonly method: string;
  /** Below `/minio/admin/v3/`, for instance `add-user`; with a leading slash: the whole path. */
  readonly path: string;
  /** Decoded. A list repeats the name. */
  readonly query?: Readonly<Record<string, string | readonly string[]>> | undefined;
  readonly body?: Buffer | undefined;
  /** The body is sealed with the caller's secret key first. */
  readonly sealed?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Statuses that are no error; default 200, 204, 206. */
  readonly expect?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class AdminClient {
  readonly endpoint: S3Endpoint;
  readonly #url: URL;
  readonly #transport: Transport;
  readonly #now: () => number;

  constructor(endpoint: S3Endpoint, now: () => number = Date.now) {
    this.endpoint = endpoint;
    this.#url = new URL(endpoint.url);
    this.#transport = new Transport(endpoint);
    this.#now = now;
  }

  /** `host[:port]` */
  get host(): string {
    return this.#url.host;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  /** Sends and throws AdminError for any other than an expected status. The answer's body is left to the caller. */
  async stream(call: AdminCall): Promise<S3Response> {
    const body =
      call.body === undefined || !call.sealed ? call.body : await sealAdminBody(this.endpoint.secretKey, call.body);
    const path = call.path.startsWith("/") ? call.path : `/minio/admin/v3/${call.path}`;
    const query = queryText(call.query);
    const headers: Record<string, string> = { host: this.#url.host, ...call.headers };
    if (body !== undefined) headers["content-length"] = String(body.length);
    const { accessKey, secretKey, sessionToken } = this.endpoint;
    const signed = signRequest({
      method: call.method,
      path,
      query,
      headers,
      payloadHash: createHash("sha256")
        .update(body ?? "")
        .digest("hex"),
      accessKey,
      secretKey,
      sessionToken,
      region: "",
      nowMs: this.#now(),
    });
    if (this.endpoint.userAgent !== undefined) signed["user-agent"] = this.endpoint.userAgent;
    const response = await this.#transport.request({
      origin: this.#url.origin,
      method: call.method,
      path: query === "" ? path : `${path}?${query}`,
      headers: signed,
      body,
      signal: call.signal,
    });
    if ((call.expect ?? [200, 204, 206]).includes(response.status)) return response;
    throw new AdminError(await errorFields({ method: call.method }, response));
  }

  /** The answer's body as sent (sealed answers: see `open`). */
  async call(call: AdminCall): Promise<Buffer> {
    return (await this.stream(call)).bytes();
  }

  /** A plain JSON answer. */
  async json<T>(call: AdminCall): Promise<T> {
    return JSON.parse((await this.call(call)).toString("utf8")) as T;
  }

  /** A sealed JSON answer. */
  async sealedJson<T>(call: AdminCall): Promise<T> {
    return JSON.parse((await this.open(await this.call(call))).toString("utf8")) as T;
  }

  /** Members of a sealed JSON object, each as it arrives. */
  async *sealedMembers<T>(call: AdminCall): AsyncIterable<readonly [name: string, value: T]> {
    const { stream } = await this.stream(call);
    for await (const [name, value] of jsonMembers(openAdminStream(this.endpoint.secretKey, stream)))
      yield [name, value as T];
  }

  /** Opens a sealed answer with the caller's secret key. */
  open(bytes: Buffer): Promise<Buffer> {
    return openAdminBody(this.endpoint.secretKey, bytes);
  }

  /** A stream of JSON objects separated by white space (admin-api.md 5.1): each as it arrives. */
  async *objects<T>(call: AdminCall): AsyncIterable<T> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const piece of (await this.stream(call)).stream) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as T;
    }
    if (rest.trim() !== "") yield JSON.parse(rest) as T;
  }
}

function queryText(query: AdminCall["query"]): string {
  const out: string[] = [];
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of typeof value === "string" ? [value] : value)
      out.push(`${encodeQueryValue(name)}=${encodeQueryValue(one)}`);
  }
  return out.join("&");
}
