/**
 * Every key of the index is made and taken apart here; docs/format.md describes the same, byte by byte.
 * A key starts with one byte that names its space. Object keys are UTF-8 ended by 0x00 (a key never holds NUL), so
 * rows sort by key bytes first. Times are 8 bytes big-endian; where newest must come first they are inverted.
 */
import type { KeyRange } from "./index/index.ts";
import type { Arn, ObjectKey, UnixNs, VersionId } from "../model/names.ts";
import { NULL_VERSION } from "../model/names.ts";
import { assert } from "../runtime/assert.ts";

export const SPACE = {
  bucket: 0x42, // B name -> Bucket
  version: 0x56, // V bucket key 00 ~mtime ~version id -> Version
  byId: 0x49, // I bucket key 00 version id -> mtime (8 bytes)
  digest: 0x53, // S level, bucket key 00 version id (or the bucket alone) -> digest of the range from there
  parts: 0x50, // P bucket key 00 version id -> Part[]
  file: 0x46, // F bucket key 00 version id -> "" : some of the version's bytes lie in files
  data: 0x44, // D blob id -> CRC-32 (4 bytes LE) + bytes of an inline blob
  tombstone: 0x54, // T bucket key 00 version id -> Tombstone
  damage: 0x58, // X bucket key 00 version id -> reason (text)
  garbage: 0x47, // G blob id -> "" : a blob file that nothing names any more
  log: 0x4c, // L target id, time, tie -> LogRow
  retry: 0x52, // R target id, due time, tie -> LogRow
  age: 0x59, // Y target id, time written, tie -> "" : one for each row of the retry queue, oldest first
  remoteId: 0x4e, // N target id, key 00 version id -> the id of that version at a target that mints its own
  counter: 0x43, // C name -> signed 64-bit
  upload: 0x55, // U bucket key 00 upload id -> Upload
  uploadPart: 0x51, // Q upload id, part number -> Part
  targets: 0x41, // A bucket id -> remote targets with sealed secrets
  job: 0x4a, // J kind/id -> job record
  iam: 0x4d, // M kind/name -> identity rows
  config: 0x4b, // K name -> settings of the site
} as const;

const MAX64 = 0xffffffffffffffffn;
const NULL_ID = Buffer.alloc(16);
const ZERO = Buffer.from([0]);

export function u64(value: bigint): Buffer {
  const out = Buffer.allocUnsafe(8);
  out.writeBigUInt64BE(value);
  return out;
}

/** Text of a UUID, written here before it becomes a string: pieces of hex would be a dozen strings for each. */
const UUID_TEXT = Buffer.alloc(36, "-");
const HEX_CODES = Buffer.from("0123456789abcdef");
const DASH = 45;
/** Values of hex digits by character code. */
const NIBBLES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? 0 : value;
});

function versionIdFromBytes(bytes: Buffer): VersionId {
  if (bytes.equals(NULL_ID)) return NULL_VERSION;
  let to = 0;
  for (let i = 0; i < 16; i++) {
    const byte = bytes[i] as number;
    if (i === 4 || i === 6 || i === 8 || i === 10) to++;
    UUID_TEXT[to++] = HEX_CODES[byte >> 4] as number;
    UUID_TEXT[to++] = HEX_CODES[byte & 15] as number;
  }
  return UUID_TEXT.toString("latin1") as VersionId;
}

/** The smallest key above every key that starts with `prefix`. */
function prefixEnd(prefix: Buffer): Buffer {
  for (let last = prefix.length - 1; last >= 0; last--) {
    if (prefix[last] !== 0xff) {
      const out = Buffer.from(prefix.subarray(0, last + 1));
      out[last] = (out[last] as number) + 1;
      return out;
    }
  }
  throw new Error("prefix of 0xff bytes has no end");
}

export function prefixRange(prefix: Buffer): KeyRange {
  return { start: prefix, end: prefixEnd(prefix) };
}

/** The smallest key above `key`: where a scan goes on after it. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, ZERO]);
}

/** The space byte as a buffer, made once: keys are built on every request. */
const SPACE_BYTE: readonly Buffer[] = Array.from({ length: 256 }, (_, space) => Buffer.from([space]));

function spaced(space: number, ...rest: Buffer[]): Buffer {
  return Buffer.concat([SPACE_BYTE[space] as Buffer, ...rest]);
}

/** Every row of a space. */
export const spaceRange = (space: number): KeyRange => prefixRange(SPACE_BYTE[space] as Buffer);

const HEAD_BYTES = 9;

/** `space | bucket id | object key | 00` followed by `tail` unwritten bytes, in one allocation. */
function withTail(space: number, bucketId: string, key: string, tail: number): Buffer {
  assert(bucketId.length === 16, "bucket id is 16 hex digits");
  const keyBytes = Buffer.byteLength(key);
  const out = Buffer.allocUnsafe(HEAD_BYTES + keyBytes + 1 + tail);
  out[0] = space;
  out.write(bucketId, 1, "hex");
  out.write(key, HEAD_BYTES, "utf8");
  out[HEAD_BYTES + keyBytes] = 0;
  return out;
}

/** Writes a version id as 16 bytes; `null` is all zero, so it is the smallest. */
function writeVersionId(out: Buffer, at: number, id: VersionId): void {
  if (id === NULL_VERSION) {
    out.fill(0, at, at + 16);
    return;
  }
  let to = at;
  for (let i = 0; i < id.length && to < at + 16;) {
    const code = id.charCodeAt(i);
    if (code === DASH) {
      i++;
      continue;
    }
    out[to++] = ((NIBBLES[code] as number) << 4) | (NIBBLES[id.charCodeAt(i + 1)] as number);
    i += 2;
  }
}

export const bucketRowKey = (name: string): Buffer => spaced(SPACE.bucket, Buffer.from(name));
export const allBucketRows = (): KeyRange => spaceRange(SPACE.bucket);

/** Space and bucket: the prefix of all rows of `space` in a bucket. `bucketId` is 16 hex digits. */
function bucketPrefix(space: number, bucketId: string): Buffer {
  assert(bucketId.length === 16, "bucket id is 16 hex digits");
  return spaced(space, Buffer.from(bucketId, "hex"));
}

/** Prefix of all rows of one object key in `space`. */
export function objectPrefix(space: number, bucketId: string, key: string): Buffer {
  return withTail(space, bucketId, key, 0);
}

/** Rows whose object key starts with `keyPrefix` (may be empty). */
export function keyPrefixRange(space: number, bucketId: string, keyPrefix: string): KeyRange {
  const prefix = Buffer.concat([bucketPrefix(space, bucketId), Buffer.from(keyPrefix)]);
  // What follows a NUL is no part of the key: such a prefix would find the key before it.
  return keyPrefix.includes("\0") ? { start: prefix, end: prefix } : prefixRange(prefix);
}

/** Of a key the latest version comes first: the later time, of equal times the larger id. */
export function versionRowKey(
  bucketId: string,
  version: { key: ObjectKey; mtime: UnixNs; versionId: VersionId },
): Buffer {
  const out = withTail(SPACE.version, bucketId, version.key, 24);
  const at = out.length - 24;
  out.writeBigUInt64BE(MAX64 - version.mtime, at);
  writeVersionId(out, at + 8, version.versionId);
  for (let i = at + 8; i < out.length; i++) out[i] = 0xff - (out[i] as number);
  return out;
}

/** Key of a version's row, from the key and the value of its row in space `I`: no part of it becomes text. */
export function versionRowKeyOf(lookupKey: Buffer, lookup: Buffer): Buffer {
  const head = lookupKey.length - 16;
  const out = Buffer.allocUnsafe(head + 24);
  lookupKey.copy(out, 0, 0, head);
  out[0] = SPACE.version;
  for (let i = 0; i < 8; i++) out[head + i] = 0xff - (lookup[i] as number);
  for (let i = 0; i < 16; i++) out[head + 8 + i] = 0xff - (lookupKey[head + i] as number);
  return out;
}

/** Takes a version row's key apart: the object key in it. */
export function objectKeyOfVersionRow(row: Buffer): string {
  return row.toString("utf8", 9, row.length - 25);
}

/** Rows keyed by version id: byId, parts, file, tombstone, damage. */
export function idRowKey(space: number, bucketId: string, key: string, versionId: VersionId): Buffer {
  const out = withTail(space, bucketId, key, 16);
  writeVersionId(out, out.length - 16, versionId);
  return out;
}

/** The row of the same version in another space, from a key made by `idRowKey`. */
export function sameIdRowKey(space: number, row: Buffer): Buffer {
  const out = Buffer.allocUnsafe(row.length);
  row.copy(out);
  out[0] = space;
  return out;
}

/** The 16 hex digits of the bucket whose row this is: of a version, or made by `idRowKey`. */
export const bucketIdOfRow = (row: Buffer): string => row.toString("hex", 1, HEAD_BYTES);

/** Object key and version id of a row made by `idRowKey`. */
export function splitIdRowKey(row: Buffer): { key: ObjectKey; versionId: VersionId } {
  return {
    key: row.toString("utf8", 9, row.length - 17) as ObjectKey,
    versionId: versionIdFromBytes(row.subarray(row.length - 16)),
  };
}

/** Inline bytes and garbage rows. `blobId` is 32 hex digits. */
export const blobRowKey = (space: number, blobId: string): Buffer => spaced(space, Buffer.from(blobId, "hex"));

/** The 16-byte id inside a replication ARN (its fifth field; a UUID, or any text hashed by the caller to 16 bytes). */
function targetIdOf(arn: Arn): Buffer {
  let id = targetIds.get(arn);
  if (id === undefined) {
    if (targetIds.size >= TARGET_IDS_MAX) targetIds.clear();
    targetIds.set(arn, (id = readTargetId(arn)));
  }
  return id;
}

const TARGET_IDS_MAX = 1000;
const targetIds = new Map<Arn, Buffer>();

function readTargetId(arn: Arn): Buffer {
  const id = arn.split(":")[4] ?? "";
  const hex = id.replaceAll("-", "");
  return /^[0-9a-f]{32}$/i.test(hex)
    ? Buffer.from(hex, "hex")
    : Buffer.from(id.padEnd(16, "\x01").slice(0, 16), "latin1");
}

/** A row of the change log or of its retry queue: ordered by time within a target; `tie` (8 bytes) makes it unique. */
export function logRowKey(space: number, arn: Arn, time: UnixNs, tie: Buffer): Buffer {
  return spaced(space, targetIdOf(arn), u64(time), tie);
}
export const targetRange = (space: number, arn: Arn): KeyRange => prefixRange(spaced(space, targetIdOf(arn)));
/** The row of a version at a target that mints its own ids. */
export function remoteIdKey(arn: Arn, key: string, versionId: VersionId): Buffer {
  const id = Buffer.allocUnsafe(16);
  writeVersionId(id, 0, versionId);
  return spaced(SPACE.remoteId, targetIdOf(arn), Buffer.from(key), ZERO, id);
}
/** Time in a row made by `logRowKey`. */
export const logRowTime = (row: Buffer): UnixNs => row.readBigUInt64BE(17);
/** What makes a row made by `logRowKey` unique: kept when it moves between spaces. */
export const logRowTie = (row: Buffer): Buffer => row.subarray(25);

export const counterKey = (name: string): Buffer => spaced(SPACE.counter, Buffer.from(name));
export function readCounter(value: Buffer | undefined): bigint {
  return value === undefined ? 0n : value.readBigInt64LE(0);
}

export function uploadRowKey(bucketId: string, key: string, uploadId: string): Buffer {
  return Buffer.concat([objectPrefix(SPACE.upload, bucketId, key), Buffer.from(uploadId, "hex")]);
}
export function uploadPartKey(uploadId: string, partNumber: number): Buffer {
  const number = Buffer.allocUnsafe(2);
  number.writeUInt16BE(partNumber);
  return spaced(SPACE.uploadPart, Buffer.from(uploadId, "hex"), number);
}
export const uploadPartRange = (uploadId: string): KeyRange =>
  prefixRange(spaced(SPACE.uploadPart, Buffer.from(uploadId, "hex")));

/** Named rows: targets (bucket id), jobs, identities, settings. */
export const namedRowKey = (space: number, name: string): Buffer => spaced(space, Buffer.from(name));
export const namedRange = (space: number, prefix: string): KeyRange => prefixRange(spaced(space, Buffer.from(prefix)));
export const nameOfRow = (row: Buffer): string => row.toString("utf8", 1);
