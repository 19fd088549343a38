/** `mc ping` (mc-cli.md 9.4). */
import { errorReason } from "../error-report.ts";
import type { S3Client } from "../../client/s3-client.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { columns } from "../format.ts";
import { remoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";

interface Totals {
  min: number;
  max: number;
  sum: number;
  count: number;
  errors: number;
  /** Errors since the last answer. */
  errorsInARow: number;
  lastError: string;
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text, ...rest] = args;
  if (text === undefined || rest.length > 0) throw new UsageError("`mc ping` takes one ALIAS");
  for (const name of ["distributed", "node"]) {
    if (flags.given(name)) throw new CommandError(`--${name} is not supported: a site answers as one server`);
  }
  const { alias } = remoteTarget(ctx, text);
  const entry = ctx.aliases()[alias];
  if (entry === undefined) throw new CommandError(`No such alias \`${alias}\` found`);
  // Health needs no signature, and an anonymous client works with wrong keys too.
  const client = ctx.s3For({ ...entry, accessKey: "", secretKey: "", path: "on" });
  const totals: Totals = { min: Infinity, max: 0, sum: 0, count: 0, errors: 0, errorsInARow: 0, lastError: "" };
  const clock = systemClock();
  const limit = flags.int("count") ?? Infinity;
  const errorLimit = flags.int("error-count") ?? Infinity;
  for (let round = 1; round <= limit && !ctx.signal.aborted; round++) {
    const answered = await pingOnce(ctx, client, totals, round);
    if ((flags.bool("exit") && answered) || totals.errorsInARow >= errorLimit) break;
    if (round < limit) await clock.sleep((flags.int("interval") ?? 1) * 1000, ctx.signal);
  }
  summary(ctx, client, totals);
  return 0;
}

async function pingOnce(ctx: CommandContext, client: S3Client, totals: Totals, round: number): Promise<boolean> {
  const clock = systemClock();
  const begin = clock.nowNs();
  let error = "";
  try {
    const response = await client.request({ method: "GET", bucket: "minio", key: "health/live", signal: ctx.signal });
    await response.discard();
    if (response.status !== 200) error = `HTTP status ${response.status}`;
  } catch (cause) {
    error = errorReason(cause);
  }
  const ms = Number(clock.nowNs() - begin) / 1e6;
  note(totals, ms, error);
  const endpoint = endpointParts(client);
  const counter = String(round).padStart(3);
  const average = totals.count === 0 ? 0 : totals.sum / totals.count;
  const figures = `min=${shown(totals.min)}  max=${shown(totals.max)}  average=${shown(average)}  errors=${totals.errors}`;
  const line = `${counter}: ${client.endpoint.url}  ${figures}  roundtrip=${error === "" ? shown(ms) : error}`;
  ctx.out.message(line, {
    status: "success",
    counter,
    servers: [
      {
        endpoint,
        min: shown(totals.min),
        max: shown(totals.max),
        average: shown(average),
        dns: "",
        status: error === "" ? "ok " : "failed ",
        error,
        time: shown(ms),
      },
    ],
  });
  return error === "";
}

function note(totals: Totals, ms: number, error: string): void {
  if (error !== "") {
    totals.errors += 1;
    totals.errorsInARow += 1;
    totals.lastError = error;
    return;
  }
  totals.errorsInARow = 0;
  totals.count += 1;
  totals.sum += ms;
  totals.min = Math.min(totals.min, ms);
  totals.max = Math.max(totals.max, ms);
}

const shown = (ms: number): string => (Number.isFinite(ms) ? `${ms.toFixed(2)}ms` : "-");

function endpointParts(client: S3Client): Record<string, unknown> {
  const { protocol, host } = new URL(client.endpoint.url);
  return { Scheme: protocol.slice(0, -1), Opaque: "", User: null, Host: host, Path: "", RawPath: "", RawQuery: "", Fragment: "" };
}

function summary(ctx: CommandContext, client: S3Client, totals: Totals): void {
  const { min, max, sum, count, errors, lastError } = totals;
  const average = count === 0 ? 0 : sum / count;
  const text = columns([
    ["Endpoint", "Min", "Avg", "Max", "Error", "Count"],
    [client.endpoint.url, shown(min), shown(average), shown(max), String(errors), String(count + errors)],
  ]);
  const ns = (ms: number): number => (Number.isFinite(ms) ? Math.round(ms * 1e6) : 0);
  const server = { min: ns(min), max: ns(max), sum: ns(sum), avg: ns(average), dns: 0, errorCount: errors, err: lastError, counter: count + errors };
  ctx.out.message(`\n${text}`, { status: "success", serverMap: { [client.host]: server } });
}

export const pingCommand: Command = {
  name: "ping",
  summary: "measure how long a server takes to answer",
  usage: "ALIAS",
  examples: [
    { what: "five times", line: "mc ping -c 5 home" },
    { what: "until it answers", line: "mc ping --exit home" },
  ],
  flags: [
    { name: "count", aliases: ["c"], kind: "int", help: "number of rounds (default: until interrupted)" },
    { name: "error-count", aliases: ["e"], kind: "int", help: "end after this many errors in a row" },
    { name: "exit", aliases: ["x"], kind: "bool", help: "end at the first answer" },
    { name: "interval", aliases: ["i"], kind: "int", help: "seconds between rounds (default 1)" },
    { name: "distributed", aliases: ["a"], kind: "bool", help: "not supported", hidden: true },
    { name: "node", kind: "string", help: "not supported", hidden: true },
  ],
  run,
};
