/**
 * Sizes, rates and durations as the administrative commands of `mc` read and print them (mc-cli.md 2.1, 2.3).
 * Pure; wire encodings that belong to one call live beside that call.
 */
import { CommandError } from "../command.ts";

const POWERS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  p: 1e15,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
  pi: 2 ** 50,
};

/** A size in bytes: `k m g t p` are powers of 1000, `ki mi gi ti pi` of 1024, a final `b` is optional. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]i?)?b?$/i.exec(text.trim());
  const scale = POWERS[(match?.[2] ?? "").toLowerCase()];
  if (match === null || scale === undefined) throw new CommandError(`Unable to parse size \`${text}\``, sizeHint());
  return Math.floor(Number(match[1]) * scale);
}

function sizeHint(): Error {
  return new Error("give a number with an optional unit, for instance 100MB, 1.5GiB or 2000000");
}

/**
 * A bandwidth limit in bytes per second. Without `/s` the unit is the one of the command's own tradition
 * (`bits` for the 2022 form `admin bucket remote`, `bytes` for `replicate add`: mc-cli.md 7.1); `b/s` and `bps` are
 * always bits and `B/s` always bytes.
 */
export function parseBandwidth(text: string, tradition: "bits" | "bytes"): number {
  const match = /^(.*?)(b\/s|B\/s|bps|\/s)?$/.exec(text.trim());
  const suffix = match?.[2] ?? "";
  const unit = suffix === "b/s" || suffix === "bps" ? "bits" : suffix === "B/s" ? "bytes" : tradition;
  const amount = parseSize(match?.[1] ?? "");
  return unit === "bits" ? Math.floor(amount / 8) : amount;
}

function scaled(bytes: number, base: number, units: readonly string[]): string {
  if (bytes < 10) return `${Math.floor(bytes)} B`;
  let power = Math.min(Math.floor(Math.log(bytes) / Math.log(base)), units.length - 1);
  // The logarithm of an exact power may come out a hair below the integer.
  if (base ** (power + 1) <= bytes && power < units.length - 1) power += 1;
  const value = Math.floor((bytes / base ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[power] ?? "B"}`;
}

/** `25 MiB`, `0 B`: one digit after the point below ten. */
export function formatBinarySize(bytes: number): string {
  return scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]);
}

/** `1.2 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${scaled(bytesPerSecond, 1000, ["B", "kB", "MB", "GB", "TB", "PB", "EB"])}/s`;
}

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 24 * 3600e9,
  w: 7 * 24 * 3600e9,
  y: 365 * 24 * 3600e9,
};

/** Nanoseconds of `7d10h31s` and the like (units ns us ms s m h d w y, joined); undefined when it is none. */
export function parseDurationNs(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w|y)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text) return undefined;
  return parts.reduce((sum, part) => sum + Number(part[1]) * (UNIT_NS[part[2] ?? ""] ?? 0), 0);
}

/** `8 minutes`, `1 day`: the largest whole unit of a time in seconds. */
export function formatElapsed(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
  for (const [name, size] of units) {
    const count = Math.floor(seconds / size);
    if (count >= 1 || size === 1) return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return "0 seconds";
}

/** Rows of cells padded to the widest cell of each column; the last column is not padded. */
export function alignColumns(rows: readonly (readonly string[])[], gap = "  "): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  return rows.map((row) =>
    row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join(gap),
  );
}
