/**
 * Commands of MinIO for which a server may have nothing behind them: the call is made, and the server's own words are the
 * answer. What it answers otherwise is printed as it came.
 */
import type { Command } from "../../command.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand } from "./common.ts";

interface Row {
  readonly name: string;
  readonly summary: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly subcommands?: readonly Row[] | undefined;
}

const get = (name: string, summary: string, path: string, query?: Row["query"]): Row => ({
  name,
  summary,
  method: "GET",
  path,
  query,
});
const post = (name: string, summary: string, path: string, query?: Row["query"]): Row => ({
  ...get(name, summary, path, query),
  method: "POST",
});

async function call({ ctx, client }: AdminSite, { method, path, query }: Row): Promise<void> {
  const text = (await client.call({ method, path, query, signal: ctx.signal })).toString("utf8").trim();
  for (const line of text === "" ? ["Done."] : text.split("\n"))
    ctx.out.message(line, { status: "success", answer: line });
}

function command(row: Row): Command {
  const { name, summary } = row;
  // Whatever arguments the original takes: they make no difference to the answer.
  const spec = { name, summary, usage: "ALIAS", argCount: [0, 9] as const, what: `Unable to ${summary}` };
  return { ...adminSubcommand({ ...spec, work: (site) => call(site, row) }), hidden: true, anyFlags: true };
}

const group = (name: string, summary: string, rows: readonly Row[]): Command => ({
  name,
  summary,
  hidden: true,
  subcommands: rows.map(command),
});

const SPEEDTEST = { duration: "10s", size: "67108864", concurrent: "32", autotune: "true" };

export const ELSEWHERE_COMMANDS: readonly Command[] = [
  command(post("speedtest", "measure the speed of a server", "speedtest", SPEEDTEST)),
  command(post("update", "update a server", "update", { type: "2", updateURL: "", "dry-run": "false" })),
  command(post("profile", "profile a server", "profile", { profilerType: "cpu", duration: "10s" })),
  group("scanner", "follow the scanner of a server", [
    get("status", "follow the scanner of a server", "metrics", { types: "1", n: "1", interval: "1s" }),
    get("info", "get the state of the scanner of a server", "metrics", { types: "1", n: "1", interval: "1s" }),
  ]),
  group("rebalance", "spread objects over pools", [
    post("start", "start a rebalance", "rebalance/start"),
    get("status", "get the state of a rebalance", "rebalance/status"),
    post("stop", "stop a rebalance", "rebalance/stop"),
  ]),
  group("decommission", "empty a pool", [
    post("start", "start to empty a pool", "pools/decommission", { pool: "" }),
    get("status", "get the state of pools", "pools/list"),
    post("cancel", "stop to empty a pool", "pools/cancel", { pool: "" }),
  ]),
];

/** `support perf` of 2022 to 2025. */
export const perfCommand: Command = group("perf", "measure the speed of a server", [
  post("object", "measure the speed of objects", "speedtest/object", SPEEDTEST),
  post("drive", "measure the speed of drives", "speedtest/drive", { serial: "false" }),
  post("net", "measure the speed of the network", "speedtest/net", { duration: "10s" }),
  post("client", "measure the speed to the client", "speedtest/client/devnull"),
  post("site-replication", "measure the speed between sites", "speedtest/site", { duration: "10s" }),
]);
