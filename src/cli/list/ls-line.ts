/** Lines and objects of `ls` and `find` (mc-cli.md 5.1). Pure. */
import { formatRfc3339Local, formatSize, formatTime } from "../format.ts";
import type { Entry } from "./entry.ts";

/** `[TIME] SIZE CLASS KEY`, with versions `[TIME] SIZE CLASS VERSIONID vN PUT|DEL KEY`. `key` is what is shown. */
export function lsLine(entry: Entry, key: string, nowMs: number): string {
  const time = formatTime(new Date(entry.modifiedMs === 0 ? nowMs : entry.modifiedMs));
  const parts = [`[${time}]`, formatSize(entry.size).padStart(7)];
  if (entry.storageClass !== undefined && entry.storageClass !== "") parts.push(entry.storageClass);
  if (entry.versionOrdinal !== undefined) {
    parts.push(entry.versionId ?? "null", `v${entry.versionOrdinal}`, entry.isDeleteMarker === true ? "DEL" : "PUT");
  }
  parts.push(key);
  return parts.join(" ");
}

/** The JSON object of one entry; members from versionId on are absent when empty. */
export function lsObject(entry: Entry, key: string, nowMs: number): Record<string, unknown> {
  const optional: Record<string, unknown> = {
    versionId: entry.versionOrdinal === undefined ? undefined : entry.versionId,
    versionOrdinal: entry.versionOrdinal,
    isDeleteMarker: entry.isDeleteMarker,
    storageClass: entry.storageClass === "" ? undefined : entry.storageClass,
    metadata: entry.metadata,
    tags: entry.tags,
  };
  const present = Object.entries(optional).filter(([, value]) => value !== undefined);
  return {
    status: "success",
    type: entry.type,
    lastModified: formatRfc3339Local(new Date(entry.modifiedMs === 0 ? nowMs : entry.modifiedMs)),
    size: entry.size,
    key,
    etag: entry.etag,
    url: entry.url,
    ...Object.fromEntries(present),
  };
}
