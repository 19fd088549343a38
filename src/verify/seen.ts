/** A version as one side shows it, and what of two such differs. Pure. */
import type { Tags } from "../model/version.ts";
import { DAMAGED_ETAG } from "../protocol/replication-headers.ts";
import { msOf } from "../protocol/time.ts";
import {
  COMPARED_HEADERS,
  decodeValue,
  LOCK_HOLD,
  LOCK_MODE,
  LOCK_UNTIL,
  plainEncoding,
  sameMap,
} from "../replication/compare.ts";
import type { Described } from "../reconcile/side.ts";
import { listedMetadata, type RemoteVersion } from "../resync/target-listing.ts";

interface SeenBase {
  readonly key: string;
  readonly versionId: string;
  readonly mtimeMs: number;
  /** The time is cut to this. */
  readonly precisionMs: 1 | 1000;
  /** Exact, where the side tells it. */
  readonly mtimeNs?: bigint | undefined;
  /** When anything of it was last changed, as far as the side tells; ms. */
  readonly touchedMs: number;
}

export interface SeenMarker extends SeenBase {
  readonly kind: "delete-marker";
}

export interface SeenObject extends SeenBase {
  readonly kind: "object";
  readonly size: number;
  readonly etag: string;
  /** Lower-case names: content headers, `x-amz-meta-*`, lock headers. Absent: the side did not tell. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly tags?: Tags | undefined;
  /** The side knows that its bytes are lost. */
  readonly damaged?: string | undefined;
  /** What the side's replication says of it. */
  readonly status?: string | undefined;
}

export type Seen = SeenMarker | SeenObject;

/** What may differ, in the order in which it is told; the first three levels of a statement are made of these. */
export const KINDS = [
  "onlyAtSource",
  "onlyAtTarget",
  "damagedAtSource",
  "damagedAtTarget",
  "kind",
  "size",
  "etag",
  "time",
  "metadata",
  "tags",
  "retention",
  "legalHold",
  "bytes",
] as const;
export type MismatchKind = (typeof KINDS)[number];

export interface Mismatch {
  readonly kind: MismatchKind;
  readonly reason: string;
}

export type VerifyLevel = "identity" | "metadata" | "bytes";

/** The level at which a kind of difference is found. */
export function levelOf(kind: MismatchKind): VerifyLevel {
  if (kind === "bytes") return "bytes";
  return ["metadata", "tags", "retention", "legalHold"].includes(kind) ? "metadata" : "identity";
}

export function seenOfDescribed(version: Described): Seen {
  const { key, versionId, mtime } = version;
  const base = { key, versionId, mtimeMs: msOf(mtime), precisionMs: 1, mtimeNs: mtime } as const;
  if (version.kind === "delete-marker") return { kind: version.kind, ...base, touchedMs: base.mtimeMs };
  const { size, etag, tags, retention, legalHold, damaged, replication } = version;
  const times = [mtime, tags?.time ?? 0n, retention?.time ?? 0n, legalHold?.time ?? 0n].map(msOf);
  const metadata = listedMetadata(version);
  const statuses = Object.values(replication.targets).filter((status) => status !== "COMPLETED");
  const told = { size, etag, metadata, tags: tags?.value ?? {}, damaged, status: statuses[0] };
  return { kind: version.kind, ...base, touchedMs: Math.max(...times), ...told };
}

export function seenOfListed(key: string, version: RemoteVersion): Seen {
  const { versionId, mtimeMs } = version;
  const base = { key, versionId, mtimeMs, touchedMs: mtimeMs };
  if (version.kind === "delete-marker") return { kind: version.kind, ...base, precisionMs: 1000 };
  const { size, etag, metadata, tags, precisionMs } = version;
  const status = metadata?.["x-amz-replication-status"];
  const damaged = etag === DAMAGED_ETAG ? { damaged: "missing or corrupt" } : {};
  const told = { ...damaged, ...(status === "PENDING" || status === "FAILED" ? { status } : {}) };
  return { kind: version.kind, ...base, precisionMs, size, etag, metadata, tags, ...told };
}

/**
 * What differs between the two, at `level` and below; nothing: they are equal as far as both sides tell. `undefined` is a
 * side that has no such version.
 */
export function mismatches(
  source: Seen | undefined,
  target: Seen | undefined,
  level: "identity" | "metadata",
): Mismatch[] {
  if (source === undefined || target === undefined) return [oneSided(source, target)];
  const damage = damages(source, target);
  if (damage.length > 0) return damage;
  const out: Mismatch[] = [];
  const add = (kind: MismatchKind, here: unknown, there: unknown): void => {
    out.push({ kind, reason: `${String(here)} at the source, ${String(there)} at the target` });
  };
  if (source.kind !== target.kind) add("kind", nounOf(source), nounOf(target));
  else if (source.kind === "object" && target.kind === "object") {
    if (source.size !== target.size) add("size", `${source.size} bytes`, `${target.size} bytes`);
    if (source.etag !== target.etag) add("etag", source.etag, target.etag);
  }
  if (!sameTime(source, target)) add("time", timeText(source), timeText(target));
  if (level === "identity" || out.some(({ kind }) => kind !== "time")) return out;
  if (source.kind === "object" && target.kind === "object") out.push(...metadataMismatches(source, target));
  return out;
}

const nounOf = (seen: Seen): string => (seen.kind === "object" ? "an object" : "a delete marker");

function oneSided(source: Seen | undefined, target: Seen | undefined): Mismatch {
  const [present, where] = source === undefined ? [target, "source"] : [source, "target"];
  const noun = present?.kind === "delete-marker" ? "delete marker" : "version";
  const pending =
    source?.kind === "object" && source.status !== undefined ? `; its replication is ${source.status}` : "";
  const kind = source === undefined ? "onlyAtTarget" : "onlyAtSource";
  return { kind, reason: `the ${where} has no such ${noun}${pending}` };
}

function damages(source: Seen, target: Seen): Mismatch[] {
  const out: Mismatch[] = [];
  const why = (seen: Seen): string | undefined => (seen.kind === "object" ? seen.damaged : undefined);
  const [here, there] = [why(source), why(target)];
  if (here !== undefined) out.push({ kind: "damagedAtSource", reason: `its bytes are ${here} at the source` });
  if (there !== undefined) out.push({ kind: "damagedAtTarget", reason: `its bytes are ${there} at the target` });
  return out;
}

/** At the precision of the less precise of the two. */
function sameTime(a: Seen, b: Seen): boolean {
  if (a.mtimeNs !== undefined && b.mtimeNs !== undefined) return a.mtimeNs === b.mtimeNs;
  const precision = Math.max(a.precisionMs, b.precisionMs);
  return Math.floor(a.mtimeMs / precision) === Math.floor(b.mtimeMs / precision);
}

const timeText = (seen: Seen): string =>
  seen.mtimeNs === undefined
    ? new Date(seen.mtimeMs).toISOString()
    : `${new Date(seen.mtimeMs).toISOString()} (${seen.mtimeNs} ns)`;

function metadataMismatches(source: SeenObject, target: SeenObject): Mismatch[] {
  const out: Mismatch[] = [];
  const add = (kind: MismatchKind, reason: string): void => void out.push({ kind, reason });
  const [here, there] = [source.metadata, target.metadata];
  if (here !== undefined && there !== undefined) {
    const names = differingNames(here, there);
    if (names.length > 0) add("metadata", `${names.join(", ")} differ${names.length === 1 ? "s" : ""}`);
    const lock = (of: Readonly<Record<string, string>>): string => {
      const until = Date.parse(of[LOCK_UNTIL] ?? "");
      return (of[LOCK_MODE] ?? "") === "" ? "none" : `${of[LOCK_MODE]} until ${new Date(until || 0).toISOString()}`;
    };
    if (lock(here) !== lock(there)) add("retention", `${lock(here)} at the source, ${lock(there)} at the target`);
    const hold = (of: Readonly<Record<string, string>>): string => (of[LOCK_HOLD] === "ON" ? "on" : "off");
    if (hold(here) !== hold(there)) add("legalHold", `${hold(here)} at the source, ${hold(there)} at the target`);
  }
  if (source.tags !== undefined && target.tags !== undefined && !sameMap(source.tags, target.tags)) {
    add("tags", `${JSON.stringify(source.tags)} at the source, ${JSON.stringify(target.tags)} at the target`);
  }
  return out;
}

/** A header is compared where both sides can have it: sites add some of their own. */
function differingNames(here: Readonly<Record<string, string>>, there: Readonly<Record<string, string>>): string[] {
  const user = [...Object.keys(here), ...Object.keys(there)].filter((name) => name.startsWith("x-amz-meta-"));
  const names = new Set<string>([...COMPARED_HEADERS, ...user]);
  // Not every listing tells the type.
  if (here["content-type"] !== undefined && there["content-type"] !== undefined) names.add("content-type");
  const value = (of: Readonly<Record<string, string>>, name: string): string =>
    decodeValue(plainEncoding(name, of[name] ?? ""));
  return [...names].filter((name) => value(here, name) !== value(there, name)).toSorted();
}
