/** Reading a blob file piece by piece, ahead of whoever takes the pieces, in memory that goes round. */
import type { BlobRef } from "../../model/version.ts";
import {
  FREE_PIECES_MAX,
  LENT_RING_PIECES,
  PIECE_BYTES,
  PIECE_MEMORY_BYTES,
  READ_RING_PIECES,
  READ_RINGS_BYTES,
} from "../limits.ts";
import { BlobDamagedError } from "./blobs.ts";
import type { ReadableFile } from "./files.ts";

/** Memory for one piece each, which no read has now. */
const free: Buffer[] = [];

/** Memory for one piece: fresh memory costs more (page faults, collection) than reading into it. */
export const borrow = (): Buffer => free.pop() ?? Buffer.allocUnsafeSlow(PIECE_MEMORY_BYTES);

/** Memory that `borrow` gave out. */
export function giveBack(memory: Buffer): void {
  if (free.length < FREE_PIECES_MAX) free.push(memory);
}

/** Fills `into` from `position`. */
export async function readExactly(file: ReadableFile, ref: BlobRef, position: number, into: Buffer): Promise<Buffer> {
  if ((await file.read(into, position)) !== into.length) throw new BlobDamagedError(ref.id, "corrupt");
  return into;
}

/** How pieces get to where they are handed on. */
export interface PieceReader {
  /** Memory for one piece, and back. */
  borrow(): Buffer;
  giveBack(memory: Buffer): void;
  /** Memory of so many bytes that does not come back. */
  memory(bytes: number): Buffer;
  /** Fills `into` with the stored bytes at `at`. Whoever checks them on another thread does it here. */
  fetch(into: Buffer, at: number): Promise<Buffer>;
  /** What of them may be handed on, in the same memory; undefined: they are damaged. */
  checked(stored: Buffer, at: number): Buffer | undefined;
}

/** All on the calling thread, but the read itself. */
export function pieceReader(file: ReadableFile, ref: BlobRef, checked: PieceReader["checked"]): PieceReader {
  const fetch = (into: Buffer, at: number): Promise<Buffer> => readExactly(file, ref, at, into);
  return { borrow, giveBack, memory: Buffer.allocUnsafeSlow, fetch, checked };
}

export interface Span {
  /** Stored bytes [from, to), in whole blocks or packages. */
  readonly from: number;
  readonly to: number;
  /** Stored bytes right behind `to` that the last piece has with it. */
  readonly behind: number;
  /** Stored bytes of a full piece: at most 1 MiB of the blob, and no more than fit into pooled memory. */
  readonly piece: number;
  /** The same of one block or package. */
  readonly unit: number;
  /** See BlobStore.read. */
  readonly lent: boolean;
}

/** Memory of the reads under way in full pieces. */
let ringBytes = 0;

/**
 * Pieces of at most 1 MiB, of one unit while many others read; the next one is read while the consumer has the last.
 * Their memory goes round in a ring of this read alone. A piece is overwritten when the third one after it is asked for
 * (lent: the next one); whoever sends pieces waits until the one before has left.
 */
export async function* readAhead(reader: PieceReader, ref: BlobRef, span: Span): AsyncGenerator<Buffer> {
  const { from, to, behind, piece, unit, lent } = span;
  const slots = Math.min(lent ? LENT_RING_PIECES : READ_RING_PIECES, Math.ceil((to - from) / piece));
  const full = slots * PIECE_BYTES;
  const held = ringBytes + full <= READ_RINGS_BYTES ? full : 0;
  ringBytes += held;
  // Who asked for so little may gather it before anything is sent, and must not meet pieces that were overwritten.
  const short = !lent && to - from <= piece + 2 * unit;
  const size = held > 0 || short ? piece : unit;
  const pooled = lent && size === piece;
  const ring: Buffer[] = [];
  let turn = 0;
  const fetch = (at: number): Promise<Buffer> => {
    const slot = turn++ % slots;
    const length = at + size < to ? size : to + behind - at;
    const memory = (ring[slot] ??= pooled ? reader.borrow() : reader.memory(Math.min(size, to - at) + behind));
    return reader.fetch(memory.subarray(0, length), at);
  };
  let next: Promise<Buffer> | undefined = fetch(from);
  try {
    for (let at = from; next !== undefined; at += size) {
      const stored: Buffer = await next;
      next = at + size < to ? fetch(at + size) : undefined;
      // A failure that nobody waits for yet is told when this piece has left; unhandled it would end the process.
      next?.catch(() => undefined);
      const good = reader.checked(stored, at);
      if (good === undefined) throw new BlobDamagedError(ref.id, "corrupt");
      yield good;
    }
  } finally {
    // The file is closed after this: a read under way must not meet a closed (or reused) descriptor.
    await next?.catch(() => undefined);
    ringBytes -= held;
    if (pooled) for (const memory of ring) reader.giveBack(memory);
  }
}
