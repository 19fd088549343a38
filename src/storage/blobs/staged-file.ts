/**
 * The staged file of a large body, appended to by the thread pool. It is written past the page cache where the file system
 * can (open(2), `O_DIRECT`): copying every byte into fresh pages costs several times the CPU of the write itself, and
 * pushes out of the cache what is read. Direct writes are whole blocks from aligned memory: pieces that are neither, and
 * the file's end, go through a block-aligned memory of the file's own.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncate,
  openSync,
  unlinkSync,
  writev,
  type NoParamCallback,
} from "node:fs";
import { alignedMemory } from "../../runtime/aligned-memory.ts";
import { DIRECT_BLOCK_BYTES, FLUSH_EVERY_BYTES, GATHER_BYTES } from "../limits.ts";
import { codeOf } from "./files.ts";

/** A piece of the body; `done` is called in a later turn, when its bytes are the caller's again. */
interface Piece {
  bytes: Uint8Array;
  readonly done: () => void;
}

/** Memory in which pieces are gathered, not in use now: one for each file that needed it at the same time. */
const gatherers: Uint8Array[] = [];
const GATHERERS_KEPT = 8;

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
/** Absent where there is no direct I/O (macOS). */
const DIRECT: number | undefined = constants.O_DIRECT;

/** What `bytes` has behind its first `count` bytes. */
function behind(bytes: readonly Uint8Array[], count: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  let skip = count;
  for (const piece of bytes) {
    if (skip < piece.length) out.push(piece.subarray(skip));
    skip = Math.max(0, skip - piece.length);
  }
  return out;
}

const isWhole = ({ bytes }: Piece): boolean =>
  bytes.byteOffset % DIRECT_BLOCK_BYTES === 0 && bytes.length % DIRECT_BLOCK_BYTES === 0;

/** One file, written in order, one write under way. After a failure, told once, pieces are given back unwritten. */
export class StagedFile {
  readonly #path: string;
  readonly #told: (error: unknown) => void;
  #fd: number | undefined;
  #direct: boolean;
  #failed = false;
  readonly #queue: Piece[] = [];
  /** Of the queue: what the write under way holds to its end. */
  #writing: Piece[] = [];
  /** Where the next write goes. */
  #position = 0;
  #busy = false;
  #gatherer: Uint8Array | undefined;
  /** Bytes at the start of the gatherer that belong at `#position`: less than a block. */
  #carried = 0;
  #unflushed = 0;
  #whenIdle: (() => void) | undefined;

  /** Makes the file. `failed`: told of the first failure after that. Errors: those of Node's `fs`. */
  constructor(path: string, failed: (error: unknown) => void) {
    this.#path = path;
    this.#told = failed;
    this.#direct = DIRECT !== undefined;
    try {
      this.#fd = openSync(path, NEW_FILE | (DIRECT ?? 0), 0o600);
    } catch (error) {
      if (!this.#direct || codeOf(error) !== "EINVAL") throw error;
      this.#direct = false;
      // The name may have been made before the flag was refused.
      this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    }
  }

  /** Appends `bytes`, which must stay as they are until `done`. */
  append(bytes: Uint8Array, done: () => void): void {
    this.#queue.push({ bytes, done });
    if (!this.#busy) this.#next();
  }

  /** All is on disk, and the file closed, when `then` is called with its mtime; never after a failure. */
  finish(then: (mtimeNs: bigint) => void): void {
    this.#idle(() => {
      this.#busy = true;
      if (this.#failed) return this.#rest();
      const end = this.#guard(() => {
        const { mtimeNs } = fstatSync(this.#fd as number, { bigint: true });
        this.#close();
        then(mtimeNs);
      });
      this.#writeCarried(() => fdatasync(this.#fd as number, end));
    });
  }

  /** Removes the file. What cannot be removed is garbage in the staging directory, which is emptied later. */
  abandon(then: () => void): void {
    this.#failed = true;
    this.#idle(() => {
      try {
        this.#close();
        unlinkSync(this.#path);
      } catch {
        // See above.
      }
      then();
    });
  }

  /** The next write, or rest. */
  #next(): void {
    this.#busy = true;
    if (this.#failed) for (const piece of [...this.#writing.splice(0), ...this.#queue.splice(0)]) piece.done();
    if (this.#queue.length === 0) return this.#rest();
    const ready = this.#carried > 0 ? 0 : this.#queue.findIndex((piece) => this.#direct && !isWhole(piece));
    if (ready === 0) return this.#gather();
    this.#writing = this.#queue.splice(0, ready === -1 ? this.#queue.length : ready);
    const bytes = this.#writing.map((piece) => piece.bytes);
    this.#write(bytes, () => this.#written());
  }

  /** Copies what waits behind what was carried, and writes the whole blocks of it. */
  #gather(): void {
    const memory = (this.#gatherer ??= gatherers.pop() ?? new Uint8Array(alignedMemory(GATHER_BYTES)));
    let filled = this.#carried;
    for (let head = this.#queue[0]; head !== undefined && filled < memory.length; head = this.#queue[0]) {
      const part = head.bytes.subarray(0, memory.length - filled);
      memory.set(part, filled);
      filled += part.length;
      head.bytes = head.bytes.subarray(part.length);
      if (head.bytes.length > 0) break;
      this.#writing.push(head);
      this.#queue.shift();
    }
    const whole = filled - (filled % DIRECT_BLOCK_BYTES);
    const carry = (): void => {
      memory.copyWithin(0, whole, filled);
      this.#carried = filled - whole;
      this.#written();
    };
    // In a turn of its own also when nothing is written: the caller may still be reading the pieces.
    if (whole === 0) setImmediate(carry);
    else this.#write([memory.subarray(0, whole)], carry);
  }

  #written(): void {
    for (const piece of this.#writing.splice(0)) piece.done();
    if (this.#unflushed >= FLUSH_EVERY_BYTES && !this.#direct) this.#flush();
    else this.#next();
  }

  /** The rest that fills no block: a whole one is written, and cut off. */
  #writeCarried(then: () => void): void {
    if (this.#carried === 0) return then();
    const size = this.#position + this.#carried;
    const block = (this.#gatherer as Uint8Array).subarray(0, DIRECT_BLOCK_BYTES);
    block.fill(0, this.#carried);
    this.#write([block], () => ftruncate(this.#fd as number, size, this.#guard(then)));
  }

  /** Writes all of `bytes` at `#position`, then goes on with `then`; a failure ends it all. */
  #write(bytes: readonly Uint8Array[], then: () => void): void {
    writev(this.#fd as number, bytes, this.#position, (error, written) => {
      if (error !== null) return this.#refused(error, () => this.#write(bytes, then));
      this.#position += written;
      this.#unflushed += written;
      const left = behind(bytes, written);
      if (left.length === 0) then();
      else this.#write(left, then);
    });
  }

  /** A write failed: once it is tried through the page cache, should memory or file system be unfit for direct ones. */
  #refused(error: unknown, again: () => void): void {
    try {
      if (!this.#direct || codeOf(error) !== "EINVAL") throw error;
      this.#direct = false;
      closeSync(this.#fd as number);
      this.#fd = undefined;
      this.#fd = openSync(this.#path, constants.O_WRONLY);
    } catch (failure) {
      this.#fail(failure);
      return this.#next();
    }
    again();
  }

  /** Starts the way to disk early: the last sync finds little to do, and dirty pages do not pile up. */
  #flush(): void {
    this.#unflushed = 0;
    fdatasync(this.#fd as number, (error) => {
      if (error !== null) this.#fail(error);
      this.#next();
    });
  }

  /** Runs `then` when no write is under way and none waits. */
  #idle(then: () => void): void {
    this.#whenIdle = then;
    if (!this.#busy) this.#rest();
  }

  #rest(): void {
    this.#busy = false;
    const then = this.#whenIdle;
    this.#whenIdle = undefined;
    then?.();
  }

  /** `then`, unless the step before failed or the file was given up meanwhile. */
  #guard(then: () => void): NoParamCallback {
    return (error) => {
      try {
        if (error !== null) throw error;
        if (this.#failed) this.#rest();
        else then();
      } catch (failure) {
        this.#fail(failure);
        this.#rest();
      }
    };
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#told(error);
  }

  #close(): void {
    if (this.#gatherer !== undefined && gatherers.length < GATHERERS_KEPT) gatherers.push(this.#gatherer);
    this.#gatherer = undefined;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
