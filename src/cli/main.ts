/** Runs one `mc` command line. The only place that turns errors into exit codes; the process ends in `mc.ts`. */
import { readFileSync } from "node:fs";
import { clientFactory } from "./clients.ts";
import { CommandError } from "./command.ts";
import { AliasStore, configDir } from "./config.ts";
import { RunContext } from "./context.ts";
import type { ParsedLine } from "./flags.ts";
import { parseLine } from "./flags.ts";
import { helpText } from "./help.ts";
import type { OutputStream } from "./output.ts";
import { StreamOutput } from "./output.ts";
import { commandTree, fullTree } from "./tree.ts";
import { UsageError } from "./usage-error.ts";

export interface McStreams {
  readonly stdin: AsyncIterable<Buffer>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Aborted on SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Runs `argv` (without node and script) and resolves with the exit code of mc-cli.md 2.4. Never throws for a failed
 * command. When `signal` aborts, the code is 1 and the caller decides on 130 or 143.
 */
export async function runMc(argv: readonly string[], env: Env, streams: McStreams): Promise<number> {
  const line = await readLine(argv, env);
  const out = new StreamOutput({
    stdout: streams.stdout,
    stderr: streams.stderr,
    json: line.global.bool("json"),
    quiet: line.global.bool("quiet"),
  });
  try {
    return await runLine(line, out, env, streams);
  } finally {
    await out.flush();
  }
}

async function readLine(argv: readonly string[], env: Env): Promise<ParsedLine> {
  const line = parseLine(await commandTree(argv), argv, env);
  // A word that is no command: parse again with all of them, for the hint and the whole help page.
  const atRoot = line.path.length === 0;
  return atRoot ? parseLine(await fullTree(), argv, env) : line;
}

async function runLine(line: ParsedLine, out: StreamOutput, env: Env, streams: McStreams): Promise<number> {
  if (line.global.bool("help")) {
    out.plain(helpText(line.path, line.command));
    return 0;
  }
  if (line.path.length === 0 && line.flags.bool("version")) {
    out.message(`mc version ${version()} (resilver)`, { status: "success", version: version() });
    return 0;
  }
  if (line.error !== undefined) return usage(line, out, line.error);
  if (line.command.run === undefined) {
    out.plain(helpText(line.path, line.command));
    return 0;
  }
  try {
    const dir = configDir(line.global.string("config-dir"), env);
    const ctx = new RunContext({
      out,
      signal: streams.signal,
      stdin: streams.stdin,
      global: line.global,
      store: new AliasStore(dir, env),
      clients: clientFactory({ global: line.global, configDir: dir, note: (text) => out.note(text) }),
    });
    return await line.command.run(ctx, line.args, line.flags);
  } catch (error) {
    if (streams.signal.aborted) return 1;
    if (error instanceof UsageError) return usage(line, out, error);
    report(line, out, error);
    return 1;
  }
}

/** Usage errors show the help page on standard output (mc-cli.md 2.4); with --json the error object alone. */
function usage(line: ParsedLine, out: StreamOutput, error: UsageError): number {
  out.fatal(error.message, error.reason);
  if (!out.json) out.plain(`\n${helpText(line.path, line.command)}`);
  return 1;
}

function report(line: ParsedLine, out: StreamOutput, error: unknown): void {
  if (error instanceof CommandError) out.fatal(error.message, error.reason);
  else out.fatal(`Unable to run \`mc ${line.path.join(" ")}\``, error);
  if (line.global.bool("debug") && error instanceof Error) out.note(error.stack ?? error.message);
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  const found: unknown = typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, "version") : undefined;
  return typeof found === "string" ? found : "0";
}
