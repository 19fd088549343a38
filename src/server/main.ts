/** `resilver`: the server and its tools. The only place that exits. Exit codes: docs/reference/server.md. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runFurtherProcess, runServer } from "./run.ts";
import { UsageError } from "./settings.ts";

const HELP = `Examples:
  resilver server /srv/resilver                                serve on port 9000
  resilver server --address 127.0.0.1:0 ./data                 serve on a free port; the ready line names it
  RESILVER_ROOT_USER=admin RESILVER_ROOT_PASSWORD=... resilver server --address :9000 /srv/resilver
  resilver verify here/photos away/photos                      prove two buckets equal, or say what differs
  resilver check --deep /srv/resilver                          look through a directory that no server has open

Usage:
  resilver server [--address [HOST]:PORT] [--certs-dir DIR] [--workers N] [--quiet] [--json] DIR
  resilver verify [--level identity|metadata|bytes] [--report FILE] [--json] SOURCE TARGET
  resilver check [--deep] [--rebuild] [--json] DIR

Flags:
  --address [HOST]:PORT   where to listen; default :9000, port 0 takes a free one
  --certs-dir, -S DIR     public.crt and private.key make it HTTPS, CAs/ holds roots for outgoing TLS; default ~/.resilver/certs
  --workers N             processes that serve; default 1
  --console-address       accepted, as at MinIO; there is no console
  --quiet                 no ready line
  --json                  ready line and logs as JSON, one object a line

resilver verify takes the aliases of mc (mc alias set, MC_HOST_NAME); SOURCE and TARGET are ALIAS/BUCKET[/PREFIX], or ALIAS
for all buckets. Exit codes: 0 equal, 3 different, 1 could not look. resilver verify --help says more.

resilver check looks whether the bytes are there that the index names, and whether digests and counters are those of the
versions; --deep reads every byte, --rebuild makes the digests anew first. Exit codes: 0 sound, 3 faults, 1 failed.

Every setting is documented in docs/reference/server.md.
`;

function version(): string {
  const path = join(resolve(import.meta.dirname, "..", ".."), "package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

/** The client's `replicate verify` with its aliases, under the name of the contract. Loaded only when it is asked for. */
async function runVerify(argv: readonly string[]): Promise<number> {
  const { runMc } = await import("../cli/main.ts");
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const { stdin, stdout, stderr } = process;
  return runMc(["replicate", "verify", ...argv], process.env, { stdin, stdout, stderr, signal: stop.signal });
}

async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  if (command === "--version" || command === "-v" || command === "version") {
    process.stdout.write(`resilver ${version()}\n`);
    return 0;
  }
  const wantsHelp =
    command === undefined ||
    command === "help" ||
    (command !== "verify" && [command, ...rest].some((word) => word === "--help" || word === "-h"));
  if (wantsHelp) {
    process.stdout.write(HELP);
    return command === undefined ? 2 : 0;
  }
  if (command === "server") return runServer(rest, process.env, version());
  if (command === "verify") return runVerify(rest);
  if (command === "check") return (await import("./check.ts")).runCheck(rest);
  if (command === "server-process") return runFurtherProcess(rest, process.env, version());
  throw new UsageError(`unknown command ${command}. Type: resilver --help`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof UsageError;
  process.stderr.write(
    usage ? `resilver: ${error.message}\n` : `resilver: ${(error as Error).stack ?? String(error)}\n`,
  );
  process.exitCode = usage ? 2 : 1;
}
if (process.exitCode !== 0) process.exit();
