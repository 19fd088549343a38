/** Runs command lines against a server in memory: for the tests of the replicate and admin commands. */
import type { AdminCall } from "../../client/admin-client.ts";
import { AdminClient } from "../../client/admin-client.ts";
import { AdminError } from "../../client/errors.ts";
import type { S3Request } from "../../client/s3-client.ts";
import { S3Client } from "../../client/s3-client.ts";
import type { S3Response } from "../../client/transport.ts";
import type { Command } from "../command.ts";
import { CommandError } from "../command.ts";
import { AliasStore } from "../config.ts";
import { RunContext } from "../context.ts";
import { parseLine } from "../flags.ts";
import { StreamOutput } from "../output.ts";

const ENDPOINT = { url: "http://a.example:9000", accessKey: "AK", secretKey: "SK" };
const ENV = { MC_HOST_a: "http://AK:SK@a.example:9000", MC_HOST_b: "http://BK:BS@b.example:9000" };

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export const ok = (body = ""): Answer => ({ status: 200, body });

/** An S3 error document. */
export function s3Error(status: number, code: string, message = code): Answer {
  return { status, body: `<Error><Code>${code}</Code><Message>${message}</Message></Error>` };
}

/** The server of a test: what it answers, and every call it got as `METHOD path?query`. */
export interface FakeServer {
  s3(request: S3Request, body: string): Answer;
  /** Throws `adminError` to refuse. */
  admin(call: AdminCall, body: string): string;
  readonly calls: string[];
}

export function adminError(status: number, code: string): AdminError {
  const empty = { bucket: "", key: "", resource: "", requestId: "R", hostId: "H", region: "", server: "" };
  return new AdminError({ status, code, message: code, ...empty });
}

function response(answer: Answer): S3Response {
  const bytes = Buffer.from(answer.body);
  return {
    status: answer.status,
    headers: answer.headers ?? {},
    stream: (async function* () {
      yield bytes;
    })(),
    bytes: async () => bytes,
    discard: async () => undefined,
  };
}

const queryText = (query: object | undefined): string => new URLSearchParams(Object.entries(query ?? {})).toString();

class FakeS3 extends S3Client {
  readonly #server: FakeServer;
  constructor(server: FakeServer) {
    super(ENDPOINT);
    this.#server = server;
  }
  override async request(request: S3Request): Promise<S3Response> {
    this.#server.calls.push(`${request.method} /${request.bucket ?? ""}?${queryText(request.query)}`);
    return response(this.#server.s3(request, Buffer.isBuffer(request.body) ? request.body.toString() : ""));
  }
}

class FakeAdmin extends AdminClient {
  readonly #server: FakeServer;
  constructor(server: FakeServer) {
    super(ENDPOINT);
    this.#server = server;
  }
  override async stream(call: AdminCall): Promise<S3Response> {
    this.#server.calls.push(`${call.method} ${call.path}?${queryText(call.query)}`);
    return response(ok(this.#server.admin(call, call.body?.toString() ?? "")));
  }
  override async open(bytes: Buffer): Promise<Buffer> {
    return bytes;
  }
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line of `command`, aliases `a` and `b` known; failures end with 1 as in `main.ts`. */
export async function runCommand(
  server: FakeServer,
  command: Command,
  line: string | readonly string[],
  stdin = "",
): Promise<RunResult> {
  const words = typeof line === "string" ? line.split(" ") : line;
  const parsed = parseLine({ name: "mc", summary: "", subcommands: [command] }, words, {});
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    write(data: string | Uint8Array, done?: (error?: Error | null) => void): boolean {
      written[name] += Buffer.from(data).toString();
      done?.();
      return true;
    },
  });
  const json = parsed.global.bool("json");
  const out = new StreamOutput({ stdout: stream("stdout"), stderr: stream("stderr"), json, quiet: false });
  const ctx = new RunContext({
    out,
    signal: new AbortController().signal,
    stdin: (async function* () {
      if (stdin !== "") yield Buffer.from(stdin);
    })(),
    global: parsed.global,
    store: new AliasStore("/nonexistent", ENV),
    clients: { s3: () => new FakeS3(server), admin: () => new FakeAdmin(server) },
  });
  try {
    if (parsed.error !== undefined) throw parsed.error;
    const code = await parsed.command.run?.(ctx, parsed.args, parsed.flags);
    return { code: code ?? 0, ...written };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    out.fatal(error.message, error.reason);
    return { code: 1, ...written };
  }
}
