/** Reading blob files: aligned to blocks, each block checked before its bytes are handed on. */
import { asStoreError } from "../../model/errors.ts";
import type { BlobRef } from "../../model/version.ts";
import { BLOCK_BYTES, PIECE_BYTES, PIECE_MEMORY_BYTES } from "../limits.ts";
import { BlobDamagedError } from "./blobs.ts";
import { codeOf, type FileLayer, type ReadableFile } from "./files.ts";
import { blocksMatch, fileLength, parseTail, tailLength } from "./format.ts";
import { borrow, giveBack, pieceReader, readAhead, readExactly } from "./read-ahead.ts";

/** The disk itself says that what it holds is not what was written. */
const DAMAGED_CODES = new Set(["EIO", "EUCLEAN", "EBADMSG", "EISDIR", "ELOOP"]);
const MISSING_CODES = new Set(["ENOENT", "ENOTDIR"]);

/** A failed read as the layers above know it: damage where the bytes are at fault, else an error that may pass. */
export function readFailure(blobId: string, error: unknown): Error {
  if (error instanceof BlobDamagedError) return error;
  const code = codeOf(error) ?? "";
  if (MISSING_CODES.has(code)) return new BlobDamagedError(blobId, "missing");
  if (DAMAGED_CODES.has(code)) return new BlobDamagedError(blobId, "corrupt");
  return asStoreError(error);
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
    const blocks = { from, to, lent };
    const pieces = near ? readAtOnce(file, ref, blocks) : await readLong(file, ref, blocks);
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
    const bytes = await readExactly(file, ref, from, memory.subarray(0, length));
    const table = parseTail(bytes.subarray(ref.size - from), ref);
    const data = bytes.subarray(0, to - from);
    const good = table !== undefined && blocksMatch(data, from / BLOCK_BYTES, table);
    if (!good) throw new BlobDamagedError(ref.id, "corrupt");
    yield data;
  } finally {
    if (lent) giveBack(memory);
  }
}

/** Piece by piece: the table of checksums is read first. */
async function readLong(file: ReadableFile, ref: BlobRef, { from, to, lent }: Blocks): Promise<AsyncGenerator<Buffer>> {
  const tail = await readExactly(file, ref, ref.size, Buffer.allocUnsafeSlow(tailLength(ref.size)));
  const table = parseTail(tail, ref);
  if (table === undefined) throw new BlobDamagedError(ref.id, "corrupt");
  const reader = pieceReader(file, ref, (data, at) => (blocksMatch(data, at / BLOCK_BYTES, table) ? data : undefined));
  return readAhead(reader, ref, { from, to, behind: 0, piece: PIECE_BYTES, unit: BLOCK_BYTES, lent });
}
