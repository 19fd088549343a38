/** Clients for tests: the AWS SDK as the independent one, and bin/mc. */
import { S3Client } from "@aws-sdk/client-s3";
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { ROOT_SECRET, ROOT_USER, type RunningServer } from "./server.ts";

const repository = resolve(import.meta.dirname, "..", "..");

export function awsClient(
  server: RunningServer,
  credentials = { accessKeyId: ROOT_USER, secretAccessKey: ROOT_SECRET },
): S3Client {
  return new S3Client({
    endpoint: server.url,
    region: "us-east-1",
    forcePathStyle: true,
    credentials,
    maxAttempts: 1,
    // A request that waits for 100 Continue is sent over an agent of its own, which would ask for a known certificate.
    ...(server.url.startsWith("https:")
      ? { requestHandler: { httpsAgent: { rejectUnauthorized: false } }, expectContinueHeader: false }
      : {}),
  });
}

export interface McResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Objects of `--json` output. */
  json<T>(): T[];
}

/** Runs bin/mc with aliases given as MC_HOST variables. */
export function mc(
  args: readonly string[],
  options: {
    aliases: Readonly<Record<string, RunningServer>>;
    input?: string | Buffer;
    configDir: string;
    env?: Record<string, string>;
  },
): Promise<McResult> {
  const env: Record<string, string | undefined> = { ...process.env, ...options.env, MC_CONFIG_DIR: options.configDir };
  for (const [name, server] of Object.entries(options.aliases)) {
    env[`MC_HOST_${name}`] = server.url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`);
  }
  return new Promise((done, fail) => {
    const child = spawn(join(repository, "bin", "mc"), [...args], { env, stdio: ["pipe", "pipe", "pipe"] });
    const out: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (piece: Buffer) => out.push(piece));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", fail);
    child.on("close", (code) => {
      const stdout = Buffer.concat(out).toString("utf8");
      done({
        code: code ?? 1,
        stdout,
        stderr,
        json: <T>() =>
          stdout
            .split("\n")
            .filter((line) => line.trim() !== "")
            .map((line) => JSON.parse(line) as T),
      });
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
