/**
 * A key ring behind MinIO's KES API: keys stay in the key server, which gives out data keys and opens them. Several
 * endpoints stand for one server; each call goes to the one that answered last, and to the others when it does not.
 */
import { z, type ZodType } from "zod";
import { StoreError } from "../model/errors.ts";
import { foreignDataKey, missingKey } from "../storage/keyring/embedded.ts";
import {
  DATA_KEY_BYTES,
  isKeyName,
  type KeyInfo,
  type KeyRing,
  type KeyRingStatus,
} from "../storage/keyring/keyring.ts";
import { NetworkError } from "./errors.ts";
import { selfSigned, type KeyPair } from "./self-signed.ts";
import { Transport } from "./transport.ts";

export interface KesOptions {
  /** `https://host:port`, at least one. */
  readonly endpoints: readonly string[];
  readonly defaultKeyId: string;
  /** What the server knows this site by. */
  readonly identity: KeyPair;
  /** PEM roots that the server's certificate is checked with; absent: those of the machine. */
  readonly ca?: readonly string[] | undefined;
  readonly always?: boolean | undefined;
}

const API_KEY = /^kes:v1:([A-Za-z0-9+/]{44})$/;
const ED25519 = 0;
const ANSWER_MS = 10_000;

/** The certificate that an API key stands for; undefined: `text` is none. */
export function identityOfApiKey(text: string, nowMs: number): KeyPair | undefined {
  const bytes = Buffer.from(API_KEY.exec(text)?.[1] ?? "", "base64");
  if (bytes.length !== 33 || bytes[0] !== ED25519) return undefined;
  return selfSigned({ seed: bytes.subarray(1), name: "resilver", nowMs });
}

const messageOf = z.object({ message: z.string() });
const versionOf = z.object({ version: z.string() });
const generated = z.object({ plaintext: z.base64(), ciphertext: z.string() });
const opened = z.object({ plaintext: z.base64() });
/** One document with names, or (servers of 2022) a line for each key. */
const names = z.object({ names: z.array(z.string()).nullish(), continue_at: z.string().nullish() });
const line = z.object({ name: z.string(), created_at: z.string().optional(), created_by: z.string().optional() });

interface KesAnswer {
  readonly status: number;
  readonly body: Buffer;
}

class KesRing implements KeyRing {
  readonly defaultKeyId: string;
  readonly always: boolean;
  readonly #endpoints: readonly string[];
  readonly #transport: Transport;
  /** The endpoint that answered last. */
  #last = 0;
  /** Servers of different years take one or the other for the same calls. */
  #method: "POST" | "PUT" = "POST";

  constructor(options: KesOptions) {
    this.defaultKeyId = options.defaultKeyId;
    this.always = options.always === true;
    this.#endpoints = options.endpoints;
    this.#transport = new Transport({
      ca: options.ca,
      identity: options.identity,
      headersTimeoutMs: ANSWER_MS,
      bodyTimeoutMs: ANSWER_MS,
    });
  }

  async generate(keyId: string, context: Buffer): Promise<{ plain: Buffer; sealed: string }> {
    const none = new StoreError("kms:KeyNotFound", { message: `There is no key "${keyId}".` });
    if (!isKeyName(keyId)) throw none;
    const answer = await this.#change(`generate/${keyId}`, { context: context.toString("base64") });
    if (answer.status === 404) throw none;
    if (answer.status !== 200) throw refused(answer, keyId);
    const { plaintext, ciphertext } = parsed(answer, generated);
    const plain = Buffer.from(plaintext, "base64");
    if (plain.length !== DATA_KEY_BYTES) throw unavailable("the key server gave a key of another size");
    return { plain, sealed: ciphertext };
  }

  async open(keyId: string, sealed: string, context: Buffer): Promise<Buffer> {
    if (!isKeyName(keyId)) throw missingKey(keyId);
    const body = { ciphertext: sealed, context: context.toString("base64") };
    const answer = await this.#change(`decrypt/${keyId}`, body);
    if (answer.status === 404) throw missingKey(keyId);
    if (answer.status === 400) throw foreignDataKey(keyId);
    if (answer.status !== 200) throw refused(answer, keyId);
    return Buffer.from(parsed(answer, opened).plaintext, "base64");
  }

  async create(keyId: string): Promise<void> {
    if (!isKeyName(keyId))
      throw new StoreError("XMinioAdminInvalidArgument", { message: "The key name is not valid." });
    const answer = await this.#change(`create/${keyId}`, undefined);
    if (answer.status === 200 || answer.status === 201) return;
    if (answer.status === 400 || answer.status === 409)
      throw new StoreError("XMinioKMSKeyExists", { message: textOf(answer) });
    throw refused(answer, keyId);
  }

  async list(): Promise<KeyInfo[]> {
    const out: KeyInfo[] = [];
    for (let from = "*"; from !== "";) {
      const answer = await this.#ask("GET", `/v1/key/list/${encodeURIComponent(from).replace("%2A", "*")}`, undefined);
      if (answer.status !== 200) throw refused(answer, from);
      const page = names.safeParse(jsonOf(answer.body));
      if (!page.success || page.data.names === undefined) return [...out, ...linesOf(answer.body)].toSorted(byName);
      for (const name of page.data.names ?? []) out.push({ name });
      const next = page.data.continue_at ?? "";
      from = next === from ? "" : next;
    }
    return out.toSorted(byName);
  }

  async status(): Promise<KeyRingStatus> {
    let version = "";
    const endpoints: Record<string, "online" | "offline"> = {};
    await Promise.all(
      this.#endpoints.map(async (endpoint) => {
        try {
          const answer = await this.#send(endpoint, "GET", "/version", undefined);
          if (answer.status === 200) version = parsed(answer, versionOf).version;
          endpoints[endpoint] = answer.status === 200 ? "online" : "offline";
        } catch {
          endpoints[endpoint] = "offline";
        }
      }),
    );
    return { name: "KES", version, endpoints };
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #change(path: string, body: object | undefined): Promise<KesAnswer> {
    const answer = await this.#ask(this.#method, `/v1/key/${path}`, body);
    if (answer.status !== 405) return answer;
    this.#method = this.#method === "POST" ? "PUT" : "POST";
    return this.#ask(this.#method, `/v1/key/${path}`, body);
  }

  /** Throws `XResilverKeyServerUnavailable` when no endpoint has an answer. */
  async #ask(method: string, path: string, body: object | undefined): Promise<KesAnswer> {
    const reasons: string[] = [];
    const count = this.#endpoints.length;
    for (let i = 0, first = this.#last; i < count; i++) {
      const at = (first + i) % count;
      try {
        const answer = await this.#send(this.#endpoints[at] as string, method, path, body);
        if (answer.status < 500) {
          this.#last = at;
          return answer;
        }
        reasons.push(`${this.#endpoints[at]}: ${answer.status} ${textOf(answer)}`);
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        reasons.push(error.message);
      }
    }
    throw unavailable(reasons.join("; "));
  }

  async #send(endpoint: string, method: string, path: string, body: object | undefined): Promise<KesAnswer> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers: Record<string, string> = method === "GET" ? {} : { "content-length": String(bytes?.length ?? 0) };
    if (bytes !== undefined) headers["content-type"] = "application/json";
    const answer = await this.#transport.request({ origin: endpoint, method, path, headers, body: bytes });
    return { status: answer.status, body: await answer.bytes() };
  }
}

const byName = (a: KeyInfo, b: KeyInfo): number => (a.name < b.name ? -1 : 1);

function linesOf(body: Buffer): KeyInfo[] {
  const lines = body.toString("utf8").split("\n");
  return lines.flatMap((text) => {
    const row = line.safeParse(jsonOf(Buffer.from(text)));
    return row.success ? [{ name: row.data.name, createdAt: row.data.created_at, createdBy: row.data.created_by }] : [];
  });
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** What the server says of a failure. */
function textOf({ status, body }: KesAnswer): string {
  const told = messageOf.safeParse(jsonOf(body));
  return told.success ? told.data.message : `the key server answered ${status}`;
}

function parsed<T>(answer: KesAnswer, schema: ZodType<T>): T {
  const result = schema.safeParse(jsonOf(answer.body));
  if (!result.success) throw unavailable("the key server gave an answer that is none of its API");
  return result.data;
}

function unavailable(reason: string): StoreError {
  return new StoreError("XResilverKeyServerUnavailable", { message: `The key server gives no answer: ${reason}` });
}

function refused(answer: KesAnswer, keyId: string): StoreError {
  return new StoreError("KMS.AccessDeniedException", {
    message: `The key server refuses the key "${keyId}": ${textOf(answer)}`,
  });
}

/** Nothing is asked until the first use: what is not encrypted is served while the key server is away. */
export function kesRing(options: KesOptions): KeyRing {
  return new KesRing(options);
}
