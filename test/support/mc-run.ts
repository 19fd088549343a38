/** Runs command lines of `mc` in this process: milliseconds each, where starting `bin/mc` takes most of a second. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { runMc } from "../../src/cli/main.ts";
import { ROOT_SECRET, ROOT_USER, type RunningServer } from "./server.ts";

export interface McRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Objects of `--json` output; empty without it. */
  readonly objects: Record<string, unknown>[];
}

class Sink {
  readonly chunks: Buffer[] = [];
  write(data: string | Uint8Array, done?: (error?: Error | null) => void): boolean {
    this.chunks.push(Buffer.from(data));
    done?.();
    return true;
  }
  text(): string {
    return Buffer.concat(this.chunks).toString("utf8");
  }
}

export interface McRunner {
  /** A line of words parted by blanks, or the words; whatever its exit code. */
  attempt(line: string | readonly string[], input?: string): Promise<McRun>;
  /** Demands exit code 0. */
  mc(line: string | readonly string[], input?: string): Promise<McRun>;
  /** Demands exit code 1 and `message` on standard error. */
  fails(line: string | readonly string[], message: RegExp): Promise<void>;
}

/** `servers` by alias; `configDir` is made when something is written to it. */
export function mcRunner(servers: Readonly<Record<string, RunningServer>>, configDir: string): McRunner {
  const env: Record<string, string> = { MC_CONFIG_DIR: configDir };
  for (const [name, { url }] of Object.entries(servers))
    env[`MC_HOST_${name}`] = url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`);
  const attempt = async (line: string | readonly string[], input = ""): Promise<McRun> => {
    const words = typeof line === "string" ? line.split(" ") : line;
    const [stdout, stderr] = [new Sink(), new Sink()];
    const stdin = Readable.from(input === "" ? [] : [Buffer.from(input)]);
    const code = await runMc(words, env, { stdin, stdout, stderr, signal: new AbortController().signal });
    const lines = words.includes("--json") ? stdout.text().split("\n").filter(Boolean) : [];
    return {
      code,
      stdout: stdout.text(),
      stderr: stderr.text(),
      objects: lines.map((one) => JSON.parse(one) as Record<string, unknown>),
    };
  };
  const shown = (line: string | readonly string[]): string => `mc ${typeof line === "string" ? line : line.join(" ")}`;
  return {
    attempt,
    async mc(line, input) {
      const result = await attempt(line, input);
      assert.equal(result.code, 0, `${shown(line)}\n${result.stdout}${result.stderr}`);
      return result;
    },
    async fails(line, message) {
      const result = await attempt(line);
      assert.equal(result.code, 1, `${shown(line)}\n${result.stdout}`);
      assert.match(result.stderr, message);
    },
  };
}
