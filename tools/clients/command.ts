/** Running the client programs of other people. */
import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const OUTPUT_SHOWN = 600;
const LIMIT_MS = 120_000;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly input?: string | Buffer | undefined;
  readonly cwd?: string | undefined;
}

/** Without what somebody has set for the AWS of the world: keys, profiles, certificate bundles. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_")));
}

/** Runs a program; resolves with its standard output, rejects with everything it said when it fails. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Buffer> {
  return new Promise((done, fail) => {
    const child = spawn(program, [...args], {
      env: { ...ownEnvironment(), ...options.env },
      cwd: options.cwd,
      stdio: ["pipe", "pipe", "pipe"],
      timeout: LIMIT_MS,
    });
    const out: Buffer[] = [];
    let errors = "";
    child.stdout.on("data", (piece: Buffer) => out.push(piece));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.once("error", fail);
    child.once("close", (code, signal) => {
      if (code === 0) return done(Buffer.concat(out));
      const said = `${Buffer.concat(out).toString("utf8")}${errors}`.trim().slice(-OUTPUT_SHOWN);
      fail(new Error(`${program} ${args.join(" ")} ended with ${signal ?? code}: ${said}`));
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** Every executable of that name in PATH, each once, first found first. */
export function programs(name: string): string[] {
  const found = new Map<string, string>();
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      const real = realpathSync(path);
      if (!found.has(real)) found.set(real, path);
    } catch {
      // Not there.
    }
  }
  return [...found.values()];
}

/** First match in what `program args` prints; undefined when it cannot be run or says something else. */
export async function versionOf(
  program: string | undefined,
  args: readonly string[],
  pattern: RegExp,
): Promise<string | undefined> {
  if (program === undefined) return undefined;
  try {
    return pattern.exec((await run(program, args)).toString("utf8"))?.[1];
  } catch {
    return undefined;
  }
}

export function writeTree(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

/** Every file below a folder: path relative to it, content as base64. */
export function readTree(folder: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    out[path.slice(folder.length + 1)] = readFileSync(path).toString("base64");
  }
  return out;
}
