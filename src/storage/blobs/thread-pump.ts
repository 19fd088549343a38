/**
 * The calling thread's side of the pump threads. It only copies bytes into slabs of shared memory; hashing and writing
 * are elsewhere. The slabs in flight are bounded for a body and for all, so memory does not grow with the objects.
 */
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { alignedMemory } from "../../runtime/aligned-memory.ts";
import {
  CORES_PER_PUMP_THREAD,
  PUMP_THREADS_MAX,
  SLAB_BYTES,
  SLABS_PER_MEMORY,
  SLABS_IN_FLIGHT_MAX,
  SLABS_PER_BODY_MAX,
} from "../limits.ts";
import type { DigestOptions } from "./digests.ts";
import type { FromPump, ToPump } from "./pump-messages.ts";
import type { Pump, PumpBody, PumpedFile } from "./pump.ts";

/** Slabs that are not in use, and who waits for one to come back. */
class Slabs {
  readonly #free: Uint8Array[] = [];
  #waiting: (() => void)[] = [];
  inFlight = 0;

  /** Aligned as direct writes need it. */
  take(): Uint8Array {
    if (this.#free.length === 0) {
      const memory = alignedMemory(SLABS_PER_MEMORY * SLAB_BYTES);
      for (let i = 0; i < SLABS_PER_MEMORY; i++) this.#free.push(new Uint8Array(memory, i * SLAB_BYTES, SLAB_BYTES));
    }
    return this.#free.pop() as Uint8Array;
  }

  giveBack(slab: Uint8Array): void {
    if (this.#free.length < SLABS_IN_FLIGHT_MAX) this.#free.push(slab);
  }

  /** Resolves when a slab has come back, or a body has failed: look again. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** One thread and the bodies on it. */
class PumpThread {
  readonly #worker: Worker;
  readonly #bodies = new Map<number, ThreadBody>();
  #nextBody = 1;
  /** Set when the thread ended: it takes no more bodies. */
  ended = false;

  constructor() {
    // The same extension as this file: `.ts` from the source tree, `.js` from the built one.
    this.#worker = new Worker(new URL(`./pump-thread${extname(import.meta.url)}`, import.meta.url));
    this.#worker.unref();
    this.#worker.on("message", (message: FromPump) => this.#bodies.get(message.body)?.told(message));
    this.#worker.on("error", (error: unknown) => this.#end(error));
    this.#worker.on("exit", () => this.#end(new Error("the pump thread ended")));
  }

  get load(): number {
    return this.#bodies.size;
  }

  add(body: ThreadBody): number {
    const id = this.#nextBody++;
    this.#bodies.set(id, body);
    this.#worker.ref();
    return id;
  }

  remove(id: number): void {
    this.#bodies.delete(id);
    if (this.#bodies.size === 0) this.#worker.unref();
  }

  say(message: ToPump): void {
    this.#worker.postMessage(message);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #end(error: unknown): void {
    this.ended = true;
    for (const body of this.#bodies.values()) body.lost(error);
  }
}

class ThreadBody implements PumpBody {
  readonly #thread: PumpThread;
  readonly #slabs: Slabs;
  readonly #id: number;
  readonly #inFlight = new Map<number, Uint8Array>();
  #slabsSent = 0;
  #slab: Uint8Array | undefined;
  #filled = 0;
  #failure: Error | undefined;
  #gone = false;
  #finished: { resolve: (file: PumpedFile) => void; reject: (error: unknown) => void } | undefined;
  #aborted: (() => void) | undefined;

  constructor(thread: PumpThread, slabs: Slabs, path: string, options: DigestOptions) {
    this.#thread = thread;
    this.#slabs = slabs;
    this.#id = thread.add(this);
    thread.say({ kind: "open", body: this.#id, path, options });
  }

  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const taken = this.#copy(chunk);
    return taken === chunk.length && this.#filled < SLAB_BYTES ? undefined : this.#writeRest(chunk, taken);
  }

  async end(): Promise<PumpedFile> {
    await this.#send();
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      this.#finished = { resolve, reject };
      this.#thread.say({ kind: "end", body: this.#id });
    });
  }

  async abort(): Promise<void> {
    if (this.#slab !== undefined) this.#slabs.giveBack(this.#slab);
    this.#slab = undefined;
    if (this.#gone) return;
    const aborted = new Promise<void>((resolve) => (this.#aborted = resolve));
    this.#thread.say({ kind: "abort", body: this.#id });
    await aborted;
  }

  told(message: FromPump): void {
    switch (message.kind) {
      case "freed":
        return this.#freed(message.slab);
      case "done":
        this.#leave();
        return this.#finished?.resolve(message.file);
      case "aborted":
        this.#leave();
        return this.#aborted?.();
      case "failed":
        return this.#fail(Object.assign(new Error(message.message), { code: message.code }));
    }
  }

  lost(error: unknown): void {
    for (const slab of this.#inFlight.keys()) this.#freed(slab);
    this.#leave();
    this.#fail(new Error("the pump thread ended", { cause: error }));
    this.#aborted?.();
  }

  async #writeRest(chunk: Buffer, from: number): Promise<void> {
    let at = from;
    for (;;) {
      if (this.#filled === SLAB_BYTES) await this.#send();
      if (at === chunk.length) return;
      at += this.#copy(chunk.subarray(at));
    }
  }

  #copy(bytes: Buffer): number {
    if (this.#slab === undefined) {
      this.#slab = this.#slabs.take();
      this.#filled = 0;
    }
    const copied = bytes.copy(this.#slab, this.#filled);
    this.#filled += copied;
    return copied;
  }

  /** Hands the slab over when there is room for it. */
  async #send(): Promise<void> {
    const isFull = (): boolean =>
      this.#inFlight.size >= SLABS_PER_BODY_MAX || this.#slabs.inFlight >= SLABS_IN_FLIGHT_MAX;
    while (this.#failure === undefined && isFull()) await this.#slabs.changed();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#slab === undefined) return;
    const slab = { number: this.#slabsSent++, bytes: this.#slab.subarray(0, this.#filled) };
    this.#inFlight.set(slab.number, this.#slab);
    this.#slabs.inFlight++;
    this.#thread.say({ kind: "slab", body: this.#id, slab });
    this.#slab = undefined;
    this.#filled = 0;
  }

  #freed(number: number): void {
    const slab = this.#inFlight.get(number);
    if (slab === undefined) return;
    this.#inFlight.delete(number);
    this.#slabs.inFlight--;
    this.#slabs.giveBack(slab);
    this.#slabs.wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#finished?.reject(this.#failure);
    this.#slabs.wake();
  }

  #leave(): void {
    this.#gone = true;
    this.#thread.remove(this.#id);
  }
}

class ThreadPump implements Pump {
  readonly #slabs = new Slabs();
  readonly #threadsMax = Math.max(
    1,
    Math.min(PUMP_THREADS_MAX, Math.floor(availableParallelism() / CORES_PER_PUMP_THREAD)),
  );
  #threads: PumpThread[] = [];

  open(path: string, options: DigestOptions): PumpBody {
    return new ThreadBody(this.#thread(), this.#slabs, path, options);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
    this.#threads = [];
  }

  /** The least loaded thread; a new one while all have work and there may be more. */
  #thread(): PumpThread {
    this.#threads = this.#threads.filter((thread) => !thread.ended);
    const least = this.#threads.toSorted((a, b) => a.load - b.load)[0];
    if (least !== undefined && (least.load === 0 || this.#threads.length >= this.#threadsMax)) return least;
    const thread = new PumpThread();
    this.#threads.push(thread);
    return thread;
  }
}

/** A pump on threads of its own; each is started when it is first needed. */
export function threadPump(): Pump {
  return new ThreadPump();
}
