/** Reading blob files: aligned to blocks, each block checked before its bytes are handed on. */
import { StoreError } from "../../model/errors.ts";
import type { BlobRef } from "../../model/version.ts";
import {
  BLOCK_BYTES,
  FREE_PIECES_MAX,
  LENT_RING_PIECES,
  PIECE_BYTES,
  PIECE_MEMORY_BYTES,
  READ_RING_PIECES,
  READ_RINGS_BYTES,
} from "../limits.ts";
import { BlobDamagedError } from "./blobs.ts";
import { codeOf, type FileLayer, type ReadableFile } from "./files.ts";
import { blocksMatch, fileLength, parseTail, tailLength } from "./format.ts";

/** The disk itself says that what it holds is not what was written. */
const DAMAGED_CODES = new Set(["EIO", "EUCLEAN", "EBADMSG", "EISDIR", "ELOOP"]);
const MISSING_CODES = new Set(["ENOENT", "ENOTDIR"]);

/** A failed read as the layers above know it: damage where the bytes are at fault, else an error that may pass. */
export function readFailure(blobId: string, error: unknown): Error {
  if (error instanceof BlobDamagedError || error instanceof StoreError) return error;
  const code = codeOf(error) ?? "";
  if (MISSING_CODES.has(code)) return new BlobDamagedError(blobId, "missing");
  if (DAMAGED_CODES.has(code)) return new BlobDamagedError(blobId, "corrupt");
  return new StoreError("InternalError", { cause: error });
}

export interface FileRange {
  readonly ref: BlobRef;
  readonly start: number;
  readonly end: number;
  /** See BlobStore.read. */
  readonly lent: boolean;
}

/** Bytes [start, end) of the blob file at `path`, see BlobStore.read. */
export async function* readFile(files: FileLayer, path: string, range: FileRange): AsyncGenerator<Buffer> {
  const { ref, start, end, lent } = range;
  if (start >= end) return;
  const from = start - (start % BLOCK_BYTES);
  const to = Math.min(ref.size, Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES);
  let file: ReadableFile | undefined;
  try {
    file = await files.open(path);
    const near = to - from <= PIECE_BYTES && fileLength(ref.size) - from <= PIECE_MEMORY_BYTES;
    const pieces = near ? readAtOnce(file, ref, { from, to, lent }) : readAhead(file, ref, { from, to, lent });
    let at = from;
    for await (const piece of pieces) {
      const wanted = piece.subarray(Math.max(0, start - at), Math.min(piece.length, end - at));
      at += piece.length;
      yield wanted;
    }
  } catch (error) {
    throw readFailure(ref.id, error);
  } finally {
    await file?.close();
  }
}

/** Memory for one piece each, which no read has now. */
const free: Buffer[] = [];

/** Memory for one piece: fresh memory costs more (page faults, collection) than reading into it. */
export const borrow = (): Buffer => free.pop() ?? Buffer.allocUnsafeSlow(PIECE_MEMORY_BYTES);

/** Memory that `borrow` gave out. */
export function giveBack(memory: Buffer): void {
  if (free.length < FREE_PIECES_MAX) free.push(memory);
}

/** Fills the beginning of `into` from `position`. */
async function readExactly(
  file: ReadableFile,
  ref: BlobRef,
  position: number,
  length: number,
  into: Buffer,
): Promise<Buffer> {
  const bytes = into.subarray(0, length);
  if ((await file.read(bytes, position)) !== length) throw new BlobDamagedError(ref.id, "corrupt");
  return bytes;
}

interface Blocks {
  /** Whole blocks of the blob, bytes [from, to). */
  readonly from: number;
  readonly to: number;
  readonly lent: boolean;
}

/** Data and tail with one read of the disk, where both are near. */
async function* readAtOnce(file: ReadableFile, ref: BlobRef, { from, to, lent }: Blocks): AsyncGenerator<Buffer> {
  const length = fileLength(ref.size) - from;
  const memory = lent ? borrow() : Buffer.allocUnsafeSlow(length);
  try {
    const bytes = await readExactly(file, ref, from, length, memory);
    const table = parseTail(bytes.subarray(ref.size - from), ref);
    const data = bytes.subarray(0, to - from);
    const good = table !== undefined && blocksMatch(data, from / BLOCK_BYTES, table);
    if (!good) throw new BlobDamagedError(ref.id, "corrupt");
    yield data;
  } finally {
    if (lent) giveBack(memory);
  }
}

/** Memory of the long reads under way in full pieces. */
let ringBytes = 0;

/**
 * Pieces of at most 1 MiB, of one block while many others read; the next one is read while the consumer has the last.
 * Their memory goes round in a ring of this read alone. A piece is overwritten when the third one after it is asked for
 * (lent: the next one); whoever sends pieces waits until the one before has left.
 */
async function* readAhead(file: ReadableFile, ref: BlobRef, { from, to, lent }: Blocks): AsyncGenerator<Buffer> {
  const tail = tailLength(ref.size);
  const table = parseTail(await readExactly(file, ref, ref.size, tail, Buffer.allocUnsafeSlow(tail)), ref);
  if (table === undefined) throw new BlobDamagedError(ref.id, "corrupt");
  const slots = lent ? LENT_RING_PIECES : READ_RING_PIECES;
  const full = slots * PIECE_BYTES;
  const held = ringBytes + full <= READ_RINGS_BYTES ? full : 0;
  ringBytes += held;
  // Who asked for so little may gather it before anything is sent, and must not meet pieces that were overwritten.
  const short = !lent && to - from <= PIECE_BYTES + 2 * BLOCK_BYTES;
  const size = held > 0 || short ? PIECE_BYTES : BLOCK_BYTES;
  const pooled = lent && size === PIECE_BYTES;
  const ring: Buffer[] = [];
  let turn = 0;
  const fetch = (at: number): Promise<Buffer> => {
    const slot = turn++ % slots;
    const memory = (ring[slot] ??= pooled ? borrow() : Buffer.allocUnsafeSlow(Math.min(size, to - at)));
    return readExactly(file, ref, at, Math.min(size, to - at), memory);
  };
  let next: Promise<Buffer> | undefined = fetch(from);
  try {
    for (let at = from; next !== undefined; at += size) {
      const piece: Buffer = await next;
      next = at + size < to ? fetch(at + size) : undefined;
      // A failure that nobody waits for yet is told when this piece has left; unhandled it would end the process.
      next?.catch(() => undefined);
      if (!blocksMatch(piece, at / BLOCK_BYTES, table)) throw new BlobDamagedError(ref.id, "corrupt");
      yield piece;
    }
  } finally {
    // The file is closed after this: a read under way must not meet a closed (or reused) descriptor.
    await next?.catch(() => undefined);
    ringBytes -= held;
    if (pooled) for (const memory of ring) giveBack(memory);
  }
}
