/** Blobs in memory, for the simulator and for tests of the layers above: same promises, nothing survives the process. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { createChecksum } from "../../model/checksum.ts";
import type { BlobRef } from "../../model/version.ts";
import type { Random } from "../../runtime/random.ts";
import { BlobDamagedError, type BlobState, type BlobStore, type WriteOptions, type WrittenBlob } from "./blobs.ts";
import { digestsOf } from "./digests.ts";
import { openAtOnce, sealAtOnce } from "./seal.ts";

const INLINE_MAX = 1024;
const PIECE = 64 * 1024;

export interface MemoryBlobStore extends BlobStore {
  /** The stored files by blob id: tests remove and change them. */
  readonly files: Map<string, Buffer>;
}

function inlineRowOf(bytes: Buffer): Buffer {
  const row = Buffer.allocUnsafe(4 + bytes.length);
  row.writeUInt32LE(crc32(bytes), 0);
  bytes.copy(row, 4);
  return row;
}

function inlineState(ref: BlobRef, row: Buffer | undefined): BlobState {
  if (row === undefined) return "missing";
  const good = row.length === ref.size + 4 && row.readUInt32LE(0) === crc32(row.subarray(4));
  return good ? "ok" : "corrupt";
}

export function memoryBlobStore(random: Random): MemoryBlobStore {
  const files = new Map<string, Buffer>();
  const sums = new Map<string, number>();
  const store = (bytes: Buffer): string => {
    const id = random.bytes(16).toString("hex");
    files.set(id, bytes);
    sums.set(id, crc32(bytes));
    return id;
  };
  const stateOf = (ref: BlobRef, inlineRow: Buffer | undefined): BlobState => {
    if (ref.inline) return inlineState(ref, inlineRow);
    const bytes = files.get(ref.id);
    if (bytes === undefined) return "missing";
    return bytes.length === ref.size && crc32(bytes) === sums.get(ref.id) ? "ok" : "corrupt";
  };
  return {
    files,
    async write(body: AsyncIterable<Buffer>, options: WriteOptions): Promise<WrittenBlob> {
      const pieces: Buffer[] = [];
      for await (const piece of body) pieces.push(Buffer.from(piece));
      const bytes = Buffer.concat(pieces);
      const checksum = options.checksum === undefined ? undefined : createChecksum(options.checksum);
      checksum?.update(bytes);
      const stored = options.sealKey === undefined ? bytes : sealAtOnce(options.sealKey, bytes);
      const inline = stored.length <= INLINE_MAX;
      const id = inline ? random.bytes(16).toString("hex") : store(stored);
      return {
        ref: { id, size: stored.length, inline },
        inlineRow: inline ? inlineRowOf(stored) : undefined,
        size: bytes.length,
        md5: options.md5 ? createHash("md5").update(bytes).digest("hex") : undefined,
        sha256: options.sha256 ? createHash("sha256").update(bytes).digest("hex") : undefined,
        checksum: checksum?.digest(),
      };
    },
    room: () => undefined,
    writeInline(bytes, options) {
      if (bytes.length > INLINE_MAX) return undefined;
      const size = bytes.length;
      const ref = { id: random.bytes(16).toString("hex"), size, inline: true };
      return { ...digestsOf(bytes, options), ref, inlineRow: inlineRowOf(bytes), size };
    },
    inlineBytes: (ref, row) => (inlineState(ref, row) === "ok" ? row?.subarray(4) : undefined),
    async link(ref) {
      const state = stateOf(ref, undefined);
      if (state !== "ok") throw new BlobDamagedError(ref.id, state);
      return { ...ref, id: store(files.get(ref.id) ?? Buffer.alloc(0)) };
    },
    async *read(ref, start, end, inlineRow, _lent, sealKey) {
      const state = stateOf(ref, inlineRow);
      if (state !== "ok") throw new BlobDamagedError(ref.id, state);
      const stored = ref.inline ? (inlineRow as Buffer).subarray(4) : (files.get(ref.id) as Buffer);
      const bytes = sealKey === undefined ? stored : openAtOnce(sealKey, stored);
      if (bytes === undefined) throw new BlobDamagedError(ref.id, "corrupt");
      for (let at = start; at < end; at += PIECE) yield bytes.subarray(at, Math.min(at + PIECE, end));
    },
    async examine(ref, _deep, inlineRow) {
      return stateOf(ref, inlineRow);
    },
    async discard(id) {
      files.delete(id);
    },
    async *list() {
      for (const id of files.keys()) yield { id, mtimeMs: 0 };
    },
    async emptyStaging() {
      return 0;
    },
    async low() {
      return false;
    },
    async close() {
      files.clear();
    },
  };
}
