/** How sizes, times and durations are written and read (mc-cli.md 2.1, 2.3). Pure. */
import { CommandError } from "./command.ts";

const BINARY_UNITS: readonly string[] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL_UNITS: readonly string[] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

function scaled(bytes: number, base: number, units: readonly string[], blank: string): string {
  if (bytes < 10) return `${Math.max(0, Math.floor(bytes))}${blank}B`;
  let power = Math.min(Math.floor(Math.log(bytes) / Math.log(base)), units.length - 1);
  // The logarithm of an exact power may come out a hair below the integer.
  if (base ** (power + 1) <= bytes && power < units.length - 1) power += 1;
  const value = Math.floor((bytes / base ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)}${blank}${units[power] ?? "B"}`;
}

/** Bytes as `5B`, `1.0KiB`, `15MiB`: one digit after the point below ten, none above. */
export function formatSize(bytes: number): string {
  return scaled(bytes, 1024, BINARY_UNITS, "");
}

/** The same as the replication and admin commands write it: `25 MiB`, `0 B`. */
export function formatBinarySize(bytes: number): string {
  return scaled(bytes, 1024, BINARY_UNITS, " ");
}

/** `1.2 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${scaled(bytesPerSecond, 1000, DECIMAL_UNITS, " ")}/s`;
}

const pad = (value: number, width = 2): string => String(value).padStart(width, "0");

/** `YYYY-MM-DD HH:MM:SS ZONE` in local time. */
export function formatTime(date: Date): string {
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())} ${zoneName(date)}`;
}

function zoneName(date: Date): string {
  if (date.getTimezoneOffset() === 0 && !/[A-Z]{3}/.test(process.env["TZ"]?.replace("UTC", "") ?? "")) return "UTC";
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "UTC";
}

/** RFC 3339 in the local zone, fraction without trailing zeros: what `ls --json` prints. */
export function formatRfc3339Local(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const local = trimFraction(new Date(date.getTime() + offset * 60_000).toISOString()).slice(0, -1);
  if (offset === 0) return `${local}Z`;
  const minutes = Math.abs(offset);
  return `${local}${offset < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

/** RFC 3339 in UTC, fraction without trailing zeros. */
export function formatRfc3339(date: Date): string {
  return trimFraction(date.toISOString());
}

function trimFraction(iso: string): string {
  return iso.replace(/\.(\d*?)0*Z$/, (_, digits: string) => (digits === "" ? "Z" : `.${digits}Z`));
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 36e5,
  d: 864e5,
  w: 6048e5,
  y: 31_536e6,
};

/** `7d10h31s` and the like in milliseconds (y = 365 d); undefined when `text` is no duration. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  let total = 0;
  let rest = text;
  while (rest !== "") {
    const match = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w|y)/.exec(rest);
    if (match === null) return undefined;
    total += Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0);
    rest = rest.slice(match[0].length);
  }
  return text === "" ? undefined : total;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  p: 1e15,
  ki: 1024,
  mi: 1024 ** 2,
  gi: 1024 ** 3,
  ti: 1024 ** 4,
  pi: 1024 ** 5,
};

/** `10MiB`, `1g`, `512` in bytes: k m g t are powers of 1000, ki mi gi ti of 1024. Throws CommandError. */
export function parseSize(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgtp]i?)?(?:b(?:\/s)?)?\s*$/i.exec(text);
  if (match === null) throw new CommandError(`\`${text}\` is not a size. Write for example 10MiB or 1GB`);
  return Math.floor(Number(match[1]) * (SIZE_UNITS[(match[2] ?? "").toLowerCase()] ?? 1));
}

const LOCAL_DATE = /^(\d{4})\.(\d{2})\.(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}))?)?$/;

/**
 * A moment in Unix milliseconds: a duration back from `nowMs`, `2006.01.02[T15:04[:05]]` in local time, or RFC 3339
 * (also a bare date). Throws CommandError.
 */
export function parseMoment(text: string, nowMs: number): number {
  const duration = parseDuration(text);
  if (duration !== undefined) return nowMs - duration;
  const match = LOCAL_DATE.exec(text);
  if (match !== null) {
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
      .slice(1)
      .map((part) => Number(part ?? 0));
    return new Date(year, month - 1, day, hour, minute, second).getTime();
  }
  const parsed = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(parsed)) {
    throw new CommandError(`\`${text}\` is neither a duration (7d10h) nor a date (2025.12.31T15:04 or RFC 3339)`);
  }
  return parsed;
}

/** A span for people: `450ms`, `12s`, `3m05s`, `2h10m`. */
export function formatSpan(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${pad(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h${pad(Math.floor((seconds % 3600) / 60))}m`;
}

/** Left-aligned columns, two blanks apart; no blanks at line ends. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
