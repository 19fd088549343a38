/** `older-than` of a resync start (replication.md 7.1). Pure. */
import { StoreError } from "../model/errors.ts";

const NS_OF: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
  w: 604_800e9,
};
const PIECE = /(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h|d|w)/g;
const HOUR_MS = 3_600_000;
const NS_PER_S = 1e9;
const NS_PER_MS = 1e6;

/**
 * Age in milliseconds; 0 for empty text. MinIO's client turns days into hours and sends them as nanoseconds ("168ns" is
 * seven days); any duration of a second or more is meant as it stands ("36h", "7d"). MinIO counts whole days of the
 * hours: "12ns" is no limit there, and a job that was to leave the young versions alone would send them all.
 */
export function olderThanMs(text: string): number {
  if (text === "" || text === "0") return 0;
  const whole = text.replaceAll(PIECE, "");
  if (whole !== "") throw new StoreError("InvalidArgument", { message: `older-than "${text}" is not a duration` });
  let ns = 0;
  for (const [, count, unit] of text.matchAll(PIECE)) ns += Number(count) * (NS_OF[unit as string] as number);
  return ns < NS_PER_S ? Math.round(ns) * HOUR_MS : ns / NS_PER_MS;
}
