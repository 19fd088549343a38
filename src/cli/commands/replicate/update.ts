/** `replicate update`, also `edit` (mc-cli.md 6.2, 7.2). */
import { putReplication } from "../../../client/s3-calls.ts";
import type { ReplicationConfig } from "../../../model/replication-config.ts";
import { ruleArn } from "../../../model/replication-config.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { attempt, countArgs } from "../attempt.ts";
import type { BucketSite } from "./common.ts";
import { bucketSite, listTargets, named, requireConfig, setTarget, targetByArn } from "./common.ts";
import type { RemoteAddress } from "./remote-address.ts";
import { parseRemoteAddress } from "./remote-address.ts";
import type { TargetOptions } from "./remote-target.ts";
import { changedTarget, targetOptions } from "./remote-target.ts";
import { changeRule } from "./rule-edit.ts";

const WHAT = "Unable to update replication rule";

export const updateCommand: Command = {
  name: "update",
  aliases: ["edit"],
  summary: "change a replication rule or the settings of its target",
  usage: "ALIAS/BUCKET[/PREFIX] --id ID [FLAGS]",
  examples: [
    { what: "pause a rule", line: "mc replicate update here/b --id ID --state disable" },
    {
      what: "limit the bandwidth; the keys stay as stored",
      line: "mc replicate update here/b --id ID --bandwidth 200MB",
    },
    { what: "new keys for the target", line: "mc replicate update here/b --id ID --remote-bucket there/b" },
  ],
  flags: [
    { name: "id", kind: "string", help: "ID of the rule; not needed when there is only one" },
    { name: "state", kind: "string", help: "enable or disable" },
    { name: "priority", kind: "int", help: "unique; the higher one decides" },
    { name: "replicate", kind: "string", help: 'delete-marker,delete,existing-objects,metadata-sync; "" for none' },
    { name: "tags", kind: "string", help: 'only objects with one of these tags: "k=v&k2=v2"; "" for all' },
    { name: "prefix", kind: "string", help: 'only objects below this prefix; "" for all (default: as it is)' },
    { name: "storage-class", aliases: ["sc"], kind: "string", help: "storage class at the target" },
    {
      name: "remote-bucket",
      kind: "string",
      help: "another address or new keys for the target, or the ARN of another target",
    },
    { name: "arn", kind: "string", help: "older name of --remote-bucket with an ARN", hidden: true },
    { name: "sync", kind: "string", help: "enable or disable" },
    { name: "proxy", kind: "string", help: "enable or disable" },
    {
      name: "bandwidth",
      kind: "string",
      help: "limit per second, in bytes (200MB) or with an explicit unit (1600Mb/s); 0 for none",
    },
    { name: "healthcheck-seconds", kind: "int", help: "seconds between health checks of the target" },
    { name: "path", kind: "string", help: "bucket lookup towards the target: auto, on, off" },
  ],
  run: updateRule,
};

async function updateRule(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET[/PREFIX] --id ID");
  const site = bucketSite(ctx, text);
  const config = await attempt(WHAT, requireConfig(site, WHAT));
  const id = flags.string("id") || onlyRule(config);
  const remote = flags.string("remote-bucket") ?? flags.string("arn");
  const address = remote === undefined ? undefined : parseRemoteAddress(remote, ctx.aliases());
  const prefix = flags.string("prefix") ?? (site.prefix === "" ? undefined : site.prefix);
  const changed = changeRule(config, id, {
    state: flags.string("state"),
    priority: flags.int("priority"),
    replicate: flags.string("replicate"),
    tags: flags.string("tags"),
    storageClass: flags.string("storage-class"),
    prefix,
    arn: address?.kind === "arn" ? address.arn : undefined,
  });
  await attempt(WHAT, updateTarget(site, changed, id, address, targetOptions(flags, "bytes")));
  await attempt(WHAT, putReplication(site.s3, named(site), changed));
  const message = `Replication configuration rule with ID \`${id}\` applied to ${site.url}.`;
  ctx.out.message(message, { op: "update", status: "success", url: site.url, id });
  return 0;
}

function onlyRule(config: ReplicationConfig): string {
  const [rule, ...more] = config.rules;
  if (rule !== undefined && more.length === 0) return rule.id;
  const ids = config.rules.map((known) => known.id).join(", ");
  throw new CommandError(WHAT, new Error(`--id is needed; the rules are ${ids}`));
}

async function updateTarget(
  site: BucketSite,
  config: ReplicationConfig,
  id: string,
  address: RemoteAddress | undefined,
  options: TargetOptions,
): Promise<void> {
  const nothing = address === undefined && Object.values(options).every((value) => value === undefined);
  const rule = config.rules.find((candidate) => candidate.id === id);
  if (nothing || rule === undefined) return;
  const stored = targetByArn(await listTargets(site), ruleArn(config, rule));
  const remote = address?.kind === "endpoint" ? address : undefined;
  const { target, parts } = changedTarget(stored, remote, options);
  if (parts.length > 0) await setTarget(site, target, parts);
}
