/** Lines and objects of `replicate backlog` (captures.md 7). Pure. */
import { formatTime } from "../../format.ts";

/** One version of the full list, as the server streams it (admin-api.md 5.1). */
export interface DiffEntry {
  readonly object: string;
  readonly versionId?: string | undefined;
  readonly targets?: Readonly<Record<string, { readonly rStatus?: string; readonly drStatus?: string }>> | undefined;
  readonly rStatus?: string | undefined;
  readonly dStatus?: string | undefined;
  readonly replTimestamp?: string | undefined;
  readonly lastModified?: string | undefined;
  readonly deletemarker?: boolean | undefined;
  readonly error?: unknown;
}

/** One recent failure. */
export interface MrfEntry {
  readonly nodeName?: string | undefined;
  readonly bucket?: string | undefined;
  readonly object?: string | undefined;
  readonly versionId?: string | undefined;
  readonly retryCount?: number | undefined;
  /** Only a Resilver says these. REPLACED: the line is about the target, and names no object. */
  readonly state?: string | undefined;
  readonly targetArn?: string | undefined;
  /** Why the last attempt failed: not `error`, with which the original `mc` ends. */
  readonly reason?: string | undefined;
  readonly error?: string | undefined;
}

/** What people call a target; its ARN when nothing more is known. */
export type TargetName = (arn: string) => string;

/** ` -> there.example:9000/b, away.example:9000/b`: where it is to go. */
function destinations(arns: readonly string[], nameOf: TargetName): string {
  return arns.length === 0 ? "" : ` -> ${arns.map(nameOf).join(", ")}`;
}

const DONE = "COMPLETED";

/** `[TIME] STATE KIND KEY (VERSION) -> TARGETS`: what is to be done is a PUT, a DEL of a marker, a PURGE of a version. */
export function diffLine(entry: DiffEntry, nameOf: TargetName): string {
  const purge = entry.dStatus !== undefined && entry.dStatus !== "";
  const state = purge ? entry.dStatus : entry.rStatus;
  const kind = purge ? "PURGE" : entry.deletemarker === true ? "DEL" : "PUT";
  const when = entry.lastModified === undefined ? "" : `[${formatTime(new Date(entry.lastModified))}] `;
  const all = Object.entries(entry.targets ?? {});
  const left = all.filter(([, { rStatus, drStatus }]) => [rStatus, drStatus].some((one) => (one || DONE) !== DONE));
  const arns = (left.length > 0 ? left : all).map(([arn]) => arn);
  const head = `${when}${(state ?? "").padEnd(9)} ${kind.padEnd(5)}`;
  return `${head} ${entry.object} (${entry.versionId ?? "null"})${destinations(arns, nameOf)}`;
}

export function mrfLine(entry: MrfEntry, nameOf: TargetName): string {
  const where = destinations(entry.targetArn === undefined ? [] : [entry.targetArn], nameOf);
  const said = entry.reason ?? entry.error ?? "";
  const why = said === "" ? "" : `: ${said}`;
  if (entry.state === "REPLACED") return `${entry.nodeName ?? ""}  REPLACED${where}${why}`;
  const retries = `${entry.retryCount ?? 0} retries`;
  return `${entry.nodeName ?? ""}  ${retries}  ${entry.object ?? ""} (${entry.versionId ?? "null"})${where}${why}`;
}

export function mrfJson(entry: MrfEntry): Record<string, unknown> {
  return { op: "mrf", status: "success", ...entry };
}
