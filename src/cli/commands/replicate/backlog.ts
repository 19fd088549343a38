/** `replicate backlog`, and `replicate diff` of 2022 (mc-cli.md 6.6). */
import { getReplication } from "../../../client/s3-calls.ts";
import type { Command, CommandContext, FlagSpec, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { attempt, countArgs, unlessAnswered } from "../attempt.ts";
import { diffLine, mrfJson, mrfLine } from "./backlog-format.ts";
import type { DiffEntry, MrfEntry, TargetName } from "./backlog-format.ts";
import type { BucketSite } from "./common.ts";
import { bucketSite, listTargets, named, resolveArn } from "./common.ts";

const WHAT = "Unable to list the replication backlog";

const FLAGS: readonly FlagSpec[] = [
  {
    name: "arn",
    aliases: ["remote-bucket"],
    kind: "string",
    help: "only this target: ARN, rule ID, ALIAS/BUCKET or URL",
  },
  { name: "verbose", aliases: ["v"], kind: "bool", help: "with --full: replicated versions too" },
  { name: "nodes", aliases: ["n"], kind: "string", help: "a node's name, or all (default)" },
  {
    name: "full",
    aliases: ["a"],
    kind: "bool",
    help: "every version that is not replicated, not only recent failures",
  },
];

export const backlogCommand: Command = {
  name: "backlog",
  summary: "list what could not be replicated, or with --full everything that is not",
  usage: "ALIAS/BUCKET[/PREFIX] [--full]",
  examples: [
    { what: "recent failures", line: "mc replicate backlog here/b" },
    { what: "every version that is not at the target", line: "mc replicate backlog here/b --full --json" },
  ],
  flags: FLAGS,
  run: (ctx, args, flags) => listBacklog(ctx, args, flags, flags.bool("full")),
};

/** The name of 2022 always meant the full list. */
export const diffCommand: Command = {
  name: "diff",
  summary: "list every version that is not replicated",
  usage: "ALIAS/BUCKET[/PREFIX]",
  hidden: true,
  flags: FLAGS,
  run: (ctx, args, flags) => listBacklog(ctx, args, flags, true),
};

async function listBacklog(
  ctx: CommandContext,
  args: readonly string[],
  flags: ParsedFlags,
  full: boolean,
): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET[/PREFIX]");
  const site = bucketSite(ctx, text);
  const count = await attempt(WHAT, full ? printDiff(site, flags) : printFailures(site, flags));
  const none = full ? "No entries." : "No entries. What only waits is listed with --full.";
  if (!ctx.out.json) ctx.out.message(count === 0 ? none : `${count} entries.`, {});
  return 0;
}

/** For text only; whoever may read the backlog need not be allowed to read the targets. */
async function targetNames(site: BucketSite): Promise<TargetName> {
  const targets = site.ctx.out.json ? [] : await unlessAnswered(listTargets(site), [], "AccessDenied");
  const names = new Map(targets.map(({ arn, endpoint, targetbucket }) => [arn ?? "", `${endpoint}/${targetbucket}`]));
  return (arn) => names.get(arn) ?? arn;
}

async function printDiff(site: BucketSite, flags: ParsedFlags): Promise<number> {
  const wanted = flags.string("arn");
  const arn =
    wanted === undefined ? undefined : await resolveArn(site, wanted, await getReplication(site.s3, named(site)));
  const query: Record<string, string> = {
    bucket: site.bucket,
    ...(flags.bool("verbose") ? { verbose: "true" } : {}),
    ...(arn === undefined ? {} : { arn }),
    ...(site.prefix === "" ? {} : { prefix: site.prefix }),
  };
  const call = { method: "POST", path: "replication/diff", query, signal: site.ctx.signal };
  const nameOf = await targetNames(site);
  let count = 0;
  for await (const entry of site.admin.objects<DiffEntry>(call)) {
    if (entry.error !== undefined && entry.error !== null) throw new CommandError(WHAT, entry.error);
    count += 1;
    site.ctx.out.message(diffLine(entry, nameOf), { ...entry });
  }
  return count;
}

async function printFailures(site: BucketSite, flags: ParsedFlags): Promise<number> {
  const query = { bucket: site.bucket, node: flags.string("nodes") || "all" };
  const call = { method: "GET", path: "replication/mrf", query, signal: site.ctx.signal };
  const nameOf = await targetNames(site);
  let count = 0;
  for await (const entry of site.admin.objects<MrfEntry>(call)) {
    if (entry.state !== "REPLACED" && !entry.object?.startsWith(site.prefix)) continue;
    count += 1;
    site.ctx.out.message(mrfLine(entry, nameOf), mrfJson(entry));
  }
  return count;
}
