/** What the demo shows: each command as a person would type it, and what it answered. */
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "..", "..");
const OUTPUT_LINES_MAX = 14;

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function heading(text: string): void {
  say(`\n== ${text}`);
}

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs bin/mc. Never throws: see `code`. */
export function mc(args: readonly string[], options: { configDir: string; input?: string }): Promise<Answer> {
  return new Promise((done, fail) => {
    const child = spawn(join(root, "bin", "mc"), ["--config-dir", options.configDir, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", fail);
    child.on("close", (code) => done({ code: code ?? 1, stdout, stderr }));
    child.stdin.on("error", () => undefined); // the command may end before it has read its input
    child.stdin.end(options.input ?? "");
  });
}

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function shorten(text: string): string {
  const lines = text.trimEnd().split("\n");
  if (lines.length <= OUTPUT_LINES_MAX) return lines.map((line) => `  ${line}`).join("\n");
  const head = lines.slice(0, 4);
  const tail = lines.slice(-4);
  return [...head, `... ${lines.length - 8} more lines ...`, ...tail].map((line) => `  ${line}`).join("\n");
}

/** Prints the command and its answer; throws when it failed. `shown` replaces words that are noise to a reader. */
export async function step(
  args: readonly string[],
  options: { configDir: string; input?: string; hide?: string },
): Promise<string> {
  const line = `$ mc ${args.map(quoted).join(" ")}`;
  say(options.hide === undefined ? line : line.replaceAll(options.hide, "SECRET"));
  const answer = await mc(args, options);
  if (answer.stdout.trim() !== "") say(shorten(answer.stdout));
  if (answer.stderr.trim() !== "") say(shorten(answer.stderr));
  if (answer.code !== 0) throw new Error(`mc ${args[0] ?? ""} ended with ${answer.code}`);
  return answer.stdout;
}
