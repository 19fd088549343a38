/** Clients as the global flags want them: TLS, fixed addresses, extra headers, rate limits, --debug. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { getCACertificates } from "node:tls";
import { AdminClient } from "../client/admin-client.ts";
import type { S3Endpoint, S3Request } from "../client/s3-client.ts";
import { S3Client } from "../client/s3-client.ts";
import type { S3Response } from "../client/transport.ts";
import type { Clock } from "../runtime/clock.ts";
import { systemClock } from "../runtime/clock.ts";
import type { AliasEntry, ParsedFlags } from "./command.ts";
import { CommandError } from "./command.ts";
import { parseDuration, parseSize } from "./format.ts";
import { RateLimit, limited } from "./rate-limit.ts";

export interface ClientFactory {
  s3(entry: AliasEntry): S3Client;
  admin(entry: AliasEntry): AdminClient;
}

export interface ClientFactoryOptions {
  readonly global: ParsedFlags;
  readonly configDir: string;
  /** Prints a line of --debug. */
  readonly note: (text: string) => void;
}

const USER_AGENT = "MinIO (linux; x64) resilver-mc/0.1.0 mc/0.1.0";

/** One factory per run: its rate limits are shared by all clients. Bad flag values throw CommandError at once. */
export function clientFactory(options: ClientFactoryOptions): ClientFactory {
  const { global } = options;
  const clock = systemClock();
  const hooks: Hooks = {
    note: global.bool("debug") ? options.note : undefined,
    upload: rate(global.string("limit-upload"), clock),
    download: rate(global.string("limit-download"), clock),
  };
  const headers = customHeaders(global.list("custom-header"));
  const resolve = fixedAddresses(global.list("resolve"));
  const endpoint = (entry: AliasEntry): S3Endpoint => endpointOf(entry, options, headers, resolve);
  return {
    s3: (entry) => new TunedS3Client(endpoint(entry), hooks),
    admin: (entry) => new AdminClient(endpoint(entry)),
  };
}

function endpointOf(
  entry: AliasEntry,
  options: ClientFactoryOptions,
  extraHeaders: Readonly<Record<string, string>>,
  resolve: ReadonlyMap<string, string>,
): S3Endpoint {
  const path = entry.path === "on" || entry.path === "off" ? entry.path : "auto";
  const url = new URL(entry.url);
  const address = resolve.get(url.host) ?? resolve.get(url.hostname);
  const ca = url.protocol === "https:" ? extraRoots(options.configDir) : undefined;
  const silence = options.global.string("conn-read-deadline");
  const silenceMs = silence === undefined ? undefined : parseDuration(silence);
  return {
    url: entry.url,
    accessKey: entry.accessKey,
    secretKey: entry.secretKey,
    sessionToken: entry.sessionToken,
    path,
    userAgent: USER_AGENT,
    extraHeaders,
    insecureTls: options.global.bool("insecure"),
    ...(silenceMs === undefined ? {} : { headersTimeoutMs: silenceMs, bodyTimeoutMs: silenceMs }),
    ...(ca === undefined ? {} : { ca }),
    ...(address === undefined ? {} : { resolve: { [url.hostname]: address } }),
  };
}

function rate(text: string | undefined, clock: Clock): RateLimit | undefined {
  const bytesPerSecond = text === undefined || text === "" ? 0 : parseSize(text);
  return bytesPerSecond === 0 ? undefined : new RateLimit(bytesPerSecond, clock);
}

/** `NAME:VALUE` each. */
function customHeaders(list: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const text of list) {
    const match = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*?)\s*$/.exec(text);
    if (match === null) throw new CommandError(`Invalid header \`${text}\`. Write NAME:VALUE`);
    headers[(match[1] ?? "").toLowerCase()] = match[2] ?? "";
  }
  return headers;
}

/** `HOST[:PORT]=IP` each, by host or host:port. */
function fixedAddresses(list: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const text of list) {
    const at = text.lastIndexOf("=");
    if (at <= 0 || at === text.length - 1)
      throw new CommandError(`Invalid --resolve \`${text}\`. Write HOST[:PORT]=IP`);
    found.set(text.slice(0, at), text.slice(at + 1));
  }
  return found;
}

/** The machine's roots and those in `certs/CAs` of the configuration folder; undefined when there are none of the latter. */
function extraRoots(dir: string): string[] | undefined {
  const folder = join(dir, "certs", "CAs");
  if (!existsSync(folder)) return undefined;
  const own = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  return own.length === 0 ? undefined : [...getCACertificates("default"), ...own];
}

interface Hooks {
  readonly note: ((text: string) => void) | undefined;
  readonly upload: RateLimit | undefined;
  readonly download: RateLimit | undefined;
}

/** The client with --debug lines and rate limits around each request. */
class TunedS3Client extends S3Client {
  readonly #hooks: Hooks;

  constructor(endpoint: S3Endpoint, hooks: Hooks) {
    super(endpoint);
    this.#hooks = hooks;
  }

  override async request(request: S3Request): Promise<S3Response> {
    const { note, upload, download } = this.#hooks;
    const line = `${request.method} ${this.endpoint.url}/${request.bucket ?? ""}${request.key ? `/${request.key}` : ""}`;
    const query = new URLSearchParams({ ...request.query }).toString();
    note?.(`---------REQUEST--------- ${line}${query === "" ? "" : `?${query}`}`);
    const response = await super.request(upload === undefined ? request : slowed(request, upload));
    note?.(`---------ANSWER---------- ${response.status} ${JSON.stringify(response.headers)}`);
    return download === undefined ? response : { ...response, stream: limited(response.stream, download) };
  }
}

function slowed(request: S3Request, limit: RateLimit): S3Request {
  const { body } = request;
  if (body === undefined || body.length === 0) return request;
  const source = Buffer.isBuffer(body) ? slices(body) : body.stream;
  return { ...request, body: { stream: limited(source, limit), length: body.length } };
}

const SLICE_BYTES = 64 * 1024;

async function* slices(buffer: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < buffer.length; at += SLICE_BYTES) yield buffer.subarray(at, at + SLICE_BYTES);
}
