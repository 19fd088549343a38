/**
 * Bytes of a blob file: data, then a table with the CRC-32 of each 64 KiB block, then a footer of 32 bytes.
 * And of an inline row: CRC-32, then the bytes. docs/format.md says the same for other programs.
 */
import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { createChecksum } from "../../model/checksum.ts";
import { BLOCK_BYTES } from "../limits.ts";
import type { BlobState, WriteOptions } from "./blobs.ts";

export const FOOTER_BYTES = 32;
const MAGIC = Buffer.from("RSLVBLOB");
const FORMAT = 1;
const CRC_BYTES = 4;

export const blockCount = (size: number): number => Math.ceil(size / BLOCK_BYTES);
/** Size of the file that holds `size` bytes of data. */
export const fileSize = (size: number): number => size + blockCount(size) * CRC_BYTES + FOOTER_BYTES;
/** Where the table entry of a block lies. */
export const tableOffset = (size: number, block: number): number => size + block * CRC_BYTES;

/** `magic(8) | format u32 | block size u32 | data length u64 | CRC-32 of the table u32 | CRC-32 of the footer so far u32`, little-endian. */
function footer(size: number, table: Buffer): Buffer {
  const out = Buffer.alloc(FOOTER_BYTES);
  MAGIC.copy(out);
  out.writeUInt32LE(FORMAT, 8);
  out.writeUInt32LE(BLOCK_BYTES, 12);
  out.writeBigUInt64LE(BigInt(size), 16);
  out.writeUInt32LE(crc32(table), 24);
  out.writeUInt32LE(crc32(out.subarray(0, 28)), 28);
  return out;
}

export interface Digests {
  readonly md5?: string | undefined;
  readonly sha256?: string | undefined;
  readonly checksum?: string | undefined;
}

export type HashPlan = Pick<WriteOptions, "md5" | "sha256" | "checksum">;

/** Hashes a body as it passes, in whole blocks but for the last, and makes the tail of its file. */
export class BlobEncoder {
  readonly #md5: Hash | undefined;
  readonly #sha256: Hash | undefined;
  readonly #checksum: ReturnType<typeof createChecksum> | undefined;
  readonly #crcs: number[] = [];
  size = 0;

  constructor(plan: HashPlan) {
    if (plan.md5) this.#md5 = createHash("md5");
    if (plan.sha256) this.#sha256 = createHash("sha256");
    if (plan.checksum !== undefined) this.#checksum = createChecksum(plan.checksum);
  }

  /** `bytes` is a multiple of the block size, except for the last call. */
  update(bytes: Buffer): void {
    this.#md5?.update(bytes);
    this.#sha256?.update(bytes);
    this.#checksum?.update(bytes);
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) this.#crcs.push(crc32(bytes.subarray(at, at + BLOCK_BYTES)));
    this.size += bytes.length;
  }

  /** Table and footer, to be written after the data. */
  tail(): Buffer {
    const table = Buffer.allocUnsafe(this.#crcs.length * CRC_BYTES);
    this.#crcs.forEach((crc, index) => table.writeUInt32LE(crc, index * CRC_BYTES));
    return Buffer.concat([table, footer(this.size, table)]);
  }

  digests(): Digests {
    return { md5: this.#md5?.digest("hex"), sha256: this.#sha256?.digest("hex"), checksum: this.#checksum?.digest() };
  }
}

/** Value of the index row of an inline blob. */
export function inlineRowOf(bytes: Buffer): Buffer {
  const row = Buffer.allocUnsafe(CRC_BYTES + bytes.length);
  row.writeUInt32LE(crc32(bytes), 0);
  bytes.copy(row, CRC_BYTES);
  return row;
}

export function inlineState(size: number, row: Buffer | undefined): BlobState {
  if (row === undefined) return "missing";
  return row.length === size + CRC_BYTES && row.readUInt32LE(0) === crc32(row.subarray(CRC_BYTES)) ? "ok" : "corrupt";
}

export const inlineBytes = (row: Buffer): Buffer => row.subarray(CRC_BYTES);

/** True when `data`, which starts with block `first`, is what the table says. `table` holds the entries from `first` on. */
export function blocksMatch(data: Buffer, table: Buffer): boolean {
  for (let at = 0, entry = 0; at < data.length; at += BLOCK_BYTES, entry += CRC_BYTES) {
    if (table.readUInt32LE(entry) !== crc32(data.subarray(at, at + BLOCK_BYTES))) return false;
  }
  return true;
}

export const tableBytes = (blocks: number): number => blocks * CRC_BYTES;
