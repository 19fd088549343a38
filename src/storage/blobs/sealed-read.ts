/**
 * Reading sealed blobs: only the packages that hold the wanted bytes. Their tags stand for what block checksums are to
 * plain files, so those are not looked at; a package that does not open is damage.
 */
import type { BlobRef } from "../../model/version.ts";
import { assert } from "../../runtime/assert.ts";
import { LENT_RING_PIECES, PIECE_BYTES, PIECE_MEMORY_BYTES, READ_RING_PIECES, READ_RINGS_BYTES } from "../limits.ts";
import { BlobDamagedError } from "./blobs.ts";
import type { FileLayer, ReadableFile } from "./files.ts";
import { inlineBytes, inlineState } from "./format.ts";
import type { PackageOpener } from "./opener.ts";
import { readFailure, type FileRange } from "./read.ts";
import { CLOSING_BYTES, openAtOnce, packageSpan, plainSize, PACKAGE_BYTES, SEALED_PACKAGE_BYTES } from "./seal.ts";

/** Memory of the long reads under way in full pieces: sealed bytes and plain ones. */
let ringBytes = 0;
/** Packages that are read and opened at once. */
const PIECE_PACKAGES = PIECE_BYTES / PACKAGE_BYTES;

assert(
  PIECE_PACKAGES * SEALED_PACKAGE_BYTES + CLOSING_BYTES <= PIECE_MEMORY_BYTES,
  "a sealed piece fits into pooled memory",
);

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
  opener: PackageOpener,
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
    const packages = { first, from, to, size, atEnd: end === size, lent };
    let at = first * PACKAGE_BYTES;
    for await (const piece of openedPieces(opener, sealKey, file, ref, packages)) {
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

interface Packages {
  /** Number of the first one; all lie in stored bytes [from, to). */
  readonly first: number;
  readonly from: number;
  readonly to: number;
  /** Plain bytes of the blob. */
  readonly size: number;
  /** The last package of the blob is among them. */
  readonly atEnd: boolean;
  readonly lent: boolean;
}

/**
 * Opened pieces of whole packages; the next one is read and opened while the consumer has the last. Memory goes round in
 * rings as in `readAhead` of read.ts, and for the same reasons.
 */
async function* openedPieces(
  opener: PackageOpener,
  key: Uint8Array,
  file: ReadableFile,
  ref: BlobRef,
  { first, from, to, size, atEnd, lent }: Packages,
): AsyncGenerator<Buffer> {
  const single = to - from <= PIECE_PACKAGES * SEALED_PACKAGE_BYTES;
  const slots = lent ? LENT_RING_PIECES : READ_RING_PIECES;
  const full = single ? 0 : (1 + slots) * PIECE_BYTES;
  const fits = ringBytes + full <= READ_RINGS_BYTES;
  const held = fits ? full : 0;
  ringBytes += held;
  // Who asked for so little may gather it before anything is sent, and must not meet pieces that were overwritten.
  const short = !lent && to - from <= (PIECE_PACKAGES + 2) * SEALED_PACKAGE_BYTES;
  const packages = fits || short ? PIECE_PACKAGES : 1;
  const step = packages * SEALED_PACKAGE_BYTES;
  const stop = atEnd ? to + CLOSING_BYTES : to;
  const sealed = opener.borrow();
  const ring: Buffer[] = [];
  let turn = 0;
  const fetch = async (at: number): Promise<Buffer> => {
    const last = at + step >= to;
    const bytes = sealed.subarray(0, (last ? stop : at + step) - at);
    const slot = turn++ % slots;
    const memory = (ring[slot] ??= opener.borrow());
    if ((await file.read(bytes, at)) !== bytes.length) throw new BlobDamagedError(ref.id, "corrupt");
    const closes = last && atEnd ? size : undefined;
    const body = bytes.length - (closes === undefined ? 0 : CLOSING_BYTES);
    const out = memory.subarray(0, body - CLOSING_BYTES * Math.ceil(body / SEALED_PACKAGE_BYTES));
    const number = first + (at - from) / SEALED_PACKAGE_BYTES;
    if (!(await opener.open({ key, first: number, sealed: bytes, out, closes })))
      throw new BlobDamagedError(ref.id, "corrupt");
    return out;
  };
  let next: Promise<Buffer> | undefined = fetch(from);
  try {
    for (let at = from; next !== undefined; at += step) {
      const piece: Buffer = await next;
      next = at + step < to ? fetch(at + step) : undefined;
      // A failure that nobody waits for yet is told when this piece has left.
      next?.catch(() => undefined);
      yield piece;
    }
  } finally {
    // The file is closed after this: a read under way must not meet a closed (or reused) descriptor.
    await next?.catch(() => undefined);
    ringBytes -= held;
    opener.giveBack(sealed);
    if (lent) for (const memory of ring) opener.giveBack(memory);
  }
}
