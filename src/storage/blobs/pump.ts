/**
 * Large bodies: no hashing and no file I/O on the event loop. Incoming pieces are copied into slabs of shared memory;
 * hashing threads take full slabs, hash them and write them. A body has a few slabs at most, so its size never matters.
 */
import { Worker } from "node:worker_threads";
import { PUMP_THREADS_MAX, SLAB_BYTES, SLABS_IN_FLIGHT_MAX, SLABS_PER_BODY_MAX } from "../limits.ts";
import type { OpenFile } from "./files.ts";
import { BlobEncoder, type Digests, type HashPlan } from "./format.ts";

export interface Slab {
  readonly id: number;
  readonly memory: SharedArrayBuffer;
  readonly bytes: Buffer;
}

/** To the thread. */
export type PumpRequest =
  | { readonly kind: "start"; readonly job: number; readonly fd: number; readonly plan: HashPlan }
  | { readonly kind: "slab"; readonly job: number; readonly slab: number; readonly memory: SharedArrayBuffer; readonly length: number }
  | { readonly kind: "finish"; readonly job: number }
  | { readonly kind: "drop"; readonly job: number };

/** From the thread. */
export type PumpReply =
  | { readonly kind: "free"; readonly job: number; readonly slab: number; readonly error?: { message: string; code?: string | undefined } | undefined }
  | { readonly kind: "finished"; readonly job: number; readonly size: number; readonly digests: Digests; readonly error?: { message: string; code?: string | undefined } | undefined };

/** One body on its way into one file. */
export interface BodySink {
  /** A free slab to fill; waits while the body has too many in flight. Throws when writing failed. */
  slab(): Promise<Slab> | Slab;
  /** Hands a filled slab over; whole blocks, except for the last. */
  push(slab: Slab, length: number): void;
  /** After the last slab: table and footer are written; the caller syncs the file. */
  finish(): Promise<{ size: number; digests: Digests }>;
  /** The body failed: nothing more will come. */
  drop(): Promise<void>;
}

interface Job {
  inFlight: number;
  error: Error | undefined;
  wake: (() => void) | undefined;
  finished: ((reply: Extract<PumpReply, { kind: "finished" }>) => void) | undefined;
}

function failure(error: { message: string; code?: string | undefined }): Error {
  return Object.assign(new Error(error.message), error.code === undefined ? {} : { code: error.code });
}

export class Pump {
  readonly #threads: Worker[] = [];
  readonly #jobs = new Map<number, Job>();
  readonly #free: Slab[] = [];
  readonly #lent = new Map<number, Slab>();
  #nextJob = 1;
  #nextSlab = 1;

  /** A sink for a real file. */
  open(file: OpenFile & { fd: number }, plan: HashPlan): BodySink {
    const id = this.#nextJob++;
    const thread = this.#thread(id);
    const job: Job = { inFlight: 0, error: undefined, wake: undefined, finished: undefined };
    this.#jobs.set(id, job);
    thread.ref(); // an idle thread keeps no process alive, a working one does
    const end = (): void => {
      this.#jobs.delete(id);
      if (this.#jobs.size === 0) for (const idle of this.#threads) idle.unref();
    };
    const send = (request: PumpRequest): void => thread.postMessage(request);
    send({ kind: "start", job: id, fd: file.fd, plan });
    const idle = (most: number): Promise<void> => new Promise((go) => (job.inFlight <= most ? go() : (job.wake = () => job.inFlight <= most && go())));
    return {
      slab: () => {
        if (job.error !== undefined) throw job.error;
        if (job.inFlight < SLABS_PER_BODY_MAX) return this.#take();
        return idle(SLABS_PER_BODY_MAX - 1).then(() => {
          if (job.error !== undefined) throw job.error;
          return this.#take();
        });
      },
      push: (slab, length) => {
        job.inFlight++;
        this.#lent.set(slab.id, slab);
        send({ kind: "slab", job: id, slab: slab.id, memory: slab.memory, length });
      },
      finish: async () => {
        const reply = await new Promise<Extract<PumpReply, { kind: "finished" }>>((done) => {
          job.finished = done;
          send({ kind: "finish", job: id });
        });
        end();
        if (job.error !== undefined) throw job.error;
        if (reply.error !== undefined) throw failure(reply.error);
        return { size: reply.size, digests: reply.digests };
      },
      drop: async () => {
        // The file must not be closed while the thread may still write to its descriptor.
        await idle(0);
        send({ kind: "drop", job: id });
        end();
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
    this.#threads.length = 0;
  }

  #take(): Slab {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const memory = new SharedArrayBuffer(SLAB_BYTES);
    return { id: this.#nextSlab++, memory, bytes: Buffer.from(memory) };
  }

  /** Gives back a slab that was taken and not pushed. */
  giveBack(slab: Slab): void {
    if (this.#free.length < SLABS_IN_FLIGHT_MAX) this.#free.push(slab);
  }

  #thread(job: number): Worker {
    const index = job % PUMP_THREADS_MAX;
    const known = this.#threads[index];
    if (known !== undefined) return known;
    // Threads are started in order; the other one is not there yet.
    const at = Math.min(index, this.#threads.length);
    const existing = this.#threads[at];
    if (existing !== undefined) return existing;
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const thread = new Worker(new URL(`./pump-thread.${extension}`, import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } });
    thread.on("message", (reply: PumpReply) => this.#replied(reply));
    thread.on("error", (error) => this.#died(error instanceof Error ? error : new Error(String(error))));
    thread.unref();
    this.#threads[at] = thread;
    return thread;
  }

  #replied(reply: PumpReply): void {
    const job = this.#jobs.get(reply.job);
    if (reply.kind === "finished") {
      job?.finished?.(reply);
      return;
    }
    const slab = this.#lent.get(reply.slab);
    this.#lent.delete(reply.slab);
    if (slab !== undefined) this.giveBack(slab);
    if (job === undefined) return;
    job.inFlight--;
    if (reply.error !== undefined) job.error ??= failure(reply.error);
    job.wake?.();
  }

  /** A hashing thread ended: every body under way fails, the next one starts a new thread. */
  #died(error: Error): void {
    this.#threads.length = 0;
    for (const [id, job] of this.#jobs) {
      job.error ??= error;
      job.inFlight = 0;
      job.wake?.();
      job.finished?.({ kind: "finished", job: id, size: 0, digests: {} });
    }
  }
}

/** The same on the calling thread, for a file layer that is not the real one. */
export function inlineSink(file: OpenFile, plan: HashPlan): BodySink {
  const encoder = new BlobEncoder(plan);
  let queue: Promise<void> = Promise.resolve();
  let failed: Error | undefined;
  const memory = new SharedArrayBuffer(0);
  return {
    slab: () => ({ id: 0, memory, bytes: Buffer.alloc(SLAB_BYTES) }),
    push(slab, length) {
      const bytes = slab.bytes.subarray(0, length);
      const position = encoder.size;
      encoder.update(bytes);
      queue = queue.then(() => file.write(bytes, position)).catch((error: Error) => void (failed ??= error));
    },
    async finish() {
      await queue;
      if (failed !== undefined) throw failed;
      await file.write(encoder.tail(), encoder.size);
      return { size: encoder.size, digests: encoder.digests() };
    },
    drop: () => queue,
  };
}
