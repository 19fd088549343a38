/** The blob store on a file system: DIR/blobs holds the files, DIR/staging those being written. See blobs.ts. */
import { join } from "node:path";
import { asStoreError } from "../../model/errors.ts";
import type { BlobRef } from "../../model/version.ts";
import { assert } from "../../runtime/assert.ts";
import type { Random } from "../../runtime/random.ts";
import { BLOB_DIRECTORIES, INLINE_BYTES_MAX, PIECE_BYTES, SMALL_BODY_BYTES_MAX } from "../limits.ts";
import { BlobDamagedError, type BlobState, type BlobStore, type WriteOptions, type WrittenBlob } from "./blobs.ts";
import { digestsOf, type DigestOptions, type Digests } from "./digests.ts";
import { DirectorySyncs } from "./directory-syncs.ts";
import { codeOf, realFiles, type FileLayer, type FileStat } from "./files.ts";
import { encodeFile, encodeInline, fileLength, inlineBytes, inlineState, tableCrcOf } from "./format.ts";
import { inlinePump, type Pump, type PumpBody } from "./pump.ts";
import { readFailure, readFile } from "./read.ts";
import { sealAtOnce } from "./seal.ts";
import { readSealedFile, readSealedRow } from "./sealed-read.ts";
import { ThreadOpener } from "./thread-opener.ts";
import { DiskSpace } from "./space.ts";
import { threadPump } from "./thread-pump.ts";

export interface BlobStoreOptions {
  /** The site's DIR: `blobs/` and `staging/` are made in it. */
  readonly directory: string;
  /** Another file system than the machine's: then large bodies are written on the calling thread. */
  readonly files?: FileLayer | undefined;
  readonly random: Random;
  /** Bodies up to this many bytes become rows beside the index. */
  readonly inlineMax?: number | undefined;
  /** Nothing is written: no directory is made, missing ones hold nothing. */
  readonly readOnly?: boolean | undefined;
}

const BLOB_ID = /^[0-9a-f]{32}$/;
/** A hard link is refused for good (other file system, too many links, not supported): copy instead. */
const NO_LINK_CODES = new Set(["EXDEV", "EPERM", "EMLINK", "ENOSYS", "EOPNOTSUPP", "ENOTSUP"]);

class FileBlobStore implements BlobStore {
  readonly #blobs: string;
  readonly #staging: string;
  readonly #files: FileLayer;
  readonly #random: Random;
  readonly #syncs: DirectorySyncs;
  readonly #pump: Pump;
  readonly #opener: ThreadOpener | undefined;
  readonly #inlineMax: number;
  readonly #inlineIds: InlineIds;
  readonly #space: DiskSpace;

  constructor(options: BlobStoreOptions) {
    this.#blobs = join(options.directory, "blobs");
    this.#staging = join(options.directory, "staging");
    this.#files = options.files ?? realFiles;
    this.#random = options.random;
    this.#inlineIds = new InlineIds(options.random);
    this.#syncs = new DirectorySyncs(this.#files);
    this.#pump = options.files === undefined ? threadPump() : inlinePump(options.files);
    this.#opener = options.files === undefined ? new ThreadOpener() : undefined;
    this.#space = new DiskSpace(this.#files, options.directory);
    this.#inlineMax = options.inlineMax ?? INLINE_BYTES_MAX;
    assert(this.#inlineMax <= SMALL_BODY_BYTES_MAX, "an inline body is gathered in memory");
  }

  /** Makes what is missing of the directories. Their names are on disk before the first blob can be. */
  async prepare(directory: string): Promise<void> {
    await this.#files.makeDirectory(this.#blobs);
    await this.#files.makeDirectory(this.#staging);
    const present = new Set(await this.#files.list(this.#blobs));
    for (let i = 0; i < BLOB_DIRECTORIES; i++) {
      const name = i.toString(16).padStart(2, "0");
      if (!present.has(name)) await this.#files.makeDirectory(join(this.#blobs, name));
    }
    // Also when all were there: who made them may have died before this, and a blob is no safer than its directory.
    await this.#files.syncDirectory(this.#blobs);
    await this.#files.syncDirectory(directory);
  }

  async write(body: AsyncIterable<Buffer>, options: WriteOptions): Promise<WrittenBlob> {
    const id = this.#random.bytes(16).toString("hex");
    const staged = join(this.#staging, id);
    const gathered: Buffer[] = [];
    let size = 0;
    let pumped: PumpBody | undefined;
    const limit = (options.sizeHint ?? 0) > SMALL_BODY_BYTES_MAX ? 0 : SMALL_BODY_BYTES_MAX;
    try {
      // A body whose size is known is not begun when it cannot end.
      const room = this.#space.begin(options.sizeHint ?? 0);
      if (room !== undefined) await room;
      for await (const chunk of body) {
        size += chunk.length;
        const more = this.#space.take(chunk.length);
        if (more !== undefined) await more;
        if (pumped === undefined && size <= limit) {
          gathered.push(options.lent === true ? Buffer.from(chunk) : chunk);
          continue;
        }
        if (pumped === undefined) {
          pumped = this.#pump.open(staged, options);
          for (const earlier of gathered.splice(0)) await pumpInto(pumped, earlier);
        }
        const wait = pumpInto(pumped, chunk);
        if (wait !== undefined) await wait;
      }
      if (pumped === undefined) return await this.#finishSmall(id, staged, gathered, size, options);
      const { stamp, tableCrc, ...result } = await pumped.end().catch(rethrow);
      pumped = undefined;
      await this.#publish(staged, id);
      return { ...result, size, ref: { id, size: result.size, inline: false, stamp, tableCrc } };
    } catch (error) {
      await pumped?.abort();
      throw error;
    }
  }

  room(bytes: number): Promise<void> | undefined {
    const room = this.#space.begin(bytes);
    return room === undefined ? this.#space.take(bytes) : room.then(() => this.#space.take(bytes));
  }

  writeInline(bytes: Buffer, options: Pick<WriteOptions, "md5" | "sha256" | "checksum">): WrittenBlob | undefined {
    return bytes.length > this.#inlineMax ? undefined : this.#inline([bytes], bytes.length, options);
  }

  inlineBytes(ref: BlobRef, row: Buffer | undefined): Buffer | undefined {
    return inlineState(ref, row) === "ok" && row !== undefined ? inlineBytes(row) : undefined;
  }

  #inline(pieces: readonly Buffer[], size: number, options: DigestOptions): WrittenBlob {
    const inlineRow = encodeInline(pieces, size);
    const ref = { id: this.#inlineIds.next(), size, inline: true };
    return { ...digestsOf(inlineBytes(inlineRow), options), size, ref, inlineRow };
  }

  async link(ref: BlobRef): Promise<BlobRef> {
    assert(!ref.inline, "only file blobs have a second name");
    // An answered copy of bytes that have rotted would be an answered write that is lost.
    const state = await this.examine(ref, true);
    if (state !== "ok") throw new BlobDamagedError(ref.id, state);
    const id = this.#random.bytes(16).toString("hex");
    try {
      await this.#named(id, (path) => this.#files.link(this.#path(ref.id), path), this.#path(ref.id));
      return { ...ref, id };
    } catch (error) {
      if (codeOf(error) === "ENOENT") throw new BlobDamagedError(ref.id, "missing");
      if (!NO_LINK_CODES.has(codeOf(error) ?? "")) throw asStoreError(error);
    }
    const options: WriteOptions = { sizeHint: SMALL_BODY_BYTES_MAX + 1, md5: false, sha256: false };
    return { ...ref, ...(await this.write(this.read(ref, 0, ref.size), options)).ref };
  }

  read(
    ref: BlobRef,
    start: number,
    end: number,
    inlineRow?: Buffer | undefined,
    lent?: boolean | undefined,
    sealKey?: Uint8Array | undefined,
  ): AsyncIterable<Buffer> {
    if (sealKey !== undefined) {
      if (ref.inline) return readSealedRow(sealKey, ref, start, end, inlineRow);
      const range = { ref, start, end, lent: lent === true };
      return readSealedFile(this.#opener, sealKey, this.#files, this.#path(ref.id), range);
    }
    assert(start >= 0 && start <= end && end <= ref.size, "a range within the blob");
    if (ref.inline) return readInline(ref, start, end, inlineRow);
    return readFile(this.#files, this.#path(ref.id), { ref, start, end, lent: lent === true });
  }

  async examine(ref: BlobRef, deep: boolean, inlineRow?: Buffer | undefined): Promise<BlobState> {
    if (ref.inline) return inlineState(ref, inlineRow);
    try {
      const stat = await this.#files.stat(this.#path(ref.id));
      if (stat.size !== fileLength(ref.size)) return "corrupt";
      if (!deep && ref.stamp === String(stat.mtimeNs)) return "ok";
      for await (const piece of this.read(ref, 0, ref.size)) assert(piece.length > 0, "pieces have bytes");
      return "ok";
    } catch (error) {
      const failure = readFailure(ref.id, error);
      if (failure instanceof BlobDamagedError) return failure.state;
      throw failure;
    }
  }

  async discard(blobId: string): Promise<void> {
    try {
      await this.#files.unlink(this.#path(blobId));
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw asStoreError(error);
    }
  }

  async *list(): AsyncGenerator<{ id: string; mtimeMs: number }> {
    for (const directory of (await this.#files.list(this.#blobs)).toSorted()) {
      if (!/^[0-9a-f]{2}$/.test(directory)) continue;
      for (const id of await this.#files.list(join(this.#blobs, directory))) {
        const stat = BLOB_ID.test(id) ? await this.#statIfThere(this.#path(id)) : undefined;
        // The time of the last change, not of the bytes: a fresh link to old bytes must count as young.
        if (stat !== undefined) yield { id, mtimeMs: stat.ctimeMs };
      }
    }
  }

  async emptyStaging(beforeMs: number): Promise<number> {
    let removed = 0;
    for (const name of await this.#files.list(this.#staging)) {
      const path = join(this.#staging, name);
      const stat = await this.#statIfThere(path);
      if (stat === undefined || stat.ctimeMs >= beforeMs) continue;
      // Published or given up by its writer since it was listed: the others still have to go.
      const gone = await this.#files.unlink(path).then(
        () => false,
        (error: unknown) => {
          if (codeOf(error) === "ENOENT") return true;
          throw error;
        },
      );
      if (!gone) removed++;
    }
    return removed;
  }

  low(): Promise<boolean> {
    return this.#space.low();
  }

  async close(): Promise<void> {
    await this.#opener?.close();
    await this.#pump.close();
  }

  #path(id: string): string {
    assert(BLOB_ID.test(id), "a blob id is 32 hex digits");
    return join(this.#blobs, id.slice(0, 2), id);
  }

  async #statIfThere(path: string): Promise<FileStat | undefined> {
    try {
      return await this.#files.stat(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  async #finishSmall(
    id: string,
    staged: string,
    pieces: Buffer[],
    size: number,
    options: WriteOptions,
  ): Promise<WrittenBlob> {
    if (options.sealKey !== undefined) {
      const plain = Buffer.concat(pieces, size);
      const stored = sealAtOnce(options.sealKey, plain);
      const { sealKey: _used, ...rest } = options;
      const none = { ...rest, md5: false, sha256: false, checksum: undefined };
      const { ref, inlineRow } = await this.#finishSmall(id, staged, [stored], stored.length, none);
      return { ...digestsOf(plain, options), size, ref, inlineRow };
    }
    if (size <= this.#inlineMax) return this.#inline(pieces, size, options);
    const file = encodeFile(pieces, size);
    const digests: Digests = digestsOf(file.subarray(0, size), options);
    const stamp = await this.#stage(staged, file).catch(rethrow);
    await this.#publish(staged, id);
    return { ...digests, size, ref: { id, size, inline: false, stamp, tableCrc: tableCrcOf(file) } };
  }

  async #stage(path: string, bytes: Buffer): Promise<string> {
    const file = await this.#files.create(path);
    try {
      await file.write(bytes);
      const stat = await file.sync();
      await file.close();
      return String(stat.mtimeNs);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.#files.unlink(path).catch(() => undefined);
      throw error;
    }
  }

  /** Gives a staged, synced file its name. Dies before the sync of the directory: garbage in staging or in blobs. */
  async #publish(staged: string, id: string): Promise<void> {
    try {
      await this.#named(id, (path) => this.#files.rename(staged, path), staged);
    } catch (error) {
      await this.#files.unlink(staged).catch(() => undefined);
      throw asStoreError(error);
    }
  }

  /** Makes the name `id` with `make` and syncs its directory, which is made again when somebody has removed it. */
  async #named(id: string, make: (path: string) => Promise<void>, source: string): Promise<void> {
    const path = this.#path(id);
    const directory = join(path, "..");
    try {
      await make(path);
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || (await this.#statIfThere(source)) === undefined) throw error;
      await this.#files.makeDirectory(directory);
      await this.#files.syncDirectory(this.#blobs);
      await make(path);
    }
    try {
      await this.#syncs.sync(directory);
    } catch (error) {
      await this.#files.unlink(path).catch(() => undefined);
      throw error;
    }
  }
}

/**
 * Ids of inline blobs ascend within a process, so that the rows of one commit lie side by side: a commit writes every
 * page of the index that it touches. Five bytes of the process, five that count, six of chance. File blobs' ids are of
 * chance alone: they spread over the directories.
 */
class InlineIds {
  readonly #random: Random;
  readonly #series: string;
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#series = random.bytes(5).toString("hex");
  }

  next(): string {
    const count = (this.#count++).toString(16).padStart(10, "0");
    return this.#series + count + this.#random.bytes(6).toString("hex");
  }
}

/** Failures of the file system become StoreErrors here, where they cannot be taken for those of the body. */
function pumpInto(pumped: PumpBody, chunk: Buffer): Promise<void> | undefined {
  return pumped.write(chunk)?.catch(rethrow);
}

function rethrow(error: unknown): never {
  throw asStoreError(error);
}

async function* readInline(ref: BlobRef, start: number, end: number, row: Buffer | undefined): AsyncGenerator<Buffer> {
  const state = inlineState(ref, row);
  if (state !== "ok" || row === undefined) throw new BlobDamagedError(ref.id, state === "ok" ? "missing" : state);
  const bytes = inlineBytes(row);
  for (let at = start; at < end; at += PIECE_BYTES) yield bytes.subarray(at, Math.min(at + PIECE_BYTES, end));
}

/** Opens the store in `directory`; a new one gets its 256 directories, synced. */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  const store = new FileBlobStore(options);
  if (options.readOnly !== true) await store.prepare(options.directory);
  return store;
}
