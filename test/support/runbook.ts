/** Runs the commands that a page of docs/ prints, word by word, as an operator's shell does. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const repository = resolve(import.meta.dirname, "..", "..");

/** Commands of a numbered step, in both forms where the page has two. */
export interface RunbookStep {
  /** Lines of its code block. */
  readonly lines: readonly string[];
  /** The line that stands behind `2022:`. */
  readonly old?: string | undefined;
}

/** The steps of a `## heading` section that have commands, by their number. */
export function runbookSteps(page: string, heading: string): ReadonlyMap<number, RunbookStep> {
  const text = readFileSync(join(repository, page), "utf8");
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  assert.ok(section !== undefined, `${page} has a section "${heading}"`);
  const steps = new Map<number, RunbookStep>();
  for (const part of section.split(/^(?=\d+\. )/m)) {
    const number = Number(/^(\d+)\. /.exec(part)?.[1]);
    const block = /```\n([^]*?)```/.exec(part)?.[1];
    const old = /2022: `([^`]+)`/.exec(part)?.[1];
    if (!Number.isNaN(number) && block !== undefined)
      steps.set(number, {
        lines: block
          .split("\n")
          .map((line) => line.trim())
          .filter(Boolean),
        old,
      });
  }
  return steps;
}

/** Every line of a page in a code block. */
export function runbookLines(page: string): string[] {
  const text = readFileSync(join(repository, page), "utf8");
  const blocks = [...text.matchAll(/```\n([^]*?)```/g)].map(([, block = ""]) => block);
  return blocks.flatMap((block) =>
    block
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
  );
}

export interface ShellResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A shell that finds `mc`, and a `jq` that knows `-r .a.b`, in `dir`; `env` names the aliases. */
export class Shell {
  readonly #bin: string;
  readonly #dir: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(dir: string, env: Readonly<Record<string, string>>) {
    this.#dir = dir;
    this.#env = env;
    this.#bin = join(dir, "bin");
    mkdirSync(this.#bin, { recursive: true });
    symlinkSync(join(repository, "bin", "mc"), join(this.#bin, "mc"));
    const program =
      'let t="";process.stdin.on("data",(d)=>t+=d).on("end",()=>{for(const l of t.split("\\n").filter(Boolean))' +
      'console.log(process.argv[1].split(".").slice(1).reduce((o,k)=>o[k],JSON.parse(l)))})';
    writeFileSync(join(this.#bin, "jq"), `#!/bin/sh\nshift\nexec "${process.execPath}" -e '${program}' "$@"\n`);
    chmodSync(join(this.#bin, "jq"), 0o755);
  }

  attempt(line: string): Promise<ShellResult> {
    const env = { ...process.env, ...this.#env, PATH: `${this.#bin}:${process.env["PATH"] ?? ""}` };
    return new Promise((done) =>
      execFile("sh", ["-c", line], { env, cwd: this.#dir }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        done({ code, stdout, stderr });
      }),
    );
  }

  /** Demands exit code 0; returns what was printed. */
  async run(line: string): Promise<string> {
    const { code, stdout, stderr } = await this.attempt(line);
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
    return stdout;
  }
}

/** The line with its placeholders filled in; every word in capitals must be known. */
export function filled(line: string, values: Readonly<Record<string, string>>): string {
  return line.replace(/\b[A-Z]{3,}\b/g, (word) => {
    const value = values[word];
    assert.ok(value !== undefined, `${word} in "${line}" has no value`);
    return value;
  });
}
