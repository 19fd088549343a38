/** The calling thread's side of the opening threads. */
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { assert } from "../../runtime/assert.ts";
import { FREE_PIECES_MAX, OPENER_THREADS_MAX, PIECE_MEMORY_BYTES, SMALL_BODY_BYTES_MAX } from "../limits.ts";
import type { FromOpener, ToOpener } from "./opener-messages.ts";
import { openNow, type OpenJob, type PackageOpener } from "./opener.ts";

interface Waiting {
  readonly resolve: (good: boolean) => void;
  readonly reject: (error: Error) => void;
}

class OpenerThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  ended = false;

  constructor() {
    // The same extension as this file: `.ts` from the source tree, `.js` from the built one.
    this.#worker = new Worker(new URL(`./opener-thread${extname(import.meta.url)}`, import.meta.url));
    this.#worker.unref();
    this.#worker.on("message", ({ job, good }: FromOpener) => this.#take(job)?.resolve(good));
    this.#worker.on("error", (error: unknown) => this.#end(error));
    this.#worker.on("exit", () => this.#end(undefined));
  }

  get load(): number {
    return this.#waiting.size;
  }

  open({ key, first, sealed, out, closes }: OpenJob): Promise<boolean> {
    const job = this.#next++;
    const message: ToOpener = {
      job,
      key,
      first,
      sealed: shared(sealed),
      sealedLength: sealed.length,
      out: shared(out),
      outLength: out.length,
      closes,
    };
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(job, { resolve, reject });
      this.#worker.postMessage(message);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #take(job: number): Waiting | undefined {
    const waiting = this.#waiting.get(job);
    this.#waiting.delete(job);
    if (this.#waiting.size === 0) this.#worker.unref();
    return waiting;
  }

  #end(cause: unknown): void {
    this.ended = true;
    for (const { reject } of this.#waiting.values()) reject(new Error("the opening thread ended", { cause }));
    this.#waiting.clear();
  }
}

/** The memory of a buffer that `borrow` gave out: it begins there. */
function shared(bytes: Buffer): SharedArrayBuffer {
  assert(bytes.buffer instanceof SharedArrayBuffer && bytes.byteOffset === 0, "memory of this opener");
  return bytes.buffer;
}

class ThreadOpener implements PackageOpener {
  readonly #threadsMax = Math.min(OPENER_THREADS_MAX, availableParallelism());
  #threads: OpenerThread[] = [];
  readonly #free: Buffer[] = [];

  borrow(): Buffer {
    return (
      this.#free.pop() ?? (Buffer.from(new SharedArrayBuffer(PIECE_MEMORY_BYTES)) as Buffer as Buffer<ArrayBuffer>)
    );
  }

  giveBack(memory: Buffer): void {
    if (this.#free.length < FREE_PIECES_MAX) this.#free.push(memory);
  }

  open(job: OpenJob): Promise<boolean> {
    // The way there and back takes longer than opening so little.
    if (job.sealed.length <= SMALL_BODY_BYTES_MAX) return Promise.resolve(openNow(job));
    return this.#thread().open(job);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
    this.#threads = [];
  }

  /** The least loaded thread; a new one while all have work and there may be more. */
  #thread(): OpenerThread {
    this.#threads = this.#threads.filter((thread) => !thread.ended);
    const least = this.#threads.toSorted((a, b) => a.load - b.load)[0];
    if (least !== undefined && (least.load === 0 || this.#threads.length >= this.#threadsMax)) return least;
    const thread = new OpenerThread();
    this.#threads.push(thread);
    return thread;
  }
}

/** An opener on threads of its own; each is started when it is first needed. */
export function threadOpener(): PackageOpener {
  return new ThreadOpener();
}
