/** The target's versions as a stream of keys in order, from `?versions` with metadata where the target knows it. */
import type { ObjectVersion } from "../model/version.ts";
import { parseHttpDate, parseRfc3339Nano, msOf } from "../protocol/time.ts";
import { RESILVER_RESYNC, SOURCE_PROXY_REQUEST } from "../protocol/replication-headers.ts";
import { decodeListing } from "../protocol/uri.ts";
import { parseXml, type XmlElement } from "../protocol/xml.ts";
import { LOCK_HOLD, LOCK_MODE, LOCK_UNTIL, parseTagsText, type RemoteObject } from "../replication/compare.ts";
import { errorOf, refusesName, type TargetClient } from "../replication/wire.ts";
import { RESYNC_PAGE } from "./limits.ts";

export type RemoteVersion =
  | (RemoteObject & { readonly kind: "object" })
  | { readonly kind: "delete-marker"; readonly versionId: string; readonly mtimeMs: number };

export interface RemoteKey {
  readonly key: string;
  /** In the target's order. */
  readonly versions: readonly RemoteVersion[];
}

/** The target refused to list; `permanent`: asking again cannot help. */
export class ListingError extends Error {
  override name = "ListingError";
  readonly permanent: boolean;
  constructor(message: string, permanent: boolean) {
    super(message);
    this.permanent = permanent;
  }
}

/** A version of a listing: a page begins after it. */
interface Marker {
  readonly key: string;
  /** Empty: after all versions of the key. */
  readonly versionId: string;
}

interface Page {
  readonly items: readonly { readonly key: string; readonly version: RemoteVersion }[];
  readonly next?: Marker | undefined;
}

const PAGE_BYTES_MAX = 256 * 1024 * 1024;

export interface ListOptions {
  readonly resyncId: string;
  /** Only keys that begin with it. */
  readonly prefix: string;
  /** Exclusive. */
  readonly afterKey: string;
  readonly signal: AbortSignal;
  /** Set false once the target's answers with metadata turned out to be unreadable. */
  readonly metadata: { wanted: boolean };
}

/** Rejects with ListingError, or as the client does when no answer came. The next page is fetched while one is used. */
export async function* listTarget(
  client: Pick<TargetClient, "request">,
  options: ListOptions,
): AsyncGenerator<RemoteKey> {
  let open: { key: string; versions: RemoteVersion[] } | undefined;
  let fetching: Promise<Page> | undefined = fetchPage(client, options, { key: options.afterKey, versionId: "" });
  while (fetching !== undefined) {
    const page: Page = await fetching;
    fetching = page.next === undefined ? undefined : fetchPage(client, options, page.next);
    // A failure that nobody waits for yet is told when this page is worked off; unhandled it would end the process.
    fetching?.catch(() => undefined);
    for (const { key, version } of page.items) {
      if (open !== undefined && open.key !== key) {
        yield open;
        open = undefined;
      }
      open ??= { key, versions: [] };
      open.versions.push(version);
    }
  }
  if (open !== undefined) yield open;
}

async function fetchPage(client: Pick<TargetClient, "request">, options: ListOptions, marker: Marker): Promise<Page> {
  const query: Record<string, string> = {
    versions: "",
    "max-keys": String(RESYNC_PAGE),
    "encoding-type": "url",
    prefix: options.prefix,
    delimiter: "",
  };
  if (marker.key !== "") query["key-marker"] = marker.key;
  if (marker.versionId !== "") query["version-id-marker"] = marker.versionId;
  if (options.metadata.wanted) query["metadata"] = "true";
  // A target of ours lists damaged versions for a peer with an ETag that no content has.
  const headers = { [RESILVER_RESYNC]: options.resyncId, [SOURCE_PROXY_REQUEST]: "false" };
  const answer = await client.request({ method: "GET", query, headers, payload: "hashed", signal: options.signal });
  if (answer.status !== 200) {
    const { code, message } = errorOf(answer);
    // A MinIO refuses to list what it could never hold, such as keys with two slashes in a row.
    if (options.prefix !== "" && refusesName(code)) return { items: [] };
    throw new ListingError(
      `the target's versions cannot be listed: ${code} (${message})`,
      answer.status < 500 && answer.status !== 429,
    );
  }
  try {
    return parsePage(parseXml(answer.body, { maxBytes: PAGE_BYTES_MAX }), marker);
  } catch (error) {
    // Metadata names become element names, and not every name can be one: without metadata the page is well-formed.
    if (!options.metadata.wanted) throw new ListingError(`the target's listing cannot be read: ${String(error)}`, true);
    options.metadata.wanted = false;
    return fetchPage(client, options, marker);
  }
}

/** Throws where the answer is no listing or says that there is more and not where: the rest would count as absent. */
function parsePage(root: XmlElement, after: Marker): Page {
  if (root.name !== "ListVersionsResult") throw new Error(`the answer is a ${root.name}`);
  const items: { key: string; version: RemoteVersion }[] = [];
  for (const element of root.children) {
    if (element.name !== "Version" && element.name !== "DeleteMarker") continue;
    items.push({ key: decodeListing(element.value("Key") ?? ""), version: parseVersion(element) });
  }
  if (root.value("IsTruncated") !== "true") return { items };
  const key = decodeListing(root.value("NextKeyMarker") ?? "");
  const last = items.at(-1);
  const next: Marker | undefined =
    key !== ""
      ? { key, versionId: root.value("NextVersionIdMarker") ?? "" }
      : last && { key: last.key, versionId: last.version.versionId };
  if (next === undefined || (next.key === after.key && next.versionId === after.versionId))
    throw new Error("it is cut off and does not say where it goes on");
  return { items, next };
}

function parseVersion(element: XmlElement): RemoteVersion {
  const versionId = (element.value("VersionId") ?? "null") || "null";
  const modified = element.value("LastModified") ?? "";
  const ns = parseRfc3339Nano(modified);
  const mtimeMs = ns === undefined ? (parseHttpDate(modified) ?? 0) : msOf(ns);
  if (element.name === "DeleteMarker") return { kind: "delete-marker", versionId, mtimeMs };
  const user = element.child("UserMetadata");
  return {
    kind: "object",
    versionId,
    etag: (element.value("ETag") ?? "").replaceAll('"', ""),
    size: Number(element.value("Size") ?? "-1"),
    mtimeMs,
    // AWS lists whole seconds as ".000Z": then milliseconds say nothing.
    precisionMs: /\.\d*[1-9]/.test(modified) ? 1 : 1000,
    ...(user === undefined ? {} : { metadata: metadataOf(user), tags: parseTagsText(element.value("UserTags") ?? "") }),
  };
}

function metadataOf(element: XmlElement): Record<string, string> {
  const out: Record<string, string> = {};
  for (const child of element.children) out[child.name.toLowerCase()] = child.text;
  return out;
}

/** What a listing of the target with metadata shows of it, apart from its tags. */
export function listedMetadata(
  version: Pick<ObjectVersion, "headers" | "userMetadata" | "retention" | "legalHold">,
): Record<string, string> {
  const metadata: Record<string, string> = { ...version.headers, ...version.userMetadata };
  const lock = version.retention?.value;
  if (lock) {
    metadata[LOCK_MODE] = lock.mode;
    metadata[LOCK_UNTIL] = lock.until;
  }
  if (version.legalHold?.value === true) metadata[LOCK_HOLD] = "ON";
  return metadata;
}
