/** Starts a site for a benchmark, makes signed requests for it, and reads its memory. */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { checksumOf } from "../src/model/checksum.ts";
import { STREAMING_HASHES } from "../src/protocol/aws-chunked.ts";
import { encodeAwsChunked } from "../src/protocol/chunked-testing.ts";
import { chunkSigning, parseAuthorization } from "../src/protocol/sigv4.ts";
import { signRequest } from "../src/protocol/sigv4-sign.ts";

export const ACCESS = "benchadmin";
export const SECRET = "benchadmin-secret";
const root = resolve(import.meta.dirname, "..");

/** CPU time that a process and its children took since they started, microseconds (user and system). */
export function cpuMicros(pid: number): number {
  const ticks = (id: number): number => {
    const fields = readFileSync(`/proc/${id}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  // The kernel counts in hundredths of a second.
  return processesOf(pid).reduce((sum, id) => sum + ticks(id), 0) * 10_000;
}

export interface CpuByThread {
  readonly all: number;
  readonly main: number;
  /** Worker threads: the index's writer above all. */
  readonly workers: number;
}

export const NO_CPU: CpuByThread = { all: 0, main: 0, workers: 0 };

/** The same by thread, of the process alone; `all` has also the runtime's own threads and the children. */
export function cpuByThread(pid: number): CpuByThread {
  let [main, workers] = [0, 0];
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
    const fields = stat.replace(/^.*\) /s, "").split(" ");
    const micros = (Number(fields[11]) + Number(fields[12])) * 10_000;
    if (Number(id) === pid) main += micros;
    else if (stat.includes("(WorkerThread")) workers += micros;
  }
  return { all: cpuMicros(pid), main, workers };
}

/** The same to the nanosecond, for short windows; threads that ended meanwhile are left out. */
export function cpuNanos(pid: number): number {
  let sum = 0;
  for (const id of processesOf(pid)) {
    for (const task of readdirSync(`/proc/${id}/task`)) {
      const text = readFileSync(`/proc/${id}/task/${task}/schedstat`, "utf8");
      sum += Number(text.split(" ")[0]);
    }
  }
  return sum;
}

export interface BenchSite {
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  stop(): Promise<void>;
  /** Ends it and leaves its folder. */
  pause(): Promise<void>;
  /** The same with SIGKILL. */
  kill(): Promise<void>;
}

/** Data lies under RESILVER_BENCH_DIR, else under the temporary folder: it should be a real disk. */
export const benchDir = (): string =>
  mkdtempSync(join(process.env["RESILVER_BENCH_DIR"] ?? tmpdir(), "resilver-bench-"));

/** `at`: an earlier site's folder and port, for a start anew; `env`: further settings. */
export async function startSite(
  workers: number,
  at?: { dir: string; port: number },
  env: Readonly<Record<string, string>> = {},
): Promise<BenchSite> {
  const dir = at?.dir ?? benchDir();
  const { RESILVER_BENCH_DIR: _unused, ...environment } = process.env;
  const child: ChildProcess = spawn(
    join(root, "bin", "resilver"),
    ["server", "--address", `127.0.0.1:${at?.port ?? 0}`, "--workers", String(workers), join(dir, "site")],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...environment, RESILVER_ROOT_USER: ACCESS, RESILVER_ROOT_PASSWORD: SECRET, ...env },
    },
  );
  const line = await new Promise<string>((ready, fail) => {
    child.stdout?.once("data", (text: Buffer) => ready(text.toString()));
    child.once("exit", () => fail(new Error("the server ended before it was ready")));
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  };
  const pause = (): Promise<void> => end("SIGTERM");
  return {
    port: Number(/:(\d+)/.exec(line)?.[1]),
    pid: child.pid ?? 0,
    dir,
    pause,
    kill: () => end("SIGKILL"),
    async stop() {
      await pause();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Starts `bare.ts`. */
export async function startBare(
  mode: string,
  argument: string,
): Promise<{ port: number; pid: number; stop: () => void }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "bare.ts"), mode, argument], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await new Promise<string>((ready) =>
    child.stdout.once("data", (text: Buffer) => ready(text.toString())),
  );
  return { port: Number(/:(\d+)/.exec(line)?.[1]), pid: child.pid ?? 0, stop: () => void child.kill("SIGKILL") };
}

export interface RequestParts {
  readonly method: string;
  /** Raw path. */
  readonly path: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** One buffer, or pieces that may be shared. */
  readonly body?: Buffer | readonly Buffer[];
  /**
   * "hash": the body's hash is signed, as AWS's SDKs do; "chunks": aws-chunked, each 64 KiB signed and a CRC32C behind them,
   * as MinIO's Go clients do over plain HTTP, `mc` among them. Else UNSIGNED-PAYLOAD.
   */
  readonly sign?: "hash" | "chunks";
}

const CHUNK_BYTES = 64 * 1024;
const CHUNKS_TRAILER = "x-amz-checksum-crc32c";

/** A body in signed chunks, by a request whose head is signed. */
function inChunks(head: Readonly<Record<string, string>>, body: Buffer): Buffer {
  const parsed = parseAuthorization({
    method: "PUT",
    path: "",
    query: "",
    headerNames: Object.keys(head),
    header: (name) => head[name],
  });
  const chunks = Array.from({ length: Math.ceil(body.length / CHUNK_BYTES) }, (_, i) =>
    body.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  );
  const trailers = { [CHUNKS_TRAILER]: checksumOf("CRC32C", body) };
  return encodeAwsChunked(chunks, { mode: "signed-trailer", signing: chunkSigning(parsed, SECRET), trailers });
}

/** The bytes of a signed request, head and body apart (the body is shared between requests). */
export function signed(port: number, parts: RequestParts): readonly Buffer[] {
  const body = parts.body === undefined ? [] : Buffer.isBuffer(parts.body) ? [parts.body] : parts.body;
  const length = body.reduce((sum, piece) => sum + piece.length, 0);
  const headers: Record<string, string> = { host: `127.0.0.1:${port}`, ...parts.headers };
  if (parts.body !== undefined) headers["content-length"] = String(length);
  const hash = createHash("sha256");
  if (parts.sign === "hash") for (const piece of body) hash.update(piece);
  let payloadHash = parts.sign === "hash" || length === 0 ? hash.digest("hex") : "UNSIGNED-PAYLOAD";
  if (parts.sign === "chunks") {
    payloadHash = STREAMING_HASHES["signed-trailer"];
    headers["x-amz-trailer"] = CHUNKS_TRAILER;
    headers["x-amz-decoded-content-length"] = String(length);
  }
  const all = signRequest({
    method: parts.method,
    path: parts.path,
    query: parts.query ?? "",
    headers,
    payloadHash,
    accessKey: ACCESS,
    secretKey: SECRET,
    region: "us-east-1",
    nowMs: Date.now(),
  });
  const chunked = parts.sign === "chunks" ? [inChunks(all, Buffer.concat(body))] : body;
  if (parts.sign === "chunks") all["content-length"] = String(chunked[0]?.length);
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const target = parts.query === undefined ? parts.path : `${parts.path}?${parts.query}`;
  const head = Buffer.from(`${parts.method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
  return [head, ...chunked];
}

/** Resident memory of a process and its children, MiB. Pages of mapped files (the index) are counted apart. */
export function memory(pid: number): { privateMiB: number; fileMiB: number } {
  let privateKib = 0;
  let fileKib = 0;
  for (const id of [pid, ...childrenOf(pid)]) {
    const status = readFileSync(`/proc/${id}/status`, "utf8");
    const read = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
    privateKib += read("RssAnon");
    fileKib += read("RssFile") + read("RssShmem");
  }
  return { privateMiB: Math.round(privateKib / 1024), fileMiB: Math.round(fileKib / 1024) };
}

/** A server's processes: the first, and those that serve beside it. */
export const processesOf = (pid: number): number[] => [pid, ...childrenOf(pid)];

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text
    .split(" ")
    .filter((word) => word.trim() !== "")
    .map(Number);
}
