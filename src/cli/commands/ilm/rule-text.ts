/** What `ilm rule ls` prints. Pure. */
import type { LifecycleRule } from "../../../model/lifecycle.ts";
import { columns } from "../../format.ts";

const date = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function filterText({ filter }: LifecycleRule): string[] {
  const tags = Object.entries(filter.tags ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join("&");
  const sizes = [
    ...(filter.sizeGreaterThan === undefined ? [] : [`> ${filter.sizeGreaterThan} B`]),
    ...(filter.sizeLessThan === undefined ? [] : [`< ${filter.sizeLessThan} B`]),
  ];
  return [filter.prefix || "-", tags || "-", sizes.join(", ") || "-"];
}

function table(title: string, heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : [title, columns([heads, ...rows])];
}

const start = (rule: LifecycleRule): string[] => [rule.id, rule.enabled ? "Enabled" : "Disabled", ...filterText(rule)];
const HEADS = ["ID", "Status", "Prefix", "Tags", "Size"];

/** One table for each kind of what a rule does; a rule that does two things stands in two. */
export function rulesText(rules: readonly LifecycleRule[]): string {
  const current = rules.flatMap((rule) => {
    const { expiration } = rule;
    if (expiration === undefined) return [];
    const when = expiration.dateMs === undefined ? String(expiration.days ?? 0) : date(expiration.dateMs);
    return [[...start(rule), when, String(expiration.expiredObjectDeleteMarker === true)]];
  });
  const older = rules.flatMap((rule) => {
    const { noncurrent } = rule;
    if (noncurrent === undefined) return [];
    return [[...start(rule), String(noncurrent.days ?? 0), String(noncurrent.newerVersions ?? 0)]];
  });
  const uploads = rules.flatMap((rule) =>
    rule.abortUploadsDays === undefined ? [] : [[...start(rule), String(rule.abortUploadsDays)]],
  );
  return [
    ...table("Expiration of current objects", [...HEADS, "Days to Expire", "Expire DeleteMarker"], current),
    ...table("Expiration of older versions", [...HEADS, "Days to Expire", "Keep Versions"], older),
    ...table("Unfinished uploads", [...HEADS, "Days to End"], uploads),
  ].join("\n");
}
