/** `--older-than` of `replicate resync` (replication.md 7.1). Pure: the time is a parameter. */
import { CommandError } from "../../command.ts";
import { parseDuration, parseMoment } from "../../format.ts";

const MS_PER_HOUR = 3_600_000;

/**
 * Whole hours of a duration (`7d`, `12h`, `1d12h`) or of the time since a date (`2024-05-01`, RFC 3339). Rounded up:
 * a version younger than asked for must not be taken. undefined for zero, which means "not given".
 */
export function olderThanHours(text: string, nowMs: number): number | undefined {
  const hours = (parseDuration(text) ?? nowMs - parseMoment(text, nowMs)) / MS_PER_HOUR;
  if (hours < 0) throw new CommandError(`--older-than=${text} is in the future`);
  return hours === 0 ? undefined : Math.ceil(hours);
}

/** A server of MinIO counts whole days only, and reads twelve hours as no limit: rounded up to days for it. */
export function hoursFor(hours: number, resilver: boolean): number {
  return resilver ? hours : Math.ceil(hours / 24) * 24;
}

/**
 * The value on the wire: a Go duration whose nanoseconds count hours, as every server of MinIO reads it
 * (7d = `168ns`, 60d = `1.44µs`).
 */
export function encodeOlderThan(hours: number): string {
  if (hours < 1e3) return `${hours}ns`;
  return hours < 1e6 ? `${hours / 1e3}µs` : `${hours / 1e6}ms`;
}
