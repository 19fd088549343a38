/** `--older-than` of `replicate resync` (replication.md 7.1). Pure: the time is a parameter. */
import { CommandError } from "../../command.ts";
import { parseDurationNs } from "../units.ts";

const NS_PER_HOUR = 3600e9;
const MS_PER_HOUR = 3_600_000;

/**
 * Whole hours of a duration (`7d`, `12h`, `1d12h`) or of the time since a date (`2024-05-01`, RFC 3339). Rounded up:
 * a version younger than asked for must not be taken. undefined for zero, which means "not given".
 */
export function olderThanHours(text: string, nowMs: number): number | undefined {
  const duration = parseDurationNs(text);
  const hours = duration === undefined ? (nowMs - parseDate(text)) / MS_PER_HOUR : duration / NS_PER_HOUR;
  if (hours < 0) throw unreadable(text);
  return hours === 0 ? undefined : Math.ceil(hours);
}

function parseDate(text: string): number {
  const time = Date.parse(text.replace(/^(\d{4})\.(\d{2})\.(\d{2})/, "$1-$2-$3"));
  if (!Number.isFinite(time)) throw unreadable(text);
  return time;
}

function unreadable(text: string): CommandError {
  const hint = new Error("give an age such as 7d, 12h or 1d12h, or a date in the past such as 2024-05-01");
  return new CommandError(`Unable to parse --older-than=${text}`, hint);
}

/**
 * The value on the wire: a Go duration whose nanoseconds count hours, as every server of MinIO reads it
 * (7d = `168ns`, 60d = `1.44µs`).
 */
export function encodeOlderThan(hours: number): string {
  if (hours < 1e3) return `${hours}ns`;
  return hours < 1e6 ? `${hours / 1e3}µs` : `${hours / 1e6}ms`;
}
