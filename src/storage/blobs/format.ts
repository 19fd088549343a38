/**
 * The bytes of a blob file and of an inline row; docs/format.md says the same.
 * File: the data; a table with the CRC-32 of each 64 KiB block (4 bytes little-endian each; the last block may be
 * short); a footer of 32 bytes. Inline row: CRC-32 of the data (4 bytes little-endian), the data.
 */
import { crc32 } from "@node-rs/crc32";
import type { BlobRef } from "../../model/version.ts";
import { BLOCK_BYTES } from "../limits.ts";
import type { BlobState } from "./blobs.ts";

/** Footer: magic (8), format (4), block size (4), data length (8), CRC of the table (4), CRC of these 28 bytes (4). */
const MAGIC = Buffer.from("RESILVER", "latin1");
const BLOB_FORMAT = 1;
const FOOTER_BYTES = 32;
const INLINE_HEADER_BYTES = 4;

export const blockCount = (size: number): number => Math.ceil(size / BLOCK_BYTES);
/** Bytes of table and footer behind `size` bytes of data. */
export const tailLength = (size: number): number => 4 * blockCount(size) + FOOTER_BYTES;
export const fileLength = (size: number): number => size + tailLength(size);

/** Writes the footer behind a table that already stands at the start of `tail`. */
export function finishTail(tail: Buffer, size: number): void {
  const table = tail.subarray(0, tail.length - FOOTER_BYTES);
  const footer = tail.subarray(table.length);
  MAGIC.copy(footer);
  footer.writeUInt32LE(BLOB_FORMAT, 8);
  footer.writeUInt32LE(BLOCK_BYTES, 12);
  footer.writeBigUInt64LE(BigInt(size), 16);
  footer.writeUInt32LE(crc32(table), 24);
  footer.writeUInt32LE(crc32(footer.subarray(0, 28)), 28);
}

/** CRC of the table, from a tail that was just made: the index keeps it, so that no other blob's file passes for this one. */
export const tableCrcOf = (tail: Buffer): number => tail.readUInt32LE(tail.length - FOOTER_BYTES + 24);

/** The table of a file, or undefined when the tail is not what was written for `ref`. */
export function parseTail(tail: Buffer, ref: Pick<BlobRef, "size" | "tableCrc">): Buffer | undefined {
  const { size } = ref;
  if (tail.length !== tailLength(size)) return undefined;
  const table = tail.subarray(0, tail.length - FOOTER_BYTES);
  const footer = tail.subarray(table.length);
  const good =
    footer.subarray(0, 8).equals(MAGIC) &&
    footer.readUInt32LE(28) === crc32(footer.subarray(0, 28)) &&
    footer.readUInt32LE(8) === BLOB_FORMAT &&
    footer.readUInt32LE(12) === BLOCK_BYTES &&
    footer.readBigUInt64LE(16) === BigInt(size) &&
    footer.readUInt32LE(24) === crc32(table) &&
    (ref.tableCrc === undefined || ref.tableCrc === footer.readUInt32LE(24));
  return good ? table : undefined;
}

/** True when `data`, which starts at block `firstBlock`, matches the table block by block. */
export function blocksMatch(data: Buffer, firstBlock: number, table: Buffer): boolean {
  for (let at = 0, block = firstBlock; at < data.length; at += BLOCK_BYTES, block++) {
    if (crc32(data.subarray(at, at + BLOCK_BYTES)) !== table.readUInt32LE(4 * block)) return false;
  }
  return true;
}

/** A whole file as one buffer, for bodies that are in memory anyway. */
export function encodeFile(pieces: readonly Uint8Array[], size: number): Buffer {
  const file = Buffer.allocUnsafeSlow(fileLength(size));
  const data = copyPieces(pieces, file, 0);
  for (let block = 0; block < blockCount(size); block++) {
    const from = block * BLOCK_BYTES;
    file.writeUInt32LE(crc32(file.subarray(from, Math.min(from + BLOCK_BYTES, data))), size + 4 * block);
  }
  finishTail(file.subarray(size), size);
  return file;
}

export function encodeInline(pieces: readonly Uint8Array[], size: number): Buffer {
  const row = Buffer.allocUnsafe(INLINE_HEADER_BYTES + size);
  copyPieces(pieces, row, INLINE_HEADER_BYTES);
  row.writeUInt32LE(crc32(row.subarray(INLINE_HEADER_BYTES)), 0);
  return row;
}

export const inlineBytes = (row: Buffer): Buffer => row.subarray(INLINE_HEADER_BYTES);

/** Whether the row `D <blob id>` holds what was written for `ref`. */
export function inlineState(ref: BlobRef, row: Buffer | undefined): BlobState {
  if (row === undefined) return "missing";
  if (row.length !== INLINE_HEADER_BYTES + ref.size) return "corrupt";
  return row.readUInt32LE(0) === crc32(inlineBytes(row)) ? "ok" : "corrupt";
}

function copyPieces(pieces: readonly Uint8Array[], target: Buffer, start: number): number {
  let at = start;
  for (const piece of pieces) {
    target.set(piece, at);
    at += piece.length;
  }
  return at;
}
