/**
 * Reading sealed blobs: only the packages that hold the wanted bytes. Their tags stand for what block checksums are to
 * plain files, so those are not looked at; a package that does not open is damage.
 */
import type { BlobRef } from "../../model/version.ts";
import { assert } from "../../runtime/assert.ts";
import { PIECE_BYTES, PIECE_MEMORY_BYTES } from "../limits.ts";
import { BlobDamagedError } from "./blobs.ts";
import type { FileLayer, ReadableFile } from "./files.ts";
import { inlineBytes, inlineState } from "./format.ts";
import { pieceReader, readAhead, readExactly, type PieceReader } from "./read-ahead.ts";
import { readFailure, type FileRange } from "./read.ts";
import { isWorthTheWay, type ThreadOpener } from "./thread-opener.ts";
import {
  CLOSING_BYTES,
  openAtOnce,
  openedSize,
  Opener,
  packageSpan,
  plainSize,
  PACKAGE_BYTES,
  SEALED_PACKAGE_BYTES,
} from "./seal.ts";

/** Stored bytes of a full piece. */
const PIECE_STORED_BYTES = (PIECE_BYTES / PACKAGE_BYTES) * SEALED_PACKAGE_BYTES;

assert(PIECE_STORED_BYTES + CLOSING_BYTES <= PIECE_MEMORY_BYTES, "a sealed piece fits into pooled memory");

function sizeOf(ref: BlobRef): number {
  const size = plainSize(ref.size);
  if (size === undefined) throw new BlobDamagedError(ref.id, "corrupt");
  return size;
}

/** Plain bytes [start, end) of a sealed inline row. */
export async function* readSealedRow(
  sealKey: Uint8Array,
  ref: BlobRef,
  start: number,
  end: number,
  row: Buffer | undefined,
): AsyncGenerator<Buffer> {
  const state = inlineState(ref, row);
  if (state !== "ok" || row === undefined) throw new BlobDamagedError(ref.id, state === "ok" ? "missing" : state);
  const plain = openAtOnce(sealKey, inlineBytes(row));
  if (plain === undefined) throw new BlobDamagedError(ref.id, "corrupt");
  for (let at = start; at < end; at += PIECE_BYTES) yield plain.subarray(at, Math.min(at + PIECE_BYTES, end));
}

/** Plain bytes of the sealed blob file at `path`, in pieces as `readFile` gives them; see BlobStore.read. */
export async function* readSealedFile(
  thread: ThreadOpener | undefined,
  sealKey: Uint8Array,
  files: FileLayer,
  path: string,
  range: FileRange,
): AsyncGenerator<Buffer> {
  const { ref, start, end, lent } = range;
  if (start >= end) return;
  let file: ReadableFile | undefined;
  try {
    const size = sizeOf(ref);
    const { first, from, to } = packageSpan(size, start, end);
    file = await files.open(path);
    // Behind the last package is the closing tag: whoever reads to the end learns that it is the end.
    const behind = end === size ? CLOSING_BYTES : 0;
    const sealed = { file, ref, size, key: sealKey };
    const span = { from, to, behind, piece: PIECE_STORED_BYTES, unit: SEALED_PACKAGE_BYTES, lent };
    const away = thread !== undefined && isWorthTheWay(to - from);
    let at = first * PACKAGE_BYTES;
    for await (const piece of readAhead(away ? onThread(thread, sealed) : here(sealed), ref, span)) {
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

interface SealedFile {
  readonly file: ReadableFile;
  readonly ref: BlobRef;
  /** Plain bytes. */
  readonly size: number;
  readonly key: Uint8Array;
}

/** The closing tag is looked at by whoever reads up to the end. */
const closesAt = ({ ref, size }: SealedFile, stored: Buffer, at: number): number | undefined =>
  at + stored.length === ref.size ? size : undefined;

/** Opens on the calling thread. */
function here(sealed: SealedFile): PieceReader {
  const opener = new Opener(sealed.key);
  return pieceReader(sealed.file, sealed.ref, (stored, at) => opener.inPlace(stored, at, closesAt(sealed, stored, at)));
}

/** Opens on another thread. */
function onThread(thread: ThreadOpener, sealed: SealedFile): PieceReader {
  const { key, file, ref } = sealed;
  return {
    borrow: () => thread.borrow(),
    giveBack: (memory) => thread.giveBack(memory),
    memory: (bytes) => thread.memory(bytes),
    async fetch(into, at) {
      const stored = await readExactly(file, ref, at, into);
      const good = await thread.open({ key, stored, position: at, closes: closesAt(sealed, stored, at) });
      if (!good) throw new BlobDamagedError(ref.id, "corrupt");
      return stored;
    },
    checked: (opened, at) => opened.subarray(0, openedSize(opened.length, closesAt(sealed, opened, at) !== undefined)),
  };
}
