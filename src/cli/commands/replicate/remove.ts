/** `replicate rm` (mc-cli.md 6.6). */
import { deleteReplication, putReplication } from "../../../client/s3-calls.ts";
import { ruleArn } from "../../../model/replication-config.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { attempt, countArgs, unlessAnswered } from "../attempt.ts";
import type { BucketSite } from "./common.ts";
import { bucketSite, droppedChanges, named, removeTarget, requireConfig } from "./common.ts";

const WHAT = "Could not remove replication rule";

export const removeCommand: Command = {
  name: "remove",
  aliases: ["rm"],
  summary: "remove replication rules and the targets that nothing uses any more",
  usage: "ALIAS/BUCKET (--id ID | --all --force)",
  examples: [
    { what: "one rule", line: "mc replicate rm here/b --id ID" },
    { what: "all rules and targets of the bucket", line: "mc replicate rm here/b --all --force" },
  ],
  flags: [
    { name: "id", kind: "string", help: "ID of the rule" },
    { name: "all", kind: "bool", help: "all rules; needs --force" },
    { name: "force", kind: "bool", help: "confirms --all" },
  ],
  run: removeRules,
};

async function removeRules(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET --id ID, or ALIAS/BUCKET --all --force");
  const site = bucketSite(ctx, text);
  const id = flags.string("id") ?? "";
  if (flags.bool("all")) {
    if (!flags.bool("force")) {
      throw new CommandError(WHAT, new Error(`to remove all rules type: mc replicate rm ${text} --all --force`));
    }
    const count = await attempt(
      WHAT,
      unlessAnswered(deleteReplication(site.s3, named(site)), 0, "ReplicationConfigurationNotFoundError"),
    );
    const dropped = droppedChanges(count);
    const message = `Replication configuration removed from ${site.url} successfully.${dropped.text}`;
    ctx.out.message(message, { op: "remove", status: "success", url: site.url, id: "", ...dropped.json });
    return 0;
  }
  if (id === "") throw new CommandError(WHAT, new Error("give --id ID, or --all --force for all rules"));
  const dropped = droppedChanges(await attempt(WHAT, removeRule(site, id)));
  const message = `Replication configuration rule with ID \`${id}\` removed from ${site.url}.${dropped.text}`;
  ctx.out.message(message, { op: "remove", status: "success", url: site.url, id, ...dropped.json });
  return 0;
}

/** Returns how many changes had not reached a target that went with it. */
async function removeRule(site: BucketSite, id: string): Promise<number> {
  const config = await requireConfig(site, WHAT);
  const rule = config.rules.find((candidate) => candidate.id === id);
  if (rule === undefined) throw new CommandError(WHAT, new Error(`there is no rule with ID \`${id}\``));
  const arn = ruleArn(config, rule);
  const rules = config.rules.filter((candidate) => candidate !== rule);
  let dropped = 0;
  if (rules.length === 0) dropped = await deleteReplication(site.s3, named(site));
  else await putReplication(site.s3, named(site), { ...config, rules });
  // A target made by `admin bucket remote add` may serve several rules: it goes with its last one.
  const stillUsed = rules.some((other) => ruleArn(config, other) === arn);
  if (stillUsed) return dropped;
  return dropped + (await unlessAnswered(removeTarget(site, arn), 0, "XMinioAdminRemoteTargetNotFoundError"));
}
