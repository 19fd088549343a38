/**
 * CRC-64/NVME (reflected polynomial 9a6c9329ac4bc9b5, all-ones start and end): no native module offers it, and the
 * language's own 64-bit integers are allocated objects. So the loops are a small WebAssembly module: long pieces are
 * folded to a tenth by additions of whole vectors, the rest is looked up, 16 bytes a step (bench/checksums.ts).
 */
import { assembleCrc64, DATA, DATA_BYTES, FOLDED_BYTES, SLICES, type Crc64Machine } from "./crc64nvme-code.ts";

const POLYNOMIAL = 0x9a6c9329ac4bc9b5n;
/** Shorter pieces are looked up: folding leaves too much of them to pay. */
const FOLD_MIN_BYTES = 2 * FOLDED_BYTES;

/** Table k at entry 256 * k: the CRC of byte b followed by k zero bytes. */
function fillTables(table: BigUint64Array): void {
  for (let byte = 0; byte < 256; byte++) {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) === 0n ? 0n : POLYNOMIAL);
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256] as bigint;
    table[at] = (before >> 8n) ^ (table[Number(before & 0xffn)] as bigint);
  }
}

interface Machine extends Crc64Machine {
  readonly data: Uint8Array;
  readonly firstWord: BigInt64Array;
}

function makeMachine(): Machine {
  const { memory, update, fold } = assembleCrc64();
  fillTables(new BigUint64Array(memory.buffer, 0, SLICES * 256));
  const data = new Uint8Array(memory.buffer, DATA, DATA_BYTES);
  return { memory, update, fold, data, firstWord: new BigInt64Array(memory.buffer, DATA, 1) };
}

let machine: Machine | undefined;

export class Crc64Nvme {
  #crc = -1n;

  update(chunk: Uint8Array): void {
    if (chunk.length <= DATA_BYTES) return this.#add(chunk);
    for (let at = 0; at < chunk.length; at += DATA_BYTES) this.#add(chunk.subarray(at, at + DATA_BYTES));
  }

  #add(piece: Uint8Array): void {
    const { update, fold, data, firstWord } = (machine ??= makeMachine());
    data.set(piece);
    if (piece.length < FOLD_MIN_BYTES) {
      this.#crc = update(this.#crc, 0, piece.length);
      return;
    }
    firstWord[0] = (firstWord[0] as bigint) ^ this.#crc;
    const folded = piece.length - (piece.length % SLICES);
    fold(folded);
    this.#crc = update(0n, folded - FOLDED_BYTES, piece.length);
  }

  /** Eight bytes, big-endian. */
  digest(): Buffer {
    const out = Buffer.allocUnsafe(8);
    out.writeBigInt64BE(~this.#crc);
    return out;
  }
}
