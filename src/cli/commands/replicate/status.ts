/** `replicate status` (mc-cli.md 6.4). */
import { replicationMetrics } from "../../../client/s3-calls.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { attempt, countArgs } from "../attempt.ts";
import { bucketSite, listTargets, named, requireConfig } from "./common.ts";
import { asVersion2, nodesText, statusJson, statusText } from "./status-format.ts";

const WHAT = "Unable to get replication status";

export const statusCommand: Command = {
  name: "status",
  summary: "show what was replicated, what waits and how the links are",
  usage: "ALIAS/BUCKET [--nodes]",
  examples: [{ what: "totals of a bucket", line: "mc replicate status here/b" }],
  flags: [
    { name: "nodes", aliases: ["n"], kind: "bool", help: "transfer rates of each node" },
    {
      name: "backlog",
      aliases: ["b"],
      kind: "bool",
      help: "accepted for old scripts; see `mc replicate backlog`",
      hidden: true,
    },
  ],
  run: showStatus,
};

async function showStatus(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const site = bucketSite(ctx, text);
  const answer = await attempt(WHAT, replicationMetrics<Record<string, unknown>>(site.s3, named(site)));
  const metrics = asVersion2(answer);
  if (flags.bool("nodes")) {
    const nodes = metrics.queueStats?.nodes ?? [];
    ctx.out.message(nodesText(metrics), { op: "status", status: "success", nodes });
    return 0;
  }
  const targets = await attempt(WHAT, listTargets(site));
  await attempt(WHAT, requireConfig(site, WHAT));
  ctx.out.message(statusText(metrics, targets), statusJson(site.url, metrics, targets));
  return 0;
}
