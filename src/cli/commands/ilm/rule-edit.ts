/** Lifecycle rules from the flags of `ilm rule add` and `ilm rule edit` (mc-cli.md 9.1). Pure. */
import type { Expiration, LifecycleFilter, LifecycleRule } from "../../../model/lifecycle.ts";
import type { FlagSpec, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { parseSize } from "../../format.ts";
import { UsageError } from "../../usage-error.ts";
import { parseTagList } from "../tag.ts";

/** What other servers have and this program does not set: named, so that nobody believes it was. */
const REFUSED = [
  "transition-days",
  "transition-date",
  "transition-tier",
  "storage-class",
  "tier",
  "noncurrent-transition-days",
  "noncurrent-transition-tier",
  "noncurrentversion-transition-days",
  "noncurrentversion-transition-storage-class",
  "expire-all-object-versions",
] as const;

export const RULE_FLAGS: readonly FlagSpec[] = [
  { name: "prefix", kind: "string", help: "only keys that begin with it" },
  { name: "tags", kind: "string", help: "only objects with these tags: k=v&k2=v2" },
  { name: "size-lt", kind: "string", help: "only objects smaller than this, e.g. 1MiB" },
  { name: "size-gt", kind: "string", help: "only objects larger than this" },
  { name: "expire-days", aliases: ["expiry-days"], kind: "int", help: "current objects expire after so many days" },
  { name: "expire-date", aliases: ["expiry-date"], kind: "string", help: "current objects expire on this date" },
  {
    name: "expire-delete-marker",
    aliases: ["expired-object-delete-marker"],
    kind: "bool",
    help: "remove delete markers that are all there is of their key",
  },
  {
    name: "noncurrent-expire-days",
    aliases: ["noncurrentversion-expiration-days"],
    kind: "int",
    help: "versions go so many days after a newer one came",
  },
  {
    name: "noncurrent-expire-newer",
    aliases: ["newer-noncurrentversions-expiration"],
    kind: "int",
    help: "of the versions that are not current, so many stay",
  },
  { name: "abort-days", kind: "int", help: "unfinished uploads end after so many days" },
  ...REFUSED.map((name): FlagSpec => ({
    name,
    kind: name === "expire-all-object-versions" ? "bool" : "string",
    help: "refused: not known here",
    hidden: true,
  })),
];

function refuseUnknown(flags: ParsedFlags): void {
  const given = REFUSED.find((name) => flags.given(name));
  if (given === undefined) return;
  throw new CommandError(`--${given} is not known here: rules expire objects, versions and uploads, and move nothing`);
}

export function newRule(flags: ParsedFlags, id: string, prefix: string): LifecycleRule {
  const start: LifecycleRule = { id, enabled: true, oldForm: false, filter: prefix === "" ? {} : { prefix } };
  if (prefix !== "" && flags.given("prefix")) throw new UsageError("The prefix stands in TARGET and in --prefix");
  return edited(start, flags);
}

/** `rule` with what the flags name; the rest stays. Days of 0 and an empty text take a part away. */
export function edited(rule: LifecycleRule, flags: ParsedFlags): LifecycleRule {
  refuseUnknown(flags);
  if (flags.bool("enable") && flags.bool("disable")) throw new UsageError("Either --enable or --disable");
  const next: LifecycleRule = {
    ...rule,
    enabled: flags.bool("disable") ? false : flags.bool("enable") || rule.enabled,
    filter: filterOf(rule.filter, flags),
    oldForm: rule.oldForm && !["prefix", "tags", "size-lt", "size-gt"].some((name) => flags.given(name)),
    expiration: expirationOf(rule.expiration, flags),
    noncurrent: noncurrentOf(rule.noncurrent, flags),
    abortUploadsDays: number(flags, "abort-days", rule.abortUploadsDays),
  };
  if (next.expiration === undefined && next.noncurrent === undefined && next.abortUploadsDays === undefined)
    throw new CommandError("The rule does nothing. Say what expires: --expire-days, --noncurrent-expire-days, ...");
  return next;
}

function number(flags: ParsedFlags, name: string, before: number | undefined): number | undefined {
  const value = flags.int(name);
  if (value === undefined) return before;
  if (value < 0) throw new UsageError(`--${name} takes a whole number of at least 0`);
  return value === 0 ? undefined : value;
}

function filterOf(before: LifecycleFilter, flags: ParsedFlags): LifecycleFilter {
  const prefix = flags.string("prefix") ?? before.prefix ?? "";
  const tagText = flags.string("tags");
  const tags = tagText === undefined ? before.tags : tagText === "" ? undefined : parseTagList(tagText);
  const size = (name: string, known: number | undefined): number | undefined => {
    const text = flags.string(name);
    return text === undefined ? known : text === "" ? undefined : parseSize(text);
  };
  const [less, greater] = [size("size-lt", before.sizeLessThan), size("size-gt", before.sizeGreaterThan)];
  return {
    ...(prefix !== "" && { prefix }),
    ...(tags !== undefined && { tags }),
    ...(greater !== undefined && { sizeGreaterThan: greater }),
    ...(less !== undefined && { sizeLessThan: less }),
  };
}

/** A rule has one of days, date and marker: what is named now takes the place of what was. */
function expirationOf(before: Expiration | undefined, flags: ParsedFlags): Expiration | undefined {
  const named = ["expire-days", "expire-date", "expire-delete-marker"].filter((name) => flags.given(name));
  if (named.length > 1) throw new UsageError(`A rule has one of --${named.join(" and --")}; add a second rule`);
  if (named.length === 0) return before;
  if (flags.given("expire-delete-marker"))
    return flags.bool("expire-delete-marker") ? { expiredObjectDeleteMarker: true } : undefined;
  const date = flags.string("expire-date");
  if (date !== undefined) return date === "" ? undefined : { dateMs: midnight(date) };
  const days = number(flags, "expire-days", undefined);
  return days === undefined ? undefined : { days };
}

function midnight(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new CommandError(`\`${text}\` is no date. Write YYYY-MM-DD`);
  return ms;
}

function noncurrentOf(before: LifecycleRule["noncurrent"], flags: ParsedFlags): LifecycleRule["noncurrent"] {
  const days = number(flags, "noncurrent-expire-days", before?.days);
  const newer = number(flags, "noncurrent-expire-newer", before?.newerVersions);
  if (days === undefined && newer === undefined) return undefined;
  return { ...(days !== undefined && { days }), ...(newer !== undefined && { newerVersions: newer }) };
}
