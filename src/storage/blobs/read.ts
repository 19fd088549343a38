/** Reading blob files: aligned to blocks, each block checked before its bytes are handed on. */
import { StoreError } from "../../model/errors.ts";
import type { BlobRef } from "../../model/version.ts";
import { BLOCK_BYTES, PIECE_BYTES, READ_RING_PIECES, READ_RINGS_BYTES } from "../limits.ts";
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

/** Bytes [start, end) of the blob file at `path`, see BlobStore.read. */
export async function* readFile(
  files: FileLayer,
  path: string,
  ref: BlobRef,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  if (start >= end) return;
  const from = start - (start % BLOCK_BYTES);
  const to = Math.min(ref.size, Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES);
  let file: ReadableFile | undefined;
  try {
    file = await files.open(path);
    const near = fileLength(ref.size) - from <= PIECE_BYTES;
    const pieces = near ? readAtOnce(file, ref, from, to) : readAhead(file, ref, from, to);
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

/** Fills `into`, or memory of its own, from `position`. */
async function readExactly(
  file: ReadableFile,
  ref: BlobRef,
  position: number,
  length: number,
  into?: Buffer,
): Promise<Buffer> {
  const bytes = into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length);
  if ((await file.read(bytes, position)) !== length) throw new BlobDamagedError(ref.id, "corrupt");
  return bytes;
}

/** Data and tail with one read of the disk, where both are near. */
async function* readAtOnce(file: ReadableFile, ref: BlobRef, from: number, to: number): AsyncGenerator<Buffer> {
  const bytes = await readExactly(file, ref, from, fileLength(ref.size) - from);
  const table = parseTail(bytes.subarray(ref.size - from), ref);
  const data = bytes.subarray(0, to - from);
  const good = table !== undefined && blocksMatch(data, from / BLOCK_BYTES, table);
  if (!good) throw new BlobDamagedError(ref.id, "corrupt");
  yield data;
}

/** Memory of the long reads under way in full pieces. */
let ringBytes = 0;

/**
 * Pieces of at most 1 MiB, of one block while many others read; the next one is read while the consumer has the last. Their memory goes round in a ring of
 * this read alone: fresh memory for each piece costs more (page faults, collection) than reading it. A piece is
 * overwritten when the third one after it is asked for; whoever sends pieces waits until the one before has left.
 */
async function* readAhead(file: ReadableFile, ref: BlobRef, from: number, to: number): AsyncGenerator<Buffer> {
  const table = parseTail(await readExactly(file, ref, ref.size, tailLength(ref.size)), ref);
  if (table === undefined) throw new BlobDamagedError(ref.id, "corrupt");
  const full = READ_RING_PIECES * PIECE_BYTES;
  const held = ringBytes + full <= READ_RINGS_BYTES ? full : 0;
  ringBytes += held;
  // Who asked for so little gathers it before anything is sent, and must not meet pieces that were overwritten.
  const size = held > 0 || to - from <= PIECE_BYTES + 2 * BLOCK_BYTES ? PIECE_BYTES : BLOCK_BYTES;
  const ring: Buffer[] = [];
  let turn = 0;
  const fetch = (at: number): Promise<Buffer> => {
    const slot = turn++ % READ_RING_PIECES;
    const memory = (ring[slot] ??= Buffer.allocUnsafeSlow(Math.min(size, to - at)));
    return readExactly(file, ref, at, Math.min(size, to - at), memory);
  };
  let next: Promise<Buffer> | undefined = fetch(from);
  try {
    for (let at = from; next !== undefined; at += size) {
      const piece: Buffer = await next;
      next = at + size < to ? fetch(at + size) : undefined;
      if (!blocksMatch(piece, at / BLOCK_BYTES, table)) throw new BlobDamagedError(ref.id, "corrupt");
      yield piece;
    }
  } finally {
    // The file is closed after this: a read under way must not meet a closed (or reused) descriptor.
    await next?.catch(() => undefined);
    ringBytes -= held;
  }
}
