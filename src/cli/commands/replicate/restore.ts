/** `replicate restore`: a lost or damaged bucket, or all buckets of a site, brought back in one command. */
import { getReplication, listBuckets } from "../../../client/s3-calls.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { remoteTarget } from "../../targets.ts";
import { attempt, countArgs } from "../attempt.ts";
import { bucketSite, named } from "./common.ts";
import { saveReport } from "./resync-report.ts";
import { RestoreMemory } from "./restore-memory.ts";
import { disableRules, enableRules, leftBehind, makeAccount, makeBucket, resync, targetOf } from "./restore-steps.ts";
import type { Restore } from "./restore-steps.ts";

const WHAT = "Unable to restore";
/** Buckets of a site at the same time. */
const BUCKETS_AT_ONCE = 4;

export const restoreCommand: Command = {
  name: "restore",
  summary: "bring a damaged or lost bucket back from a healthy site, all steps in one",
  usage: "SOURCE/BUCKET TARGET[/BUCKET] or SOURCE TARGET, both aliases",
  examples: [
    { what: "one bucket, its rules as they were", line: "mc replicate restore alpha/documents baker" },
    {
      what: "after a total loss, with the account and the rule back",
      line: "mc replicate restore alpha/documents baker --users --back alpha/documents",
    },
    { what: "every bucket of a site", line: "mc replicate restore alpha baker --users" },
  ],
  flags: [
    { name: "users", kind: "bool", help: "make the account again that SOURCE uses at TARGET, limited to replication" },
    {
      name: "back",
      kind: "string",
      help: "URL with keys or ALIAS/BUCKET: the rule that TARGET gets when none leads there",
    },
    { name: "deep", kind: "bool", help: "TARGET reads every stored byte first, so that silent rot comes back too" },
    { name: "report", kind: "string", help: "write the signed report of the resync to FILE" },
  ],
  run: restore,
};

async function restore(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [from = "", to = ""] = countArgs(args, 2, 2, "SOURCE/BUCKET TARGET");
  const source = remoteTarget(ctx, from);
  const target = remoteTarget(ctx, to);
  if (source.bucket !== "") {
    await restoreOne(ctx, from, `${target.alias}/${target.bucket || source.bucket}`, flags);
    return 0;
  }
  if (target.bucket !== "") throw new CommandError(`${WHAT}: \`${from}\` is a site and \`${to}\` a bucket`);
  if (flags.string("back") !== undefined || flags.string("report") !== undefined)
    throw new CommandError(`${WHAT}: --back and --report are for one bucket`);
  const buckets = await attempt(WHAT, listBuckets(ctx.s3(source.alias), ctx.signal));
  return restoreAll(
    ctx,
    buckets.map(({ name }) => name),
    { source: source.alias, target: target.alias, flags },
  );
}

/** A bucket that fails does not hold up the others. */
async function restoreAll(
  ctx: CommandContext,
  buckets: readonly string[],
  site: { readonly source: string; readonly target: string; readonly flags: ParsedFlags },
): Promise<number> {
  const left = [...buckets];
  const accounts: Restore["accounts"] = new Map();
  const failed: string[] = [];
  const unreplicated: string[] = [];
  const worker = async (): Promise<void> => {
    for (let bucket = left.shift(); bucket !== undefined; bucket = left.shift()) {
      const [from, to] = [`${site.source}/${bucket}`, `${site.target}/${bucket}`];
      try {
        if (await hasRules(ctx, from)) await restoreOne(ctx, from, to, site.flags, accounts);
        else unreplicated.push(from);
      } catch (error) {
        failed.push(to);
        ctx.out.error(`${WHAT} ${to}`, error);
      }
    }
  };
  await Promise.all(Array.from({ length: BUCKETS_AT_ONCE }, worker));
  const text = siteText(buckets.length, failed, unreplicated);
  const counts = { buckets: buckets.length, failed: failed.length, unreplicated: unreplicated.length };
  ctx.out.message(text, { op: "restore", status: failed.length === 0 ? "success" : "error", ...counts });
  return failed.length === 0 ? 0 : 1;
}

async function hasRules(ctx: CommandContext, url: string): Promise<boolean> {
  const source = bucketSite(ctx, url);
  const config = await attempt(WHAT, getReplication(source.s3, named(source)));
  return config !== undefined && config.rules.length > 0;
}

/** What became of the buckets of a site. Pure. */
function siteText(buckets: number, failed: readonly string[], unreplicated: readonly string[]): string {
  const replicated = buckets - unreplicated.length;
  return [
    `${replicated - failed.length} of ${replicated} replicated buckets are back`,
    ...(failed.length === 0 ? [] : [`Not back: ${failed.join(", ")}; see above, and run this again`]),
    ...(unreplicated.length === 0 ? [] : [`Without a rule, and so not restored: ${unreplicated.join(", ")}`]),
  ].join("\n");
}

async function restoreOne(
  ctx: CommandContext,
  from: string,
  to: string,
  flags: ParsedFlags,
  accounts: Restore["accounts"] = new Map(),
): Promise<void> {
  let step = 0;
  const target = bucketSite(ctx, to);
  const job: Restore = {
    ctx,
    source: bucketSite(ctx, from),
    target,
    memory: new RestoreMemory(ctx.configDir, target.url),
    users: flags.bool("users"),
    back: flags.string("back"),
    deep: flags.bool("deep"),
    accounts,
    say: (text, json = {}) =>
      ctx.out.message(`${++step}. ${text}`, {
        op: "restore",
        step,
        source: from,
        target: to,
        text,
        status: "success",
        ...json,
      }),
  };
  const remote = await attempt(WHAT, targetOf(job));
  const arn = remote.arn ?? "";
  await attempt(WHAT, makeBucket(job));
  await attempt(WHAT, makeAccount(job, remote));
  await attempt(WHAT, disableRules(job));
  const clean = await attempt(WHAT, resync(job, remote));
  const file = flags.string("report");
  if (file !== undefined) await saveReport(job.source, arn, file);
  if (!clean) {
    // Its rules stay disabled until it is whole; they are remembered.
    throw new CommandError("The resync did not end clean; see above, and run this again");
  }
  await attempt(WHAT, enableRules(job));
  const left = await attempt(WHAT, leftBehind(job, remote));
  job.say(
    left === 0
      ? `Traffic may return to ${to} now`
      : `Traffic may return to ${to} now, which lacks ${left} of the source's versions: see above why`,
    { notReplicable: left },
  );
}
