/** `replicate ls` (mc-cli.md 6.3). */
import type { ReplicationConfig, ReplicationRule } from "../../../model/replication-config.ts";
import { ruleArn } from "../../../model/replication-config.ts";
import { ruleToJson } from "../../../protocol/replication-xml.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { attempt, countArgs } from "../attempt.ts";
import { bucketSite, listTargets, requireConfig } from "./common.ts";
import { ruleText } from "./list-format.ts";
import type { RemoteTarget } from "./remote-target.ts";

const WHAT = "Unable to list replication configuration";

export const listCommand: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list the replication rules of a bucket",
  usage: "ALIAS/BUCKET [--status enabled|disabled]",
  examples: [
    { what: "the ARN of the first rule", line: "mc replicate ls here/b --json | jq -r .rule.Destination.Bucket" },
  ],
  flags: [{ name: "status", kind: "string", help: "only rules that are enabled or disabled" }],
  run: listRules,
};

async function listRules(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const site = bucketSite(ctx, text);
  const config = await attempt(WHAT, requireConfig(site, WHAT));
  const targets = await attempt(WHAT, listTargets(site));
  if (!ctx.out.json) ctx.out.message("Rules:", {});
  for (const rule of config.rules.filter(wanted(flags.string("status")))) {
    const arn = ruleArn(config, rule);
    const target = targets.find((known) => known.arn === arn);
    ctx.out.message(ruleText(rule, arn, target), listJson(site.url, config, rule, target));
  }
  return 0;
}

function wanted(status: string | undefined): (rule: ReplicationRule) => boolean {
  if (status === undefined || status === "") return () => true;
  const word = status.toLowerCase();
  if (word === "enabled") return (rule) => rule.enabled;
  if (word === "disabled") return (rule) => !rule.enabled;
  throw new CommandError("Invalid --status", new Error(`\`${status}\` is neither enabled nor disabled`));
}

function listJson(
  url: string,
  config: ReplicationConfig,
  rule: ReplicationRule,
  target: RemoteTarget | undefined,
): Record<string, unknown> {
  const shown = config.role === "" ? rule : { ...rule, destination: ruleArn(config, rule) };
  const remote = target === undefined ? {} : { remoteTarget: target };
  return { op: "list", status: "success", url, rule: ruleToJson(shown), ...remote };
}
