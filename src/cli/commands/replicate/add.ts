/** `replicate add` (mc-cli.md 6.1, 7.2). */
import { answeredWith } from "../../../client/errors.ts";
import { getReplication, putReplication } from "../../../client/s3-calls.ts";
import type { ReplicationConfig, ReplicationRule } from "../../../model/replication-config.ts";
import { ruleArn } from "../../../model/replication-config.ts";
import { systemRandom } from "../../../runtime/random.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { attempt, countArgs } from "../attempt.ts";
import { parseBandwidth } from "../units.ts";
import type { BucketSite } from "./common.ts";
import { bucketSite, listTargets, named, removeTarget, setTarget, targetByArn } from "./common.ts";
import type { RemoteEndpoint } from "./remote-address.ts";
import { parseRemoteAddress, sameRemote } from "./remote-address.ts";
import type { RemoteTarget } from "./remote-target.ts";
import { newTarget } from "./remote-target.ts";
import { newRule, RULE_ID_LENGTH, ruleIdFrom } from "./rule-edit.ts";

const WHAT = "Unable to add replication rule";

export const addCommand: Command = {
  name: "add",
  summary: "add a replication rule to a bucket, and the target it needs",
  usage: "ALIAS/BUCKET[/PREFIX] --remote-bucket TARGET [FLAGS]",
  examples: [
    {
      what: "everything in a bucket, to a bucket of another alias",
      line: "mc replicate add here/b --remote-bucket there/b",
    },
    {
      what: "with keys in a URL",
      line: "mc replicate add here/b --remote-bucket https://ACCESS:SECRET@there.example:9000/b --priority 1",
    },
    {
      what: "to a target that exists, 2022 form",
      line: 'mc replicate add here/b --remote-bucket ARN --replicate "delete,delete-marker,existing-objects"',
    },
  ],
  flags: [
    {
      name: "remote-bucket",
      kind: "string",
      help: "ALIAS/BUCKET, http(s)://ACCESS:SECRET@HOST[:PORT]/BUCKET, or an ARN",
    },
    { name: "priority", kind: "int", help: "unique; the higher one decides (default: highest in use + 1)" },
    {
      name: "replicate",
      kind: "string",
      help: "any of delete-marker,delete,existing-objects,metadata-sync (default: all)",
    },
    { name: "tags", kind: "string", help: 'only objects with one of these tags: "k=v&k2=v2"' },
    { name: "storage-class", aliases: ["sc"], kind: "string", help: "storage class at the target" },
    { name: "id", kind: "string", help: "ID of the rule (default: made)" },
    { name: "disable", kind: "bool", help: "add the rule disabled" },
    { name: "path", kind: "string", help: "bucket lookup towards the target: auto, on, off" },
    { name: "region", kind: "string", help: "region of the target" },
    {
      name: "bandwidth",
      kind: "string",
      help: "limit per second, in bytes (200MB) or with an explicit unit (1600Mb/s)",
    },
    { name: "sync", kind: "bool", help: "replicate before the client gets its answer" },
    { name: "healthcheck-seconds", kind: "int", help: "seconds between health checks of the target (default: 60)" },
    { name: "disable-proxy", kind: "bool", help: "do not ask the target for what is lacking here" },
    { name: "arn", kind: "string", help: "older name of --remote-bucket with an ARN", hidden: true },
  ],
  run: addRule,
};

interface UsedTarget {
  readonly arn: string;
  /** The target was made for this rule: it goes again when the rule is refused. */
  readonly made: boolean;
}

async function addRule(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET[/PREFIX] --remote-bucket TARGET");
  const remote = flags.string("remote-bucket") ?? flags.string("arn");
  if (remote === undefined || remote === "") throw new CommandError(WHAT, new Error("--remote-bucket is needed"));
  const site = bucketSite(ctx, text);
  const id = flags.string("id") || ruleIdFrom(systemRandom.bytes(RULE_ID_LENGTH));
  const config = (await attempt(WHAT, getReplication(site.s3, named(site)))) ?? { rules: [], role: "" };
  // Built once without an ARN: a wrong flag must be found before a target is made.
  const rule = newRule({ ...ruleFlags(flags), id, arn: "", prefix: site.prefix }, config.rules);
  const used = await attempt(WHAT, useTarget(site, remote, { config, rule, flags }));
  try {
    await putReplication(site.s3, named(site), {
      ...config,
      rules: [...config.rules, { ...rule, destination: used.arn }],
    });
  } catch (error) {
    if (used.made) await rollBack(site, used.arn);
    throw new CommandError(WHAT, error);
  }
  const first = flags.given("id")
    ? `Replication configuration rule with ID \`${id}\` applied to ${site.url}.`
    : `Replication configuration rule applied to ${site.url} successfully.`;
  const message = `${first}\n  Rule ID: ${id}\n  ARN: ${used.arn}`;
  ctx.out.message(message, { op: "add", status: "success", url: site.url, id, arn: used.arn });
  return 0;
}

function ruleFlags(flags: ParsedFlags) {
  return {
    priority: flags.int("priority"),
    replicate: flags.string("replicate"),
    tags: flags.string("tags"),
    storageClass: flags.string("storage-class"),
    disabled: flags.bool("disable"),
  };
}

interface Wanted {
  readonly config: ReplicationConfig;
  readonly rule: ReplicationRule;
  readonly flags: ParsedFlags;
}

async function useTarget(site: BucketSite, remote: string, { config, rule, flags }: Wanted): Promise<UsedTarget> {
  const address = parseRemoteAddress(remote, site.ctx.aliases());
  const targets = await listTargets(site);
  const arns = address.kind === "arn" ? [address.arn] : targets.filter((one) => sameRemote(one, address)).map(arnOf);
  if (!flags.given("priority")) refuseSecond(config, rule, arns);
  if (address.kind === "arn") {
    targetByArn(targets, address.arn);
    return { arn: address.arn, made: false };
  }
  if (address.credentials === undefined) {
    throw new CommandError(
      WHAT,
      new Error("the URL must carry the keys of the target: http://ACCESS:SECRET@HOST/BUCKET"),
    );
  }
  const bandwidth = flags.string("bandwidth");
  const target = newTarget(address, {
    path: flags.string("path"),
    region: flags.string("region"),
    bandwidthLimit: bandwidth === undefined ? undefined : parseBandwidth(bandwidth, "bytes"),
    sync: flags.bool("sync"),
    disableProxy: flags.bool("disable-proxy"),
    healthCheckSeconds: flags.int("healthcheck-seconds"),
  });
  const unused = unusedTarget(address, targets, config);
  const arn =
    unused === undefined
      ? await setTarget(site, target)
      : await setTarget(site, { ...target, arn: unused }, [
          "creds",
          "sync",
          "proxy",
          "bandwidth",
          "healthcheck",
          "path",
        ]);
  return { arn, made: targets.every((known) => known.arn !== arn) };
}

const arnOf = ({ arn }: RemoteTarget): string => arn ?? "";

/**
 * The same command typed twice is refused, as by MinIO's client, whose second rule would have the first one's priority.
 * Whoever gives a priority wants a second rule.
 */
function refuseSecond(config: ReplicationConfig, wanted: ReplicationRule, arns: readonly string[]): void {
  const filter = ({ prefix, tags }: ReplicationRule): string =>
    JSON.stringify([prefix, tags.map(({ key, value }) => [key, value]).sort()]);
  const first = config.rules.find((rule) => arns.includes(ruleArn(config, rule)) && filter(rule) === filter(wanted));
  if (first === undefined) return;
  throw new CommandError(
    WHAT,
    new Error(`the rule \`${first.id}\` sends the same objects there already; change it with mc replicate update --id`),
  );
}

/**
 * ARN of a target to the same bucket that no rule uses, left over from an add that failed: a plain add would answer its
 * ARN and keep its old secret (admin-api.md 4.3 step 3), so it is rewritten.
 */
function unusedTarget(
  address: RemoteEndpoint,
  targets: readonly RemoteTarget[],
  config: ReplicationConfig,
): string | undefined {
  const inUse = new Set<string>(config.rules.map((rule) => ruleArn(config, rule)));
  return targets.find((target) => !inUse.has(target.arn ?? "") && sameRemote(target, address))?.arn;
}

async function rollBack(site: BucketSite, arn: string): Promise<void> {
  try {
    await removeTarget(site, arn);
  } catch (error) {
    // The first failure is the one to report; a target that is gone already needs no word.
    if (!answeredWith(error, "XMinioAdminRemoteTargetNotFoundError")) {
      site.ctx.out.error(`Unable to remove the unused target ${arn}`, error);
    }
  }
}
