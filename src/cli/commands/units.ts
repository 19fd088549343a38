/** Bandwidth limits and elapsed times as the replication and admin commands of `mc` read and write them. Pure. */
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

/** `8 minutes`, `1 day`: the largest whole unit of a time in seconds. */
export function formatElapsed(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
  ];
  for (const [name, size] of units) {
    const count = Math.floor(seconds / size);
    if (count >= 1 || size === 1) return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return "0 seconds";
}
