/** Requests byte by byte: what no HTTP client would send, signed as if one had. */
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { signRequest } from "../../src/protocol/sigv4-sign.ts";
import { ROOT_SECRET, ROOT_USER } from "./server.ts";

export interface WireAnswer {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  /** Lower-case names; the last of a repeated one. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** `Code` of an error document or of HEAD's headers, else empty. */
  readonly code: string;
}

export interface WireRequest {
  readonly method?: string | undefined;
  /** Raw, as it goes out. */
  readonly path: string;
  /** Raw, without `?`. */
  readonly query?: string | undefined;
  /** Signed; Latin-1 values. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whole lines after the signed ones, without their line ends. */
  readonly lines?: readonly string[] | undefined;
  readonly body?: Buffer | string | undefined;
  /** Default: hash of the body. */
  readonly payloadHash?: string | undefined;
  /** null: nobody. */
  readonly credentials?: { readonly accessKey: string; readonly secretKey: string } | null | undefined;
  readonly nowMs?: number | undefined;
  /** Signed instead of `path` and `query`. */
  readonly signedPath?: string | undefined;
  readonly signedQuery?: string | undefined;
  /** Default: the length of `body`. null: no such line. */
  readonly contentLength?: string | number | null | undefined;
  /** Changes the signed headers before they are written. */
  readonly forge?: ((headers: Record<string, string>) => void) | undefined;
}

export const ROOT = { accessKey: ROOT_USER, secretKey: ROOT_SECRET };

/** Headers of a request as signed. */
export function signedHeaders(port: number, request: WireRequest): Record<string, string> {
  const body = Buffer.from(request.body ?? "");
  const own = { host: `127.0.0.1:${port}`, ...request.headers };
  const payloadHash = request.payloadHash ?? createHash("sha256").update(body).digest("hex");
  const credentials = request.credentials === undefined ? ROOT : request.credentials;
  if (credentials === null)
    return { ...own, ...(request.payloadHash === undefined ? {} : { "x-amz-content-sha256": payloadHash }) };
  return signRequest({
    ...credentials,
    region: "us-east-1",
    method: request.method ?? "GET",
    path: request.signedPath ?? request.path,
    query: request.signedQuery ?? request.query ?? "",
    headers: own,
    payloadHash,
    nowMs: request.nowMs ?? Date.now(),
  });
}

/** Request line and headers, blank line included. */
export function head(port: number, request: WireRequest): Buffer {
  const headers = signedHeaders(port, request);
  request.forge?.(headers);
  const { contentLength } = request;
  if (contentLength !== null && (contentLength !== undefined || request.body !== undefined)) {
    headers["content-length"] = String(contentLength ?? Buffer.byteLength(request.body ?? ""));
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const target = request.query === undefined ? request.path : `${request.path}?${request.query}`;
  const all = [`${request.method ?? "GET"} ${target} HTTP/1.1`, ...lines, ...(request.lines ?? [])];
  return Buffer.from(`${all.join("\r\n")}\r\n\r\n`, "latin1");
}

/** The whole request. */
export function bytesOf(port: number, request: WireRequest): Buffer {
  return Buffer.concat([head(port, request), Buffer.from(request.body ?? "")]);
}

/** Takes answers off a connection, one after another. */
export class Wire {
  readonly socket: Socket;
  #held = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (piece: Buffer) => {
      this.#held = Buffer.concat([this.#held, piece]);
      this.#wake();
    });
    const ended = (): void => {
      this.#ended = true;
      this.#wake();
    };
    this.socket.on("error", ended).on("end", ended).on("close", ended);
  }

  write(bytes: Buffer | string): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#ended) await this.#more();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  /** The next answer; 100 Continue is one. `headOnly`: to a HEAD request. */
  async answer(headOnly = false): Promise<WireAnswer> {
    let end = this.#held.indexOf("\r\n\r\n");
    while (end < 0) {
      if (this.#ended) return { status: 0, headers: {}, body: this.#held, code: "" };
      await this.#more();
      end = this.#held.indexOf("\r\n\r\n");
    }
    const [first = "", ...lines] = this.#held.toString("latin1", 0, end).split("\r\n");
    const status = Number(first.split(" ")[1]);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const bare = headOnly || status < 200 || status === 204 || status === 304;
    const stop = end + 4 + (bare ? 0 : Number(headers["content-length"] ?? 0));
    while (this.#held.length < stop && !this.#ended) await this.#more();
    const body = Buffer.from(this.#held.subarray(end + 4, stop));
    this.#held = Buffer.from(this.#held.subarray(stop));
    const code = headers["x-minio-error-code"] ?? /<Code>([^<]*)<\/Code>/.exec(body.toString("latin1"))?.[1] ?? "";
    return { status, headers, body, code };
  }

  close(): void {
    this.socket.destroy();
  }
}

/** One request on a connection of its own. */
export async function exchange(port: number, request: WireRequest | Buffer): Promise<WireAnswer> {
  const wire = new Wire(port);
  wire.write(Buffer.isBuffer(request) ? request : bytesOf(port, request));
  const answer = await wire.answer(!Buffer.isBuffer(request) && request.method === "HEAD");
  wire.close();
  return answer;
}
