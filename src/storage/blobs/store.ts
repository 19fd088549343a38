/** The blob store over a directory: `blobs/xx/<id>` and `staging/<id>`. Contract and order of writes: blobs.ts. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { createChecksum } from "../../model/checksum.ts";
import { StoreError } from "../../model/errors.ts";
import type { BlobRef } from "../../model/version.ts";
import type { Random } from "../../runtime/random.ts";
import { BLOB_DIRECTORIES, BLOCK_BYTES, INLINE_BYTES_MAX, PIECE_BYTES, SLAB_BYTES, SMALL_BODY_BYTES_MAX } from "../limits.ts";
import { BlobDamagedError, type BlobState, type BlobStore, type WriteOptions, type WrittenBlob } from "./blobs.ts";
import { realFiles, type FileLayer, type OpenFile } from "./files.ts";
import { BlobEncoder, blocksMatch, fileSize, inlineBytes, inlineRowOf, inlineState, tableBytes, tableOffset, type Digests } from "./format.ts";
import { inlineSink, Pump, type BodySink, type Slab } from "./pump.ts";

export interface BlobStoreOptions {
  /** The site's DIR. */
  readonly directory: string;
  readonly random: Random;
  readonly files?: FileLayer | undefined;
  /** Largest body that becomes a row beside the index. */
  readonly inlineMax?: number | undefined;
}

/** Makes the directories when they are not there, then opens. */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  const files = options.files ?? realFiles;
  const blobs = join(options.directory, "blobs");
  await files.mkdir(join(options.directory, "staging"));
  await files.mkdir(blobs);
  const present = new Set(await files.list(blobs));
  if (present.size < BLOB_DIRECTORIES) {
    for (let i = 0; i < BLOB_DIRECTORIES; i++) {
      const name = i.toString(16).padStart(2, "0");
      if (!present.has(name)) await files.mkdir(join(blobs, name));
    }
    await files.syncDirectory(blobs);
    await files.syncDirectory(options.directory);
  }
  return new DirectoryBlobs(options, files);
}

const codeOf = (error: unknown): string | undefined => (error as { code?: string } | undefined)?.code;
const isMissing = (error: unknown): boolean => codeOf(error) === "ENOENT";

/** The world's failure in S3's words; anything already said stays as it is. */
function storageError(error: unknown): unknown {
  const code = codeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") return new StoreError("XMinioStorageFull", { cause: error });
  return error;
}

class DirectoryBlobs implements BlobStore {
  readonly #directory: string;
  readonly #files: FileLayer;
  readonly #random: Random;
  readonly #inlineMax: number;
  readonly #pump = new Pump();
  /** Directories being synced: writers that arrive meanwhile share the next sync. */
  readonly #syncs = new Map<string, { running: Promise<void>; next: Promise<void> | undefined }>();

  constructor(options: BlobStoreOptions, files: FileLayer) {
    this.#directory = options.directory;
    this.#files = files;
    this.#random = options.random;
    this.#inlineMax = options.inlineMax ?? INLINE_BYTES_MAX;
  }

  #pathOf(id: string): string {
    return join(this.#directory, "blobs", id.slice(0, 2), id);
  }

  async write(body: AsyncIterable<Buffer>, options: WriteOptions): Promise<WrittenBlob> {
    const iterator = body[Symbol.asyncIterator]();
    const pieces: Buffer[] = [];
    let size = 0;
    while (size <= SMALL_BODY_BYTES_MAX) {
      const { value, done } = await iterator.next();
      if (done === true) return this.#writeSmall(pieces, size, options);
      pieces.push(value);
      size += value.length;
    }
    return this.#writeLarge(pieces, iterator, options);
  }

  async #writeSmall(pieces: readonly Buffer[], size: number, options: WriteOptions): Promise<WrittenBlob> {
    const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, size);
    const id = this.#random.bytes(16).toString("hex");
    if (size <= this.#inlineMax) {
      return { ref: { id, size, inline: true }, inlineRow: inlineRowOf(bytes), size, ...smallDigests(bytes, options) };
    }
    const encoder = new BlobEncoder(options);
    encoder.update(bytes);
    const stamp = await this.#stage(id, async (file) => {
      await file.write(Buffer.concat([bytes, encoder.tail()]), 0);
    });
    return { ref: { id, size, inline: false, stamp }, size, ...encoder.digests() };
  }

  async #writeLarge(first: readonly Buffer[], rest: AsyncIterator<Buffer>, options: WriteOptions): Promise<WrittenBlob> {
    const id = this.#random.bytes(16).toString("hex");
    let size = 0;
    let digests: Digests = {};
    const stamp = await this.#stage(id, async (file) => {
      const sink = file.fd === undefined ? inlineSink(file, options) : this.#pump.open(file as OpenFile & { fd: number }, options);
      try {
        await this.#fill(sink, first, rest);
      } catch (error) {
        await sink.drop();
        throw error;
      }
      ({ size, digests } = await sink.finish());
    });
    return { ref: { id, size, inline: false, stamp }, size, ...digests };
  }

  /** Copies the body's pieces into slabs. */
  async #fill(sink: BodySink, first: readonly Buffer[], rest: AsyncIterator<Buffer>): Promise<void> {
    // Held by us from slab() to push(): only then may it go back to the pool when the body fails.
    let held: Slab | undefined;
    let filled = 0;
    const take = async (piece: Buffer): Promise<void> => {
      for (let at = 0; at < piece.length; ) {
        held ??= await sink.slab();
        const length = Math.min(piece.length - at, SLAB_BYTES - filled);
        piece.copy(held.bytes, filled, at, at + length);
        at += length;
        filled += length;
        if (filled < SLAB_BYTES) return;
        sink.push(held, filled);
        held = undefined;
        filled = 0;
      }
    };
    try {
      for (const piece of first) await take(piece);
      for (let next = await rest.next(); next.done !== true; next = await rest.next()) await take(next.value);
    } catch (error) {
      if (held !== undefined) this.#pump.giveBack(held);
      throw error;
    }
    if (held !== undefined) sink.push(held, filled);
  }

  /** staging file, its content, fsync, rename, fsync of the directory. Answers the stamp. */
  async #stage(id: string, fill: (file: OpenFile) => Promise<void>): Promise<string> {
    const staged = join(this.#directory, "staging", id);
    let file: OpenFile | undefined;
    try {
      file = await this.#files.create(staged);
      await fill(file);
      await file.sync();
      const { mtimeNs } = await file.stat();
      await file.close();
      file = undefined;
      await this.#files.rename(staged, this.#pathOf(id));
      await this.#syncDirectory(id);
      return mtimeNs.toString();
    } catch (error) {
      await file?.close().catch(() => undefined);
      await this.#files.unlink(staged).catch(() => undefined);
      throw storageError(error);
    }
  }

  #syncDirectory(id: string): Promise<void> {
    const path = join(this.#directory, "blobs", id.slice(0, 2));
    const current = this.#syncs.get(path);
    if (current === undefined) {
      const entry = { running: this.#files.syncDirectory(path), next: undefined };
      this.#syncs.set(path, entry);
      const forget = (): void => {
        if (this.#syncs.get(path) === entry && entry.next === undefined) this.#syncs.delete(path);
      };
      entry.running.then(forget, forget);
      return entry.running;
    }
    // The sync under way may have begun before this entry was there: the next one covers it.
    current.next ??= current.running
      .catch(() => undefined)
      .then(() => {
        this.#syncs.delete(path);
        return this.#syncDirectory(id);
      });
    return current.next;
  }

  async link(ref: BlobRef): Promise<BlobRef> {
    const id = this.#random.bytes(16).toString("hex");
    try {
      await this.#files.link(this.#pathOf(ref.id), this.#pathOf(id));
    } catch (error) {
      if (isMissing(error)) throw new BlobDamagedError(ref.id, "missing");
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "EXDEV"].includes(codeOf(error) ?? "")) throw storageError(error);
      return (await this.write(this.read(ref, 0, ref.size), { md5: false, sha256: false, sizeHint: ref.size })).ref;
    }
    await this.#syncDirectory(id);
    return { ...ref, id };
  }

  async *read(ref: BlobRef, start: number, end: number, inlineRow?: Buffer): AsyncIterable<Buffer> {
    if (start >= end) return;
    if (ref.inline) {
      const state = inlineState(ref.size, inlineRow);
      if (state !== "ok") throw new BlobDamagedError(ref.id, state);
      yield inlineBytes(inlineRow as Buffer).subarray(start, end);
      return;
    }
    const file = await this.#open(ref);
    try {
      const firstPiece = Math.floor(start / BLOCK_BYTES) * BLOCK_BYTES;
      let ahead = this.#piece(file, ref, firstPiece, end);
      for (let at = firstPiece; at < end; at += PIECE_BYTES) {
        const piece = await ahead;
        if (at + PIECE_BYTES < end) {
          ahead = this.#piece(file, ref, at + PIECE_BYTES, end);
          ahead.catch(() => undefined); // reported when it is awaited; the consumer may stop before
        }
        yield piece.subarray(Math.max(start - at, 0), Math.min(end - at, piece.length));
      }
    } finally {
      await file.close();
    }
  }

  async #open(ref: BlobRef): Promise<OpenFile> {
    try {
      return await this.#files.openForReading(this.#pathOf(ref.id));
    } catch (error) {
      if (isMissing(error)) throw new BlobDamagedError(ref.id, "missing");
      throw error;
    }
  }

  /** Whole blocks from `at`, at most one piece, reaching at least to `end` or the end of the data; checked. */
  async #piece(file: OpenFile, ref: BlobRef, at: number, end: number): Promise<Buffer> {
    const upTo = Math.min(ref.size, Math.ceil(Math.min(end, at + PIECE_BYTES) / BLOCK_BYTES) * BLOCK_BYTES);
    const data = Buffer.allocUnsafeSlow(upTo - at);
    const firstBlock = at / BLOCK_BYTES;
    const table = Buffer.allocUnsafe(tableBytes(Math.ceil(upTo / BLOCK_BYTES) - firstBlock));
    const [read, readTable] = await Promise.all([file.read(data, at), file.read(table, tableOffset(ref.size, firstBlock))]);
    if (read !== data.length || readTable !== table.length || !blocksMatch(data, table)) throw new BlobDamagedError(ref.id, "corrupt");
    return data;
  }

  async examine(ref: BlobRef, deep: boolean, inlineRow?: Buffer): Promise<BlobState> {
    if (ref.inline) return inlineState(ref.size, inlineRow);
    try {
      const { size, mtimeNs } = await this.#files.stat(this.#pathOf(ref.id));
      if (size !== fileSize(ref.size)) return "corrupt";
      if (!deep && mtimeNs.toString() === ref.stamp) return "ok";
      for await (const _piece of this.read(ref, 0, ref.size));
      return "ok";
    } catch (error) {
      if (error instanceof BlobDamagedError) return error.state;
      if (isMissing(error)) return "missing";
      throw error;
    }
  }

  async discard(id: string): Promise<void> {
    try {
      await this.#files.unlink(this.#pathOf(id));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async *list(): AsyncIterable<{ id: string; mtimeMs: number }> {
    const blobs = join(this.#directory, "blobs");
    for (const directory of await this.#files.list(blobs)) {
      for (const id of await this.#files.list(join(blobs, directory))) {
        try {
          const { mtimeNs } = await this.#files.stat(join(blobs, directory, id));
          yield { id, mtimeMs: Number(mtimeNs / 1_000_000n) };
        } catch (error) {
          if (!isMissing(error)) throw error;
        }
      }
    }
  }

  close(): Promise<void> {
    return this.#pump.close();
  }
}

/** One-shot digests of a body that lies in memory. */
function smallDigests(bytes: Buffer, options: WriteOptions): Digests {
  let checksum: string | undefined;
  if (options.checksum !== undefined) {
    const hash = createChecksum(options.checksum);
    hash.update(bytes);
    checksum = hash.digest();
  }
  return {
    md5: options.md5 ? createHash("md5").update(bytes).digest("hex") : undefined,
    sha256: options.sha256 ? createHash("sha256").update(bytes).digest("hex") : undefined,
    checksum,
  };
}
