/** `replicate resync`, also `reset`: start, plan, follow, change, report, cancel, and the direct form of 2022 (mc-cli.md 6.5, 7.2). */
import { answeredWith } from "../../../client/errors.ts";
import type { ResyncAnswer } from "../../../client/resync-calls.ts";
import {
  cancelResync as cancelRunning,
  isResilver,
  controlResync,
  resyncStatus as readStatus,
  KNOWS_NO_RESYNC,
  startResync as sendStart,
} from "../../../client/resync-calls.ts";
import { ZERO_TIME } from "../../../protocol/time.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { systemRandom } from "../../../runtime/random.ts";
import type { Command, CommandContext, FlagSpec, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { UsageError } from "../../usage-error.ts";
import { attempt, countArgs } from "../attempt.ts";
import type { BucketSite } from "./common.ts";
import { bucketSite, named, requireConfig, resolveArn } from "./common.ts";
import { encodeOlderThan, hoursFor, olderThanHours } from "./older-than.ts";
import { resyncJson, resyncStartText, resyncStatusText } from "./resync-format.ts";
import { EXTRA_FLAGS, extrasOf, LIMIT_FLAGS, limitsOf } from "./resync-options.ts";
import { showPlan } from "./resync-plan.ts";
import { NO_RULE_FITS, whyNoRuleFits } from "./resync-refusal.ts";
import { checkReport, reportOf, saveReport } from "./resync-report.ts";
import { watchResync } from "./resync-watch.ts";

const START_WHAT = "Unable to start replication resync";
const STATUS_WHAT = "Unable to get replication resync status";
const CANCEL_WHAT = "Unable to cancel replication resync";
const CONTROL_WHAT = "Unable to change the replication resync";

const REMOTE_FLAG: FlagSpec = {
  name: "remote-bucket",
  aliases: ["arn"],
  kind: "string",
  help: "ARN, rule ID, ALIAS/BUCKET or URL of the target; not needed when there is only one",
};
const WAIT_FLAGS: readonly FlagSpec[] = [
  {
    name: "watch",
    aliases: ["w"],
    kind: "bool",
    help: "show the progress until the resync ends; exit code 1 on failures",
  },
  { name: "wait", kind: "bool", help: "wait until the resync ends; exit code 1 on failures" },
  { name: "report", kind: "string", help: "with --watch or --wait: write the signed report to FILE at the end" },
];
const START_FLAGS: readonly FlagSpec[] = [
  REMOTE_FLAG,
  { name: "older-than", kind: "string", help: "only versions older than 7d, 12h, 1d12h or a date" },
  { name: "dry-run", kind: "bool", help: "only say what would move, what would come back and how long it would take" },
  ...EXTRA_FLAGS,
  ...WAIT_FLAGS,
];

export const resyncCommand: Command = {
  name: "resync",
  aliases: ["reset"],
  summary: "bring a target up to date with everything the bucket holds",
  usage: "start|status|pause|resume|limit|cancel|report ALIAS/BUCKET, or (2022) ALIAS/BUCKET --remote-bucket ARN",
  examples: [
    { what: "what it would do", line: "mc replicate resync start here/b --dry-run" },
    { what: "rebuild the only target and follow it", line: "mc replicate resync start here/b --watch" },
    { what: "how far it is", line: "mc replicate resync status here/b" },
    { what: "2022 form", line: "mc replicate resync --remote-bucket ARN --older-than 7d here/b" },
  ],
  flags: START_FLAGS,
  subcommands: [
    {
      name: "start",
      summary: "start a resync",
      usage: "ALIAS/BUCKET[/PREFIX] [--remote-bucket TARGET] [--older-than AGE] [--dry-run] [--watch]",
      examples: [
        { what: "what it would do, and how long", line: "mc replicate resync start here/b --dry-run" },
        { what: "versions older than a week", line: "mc replicate resync start here/b --older-than 7d" },
        { what: "what failed the last time", line: "mc replicate resync start here/b --failed-only --wait" },
        { what: "at night at full speed, now slowly", line: "mc replicate resync start here/b --bandwidth 20MiB" },
        {
          what: "find silent rot too, keep the proof",
          line: "mc replicate resync start here/b --deep --wait --report r.json",
        },
      ],
      flags: START_FLAGS,
      run: (ctx, args, flags) => startResync(ctx, args, flags, false),
    },
    {
      name: "status",
      summary: "show how far resyncs are",
      usage: "ALIAS/BUCKET [--remote-bucket TARGET] [--watch]",
      examples: [{ what: "follow a running resync", line: "mc replicate resync status here/b --watch" }],
      flags: [REMOTE_FLAG, ...WAIT_FLAGS],
      run: resyncStatus,
    },
    {
      name: "pause",
      summary: "halt a running resync; it keeps its place",
      usage: "ALIAS/BUCKET [--remote-bucket TARGET]",
      examples: [{ what: "until the evening", line: "mc replicate resync pause here/b" }],
      flags: [REMOTE_FLAG],
      run: (ctx, args, flags) => changeResync(ctx, args, flags, "pause"),
    },
    {
      name: "resume",
      summary: "let a halted resync go on",
      usage: "ALIAS/BUCKET [--remote-bucket TARGET] [--bandwidth RATE] [--concurrency N]",
      examples: [{ what: "at any speed", line: "mc replicate resync resume here/b --bandwidth 0" }],
      flags: [REMOTE_FLAG, ...LIMIT_FLAGS],
      run: (ctx, args, flags) => changeResync(ctx, args, flags, "resume"),
    },
    {
      name: "limit",
      summary: "change the speed of a running resync",
      usage: "ALIAS/BUCKET [--remote-bucket TARGET] [--bandwidth RATE] [--concurrency N]",
      examples: [{ what: "leave room for clients", line: "mc replicate resync limit here/b --bandwidth 50MiB" }],
      flags: [REMOTE_FLAG, ...LIMIT_FLAGS],
      run: (ctx, args, flags) => changeResync(ctx, args, flags, "limits"),
    },
    {
      name: "cancel",
      summary: "stop a running resync",
      usage: "ALIAS/BUCKET [--remote-bucket TARGET]",
      examples: [{ what: "stop the resync to the only target", line: "mc replicate resync cancel here/b" }],
      flags: [REMOTE_FLAG],
      run: cancelResync,
    },
    {
      name: "report",
      summary: "get the signed report of an ended resync, or check one",
      usage: "ALIAS/BUCKET [--remote-bucket TARGET] [--output FILE], or --check FILE",
      examples: [
        { what: "keep it", line: "mc replicate resync report here/b --output resync.json" },
        { what: "was it changed since?", line: "mc replicate resync report --check resync.json" },
      ],
      flags: [
        REMOTE_FLAG,
        { name: "output", aliases: ["o"], kind: "string", help: "write it to FILE" },
        { name: "check", kind: "string", help: "check the signature of FILE; asks no server" },
      ],
      run: resyncReport,
    },
  ],
  run: (ctx, args, flags) => startResync(ctx, args, flags, true),
};

async function startResync(
  ctx: CommandContext,
  args: readonly string[],
  flags: ParsedFlags,
  direct: boolean,
): Promise<number> {
  const form = direct ? "start, status or cancel, or ALIAS/BUCKET --remote-bucket ARN" : "ALIAS/BUCKET";
  const [text = ""] = countArgs(args, 1, 1, form);
  const site = bucketSite(ctx, text);
  const clock = systemClock();
  const age = flags.string("older-than");
  const hours = age === undefined || age === "" ? undefined : olderThanHours(age, clock.nowMs());
  const config = await attempt(START_WHAT, requireConfig(site, START_WHAT));
  const arn = await attempt(START_WHAT, resolveArn(site, flags.string("remote-bucket"), config));
  const resetId = systemRandom.uuid();
  const olderThan = hours === undefined ? undefined : await ageOnTheWire(site, hours);
  const extras = await extrasOf(site, flags, START_WHAT);
  const start = { ...named(site), arn, resetId, olderThan, extras };
  if (flags.bool("dry-run")) return showPlan(site, start, "Unable to plan the replication resync");
  const info = await explained(site, arn, ownServer(sendStart(site.s3, start), KNOWS_NO_RESYNC));
  const started = info.target?.find((target) => target.arn === arn)?.resetid ?? resetId;
  // Scripts of 2022 read `.resetID`; it is added only in their form.
  const old = direct ? { resetID: started } : {};
  ctx.out.message(resyncStartText(site.url, started), { ...resyncJson("start", site.url, info), ...old });
  return followed(site, flags, arn, started);
}

async function ageOnTheWire(site: BucketSite, hours: number): Promise<string> {
  const exact = hours % 24 === 0 || (await attempt(START_WHAT, isResilver(site.s3, site.ctx.signal)));
  return encodeOlderThan(hoursFor(hours, exact));
}

/** Waits when it was asked for, and keeps the report then. */
async function followed(
  site: BucketSite,
  flags: ParsedFlags,
  arn: string | undefined,
  resetId: string | undefined,
): Promise<number> {
  const file = flags.string("report");
  if (!flags.bool("watch") && !flags.bool("wait")) {
    if (file !== undefined) throw new UsageError("--report needs --watch or --wait: the report is made at the end");
    return 0;
  }
  const code = await watchResync({ site, clock: systemClock(), arn, resetId, show: flags.bool("watch") });
  if (file !== undefined) await saveReport(site, arn ?? "", file);
  return code;
}

/** Says which rule to change when the server only says that none fits (mc-cli.md 10 point 10). */
async function explained<T>(site: BucketSite, arn: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (NO_RULE_FITS.some((code) => answeredWith(error, code))) {
      const reason = whyNoRuleFits(await requireConfig(site, START_WHAT), arn, site.url);
      if (reason !== undefined) throw new CommandError(`${START_WHAT}: ${reason}`, error);
    }
    if (answeredWith(error, "BadRequest") && error.message.includes("already in progress")) {
      const hint = `follow it with mc replicate resync status ${site.url} --watch`;
      throw new CommandError(`${START_WHAT}: one is running already; ${hint}`, error);
    }
    throw new CommandError(START_WHAT, error);
  }
}

async function resyncStatus(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const site = bucketSite(ctx, text);
  const config = await attempt(STATUS_WHAT, requireConfig(site, STATUS_WHAT));
  const wanted = flags.string("remote-bucket");
  const arn = wanted === undefined ? undefined : await attempt(STATUS_WHAT, resolveArn(site, wanted, config));
  if (flags.bool("watch") || flags.bool("wait")) return followed(site, flags, arn, undefined);
  const info = await attempt(STATUS_WHAT, readStatus(site.s3, { ...named(site), arn }));
  ctx.out.message(resyncStatusText(info), resyncJson("status", site.url, info));
  return 0;
}

async function changeResync(
  ctx: CommandContext,
  args: readonly string[],
  flags: ParsedFlags,
  action: "pause" | "resume" | "limits",
): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const limits = limitsOf(flags);
  if (action === "limits" && Object.keys(limits).length === 0)
    throw new UsageError("Expected --bandwidth RATE or --concurrency N");
  const site = bucketSite(ctx, text);
  const config = await attempt(CONTROL_WHAT, requireConfig(site, CONTROL_WHAT));
  const arn = await attempt(CONTROL_WHAT, resolveArn(site, flags.string("remote-bucket"), config));
  const work = controlResync(site.s3, { ...named(site), arn }, action, limits);
  const info = await attempt(CONTROL_WHAT, ownServer(work, "the server cannot change a resync that runs"));
  ctx.out.message(resyncStatusText(info), resyncJson(action, site.url, info));
  return 0;
}

async function resyncReport(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const file = flags.string("check");
  if (file !== undefined) {
    countArgs(args, 0, 0, "--check FILE alone");
    return checkReport(ctx, file);
  }
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const site = bucketSite(ctx, text);
  const config = await attempt(STATUS_WHAT, requireConfig(site, STATUS_WHAT));
  const arn = await attempt(STATUS_WHAT, resolveArn(site, flags.string("remote-bucket"), config));
  return reportOf(site, arn, flags);
}

async function cancelResync(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const site = bucketSite(ctx, text);
  const config = await attempt(CANCEL_WHAT, requireConfig(site, CANCEL_WHAT));
  const arn = await attempt(CANCEL_WHAT, resolveArn(site, flags.string("remote-bucket"), config));
  const id = await attempt(CANCEL_WHAT, sendCancel(site, arn));
  const info: ResyncAnswer = { target: [{ arn, resetid: id, startTime: ZERO_TIME, endTime: ZERO_TIME }] };
  ctx.out.message(`Replication reset cancelled for ${site.url} with ID ${id}`, resyncJson("cancel", site.url, info));
  return 0;
}

async function sendCancel(site: BucketSite, arn: string): Promise<string> {
  const work = cancelRunning(site.s3, { ...named(site), arn });
  return (await ownServer(work, "the server cannot cancel the resync of a bucket")).trim();
}

/** Without the route a PUT reads as "make this bucket" (replication.md 7.3). */
async function ownServer<T>(work: Promise<T>, reason: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!answeredWith(error, "BucketAlreadyOwnedByYou", "BucketAlreadyExists")) throw error;
    throw new Error(reason, { cause: error });
  }
}
