/**
 * Sizes and rates where the replication and admin commands of `mc` write them differently from `ls` (a blank before the
 * unit, decimal rates, bits). Pure.
 */
import { parseSize } from "../format.ts";

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

/** `8 minutes`, `1 day`: the largest whole unit of a time in seconds. */
export function formatElapsed(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
  for (const [name, size] of units) {
    const count = Math.floor(seconds / size);
    if (count >= 1 || size === 1) return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return "0 seconds";
}
