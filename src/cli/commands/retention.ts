/** `mc retention set|clear|info` of versions, and with --default of buckets (mc-cli.md 5.5). */
import { getRetention, putObjectLock, putRetention } from "../../client/lock-calls.ts";
import {
  defaultRetention,
  RETENTION_DAYS_MAX,
  RETENTION_YEARS_MAX,
  type DefaultRetention,
  type ObjectLockConfig,
} from "../../model/object-lock.ts";
import type { Retention } from "../../model/version.ts";
import { ZERO_TIME } from "../../protocol/time.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { Command, CommandContext, FlagSpec, ParsedFlags } from "../command.ts";
import { wireError } from "../error-report.ts";
import { formatRfc3339 } from "../format.ts";
import { boxed, forEachVersion, lockOf, resourceOf, versionText } from "../list/locked.ts";
import { isWide, VERSION_FLAGS, type SelectedVersion } from "../list/select.ts";
import { bucketTarget, remoteTarget, type RemoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";
import { attempt, countArgs } from "./attempt.ts";

const DEFAULT_FLAG: FlagSpec = { name: "default", kind: "bool", help: "the default of the bucket" };
const BYPASS_FLAG: FlagSpec = { name: "bypass", kind: "bool", help: "also shorten governance retention" };
const SET_USAGE = "[--default] governance|compliance VALIDITY TARGET";
const USAGE = "[--default] TARGET";
const BOX_WIDTH = 14;
const DAY_MS = 86_400_000;

export const retentionCommand: Command = {
  name: "retention",
  summary: "keep versions for a time",
  subcommands: [
    {
      name: "set",
      summary: "keep versions, or all new ones of a bucket",
      usage: SET_USAGE,
      examples: [
        { what: "the current version of an object for 30 days", line: "mc retention set governance 30d here/b/key" },
        { what: "every version below a prefix", line: "mc retention set -r --versions compliance 1y here/b/2026/" },
        { what: "what is written to a bucket from now on", line: "mc retention set --default governance 30d here/b" },
      ],
      flags: [DEFAULT_FLAG, BYPASS_FLAG, ...VERSION_FLAGS],
      run: set,
    },
    {
      name: "clear",
      summary: "keep them no longer (governance only)",
      usage: USAGE,
      examples: [
        { what: "an object", line: "mc retention clear here/b/key" },
        { what: "the default of a bucket; its object lock stays", line: "mc retention clear --default here/b" },
      ],
      flags: [DEFAULT_FLAG, ...VERSION_FLAGS],
      run: clear,
    },
    {
      name: "info",
      summary: "tell how long versions are kept",
      usage: USAGE,
      examples: [{ what: "all versions of an object", line: "mc retention info --versions here/b/key" }],
      flags: [DEFAULT_FLAG, ...VERSION_FLAGS],
      run: info,
    },
  ],
};

/** `30d` or `1y`. */
function periodOf(mode: string, text: string): DefaultRetention {
  const upper = mode.toUpperCase();
  if (upper !== "GOVERNANCE" && upper !== "COMPLIANCE")
    throw new UsageError(`The mode is governance or compliance, not \`${mode}\``);
  const match = /^(\d{1,6})([dy])$/i.exec(text);
  const unit = match?.[2]?.toLowerCase() === "y" ? "years" : "days";
  const count = Number(match?.[1] ?? 0);
  if (count < 1 || count > (unit === "days" ? RETENTION_DAYS_MAX : RETENTION_YEARS_MAX))
    throw new UsageError(`\`${text}\` is no validity. Write days or years, for example 30d or 1y`);
  return { mode: upper, unit, count };
}

/** `30DAYS` */
const validityOf = ({ unit, count }: DefaultRetention): string => `${count}${unit.toUpperCase()}`;

function set(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [mode = "", validity = "", text = ""] = countArgs(args, 3, 3, SET_USAGE);
  const period = periodOf(mode, validity);
  if (flags.bool("default")) return setDefault(ctx, bucketTarget(ctx, text), "set", { defaultRetention: period });
  const retention = defaultRetention(period, systemClock().nowMs());
  const bypassGovernance = flags.bool("bypass");
  return change(ctx, { op: "set", text, flags, retention, bypassGovernance, validity: validityOf(period) });
}

function clear(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, USAGE);
  if (flags.bool("default")) return setDefault(ctx, bucketTarget(ctx, text), "clear", {});
  return change(ctx, { op: "clear", text, flags, retention: null, bypassGovernance: true, validity: "" });
}

interface Change {
  readonly op: "set" | "clear";
  readonly text: string;
  readonly flags: ParsedFlags;
  readonly retention: Retention | null;
  readonly bypassGovernance: boolean;
  readonly validity: string;
}

function change(ctx: CommandContext, { op, text, flags, retention, bypassGovernance, validity }: Change) {
  const json = (item: SelectedVersion, error: Record<string, unknown> | null): Record<string, unknown> => ({
    op,
    mode: retention?.mode ?? "",
    validity,
    urlpath: item.name,
    versionID: item.versionId ?? "",
    status: error === null ? "success" : "failure",
    error,
  });
  const done = op === "set" ? "set" : "cleared";
  return forEachVersion(
    ctx,
    remoteTarget(ctx, text),
    flags,
    async (item) => {
      await putRetention(item.client, resourceOf(ctx, item), retention, { bypassGovernance });
      const line = `Object retention successfully ${done} for \`${item.name}\`${versionText(item)}.`;
      ctx.out.message(line, json(item, null));
    },
    (item, error) => {
      if (ctx.out.json) ctx.out.message(undefined, json(item, wireError(error)));
      else ctx.out.error(`Unable to ${op} object retention on \`${item.name}\`${versionText(item)}`, error);
    },
  );
}

async function setDefault(
  ctx: CommandContext,
  target: RemoteTarget,
  op: "set" | "clear",
  config: ObjectLockConfig,
): Promise<number> {
  await lockOf(ctx, target);
  const { bucket } = target;
  const put = putObjectLock(ctx.s3(target.alias), { bucket, signal: ctx.signal }, config);
  await attempt(`Unable to ${op} the default retention of \`${target.text}\``, put);
  const text = op === "clear" ? "Object locking configuration cleared successfully." : defaultText(config);
  ctx.out.message(text, defaultJson(op, config));
  return 0;
}

function defaultText({ defaultRetention: rule }: ObjectLockConfig): string {
  if (rule === undefined) return "Object locking is not configured with a default retention.";
  return `Object locking '${rule.mode}' is configured for ${validityOf(rule)}.`;
}

function defaultJson(op: "set" | "clear" | "info", config: ObjectLockConfig): Record<string, unknown> {
  const rule = config.defaultRetention;
  const validity = rule === undefined ? "" : validityOf(rule);
  return { op, enabled: "Enabled", mode: rule?.mode ?? "", validity, status: "success" };
}

async function info(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, USAGE);
  if (flags.bool("default")) {
    const config = await lockOf(ctx, bucketTarget(ctx, text));
    ctx.out.message(defaultText(config), defaultJson("info", config));
    return 0;
  }
  const wide = isWide(flags);
  return forEachVersion(
    ctx,
    remoteTarget(ctx, text),
    flags,
    async (item) => {
      const retention = await getRetention(item.client, resourceOf(ctx, item));
      const lines = wide ? listLine(item, retention) : record(item, retention, systemClock().nowMs());
      ctx.out.message(lines, infoJson(item, retention, null));
    },
    (item, error) => {
      if (ctx.out.json) ctx.out.message(undefined, infoJson(item, null, wireError(error)));
      else ctx.out.error(`Unable to get object retention of \`${item.name}\`${versionText(item)}`, error);
    },
  );
}

const listLine = (item: SelectedVersion, retention: Retention | null): string =>
  `${boxed(retention?.mode ?? "Not set", BOX_WIDTH)} ${item.versionId ?? ""} ${item.name}`;

/** Rows Name, Version, Mode. */
export function record(item: SelectedVersion, retention: Retention | null, nowMs: number): string {
  const rows = [`Name    : ${item.name}`];
  if (item.versionId !== undefined && item.versionId !== "") rows.push(`Version : ${item.versionId}`);
  rows.push(`Mode    : ${retention === null ? "Not set" : `${retention.mode}, ${expiry(retention.until, nowMs)}`}`);
  return rows.join("\n");
}

function expiry(until: string, nowMs: number): string {
  const days = (Date.parse(until) - nowMs) / DAY_MS;
  return days > 0 ? `expiring in ${Math.floor(days)} days` : `expired ${Math.floor(-days)} days ago`;
}

function infoJson(
  item: SelectedVersion,
  retention: Retention | null,
  error: Record<string, unknown> | null,
): Record<string, unknown> {
  return {
    mode: retention?.mode ?? "",
    until: retention === null ? ZERO_TIME : formatRfc3339(new Date(retention.until)),
    urlpath: item.name,
    versionID: item.versionId ?? "",
    status: error === null ? "success" : "failure",
    error,
  };
}
