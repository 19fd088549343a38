/**
 * Simulated time: a queue of wake-ups. Between two of them everything that can run without waiting runs to its end,
 * which Node tells by reaching its check phase (`setImmediate`): no real timer, socket or file takes part in a run.
 */
import type { Clock } from "../runtime/clock.ts";
import type { Life } from "./life.ts";

const NS_PER_MS = 1_000_000;
/** Where simulated time begins, in ms since the epoch. */
const EPOCH_MS = Date.UTC(2025, 0, 1);

interface WakeUp {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** The promise under way cannot go on: nothing is left that could wake it. */
export class Stuck extends Error {
  override name = "Stuck";
}

export class SimTime {
  /** Nanoseconds since the start of the run. */
  now = 0;
  #order = 0;
  readonly #heap: WakeUp[] = [];

  /** Runs `run` after `ms` (fractions are fine). Returns the way to call it off. */
  after(ms: number, run: () => void): () => void {
    let wanted = true;
    this.#push({
      at: this.now + Math.max(0, Math.round(ms * NS_PER_MS)),
      order: this.#order++,
      run: () => wanted && run(),
    });
    return () => {
      wanted = false;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Milliseconds since the start of the run. */
  get nowMs(): number {
    return this.now / NS_PER_MS;
  }

  /** Lets time pass until `work` has settled. Rejects with Stuck when it waits for something that never comes. */
  async drive<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const end = (): void => {
      settled = true;
    };
    work.then(end, end);
    for (;;) {
      await idle();
      if (settled) return work;
      if (!this.#advance()) throw new Stuck("nothing is left that could happen");
    }
  }

  /** Goes to the next moment at which something happens, and lets it happen. */
  #advance(): boolean {
    const first = this.#pop();
    if (first === undefined) return false;
    this.now = first.at;
    first.run();
    while (this.#heap[0]?.at === first.at) this.#pop()?.run();
    return true;
  }

  #push(item: WakeUp): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent] as WakeUp, item)) break;
      heap[at] = heap[parent] as WakeUp;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): WakeUp | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as WakeUp, heap[child] as WakeUp)) child++;
      if (before(last, heap[child] as WakeUp)) break;
      heap[at] = heap[child] as WakeUp;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

const before = (a: WakeUp, b: WakeUp): boolean => (a.at === b.at ? a.order < b.order : a.at < b.at);

/** Resolves when everything that could run has run. */
const idle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** How the clock of one site differs from the true time; nemeses change it while the site runs. */
export interface Skew {
  ms: number;
  /** Times are told in steps of so many ns: coarse clocks give several sites the same time. */
  readonly stepNs: number;
}

/** What a site's clock shows, ms since the Unix epoch. */
export const wallMs = (time: SimTime, skew: Skew): number => Math.floor(EPOCH_MS + time.nowMs + skew.ms);

/** The clock of one process; the waits of a dead one never end. */
export function simClock(time: SimTime, skew: Skew, life: Life): Clock {
  let last = 0n;
  const nowMs = (): number => wallMs(time, skew);
  return {
    nowMs,
    nowNs() {
      const step = BigInt(skew.stepNs);
      const exact = BigInt(EPOCH_MS) * 1_000_000n + BigInt(time.now) + BigInt(Math.round(skew.ms * NS_PER_MS));
      const told = (exact / step) * step;
      last = told > last ? told : last + 1n;
      return last;
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (!life.alive) return;
        if (signal?.aborted) return resolve();
        // The dead must let go of their signals too: Node keeps a combined signal as long as somebody listens to it.
        const forget = (): void => {
          callOff();
          forgetLife();
          signal?.removeEventListener("abort", done);
        };
        const done = (): void => {
          forget();
          resolve();
        };
        const forgetLife = life.onDeath(forget);
        const callOff = time.after(ms, done);
        signal?.addEventListener("abort", done, { once: true });
      }),
  };
}
