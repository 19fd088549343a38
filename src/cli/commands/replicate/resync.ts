/** `replicate resync`, also `reset`: start, status, cancel, and the direct form of 2022 (mc-cli.md 6.5, 7.2). */
import { answeredWith } from "../../../client/errors.ts";
import type { ResyncAnswer } from "../../../client/s3-calls.ts";
import {
  cancelResync as cancelRunning,
  resyncStatus as readStatus,
  startResync as sendStart,
} from "../../../client/s3-calls.ts";
import { ruleArn } from "../../../model/replication-config.ts";
import { ZERO_TIME } from "../../../protocol/time.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { systemRandom } from "../../../runtime/random.ts";
import type { Command, CommandContext, FlagSpec, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { attempt, countArgs } from "../attempt.ts";
import type { BucketSite } from "./common.ts";
import { bucketSite, named, requireConfig, resolveArn } from "./common.ts";
import { encodeOlderThan, olderThanHours } from "./older-than.ts";
import { resyncJson, resyncStartText, resyncStatusText } from "./resync-format.ts";
import { watchResync } from "./resync-watch.ts";

const START_WHAT = "Unable to start replication resync";
const STATUS_WHAT = "Unable to get replication resync status";
const CANCEL_WHAT = "Unable to cancel replication resync";

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
];
const START_FLAGS: readonly FlagSpec[] = [
  REMOTE_FLAG,
  { name: "older-than", kind: "string", help: "only versions older than 7d, 12h, 1d12h or a date" },
  ...WAIT_FLAGS,
];

export const resyncCommand: Command = {
  name: "resync",
  aliases: ["reset"],
  summary: "bring a target up to date with everything the bucket holds",
  usage: "start|status|cancel ALIAS/BUCKET, or (2022) ALIAS/BUCKET --remote-bucket ARN",
  examples: [
    { what: "rebuild the only target and follow it", line: "mc replicate resync start here/b --watch" },
    { what: "how far it is", line: "mc replicate resync status here/b" },
    { what: "2022 form", line: "mc replicate resync --remote-bucket ARN --older-than 7d here/b" },
  ],
  flags: START_FLAGS,
  subcommands: [
    {
      name: "start",
      summary: "start a resync",
      usage: "ALIAS/BUCKET [--remote-bucket TARGET] [--older-than AGE] [--watch]",
      examples: [{ what: "versions older than a week", line: "mc replicate resync start here/b --older-than 7d" }],
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
      name: "cancel",
      summary: "stop a running resync",
      usage: "ALIAS/BUCKET [--remote-bucket TARGET]",
      examples: [{ what: "stop the resync to the only target", line: "mc replicate resync cancel here/b" }],
      flags: [REMOTE_FLAG],
      run: cancelResync,
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
  const olderThan = hours === undefined ? undefined : encodeOlderThan(hours);
  const info = await explained(site, arn, sendStart(site.s3, { ...named(site), arn, resetId, olderThan }));
  const started = info.target?.find((target) => target.arn === arn)?.resetid ?? resetId;
  // Scripts of 2022 read `.resetID`; it is added only in their form.
  const old = direct ? { resetID: started } : {};
  ctx.out.message(resyncStartText(site.url, started), { ...resyncJson("start", site.url, info), ...old });
  if (!flags.bool("watch") && !flags.bool("wait")) return 0;
  return watchResync({ site, clock, arn, resetId: started, show: flags.bool("watch") });
}

/** Says which rule to change when the server only says that none fits (mc-cli.md 10 point 10). */
async function explained<T>(site: BucketSite, arn: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (answeredWith(error, "XMinioReplicationNoExistingObjects")) {
      const config = await requireConfig(site, START_WHAT);
      const rule = config.rules.find((candidate) => ruleArn(config, candidate) === arn);
      const hint = `replicate update ${site.url} --id ${rule?.id ?? "ID"} --replicate ...,existing-objects`;
      throw new CommandError(`${START_WHAT}: no rule for this target takes existing objects; run mc ${hint}`, error);
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
  if (flags.bool("watch") || flags.bool("wait")) {
    return watchResync({ site, clock: systemClock(), arn, resetId: undefined, show: flags.bool("watch") });
  }
  const info = await attempt(STATUS_WHAT, readStatus(site.s3, { ...named(site), arn }));
  ctx.out.message(resyncStatusText(info), resyncJson("status", site.url, info));
  return 0;
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
  try {
    return (await cancelRunning(site.s3, { ...named(site), arn })).trim();
  } catch (error) {
    // Without the route the request reads as "make this bucket" (replication.md 7.3).
    if (!answeredWith(error, "BucketAlreadyOwnedByYou", "BucketAlreadyExists")) throw error;
    throw new CommandError(CANCEL_WHAT, new Error("the server cannot cancel the resync of a bucket"));
  }
}
