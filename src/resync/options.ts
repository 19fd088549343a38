/** What an operator may ask of a resync beyond its target, as query parameters of its start (docs/reference/resync.md). Pure. */
import { StoreError } from "../model/errors.ts";
import { parseVersionId, type VersionId } from "../model/names.ts";
import { RESYNC_IN_FLIGHT_TOP, RESYNC_LIST_MAX } from "./limits.ts";

export const ORDERS = ["key", "recent", "current"] as const;
/** `recent`: what was written last goes first; `current`: current versions before older ones. */
export type Order = (typeof ORDERS)[number];

export interface JobOptions {
  /** Only keys that begin with it; empty: all. */
  readonly prefix: string;
  /** The target's damage check reads every byte. */
  readonly deep: boolean;
  /** Only versions whose status for the target is FAILED. */
  readonly failedOnly: boolean;
  /** Go on although the source looks emptier than the target. */
  readonly force: boolean;
  readonly order: Order;
  /** Number of versions named one by one, `failedOnly` included; absent: everything in scope. */
  readonly listed?: number | undefined;
}

/** May be changed while the job runs. */
export interface JobLimits {
  /** Of object bodies; 0: no limit but the target's own. */
  readonly bytesPerSecond: number;
  /** Versions on their way at the same time; 0: as many as suit the target. */
  readonly inFlight: number;
}

export const DEFAULT_OPTIONS: JobOptions = { prefix: "", deep: false, failedOnly: false, force: false, order: "key" };
/** As the default, whatever the source looks like. */
export const FORCED: JobOptions = { ...DEFAULT_OPTIONS, force: true };
export const DEFAULT_LIMITS: JobLimits = { bytesPerSecond: 0, inFlight: 0 };

/** A version named one by one; without an id: every version of the key. */
export interface Named {
  readonly key: string;
  readonly versionId?: VersionId | undefined;
}

type Parameters = (name: string) => string | undefined;

function flag(parameter: Parameters, name: string): boolean {
  const text = parameter(name) ?? "";
  if (text === "" || text === "false") return false;
  if (text === "true") return true;
  throw invalid(`${name} is true or false, not "${text}"`);
}

function count(parameter: Parameters, name: string, most: number): number | undefined {
  const text = parameter(name) ?? "";
  if (text === "") return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > most) throw invalid(`${name} is a whole number of at most ${most}, not "${text}"`);
  return value;
}

const invalid = (message: string): StoreError => new StoreError("InvalidArgument", { message });

/** Throws InvalidArgument. */
export function parseOptions(parameter: Parameters): JobOptions {
  const order = parameter("priority") || "key";
  if (!ORDERS.includes(order as Order)) throw invalid(`priority is one of ${ORDERS.join(", ")}, not "${order}"`);
  return {
    prefix: parameter("prefix") ?? "",
    deep: flag(parameter, "deep"),
    failedOnly: flag(parameter, "failed-only"),
    force: flag(parameter, "force"),
    order: order as Order,
  };
}

/** Only what is given. Throws InvalidArgument. */
export function parseLimits(parameter: Parameters): Partial<JobLimits> {
  const bytesPerSecond = count(parameter, "bandwidth", Number.MAX_SAFE_INTEGER);
  const inFlight = count(parameter, "concurrency", RESYNC_IN_FLIGHT_TOP);
  return {
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    ...(inFlight === undefined ? {} : { inFlight }),
  };
}

/** One JSON object `{"key":..., "versionId":...}` a line. Throws InvalidArgument. */
export function parseNamed(body: string): readonly Named[] {
  const out: Named[] = [];
  for (const line of body.split("\n")) {
    if (line.trim() === "") continue;
    if (out.length === RESYNC_LIST_MAX) throw invalid(`more than ${RESYNC_LIST_MAX} versions are named`);
    out.push(parseLine(line));
  }
  return out;
}

function parseLine(line: string): Named {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    throw invalid("a line of the list of versions is not JSON");
  }
  const { key, versionId } = (row ?? {}) as { key?: unknown; versionId?: unknown };
  if (typeof key !== "string" || key === "") throw invalid("a line of the list of versions has no key");
  if (versionId === undefined || versionId === "") return { key };
  if (typeof versionId !== "string") throw invalid("a version id is text");
  return { key, versionId: parseVersionId(versionId) };
}
