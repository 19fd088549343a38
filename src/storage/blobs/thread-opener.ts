/**
 * A thread that opens sealed packages while the piece before is sent: a process that serves on one thread would do both in
 * turn. One is enough: it opens twice as much as the serving thread can send.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { assert } from "../../runtime/assert.ts";
import { FREE_PIECES_MAX, PIECE_MEMORY_BYTES, SMALL_BODY_BYTES_MAX } from "../limits.ts";
import type { FromOpener, ToOpener } from "./opener-messages.ts";
import { Opener } from "./seal.ts";

/** Packages to open. */
export interface OpenJob extends Pick<ToOpener, "key" | "position" | "closes"> {
  /** In memory of the opener. */
  readonly stored: Buffer;
}

interface Waiting {
  readonly resolve: (good: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** The way to another thread and back takes longer than opening little. */
export const isWorthTheWay = (stored: number): boolean => stored > SMALL_BODY_BYTES_MAX;

class OpenerThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  ended = false;

  constructor() {
    // The same extension as this file: `.ts` from the source tree, `.js` from the built one.
    this.#worker = new Worker(new URL(`./opener-thread${extname(import.meta.url)}`, import.meta.url));
    this.#worker.unref();
    this.#worker.on("message", (answer: FromOpener) => this.#settle(answer));
    this.#worker.on("error", (error: unknown) => this.#end(error));
    this.#worker.on("exit", () => this.#end(undefined));
  }

  open({ stored, ...job }: OpenJob): Promise<boolean> {
    const { buffer, byteOffset, length } = stored;
    assert(buffer instanceof SharedArrayBuffer && byteOffset === 0, "memory of an opener");
    const number = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ ...job, job: number, memory: buffer, length } satisfies ToOpener);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle({ job, good }: FromOpener): void {
    const waiting = this.#waiting.get(job);
    this.#waiting.delete(job);
    if (this.#waiting.size === 0) this.#worker.unref();
    waiting?.resolve(good);
  }

  #end(cause: unknown): void {
    this.ended = true;
    for (const { reject } of this.#waiting.values()) reject(new Error("the opening thread ended", { cause }));
    this.#waiting.clear();
  }
}

/** The thread is started when it is first needed. */
export class ThreadOpener {
  #thread: OpenerThread | undefined;
  readonly #free: Buffer[] = [];

  /** Memory for one piece. */
  borrow(): Buffer {
    return this.#free.pop() ?? this.memory(PIECE_MEMORY_BYTES);
  }

  /** Memory that `borrow` gave out. */
  giveBack(memory: Buffer): void {
    if (this.#free.length < FREE_PIECES_MAX) this.#free.push(memory);
  }

  /** Memory of so many bytes that `open` can work on. */
  memory(bytes: number): Buffer {
    return Buffer.from(new SharedArrayBuffer(bytes)) as Buffer as Buffer<ArrayBuffer>;
  }

  /** Opens packages where they lie. False: they are not what was sealed, and `stored` holds nothing of use. */
  async open(job: OpenJob): Promise<boolean> {
    if (!isWorthTheWay(job.stored.length)) {
      return new Opener(job.key).inPlace(job.stored, job.position, job.closes) !== undefined;
    }
    if (this.#thread?.ended !== false) this.#thread = new OpenerThread();
    return this.#thread.open(job);
  }

  async close(): Promise<void> {
    await this.#thread?.stop();
    this.#thread = undefined;
  }
}
