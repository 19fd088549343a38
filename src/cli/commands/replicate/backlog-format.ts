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
  readonly error?: string | undefined;
}

/** `[TIME] STATE KIND KEY (VERSION)`: what is to be done is a PUT, a DEL of a version or a marker. */
export function diffLine(entry: DiffEntry): string {
  const purge = entry.dStatus !== undefined && entry.dStatus !== "";
  const state = purge ? entry.dStatus : entry.rStatus;
  const kind = purge ? "PURGE" : entry.deletemarker === true ? "DEL" : "PUT";
  const when = entry.lastModified === undefined ? "" : `[${formatTime(new Date(entry.lastModified))}] `;
  return `${when}${(state ?? "").padEnd(9)} ${kind.padEnd(5)} ${entry.object} (${entry.versionId ?? "null"})`;
}

export function mrfLine(entry: MrfEntry): string {
  const error = entry.error === undefined || entry.error === "" ? "" : `: ${entry.error}`;
  const retries = `${entry.retryCount ?? 0} retries`;
  return `${entry.nodeName ?? ""}  ${retries}  ${entry.object ?? ""} (${entry.versionId ?? "null"})${error}`;
}

export function mrfJson(entry: MrfEntry): Record<string, unknown> {
  return { op: "mrf", status: "success", ...entry };
}
