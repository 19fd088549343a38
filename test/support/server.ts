/** Real server processes for tests: free ports, temporary folders, everything stopped at the end. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT_USER = "testadmin";
export const ROOT_SECRET = "testadmin-secret";
const repository = resolve(import.meta.dirname, "..", "..");

export interface RunningServer {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly process: ChildProcess;
  /** Everything that the server wrote to standard error so far. */
  log(): string;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface StartOptions {
  /** Data directory; absent: a new one. */
  readonly dir?: string | undefined;
  readonly port?: number | undefined;
  readonly workers?: number | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly args?: readonly string[] | undefined;
  /** Files and connections that the system lets it have open; absent: as many as the test itself. */
  readonly descriptors?: number | undefined;
  /** Told the process at once, for tests that kill a start. */
  readonly spawned?: ((child: ChildProcess) => void) | undefined;
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();

export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "resilver-test-"));
  folders.add(dir);
  return dir;
}

/** Starts `bin/resilver server` and waits for its ready line; rejects with its standard error when it ends before. */
export function startServer(options: StartOptions = {}): Promise<RunningServer> {
  const dir = options.dir ?? join(temporaryFolder(), "site");
  const args = [
    "server",
    "--address",
    `127.0.0.1:${options.port ?? 0}`,
    "--workers",
    String(options.workers ?? 1),
    ...(options.args ?? []),
    dir,
  ];
  const limit = options.descriptors === undefined ? "" : `ulimit -n ${options.descriptors}; `;
  const command = ["-c", `${limit}exec "$@"`, "sh", join(repository, "bin", "resilver"), ...args];
  const child = spawn("/bin/sh", command, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, RESILVER_ROOT_USER: ROOT_USER, RESILVER_ROOT_PASSWORD: ROOT_SECRET, ...options.env },
  });
  running.add(child);
  options.spawned?.(child);
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  const ended = new Promise<number>((done) =>
    child.once("exit", (code) => {
      running.delete(child);
      done(code ?? 1);
    }),
  );
  return new Promise((ready, fail) => {
    void ended.then((code) => fail(new Error(`the server ended with ${code}:\n${log}`)));
    child.stdout.setEncoding("utf8").once("data", (line: string) => {
      const url = /https?:\/\/\S+:\d+/.exec(line)?.[0] ?? "";
      ready({
        url,
        port: Number(/:(\d+)$/.exec(url)?.[1]),
        dir,
        process: child,
        log: () => log,
        stop() {
          child.kill("SIGTERM");
          return ended;
        },
        async kill() {
          child.kill("SIGKILL");
          await ended;
        },
      });
    });
  });
}

/** Kills what still runs and removes what was made: call it in `after`. */
export async function cleanUp(): Promise<void> {
  for (const child of running) child.kill("SIGKILL");
  for (const dir of folders) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  folders.clear();
}
