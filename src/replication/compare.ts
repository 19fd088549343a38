/** Is a version at the target what it is here? Pure (replication.md section 4). */
import { NULL_VERSION, type UnixNs } from "../model/names.ts";
import { newerRetention } from "../model/object-lock.ts";
import { newerRegister, type ObjectVersion, type Register, type Retention, type Tags } from "../model/version.ts";
import * as names from "../protocol/replication-headers.ts";
import { msOf, parseHttpDate } from "../protocol/time.ts";
import type { TargetResponse } from "./wire.ts";

/** An object version as a target describes it. Absent members: the answer did not tell. */
export interface RemoteObject {
  readonly versionId: string;
  readonly etag: string;
  readonly size: number;
  /** Milliseconds, cut to `precisionMs`. */
  readonly mtimeMs: number;
  readonly precisionMs: 1 | 1000;
  /** Lower-case names; content headers, `x-amz-meta-*`, lock headers. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly tags?: Tags | undefined;
  /** Exact times, as this program tells its peers: of the version, and of its registers (0: it never had any). */
  readonly mtime?: UnixNs | undefined;
  readonly tagsTime?: UnixNs | undefined;
  readonly retentionTime?: UnixNs | undefined;
  readonly legalHoldTime?: UnixNs | undefined;
}

export type Comparison =
  | { readonly kind: "equal" }
  /** Tags, retention or legal hold differ: a metadata copy mends it. */
  | { readonly kind: "registers"; readonly what: string }
  /** The bytes or the identity differ: the whole version is sent. */
  | { readonly kind: "content"; readonly what: string }
  /** Fixed metadata differs although the content is the same: no request of the protocol changes it. */
  | { readonly kind: "fixed"; readonly what: string }
  /** Null versions only: the target's is newer than ours and stays. */
  | { readonly kind: "newerThere" };

export const COMPARED_HEADERS = [
  "content-encoding",
  "cache-control",
  "content-disposition",
  "content-language",
  "expires",
] as const;
export const LOCK_MODE = "x-amz-object-lock-mode";
export const LOCK_UNTIL = "x-amz-object-lock-retain-until-date";
export const LOCK_HOLD = "x-amz-object-lock-legal-hold";

function sameTime(local: ObjectVersion, remote: RemoteObject): boolean {
  const ms = msOf(local.mtime);
  return Math.floor(ms / remote.precisionMs) === Math.floor(remote.mtimeMs / remote.precisionMs);
}

/** Compares at the precision that the answer carried. */
export function compareObject(local: ObjectVersion, remote: RemoteObject): Comparison {
  if (local.versionId !== remote.versionId) return { kind: "content", what: "version id" };
  const isNull = local.versionId === NULL_VERSION;
  const exact = isNull ? remote.mtime : undefined;
  const timeEqual = exact === undefined ? sameTime(local, remote) : exact === local.mtime;
  const newer = exact === undefined ? remote.mtimeMs > msOf(local.mtime) : exact > local.mtime;
  if (isNull && !timeEqual && newer) return { kind: "newerThere" };
  if (local.size !== remote.size) return { kind: "content", what: "size" };
  if (local.etag !== remote.etag) return { kind: "content", what: "etag" };
  if (!timeEqual) return { kind: "content", what: "modification time" };
  return compareTags(local, remote) ?? compareLock(local, remote) ?? compareFixed(local, remote) ?? { kind: "equal" };
}

function compareTags(local: ObjectVersion, remote: RemoteObject): Comparison | undefined {
  if (remote.tagsTime !== undefined) {
    const ours = local.tags?.time ?? 0n;
    // Newer tags come from there to here. Equal values with different times would decide over a third value differently.
    if (ours !== remote.tagsTime) return ours > remote.tagsTime ? { kind: "registers", what: "tags" } : undefined;
  }
  if (remote.tags === undefined) return undefined;
  return sameMap(local.tags?.value ?? {}, remote.tags) ? undefined : { kind: "registers", what: "tags" };
}

function compareLock(local: ObjectVersion, remote: RemoteObject): Comparison | undefined {
  if (remote.metadata === undefined) return undefined;
  const retention = retentionTold(remote.metadata);
  const hold = remote.metadata[LOCK_HOLD] === "ON";
  const { retentionTime, legalHoldTime } = remote;
  const retentionEqual =
    retentionTime === undefined
      ? sameRetention(local.retention?.value ?? null, retention)
      : !mustGo(local.retention, told(retention, retentionTime), newerRetention);
  if (!retentionEqual) return { kind: "registers", what: "retention" };
  const holdEqual =
    legalHoldTime === undefined
      ? hold === (local.legalHold?.value ?? false)
      : !mustGo(local.legalHold, told(hold, legalHoldTime), newerRegister);
  return holdEqual ? undefined : { kind: "registers", what: "legal hold" };
}

export function retentionTold(metadata: Readonly<Record<string, string>>): Retention | null {
  const mode = metadata[LOCK_MODE] ?? "";
  if (mode !== "GOVERNANCE" && mode !== "COMPLIANCE") return null;
  const until = Date.parse(metadata[LOCK_UNTIL] ?? "");
  return { mode, until: Number.isNaN(until) ? "" : new Date(until).toISOString() };
}

export const sameRetention = (a: Retention | null, b: Retention | null): boolean =>
  a?.mode === b?.mode && a?.until === b?.until;

const told = <T>(value: T, time: UnixNs): Register<T> | undefined => (time === 0n ? undefined : { value, time });

/** Ours wins there, and is not there yet. What wins from there comes by itself. */
function mustGo<T>(
  ours: Register<T> | undefined,
  theirs: Register<T> | undefined,
  winner: (a: Register<T> | undefined, b: Register<T> | undefined) => Register<T> | undefined,
): boolean {
  if (ours === undefined || (theirs?.time === ours.time && JSON.stringify(theirs.value) === JSON.stringify(ours.value)))
    return false;
  return winner(ours, theirs) === ours;
}

function compareFixed(local: ObjectVersion, remote: RemoteObject): Comparison | undefined {
  const told = remote.metadata;
  if (told === undefined) return undefined;
  const type = local.headers["content-type"];
  if (type !== undefined && told["content-type"] !== undefined && type !== told["content-type"]) {
    return { kind: "fixed", what: "content-type" };
  }
  for (const name of COMPARED_HEADERS) {
    if ((local.headers[name] ?? "") !== plainEncoding(name, told[name] ?? "")) return { kind: "fixed", what: name };
  }
  for (const [name, value] of Object.entries(local.userMetadata)) {
    if (decodeValue(told[name] ?? "") !== decodeValue(value)) return { kind: "fixed", what: name };
  }
  for (const name of Object.keys(told)) {
    if (name.startsWith("x-amz-meta-") && local.userMetadata[name] === undefined) return { kind: "fixed", what: name };
  }
  return undefined;
}

/** Some servers keep the transfer's `aws-chunked` in the stored encoding. */
export function plainEncoding(name: string, value: string): string {
  return name === "content-encoding" ? value.replace(/^aws-chunked,?\s*/, "") : value;
}

/** Values that are not ASCII come as MIME words, as raw UTF-8 bytes, or as text. */
export function decodeValue(value: string): string {
  const word = /^=\?UTF-8\?(B|Q)\?(.*)\?=$/i.exec(value);
  if (word?.[1]?.toUpperCase() === "B") return Buffer.from(word[2] ?? "", "base64").toString("utf8");
  if (word !== null) {
    const bytes = (word[2] ?? "")
      .replaceAll("_", " ")
      .replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, "latin1").toString("utf8");
  }
  // oxlint-disable-next-line no-control-regex -- looks for bytes above ASCII
  if (!/[\u0080-\u00ff]/.test(value) || /[^\u0000-\u00ff]/.test(value)) return value;
  const text = Buffer.from(value, "latin1").toString("utf8");
  return text.includes("\ufffd") ? value : text;
}

export function sameMap(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** `a=b&c=d` as tags. */
export function parseTagsText(text: string): Tags {
  return Object.fromEntries(new URLSearchParams(text));
}

/** A time in decimal nanoseconds as this program tells its peers. */
export const nanoseconds = (text: string | undefined): UnixNs | undefined =>
  text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;

/** What a 200 to HEAD with the ACCESS directive says. Undefined: no usable Last-Modified. */
export function remoteOfHead(response: TargetResponse): RemoteObject | undefined {
  const { headers } = response;
  const mtimeMs = parseHttpDate(headers["last-modified"] ?? "");
  if (mtimeMs === undefined) return undefined;
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) metadata[name] = value;
  const count = Number(headers["x-amz-tagging-count"] ?? "0");
  const tags = headers["x-amz-tagging"];
  return {
    // MinIO leaves the id out for the null version (replication.md 3.9).
    versionId: headers["x-amz-version-id"] ?? NULL_VERSION,
    etag: (headers["etag"] ?? "").replaceAll('"', ""),
    size: Number(headers["content-length"] ?? "-1"),
    mtimeMs,
    precisionMs: 1000,
    metadata,
    // A count without the text: the target does not know the directive. Zero says there are none.
    tags: tags !== undefined ? parseTagsText(tags) : count === 0 ? {} : undefined,
    mtime: nanoseconds(headers[names.RESILVER_MTIME]),
    tagsTime: nanoseconds(headers[names.RESILVER_TAGS_TIME]),
    retentionTime: nanoseconds(headers[names.RESILVER_RETENTION_TIME]),
    legalHoldTime: nanoseconds(headers[names.RESILVER_LEGAL_HOLD_TIME]),
  };
}
