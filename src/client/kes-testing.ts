/** A key server for tests: the part of KES's API that is used here, over TLS, for clients that it knows. */
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { systemRandom } from "../runtime/random.ts";
import { openSecret, sealSecret } from "../storage/keyring/aead.ts";
import { selfSigned, type KeyPair } from "./self-signed.ts";

/** How KES names a client: SHA-256 of the public key of its certificate. */
export function identityOf(cert: string): string {
  const { publicKey } = new X509Certificate(cert);
  return createHash("sha256")
    .update(publicKey.export({ format: "der", type: "spki" }))
    .digest("hex");
}

type SecureSocket = IncomingMessage["socket"] & { getPeerX509Certificate(): X509Certificate | undefined };

export interface KesDoubleOptions {
  readonly allowed: string;
  /** `PUT` for the servers of later years. */
  readonly method?: "POST" | "PUT";
  /** A line for each key instead of one document. */
  readonly lines?: boolean;
}

export class KesDouble {
  readonly keys = new Map<string, Buffer>();
  readonly certificate: KeyPair;
  readonly #options: KesDoubleOptions;
  #server: Server | undefined;
  #port = 0;

  constructor(options: KesDoubleOptions) {
    this.#options = options;
    this.certificate = selfSigned({
      seed: randomBytes(32),
      name: `kes ${randomBytes(4).toString("hex")}`,
      nowMs: Date.now(),
      address: "127.0.0.1",
    });
  }

  get endpoint(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** The same port again after a stop. */
  async start(): Promise<void> {
    const server = createServer(
      { ...this.certificate, requestCert: true, rejectUnauthorized: false },
      (request, response) => void this.#answer(request, response),
    );
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as { port: number }).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const text = Buffer.concat(pieces).toString("utf8");
    const body = (text === "" ? {} : JSON.parse(text)) as Record<string, string>;
    const [status, value] = this.#run(request, body);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof value === "string" ? value : JSON.stringify(value));
  }

  #run(request: IncomingMessage, body: Record<string, string>): [number, object | string] {
    const peer = (request.socket as SecureSocket).getPeerX509Certificate();
    if (peer === undefined || identityOf(peer.toString()) !== this.#options.allowed)
      return [403, { message: "not authorized: insufficient permissions" }];
    const [, , , action = "", name = ""] = (request.url ?? "").split("/");
    if (request.url === "/version") return [200, { version: "double" }];
    if (action === "list") return [200, this.#list()];
    if (request.method !== (this.#options.method ?? "POST")) return [405, { message: "method not allowed" }];
    const key = this.keys.get(name);
    if (action === "create") {
      if (key !== undefined) return [400, { message: "key already exists" }];
      this.keys.set(name, randomBytes(32));
      return [200, ""];
    }
    if (key === undefined) return [404, { message: "key does not exist" }];
    const context = Buffer.from(body["context"] ?? "", "base64");
    if (action === "generate") {
      const plain = randomBytes(32);
      const ciphertext = sealSecret(key, plain, systemRandom, context).toString("base64");
      return [200, { plaintext: plain.toString("base64"), ciphertext }];
    }
    const plain = openSecret(key, Buffer.from(body["ciphertext"] ?? "", "base64"), context);
    if (plain === undefined) return [400, { message: "decryption failed: ciphertext is not authentic" }];
    return [200, { plaintext: plain.toString("base64") }];
  }

  #list(): object | string {
    const names = [...this.keys.keys()].toSorted();
    if (this.#options.lines === true)
      return names.map((name) => JSON.stringify({ name, created_by: "somebody" })).join("\n");
    return { names, continue_at: "" };
  }
}
