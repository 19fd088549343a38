/** What `stat` says about an object: text rows and the JSON object (mc-cli.md 5.1). Pure. */
import { parseHttpDate } from "../../protocol/time.ts";
import { formatBinarySize, formatRfc3339, formatTime } from "../format.ts";
import type { ObjectHead } from "../transfer/calls.ts";

const KEPT = new Set([
  "content-type",
  "cache-control",
  "content-encoding",
  "content-language",
  "content-disposition",
  "x-amz-storage-class",
  "x-amz-object-lock-mode",
  "x-amz-object-lock-retain-until-date",
  "x-amz-object-lock-legal-hold",
  "x-amz-website-redirect-location",
  "x-amz-tagging-count",
]);
const SSE = "x-amz-server-side-encryption";

/** `content-type` as `Content-Type`. */
function canonicalHeader(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
}

/** Metadata of an answer, canonical names in order. */
export function shownMetadata(headers: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(headers).filter(
    (name) => KEPT.has(name) || name.startsWith("x-amz-meta-") || name.startsWith(SSE),
  );
  return Object.fromEntries(names.sort().map((name) => [canonicalHeader(name), decoded(headers[name] ?? "")]));
}

/** Header bytes are UTF-8; the transport shows them as Latin-1. */
function decoded(value: string): string {
  return Buffer.from(value, "latin1").toString("utf8");
}

/** Checksums of an answer by algorithm, e.g. `CRC32`. */
function shownChecksums(headers: Readonly<Record<string, string>>): Record<string, string> {
  const found = Object.entries(headers).flatMap(([name, value]) => {
    const match = /^x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)$/.exec(name);
    return match === null ? [] : [[(match[1] ?? "").toUpperCase(), value] as const];
  });
  return Object.fromEntries(found);
}

interface Expiration {
  readonly date: Date;
  readonly ruleId: string;
}

/** `expiry-date="...", rule-id="..."` of x-amz-expiration. */
export function parseExpiration(text: string | undefined): Expiration | undefined {
  const date = /expiry-date="([^"]+)"/.exec(text ?? "")?.[1];
  if (date === undefined || Number.isNaN(Date.parse(date))) return undefined;
  return { date: new Date(date), ruleId: /rule-id="([^"]*)"/.exec(text ?? "")?.[1] ?? "" };
}

function encryptionWords(headers: Readonly<Record<string, string>>): string | undefined {
  if (headers[`${SSE}-customer-algorithm`] !== undefined) return "SSE-C";
  const kind = headers[SSE];
  if (kind === "aws:kms") return `SSE-KMS (${headers[`${SSE}-aws-kms-key-id`] ?? ""})`;
  return kind === undefined ? undefined : "SSE-S3";
}

export interface StatSubject {
  readonly name: string;
  readonly type: "file" | "folder";
  readonly head: ObjectHead;
  readonly deleteMarker: boolean;
}

const row = (name: string, value: string): string => `${name.padEnd(10)}: ${value}`;

export function statText({ name, type, head, deleteMarker }: StatSubject): string {
  const { headers } = head;
  const rows = [row("Name", name)];
  if (head.modifiedMs > 0) rows.push(row("Date", formatTime(new Date(head.modifiedMs))));
  rows.push(row("Size", type === "folder" ? "N/A" : formatBinarySize(head.size)));
  if (head.etag !== "") rows.push(row("ETag", head.etag));
  if (head.versionId !== undefined)
    rows.push(row("VersionID", `${head.versionId}${deleteMarker ? " (delete-marker)" : ""}`));
  rows.push(row("Type", type));
  if (headers["expires"] !== undefined) rows.push(row("Expires", headers["expires"]));
  const expiration = parseExpiration(headers["x-amz-expiration"]);
  if (expiration !== undefined)
    rows.push(row("Expiration", `${formatTime(expiration.date)} (lifecycle-rule-id: ${expiration.ruleId})`));
  for (const [algorithm, value] of Object.entries(shownChecksums(headers)))
    rows.push(row("Checksum", `${algorithm}:${value}`));
  if (headers["x-amz-restore"] !== undefined) rows.push(row("Restore", headers["x-amz-restore"]));
  const encryption = encryptionWords(headers);
  if (encryption !== undefined) rows.push(row("Encryption", encryption));
  const metadata = Object.entries(shownMetadata(headers));
  if (metadata.length > 0) rows.push(row("Metadata", ""), ...metadata.map(([key, value]) => `  ${key}: ${value}`));
  const replication = headers["x-amz-replication-status"];
  if (replication !== undefined && replication !== "") rows.push(`Replication Status: ${replication}`);
  return `${rows.map((line) => line.trimEnd()).join("\n")}\n`;
}

export function statObject({ name, type, head, deleteMarker }: StatSubject): Record<string, unknown> {
  const { headers } = head;
  const expiration = parseExpiration(headers["x-amz-expiration"]);
  const restore = headers["x-amz-restore"];
  const members: Record<string, unknown> = {
    status: "success",
    name,
    lastModified: formatRfc3339(new Date(head.modifiedMs)),
    size: head.size,
    etag: head.etag,
    type,
    expires: dateOf(headers["expires"]),
    expiration: expiration === undefined ? undefined : formatRfc3339(expiration.date),
    expirationRuleID: expiration?.ruleId,
    replicationStatus: headers["x-amz-replication-status"] || undefined,
    metadata: shownMetadata(headers),
    versionID: head.versionId,
    deleteMarker: deleteMarker ? true : undefined,
    restore: restore === undefined ? undefined : restoreObject(restore),
    checksum: Object.keys(shownChecksums(headers)).length === 0 ? undefined : shownChecksums(headers),
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** As RFC 3339; undefined for what is no date: whoever stored the object may have written anything. */
function dateOf(header: string | undefined): string | undefined {
  const ms = parseHttpDate(header ?? "");
  return ms === undefined ? undefined : formatRfc3339(new Date(ms));
}

function restoreObject(text: string): Record<string, unknown> {
  const expiry = /expiry-date="([^"]+)"/.exec(text)?.[1];
  return {
    OngoingRestore: /ongoing-request="true"/.test(text),
    ExpiryTime: dateOf(expiry) ?? "0001-01-01T00:00:00Z",
  };
}
