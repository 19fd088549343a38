/** Rows as bytes and back: JSON with a format number. docs/format.md shows each. */
import { StoreError } from "../model/errors.ts";
import { fingerprint } from "../model/fingerprint.ts";
import type { Tombstone, Version } from "../model/version.ts";
import { encodeLookup } from "./index/digest/digest.ts";

/** Raised by one when a row's meaning changes; then `decodeRow` gets the way up from the older form. */
const ROW_FORMAT = 1;

/**
 * Nanoseconds are written as {"$ns":"123"}: no text of a user (tags, names) can be taken for one. Walks by hand: the
 * replacer and reviver of JSON are called for every member and cost several times as much.
 */
function withoutBigInts(value: unknown): unknown {
  if (typeof value === "bigint") return { $ns: value.toString() };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutBigInts);
  // Without a prototype: a tag may be named `__proto__`.
  const out = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of Object.entries(value)) out[name] = withoutBigInts(member);
  return out;
}

function withBigInts(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("$ns" in value && typeof value.$ns === "string") return BigInt(value.$ns);
  const members = value as Record<string, unknown>;
  for (const name in members) {
    const member = members[name];
    if (typeof member === "object" && member !== null) members[name] = withBigInts(member);
  }
  return value;
}

/** Any plain row (buckets, jobs, log rows, ...). Members may be bigint nanoseconds. */
export function encodeRow(row: object): Buffer {
  return Buffer.from(JSON.stringify({ f: ROW_FORMAT, ...(withoutBigInts(row) as object) }));
}

/** The inverse of `encodeRow`. The caller names the type that it wrote. */
export function decodeRow<T>(bytes: Buffer): T {
  const { f, ...row } = withBigInts(JSON.parse(bytes.toString("utf8"))) as { f: number };
  if (f !== ROW_FORMAT) throw new Error(`row of format ${f}; this program reads ${ROW_FORMAT}`);
  return row as T;
}

/** A row with one time, and no other bigint in it: change-log rows are written and read with every version. */
export function encodeTimedRow(row: { readonly time: bigint }): Buffer {
  return Buffer.from(JSON.stringify({ f: ROW_FORMAT, ...row, time: { $ns: row.time.toString() } }));
}

/** The inverse of `encodeTimedRow`, which writes what `encodeRow` would. */
export function decodeTimedRow<T extends { readonly time: bigint }>(bytes: Buffer): T {
  const { f, time, ...row } = JSON.parse(bytes.toString("utf8")) as { f: number; time: { $ns: string } };
  if (f !== ROW_FORMAT) throw new Error(`row of format ${f}; this program reads ${ROW_FORMAT}`);
  return { ...row, time: BigInt(time.$ns) } as unknown as T;
}

/** Version rows are the hot ones: no reviver walk, the three kinds of times are read by name. */
export function encodeVersion(version: Version): Buffer {
  const row: Record<string, unknown> = { f: ROW_FORMAT, ...version, mtime: `${version.mtime}n` };
  if (version.kind === "object") {
    for (const name of ["tags", "retention", "legalHold"] as const) {
      const register = version[name];
      if (register !== undefined) row[name] = { value: register.value, time: `${register.time}n` };
    }
  }
  return Buffer.from(JSON.stringify(row));
}

/** The row in space `I` that belongs to a version's row: its time, which leads there, and its hashes for the digests. */
export function encodeLookupOf(version: Version): Buffer {
  const isObject = version.kind === "object";
  return encodeLookup({
    mtime: version.mtime,
    size: isObject ? version.size : 0,
    isMarker: !isObject,
    isDamaged: isObject && version.damaged !== undefined,
    ...fingerprint(version),
  });
}

/** For clients, logs and the status of a resync alike: who meets it first should know what it is. */
export const DAMAGED_ROW =
  "A row of this site's index is damaged: stop the site, look with `resilver check`, and bring it back from a peer";

interface StoredRegister {
  value: unknown;
  time: string;
}

/** What `encodeVersion` begins every row with. */
const VERSION_HEAD = Buffer.from(`{"f":${ROW_FORMAT},`);

/** Members of a version's row but `f`. A member that is deleted later costs as much as all the parsing. */
function versionMembers(bytes: Buffer): Record<string, unknown> {
  const head = VERSION_HEAD.length;
  if (bytes.compare(VERSION_HEAD, 0, head, 0, head) === 0)
    return JSON.parse(`{${bytes.toString("utf8", head)}`) as Record<string, unknown>;
  const { f: _format, ...members } = JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;
  return members;
}

/** Throws a StoreError when no version can be read from it: bytes of the index changed on the disk. */
export function decodeVersion(bytes: Buffer): Version {
  try {
    const raw = versionMembers(bytes);
    raw["mtime"] = BigInt((raw["mtime"] as string).slice(0, -1));
    for (const name of ["tags", "retention", "legalHold"]) {
      const register = raw[name] as StoredRegister | undefined;
      if (register !== undefined) raw[name] = { value: register.value, time: BigInt(register.time.slice(0, -1)) };
    }
    return raw as unknown as Version;
  } catch (cause) {
    throw new StoreError("InternalError", { message: DAMAGED_ROW, cause });
  }
}

export function encodeTombstone(tombstone: Tombstone): Buffer {
  return encodeRow(tombstone);
}
export function decodeTombstone(bytes: Buffer): Tombstone {
  return decodeRow<Tombstone>(bytes);
}
