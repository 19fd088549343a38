/** Times and modes of files in the metadata of objects (`--preserve`), in the form that other clients read. */
import type { BigIntStats } from "node:fs";
import { chmod, utimes } from "node:fs/promises";

const HEADER = "x-amz-meta-mc-attrs";

/**
 * `x-amz-meta-mc-attrs`: `atime:SECONDS#NANOSECONDS/gid:G/mode:M/mtime:...` (mode as decimal number). The times are exact:
 * as milliseconds a number cannot hold the nanoseconds of today.
 */
export function attributesHeader(
  stats: Pick<BigIntStats, "atimeNs" | "mtimeNs" | "mode" | "uid" | "gid">,
): Record<string, string> {
  const { atimeNs, mtimeNs, mode, uid, gid } = stats;
  return { [HEADER]: `atime:${timeText(atimeNs)}/gid:${gid}/mode:${mode}/mtime:${timeText(mtimeNs)}/uid:${uid}` };
}

/** Whole seconds are rounded down, also before 1970. */
function timeText(ns: bigint): string {
  const rest = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return `${(ns - rest) / 1_000_000_000n}#${rest}`;
}

/** Members of the header's value; undefined without one. */
export function parseAttributes(headers: Readonly<Record<string, string>>): ReadonlyMap<string, string> | undefined {
  const text = headers[HEADER];
  if (text === undefined) return undefined;
  return new Map(text.split("/").map((pair) => [pair.slice(0, pair.indexOf(":")), pair.slice(pair.indexOf(":") + 1)]));
}

/** Gives the file the stored mode and times; without stored ones, the object's time. */
export async function applyAttributes(path: string, headers: Readonly<Record<string, string>>): Promise<void> {
  const stored = parseAttributes(headers);
  const mode = Number(stored?.get("mode") ?? "NaN");
  if (Number.isInteger(mode)) await chmod(path, mode & 0o777);
  const modified = seconds(stored?.get("mtime")) ?? Date.parse(headers["last-modified"] ?? "") / 1000;
  if (Number.isFinite(modified)) await utimes(path, seconds(stored?.get("atime")) ?? modified, modified);
}

function seconds(text: string | undefined): number | undefined {
  const match = /^(\d+)(?:#(\d+))?$/.exec(text ?? "");
  return match === null ? undefined : Number(match[1]) + Number(match[2] ?? "0") / 1e9;
}
