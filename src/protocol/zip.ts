/**
 * Zip archives in memory: written with deflate, read with either method of the old format. No archive of ours is large,
 * and those of strangers are held to limits before a byte is unpacked.
 */
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";

export interface ZipEntry {
  /** With `/` between folders. */
  readonly name: string;
  readonly data: Buffer;
}

/** Not an archive, a damaged one, or one beyond the limits. */
export class ZipError extends Error {
  override name = "ZipError";
}

export interface ZipLimits {
  readonly entriesMax: number;
  /** Of everything unpacked together. */
  readonly bytesMax: number;
}

/** The old format counts in 16 and 32 bits. */
const ENTRIES_MAX = 65_535;
const BYTES_MAX = 0xffffffff;
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const COMMENT_BYTES_MAX = 65_535;
const DEFLATED = 8;
const STORED = 0;
const VERSION = 20;
/** Names are UTF-8. */
const FLAG_UTF8 = 0x800;
const FLAG_ENCRYPTED = 0x1;

/** Days and times of the format begin in 1980 and count two seconds. */
function dosTime(timeMs: number): { date: number; time: number } {
  const at = new Date(Math.max(timeMs, Date.UTC(1980, 0, 1)));
  const date = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  return { date, time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1) };
}

/** Fields that the local header and the central directory have in common, from "version needed" to the name's length. */
function commonFields(entry: ZipEntry, packed: Buffer, timeMs: number): Buffer {
  const out = Buffer.alloc(24);
  const { date, time } = dosTime(timeMs);
  out.writeUInt16LE(VERSION, 0);
  out.writeUInt16LE(FLAG_UTF8, 2);
  out.writeUInt16LE(DEFLATED, 4);
  out.writeUInt16LE(time, 6);
  out.writeUInt16LE(date, 8);
  out.writeUInt32LE(crc32(entry.data), 10);
  out.writeUInt32LE(packed.length, 14);
  out.writeUInt32LE(entry.data.length, 18);
  out.writeUInt16LE(Buffer.byteLength(entry.name), 22);
  return out;
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

/** Throws ZipError when there is too much for the format. */
export function writeZip(entries: readonly ZipEntry[], timeMs: number): Buffer {
  if (entries.length > ENTRIES_MAX) throw new ZipError(`an archive holds at most ${ENTRIES_MAX} files`);
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name, "utf8");
    const packed = deflateRawSync(entry.data);
    const common = commonFields(entry, packed, timeMs);
    const local = Buffer.concat([u32(LOCAL), common, Buffer.alloc(2), name, packed]);
    const tail = Buffer.alloc(16);
    tail.writeUInt32LE(offset, 12);
    directory.push(u32(CENTRAL), Buffer.from([VERSION, 0]), common, tail, name);
    pieces.push(local);
    offset += local.length;
    if (offset > BYTES_MAX) throw new ZipError("the archive is too large for its format");
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...pieces, central, end]);
}

function endRecord(zip: Buffer): { count: number; start: number } {
  const first = Math.max(0, zip.length - END_BYTES - COMMENT_BYTES_MAX);
  for (let at = zip.length - END_BYTES; at >= first; at--) {
    if (zip.readUInt32LE(at) !== END) continue;
    return { count: zip.readUInt16LE(at + 10), start: zip.readUInt32LE(at + 16) };
  }
  throw new ZipError("this is not a zip archive");
}

interface CentralRecord {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly offset: number;
  readonly next: number;
}

function centralRecord(zip: Buffer, at: number): CentralRecord {
  if (at + CENTRAL_BYTES > zip.length || zip.readUInt32LE(at) !== CENTRAL)
    throw new ZipError("the directory of the archive is damaged");
  const nameBytes = zip.readUInt16LE(at + 28);
  const next = at + CENTRAL_BYTES + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  return {
    name: zip.toString("utf8", at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes),
    flags: zip.readUInt16LE(at + 8),
    method: zip.readUInt16LE(at + 10),
    crc: zip.readUInt32LE(at + 16),
    packedBytes: zip.readUInt32LE(at + 20),
    bytes: zip.readUInt32LE(at + 24),
    offset: zip.readUInt32LE(at + 42),
    next,
  };
}

function unpack(zip: Buffer, record: CentralRecord, bytesMax: number): Buffer {
  const { name, offset, packedBytes, bytes, method } = record;
  if ((record.flags & FLAG_ENCRYPTED) !== 0) throw new ZipError(`${name} is encrypted`);
  if (bytes > bytesMax) throw new ZipError("the archive unpacks to more than is allowed");
  if (offset + LOCAL_BYTES > zip.length || zip.readUInt32LE(offset) !== LOCAL) throw new ZipError(`${name} is damaged`);
  const start = offset + LOCAL_BYTES + zip.readUInt16LE(offset + 26) + zip.readUInt16LE(offset + 28);
  const packed = zip.subarray(start, start + packedBytes);
  if (packed.length !== packedBytes) throw new ZipError(`${name} is cut short`);
  let data: Buffer;
  try {
    if (method === STORED) data = Buffer.from(packed);
    else if (method === DEFLATED) data = inflateRawSync(packed, { maxOutputLength: Math.max(bytes, 1) });
    else throw new ZipError(`${name} is packed in an unknown way`);
  } catch (cause) {
    throw cause instanceof ZipError ? cause : new ZipError(`${name} cannot be unpacked`, { cause });
  }
  if (data.length !== bytes || crc32(data) !== record.crc) throw new ZipError(`${name} is damaged`);
  return data;
}

/** Every file of an archive; folders are left out. Throws ZipError. */
export function readZip(zip: Buffer, limits: ZipLimits): ZipEntry[] {
  if (zip.length < END_BYTES) throw new ZipError("this is not a zip archive");
  const { count, start } = endRecord(zip);
  if (count > limits.entriesMax) throw new ZipError(`the archive holds more than ${limits.entriesMax} files`);
  const out: ZipEntry[] = [];
  let left = limits.bytesMax;
  for (let i = 0, at = start; i < count; i++) {
    const record = centralRecord(zip, at);
    at = record.next;
    if (record.name.endsWith("/")) continue;
    const data = unpack(zip, record, left);
    left -= data.length;
    out.push({ name: record.name, data });
  }
  return out;
}
