/** The four ways S3 and MinIO write a moment, and their parsers. Parsers answer undefined for text of another form. */
import type { UnixNs } from "../model/names.ts";

/** How Go, and so the wire, writes a time that was never set. */
export const ZERO_TIME = "0001-01-01T00:00:00Z";

const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;
const MS_PER_S = 1000;

/** Whole milliseconds of `ns`, rounded toward the past. */
export function msOf(ns: UnixNs): number {
  const ms = ns / NS_PER_MS;
  return Number(ns < 0n && ns % NS_PER_MS !== 0n ? ms - 1n : ms);
}

/** `Mon, 23 Nov 2026 00:40:05 GMT`: whole seconds, the rest cut off. */
export function httpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

const HTTP_DATE = /^[A-Za-z]{3,9},? +(\d{1,2}[ -][A-Za-z]{3}[ -]\d{2,4}|[A-Za-z]{3} +\d{1,2}) /;

/** Milliseconds of an HTTP date: RFC 1123 (also with a numeric zone or a one-digit day), RFC 850, asctime. */
export function parseHttpDate(text: string): number | undefined {
  if (!HTTP_DATE.test(text)) return undefined;
  // asctime has no zone: it means GMT, and Date.parse would take the host's.
  const zoned = /(GMT|UTC|[+-]\d{4})$/.test(text) ? text : `${text} GMT`;
  const ms = Date.parse(zoned);
  return Number.isNaN(ms) ? undefined : ms;
}

/** `2026-11-23T00:40:05.472Z` from nanoseconds (bigint) or milliseconds (number); finer digits are cut off. */
export function isoMillis(time: UnixNs | number): string {
  const ms = typeof time === "bigint" ? msOf(time) : Math.trunc(time);
  const seconds = Math.floor(ms / MS_PER_S);
  return `${wholeSeconds(seconds)}.${String(MS_PER_S + ms - seconds * MS_PER_S).slice(1)}Z`;
}

/** `2026-11-23T00:40:05.47297Z`: up to nine decimals, trailing zeros trimmed, none at all for whole seconds. */
export function rfc3339Nano(ns: UnixNs): string {
  let seconds = ns / NS_PER_S;
  let rest = ns % NS_PER_S;
  if (rest < 0n) {
    rest += NS_PER_S;
    seconds -= 1n;
  }
  const whole = wholeSeconds(Number(seconds));
  if (rest === 0n) return `${whole}Z`;
  const digits = rest.toString().padStart(9, "0");
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 48) end--;
  return `${whole}.${digits.slice(0, end)}Z`;
}

/** `2026-11-23T00:40:05`. Times of neighbours are asked for one after another: the last answer is kept. */
function wholeSeconds(seconds: number): string {
  if (seconds !== lastSeconds) {
    lastText = new Date(seconds * MS_PER_S).toISOString().slice(0, -".000Z".length);
    lastSeconds = seconds;
  }
  return lastText;
}

let lastSeconds = 0;
let lastText = "1970-01-01T00:00:00";

const RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:\d\d)$/;

/** Nanoseconds of RFC 3339 text with any number of decimals (those past the ninth are cut off) and any offset. */
export function parseRfc3339Nano(text: string): UnixNs | undefined {
  return parsePlain(text) ?? parseAny(text);
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The form that `rfc3339Nano` writes, read without a pattern: peers send one with each version. Undefined: another form. */
function parsePlain(text: string): UnixNs | undefined {
  const end = text.length - 1;
  if (end < 19 || end > 29 || text.charCodeAt(end) !== 90 || text.charCodeAt(10) !== 84) return undefined;
  if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return undefined;
  if (text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58) return undefined;
  if (end > 19 && (text.charCodeAt(19) !== 46 || end === 20)) return undefined;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 7);
  const day = digits(text, 8, 10);
  const [hour, minute, second] = [digits(text, 11, 13), digits(text, 14, 16), digits(text, 17, 19)];
  const fraction = end > 19 ? digits(text, 20, end) * 10 ** (29 - end) : 0;
  const isDate = year >= 1000 && day >= 1 && day <= (DAYS[month - 1] ?? 0);
  if (!isDate || !(hour < 24) || !(minute < 60) || !(second < 60) || Number.isNaN(fraction)) return undefined;
  return BigInt(Date.UTC(year, month - 1, day, hour, minute, second)) * NS_PER_MS + BigInt(fraction);
}

/** The number that the text has there; NaN where there is anything but digits. */
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}

function parseAny(text: string): UnixNs | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, day = "", clock = "", fraction = "", zone = "Z"] = match;
  const local = Date.parse(`${day}T${clock}Z`);
  // Date.parse turns February 30 into March; such text is a mistake, not a date.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== day) return undefined;
  let offset = 0;
  if (zone.length === 6) {
    const hours = Number(zone.slice(1, 3));
    const minutes = Number(zone.slice(4, 6));
    if (hours > 23 || minutes > 59) return undefined;
    offset = (hours * 60 + minutes) * 60_000 * (zone[0] === "-" ? -1 : 1);
  }
  return BigInt(local - offset) * NS_PER_MS + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}

/** `20261123T004005Z`, the form of `x-amz-date`. */
export function amzDate(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second === lastSigned.second) return lastSigned.text;
  const iso = new Date(ms).toISOString();
  const text = `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
  lastSigned = { second, text };
  return text;
}

/** The last second that was written: requests of one second carry the same. */
let lastSigned = { second: NaN, text: "" };

const AMZ_DATE = /^\d{8}T\d{6}Z$/;

/** The last date that was read: requests of one second carry the same. */
let lastAmz = { text: "", ms: 0 };

/** Milliseconds of `20261123T004005Z`. */
export function parseAmzDate(text: string): number | undefined {
  if (text === lastAmz.text) return lastAmz.ms;
  if (!AMZ_DATE.test(text)) return undefined;
  const day = `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6, 8)}`;
  const ms = Date.parse(`${day}T${text.slice(9, 11)}:${text.slice(11, 13)}:${text.slice(13, 15)}Z`);
  if (Number.isNaN(ms) || amzDate(ms) !== text) return undefined;
  lastAmz = { text, ms };
  return ms;
}
