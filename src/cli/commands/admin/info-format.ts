/** The text of `admin info` (admin-api.md 6.1). Pure: every member may be absent. */
import { formatBinarySize } from "../../format.ts";
import { formatElapsed } from "../units.ts";

interface Counted {
  readonly count?: number | undefined;
}

interface ServerEntry {
  readonly endpoint?: string | undefined;
  readonly state?: string | undefined;
  readonly uptime?: number | undefined;
  readonly version?: string | undefined;
  readonly network?: Readonly<Record<string, string>> | undefined;
  readonly drives?: readonly { readonly state?: string | undefined }[] | null | undefined;
  readonly poolNumber?: number | undefined;
}

export interface ServerInfo {
  readonly mode?: string | undefined;
  readonly buckets?: Counted | undefined;
  readonly objects?: Counted | undefined;
  readonly versions?: Counted | undefined;
  readonly deletemarkers?: Counted | undefined;
  readonly usage?: { readonly size?: number | undefined } | undefined;
  readonly backend?:
    | { readonly onlineDisks?: number; readonly offlineDisks?: number; readonly standardSCParity?: number }
    | undefined;
  readonly servers?: readonly ServerEntry[] | null | undefined;
  readonly [extra: string]: unknown;
}

const ONLINE_DRIVES = new Set(["ok", "unformatted"]);

export function infoText(info: ServerInfo): string {
  const blocks = (info.servers ?? []).map(serverText);
  const totals = totalsText(info);
  const { onlineDisks = 0, offlineDisks = 0, standardSCParity = 0 } = info.backend ?? {};
  const drives = `${plural(onlineDisks, "drive")} online, ${plural(offlineDisks, "drive")} offline, EC:${standardSCParity}`;
  return [...blocks, ...(totals === "" ? [] : [totals]), drives].join("\n\n");
}

function serverText(server: ServerEntry): string {
  const endpoint = server.endpoint ?? "";
  if (server.state !== undefined && server.state !== "online") return `●  ${endpoint}\n   State: ${server.state}`;
  const network = Object.values(server.network ?? {});
  const drives = server.drives ?? [];
  const online = drives.filter((drive) => ONLINE_DRIVES.has(drive.state ?? "")).length;
  return [
    `●  ${endpoint}`,
    `   Uptime: ${formatElapsed(server.uptime ?? 0)}`,
    `   Version: ${server.version ?? ""}`,
    ...(network.length === 0
      ? []
      : [`   Network: ${network.filter((state) => state === "online").length}/${network.length} OK`]),
    ...(drives.length === 0 ? [] : [`   Drives: ${online}/${drives.length} OK`]),
    ...(server.poolNumber === undefined ? [] : [`   Pool: ${server.poolNumber}`]),
  ].join("\n");
}

function totalsText(info: ServerInfo): string {
  const buckets = info.buckets?.count ?? 0;
  if (buckets === 0) return "";
  const parts = [
    `${formatBinarySize(info.usage?.size ?? 0)} Used`,
    plural(buckets, "Bucket"),
    plural(info.objects?.count ?? 0, "Object"),
  ];
  const versions = info.versions?.count ?? 0;
  const markers = info.deletemarkers?.count ?? 0;
  if (versions > 0) parts.push(plural(versions, "Version"));
  if (markers > 0) parts.push(plural(markers, "Delete Marker"));
  return parts.join(", ");
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
