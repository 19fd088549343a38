/** `mc ping` (mc-cli.md 9.4). */
import type { S3Client } from "../../client/s3-client.ts";
import type { Clock } from "../../runtime/clock.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { AliasEntry, Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { errorReason } from "../error-report.ts";
import { remoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";
import type { ServerInfo } from "./admin/info-format.ts";
import type { Answer, Totals } from "./ping/rounds.ts";
import { NO_ROUNDS, counted, roundObject, roundText, summaryObject, summaryText } from "./ping/rounds.ts";

interface Server {
  readonly url: string;
  readonly client: S3Client;
  totals: Totals;
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text, ...rest] = args;
  if (text === undefined || rest.length > 0) throw new UsageError("`mc ping` takes one ALIAS");
  const { alias } = remoteTarget(ctx, text);
  const servers = await serversOf(ctx, alias, flags);
  const clock = systemClock();
  const limit = positive(flags, "count", Infinity);
  const errorLimit = positive(flags, "error-count", Infinity);
  const intervalMs = positive(flags, "interval", 1) * 1000;
  for (let round = 1; round <= limit && !ctx.signal.aborted; round++) {
    const answers = await Promise.all(servers.map(({ client }) => roundTrip(client, clock, ctx.signal)));
    // An interrupted request says nothing about the server.
    if (ctx.signal.aborted) break;
    const rows = servers.map((server, i) => {
      const answer = answers[i] ?? { ms: 0, error: "no answer" };
      server.totals = counted(server.totals, answer);
      return { url: server.url, totals: server.totals, answer };
    });
    ctx.out.message(roundText(round, rows), roundObject(round, rows));
    if (flags.bool("exit") && answers.every(({ error }) => error === "")) break;
    if (rows.some(({ totals }) => totals.errorsInARow >= errorLimit)) break;
    if (round < limit) await clock.sleep(intervalMs, ctx.signal);
  }
  ctx.out.message(summaryText(servers), summaryObject(servers));
  return 0;
}

/** 0 stands for the default, as scripts that pass a variable expect. */
function positive(flags: ParsedFlags, name: string, standard: number): number {
  const value = flags.int(name) ?? 0;
  if (value < 0) throw new UsageError(`--${name} takes a positive number`);
  return value === 0 ? standard : value;
}

/** The server of the alias, or with --distributed and --node those that its admin information names. */
async function serversOf(ctx: CommandContext, alias: string, flags: ParsedFlags): Promise<Server[]> {
  const entry = ctx.aliases()[alias];
  if (entry === undefined) throw new CommandError(`No such alias \`${alias}\` found`);
  const node = flags.string("node");
  if (!flags.bool("distributed") && node === undefined) return [serverAt(ctx, entry, entry.url)];
  const info = await ctx.admin(alias).json<ServerInfo>({ method: "GET", path: "info", signal: ctx.signal });
  const urls = serverUrls(
    entry.url,
    (info.servers ?? []).map(({ endpoint = "" }) => endpoint),
    node,
  );
  return urls.map((url) => serverAt(ctx, entry, url));
}

/**
 * Where the servers `endpoints` (`host:port` or URLs) are reached; only `node` if given. A server that is alone answers
 * at the alias's own address: what it calls itself may be known only inside its network. Throws CommandError.
 */
export function serverUrls(aliasUrl: string, endpoints: readonly string[], node: string | undefined): string[] {
  const { protocol, host, origin } = new URL(aliasUrl);
  const named = endpoints
    .filter((text) => text !== "")
    .map((text) => new URL(text.includes("://") ? text : `${protocol}//${text}`));
  const alone = named.length <= 1;
  if (node === undefined) return alone ? [origin] : named.map((url) => url.origin);
  if (alone && [host, ...named.map((url) => url.host)].includes(node)) return [origin];
  const chosen = named.filter((url) => url.host === node);
  if (chosen.length > 0) return chosen.map((url) => url.origin);
  throw new CommandError(`There is no server \`${node}\`. Known: ${named.map((url) => url.host).join(", ") || host}`);
}

/** Health needs no signature, and an anonymous client works with wrong keys too. */
function serverAt(ctx: CommandContext, entry: AliasEntry, url: string): Server {
  const client = ctx.s3For({ ...entry, url, accessKey: "", secretKey: "", path: "on" });
  return { url: client.endpoint.url, client, totals: NO_ROUNDS };
}

async function roundTrip(client: S3Client, clock: Clock, signal: AbortSignal): Promise<Answer> {
  const begin = clock.nowNs();
  let error = "";
  try {
    const response = await client.request({ method: "GET", bucket: "minio", key: "health/live", signal });
    await response.discard();
    if (response.status !== 200) error = `HTTP status ${response.status}`;
  } catch (cause) {
    error = errorReason(cause);
  }
  return { ms: Number(clock.nowNs() - begin) / 1e6, error };
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
    { name: "exit", aliases: ["x"], kind: "bool", help: "end when every server has answered" },
    { name: "interval", aliases: ["i"], kind: "int", help: "seconds between rounds (default 1)" },
    { name: "distributed", aliases: ["a"], kind: "bool", help: "every server of a cluster" },
    { name: "node", kind: "string", help: "one server of a cluster, HOST:PORT" },
  ],
  run,
};
