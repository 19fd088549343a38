/** `admin bucket remote` of 2022: targets without rules (mc-cli.md 7.1). */
import { answeredWith } from "../../../client/errors.ts";
import { getReplication } from "../../../client/s3-calls.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { columns } from "../../format.ts";
import { remoteTarget } from "../../targets.ts";
import { attempt, countArgs } from "../attempt.ts";
import type { BucketSite } from "../replicate/common.ts";
import {
  bucketSite,
  droppedChanges,
  listTargets,
  named,
  removeTarget,
  resolveArn,
  setTarget,
  targetByArn,
} from "../replicate/common.ts";
import type { RemoteAddress } from "../replicate/remote-address.ts";
import { parseRemoteAddress, sameRemote } from "../replicate/remote-address.ts";
import type { RemoteTarget } from "../replicate/remote-target.ts";
import { changedTarget, newTarget, remoteTargetJson, targetOptions, targetUrl } from "../replicate/remote-target.ts";
import { parseBandwidth } from "../units.ts";

const SERVICE_FLAG = { name: "service", kind: "string", help: "replication, the only one" } as const;
const BANDWIDTH_FLAG = {
  name: "bandwidth",
  kind: "string",
  help: "limit per second, in BITS (1600M = 200 MB/s) or with an explicit unit (200MB/s)",
} as const;
const HEALTH_FLAG = {
  name: "healthcheck-seconds",
  kind: "int",
  help: "seconds between health checks (default: 60)",
} as const;
const PATH_FLAG = { name: "path", kind: "string", help: "bucket lookup: auto, on, off" } as const;

export const bucketRemoteCommand: Command = {
  name: "remote",
  summary: "replication targets of a bucket",
  subcommands: [
    {
      name: "add",
      summary: "make a target and print its ARN",
      usage: "ALIAS/BUCKET http(s)://ACCESS:SECRET@HOST[:PORT]/BUCKET --service replication",
      examples: [
        {
          what: "then: mc replicate add here/b --remote-bucket ARN",
          line: "mc admin bucket remote add here/b http://ACCESS:SECRET@there:9000/b --service replication",
        },
      ],
      flags: [
        SERVICE_FLAG,
        { name: "region", kind: "string", help: "region of the target; part of the ARN" },
        PATH_FLAG,
        BANDWIDTH_FLAG,
        { name: "sync", kind: "bool", help: "replicate before the client gets its answer" },
        HEALTH_FLAG,
        { name: "disable-proxy", kind: "bool", help: "do not ask the target for what is lacking here" },
      ],
      run: addRemote,
    },
    {
      name: "ls",
      aliases: ["list"],
      summary: "list targets, used by a rule or not",
      usage: "ALIAS[/BUCKET]",
      examples: [{ what: "of all buckets", line: "mc admin bucket remote ls here" }],
      flags: [SERVICE_FLAG],
      run: listRemotes,
    },
    {
      name: "edit",
      summary: "change a target",
      usage: "ALIAS/BUCKET [URL] --arn ARN",
      examples: [
        { what: "limit its bandwidth", line: "mc admin bucket remote edit here/b --arn ARN --bandwidth 1600M" },
      ],
      flags: [
        { name: "arn", kind: "string", help: "ARN of the target" },
        { name: "sync", kind: "string", help: "enable or disable" },
        { name: "proxy", kind: "string", help: "enable or disable" },
        BANDWIDTH_FLAG,
        HEALTH_FLAG,
        PATH_FLAG,
        { ...SERVICE_FLAG, hidden: true },
      ],
      run: editRemote,
    },
    {
      name: "rm",
      aliases: ["remove"],
      summary: "remove a target that no rule uses",
      usage: "ALIAS/BUCKET --arn ARN",
      examples: [{ what: "by its ARN", line: "mc admin bucket remote rm here/b --arn ARN" }],
      flags: [
        { name: "arn", kind: "string", help: "ARN of the target" },
        { ...SERVICE_FLAG, hidden: true },
      ],
      run: removeRemote,
    },
  ],
};

function checkService(flags: ParsedFlags): void {
  const service = flags.string("service") ?? "replication";
  if (service !== "replication")
    throw new CommandError(`\`${service}\` is no service of remote targets; use replication`);
}

async function addRemote(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = "", url = ""] = countArgs(args, 2, 2, "ALIAS/BUCKET http(s)://ACCESS:SECRET@HOST[:PORT]/BUCKET");
  checkService(flags);
  const what = "Unable to configure remote target";
  const site = bucketSite(ctx, text);
  const address = parseRemoteAddress(url, ctx.aliases());
  if (address.kind === "arn" || address.credentials === undefined) {
    throw new CommandError(
      what,
      new Error("give the address with its keys: http(s)://ACCESS:SECRET@HOST[:PORT]/BUCKET"),
    );
  }
  const bandwidth = flags.string("bandwidth");
  const target = newTarget(address, {
    path: flags.string("path"),
    region: flags.string("region"),
    bandwidthLimit: bandwidth === undefined ? undefined : parseBandwidth(bandwidth, "bits"),
    sync: flags.bool("sync"),
    disableProxy: flags.bool("disable-proxy"),
    healthCheckSeconds: flags.int("healthcheck-seconds"),
  });
  const arn = await attempt(what, setTarget(site, target));
  ctx.out.message(`Remote ARN = \`${arn}\`.`, remoteTargetJson({ ...target, sourcebucket: site.bucket, arn }));
  return 0;
}

async function listRemotes(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS[/BUCKET]");
  checkService(flags);
  const { alias, bucket } = remoteTarget(ctx, text);
  const type = flags.string("service") ?? "";
  const listed = await attempt(
    "Unable to list remote targets",
    listTargets({ ctx, bucket, admin: ctx.admin(alias) }, type),
  );
  if (!ctx.out.json) ctx.out.message(remoteListText(listed, text), {});
  else for (const target of listed) ctx.out.message(undefined, remoteTargetJson(target));
  return 0;
}

/** Heading and one line for each target. */
function remoteListText(targets: readonly RemoteTarget[], where: string): string {
  if (targets.length === 0) return `No remote targets found for \`${where}\`.`;
  const rows = targets.map((target) => [
    targetUrl(target),
    `${target.sourcebucket}->${target.targetbucket}`,
    target.arn ?? "",
    target.replicationSync ? "sync" : "",
    target.disableProxy ? "" : "proxy",
  ]);
  return columns([["Remote URL", "Source->Target", "ARN", "SYNC", "PROXY"], ...rows]);
}

async function editRemote(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = "", url] = countArgs(args, 1, 2, "ALIAS/BUCKET [URL] --arn ARN");
  const what = "Unable to edit remote target";
  const site = bucketSite(ctx, text);
  const address = url === undefined ? undefined : parseRemoteAddress(url, ctx.aliases());
  const stored = await attempt(what, findTarget(site, flags.string("arn"), address));
  const remote = address?.kind === "endpoint" ? address : undefined;
  const { target, parts } = changedTarget(stored, remote, targetOptions(flags, "bits"));
  if (parts.length === 0) throw new CommandError(what, new Error("nothing to change: give a URL with keys or a flag"));
  const arn = await attempt(what, setTarget(site, target, parts));
  ctx.out.message(`Remote target updated for target with ARN \`${arn}\`.`, remoteTargetJson({ ...target, arn }));
  return 0;
}

/** By ARN first, by address otherwise (mc-cli.md 7.1). */
async function findTarget(
  site: BucketSite,
  arn: string | undefined,
  address: RemoteAddress | undefined,
): Promise<RemoteTarget> {
  const targets = await listTargets(site);
  if (arn !== undefined && arn !== "")
    return targetByArn(targets, await resolveArn(site, arn, await getReplication(site.s3, named(site))));
  const found = address?.kind === "endpoint" ? targets.find((target) => sameRemote(target, address)) : undefined;
  if (found === undefined) throw new CommandError("Unable to find the remote target", new Error("--arn is needed"));
  return found;
}

async function removeRemote(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET --arn ARN");
  const what = "Unable to remove remote target";
  const site = bucketSite(ctx, text);
  const value = flags.string("arn") ?? "";
  if (value === "") throw new CommandError(what, new Error("--arn is needed; see mc admin bucket remote ls"));
  const config = await attempt(what, getReplication(site.s3, named(site)));
  const arn = await attempt(what, resolveArn(site, value, config));
  let count = 0;
  try {
    count = await removeTarget(site, arn);
  } catch (error) {
    // Servers drop the targets with the last rule; the scripts of 2022 remove them in a second step, which has been done.
    if (config !== undefined || !answeredWith(error, "XMinioAdminRemoteTargetNotFoundError"))
      throw new CommandError(what, error);
  }
  const dropped = droppedChanges(count);
  const gone = {
    status: "success",
    sourceBucket: site.bucket,
    TargetURL: "",
    TargetBucket: "",
    RemoteARN: arn,
    service: "replication",
    ...dropped.json,
  };
  const message = `Removed remote target for \`${site.bucket}\` bucket with ARN \`${arn}\`.${dropped.text}`;
  ctx.out.message(message, gone);
  return 0;
}
