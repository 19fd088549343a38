/** Bounded concurrency over ordered work, with the low-water mark of what is finished. */

/** Finished slots are cleared away in runs of this many. */
const SLOTS_KEPT = 1024;
/**
 * Tasks that may have ended behind one that has not: one large object can take days, and what a million small ones behind
 * it came to is memory, and work to be done again after a crash.
 */
export const AHEAD_MAX = 65_536;

interface Slot<R> {
  readonly key: string;
  readonly tasks: number;
  readonly weight: number;
  result: R | undefined;
}

/**
 * Runs tasks as they are added, at most `maxTasks` and `maxWeight` at a time (one task may always run). Results are
 * handed to `onPrefix` in the order of adding, each as soon as every task before it is done: what a crash would lose is
 * only what comes after the last one handed over.
 */
export class OrderedPool<R> {
  readonly #limits: { readonly maxTasks: number; readonly maxWeight: number };
  readonly #onPrefix: (key: string, result: R) => void;
  readonly #slots: Slot<R>[] = [];
  #head = 0;
  #running = 0;
  #weight = 0;
  #failed: { error: unknown } | undefined;
  #notify: (() => void) | undefined;

  constructor(limits: { maxTasks: number; maxWeight: number }, onPrefix: (key: string, result: R) => void) {
    this.#limits = limits;
    this.#onPrefix = onPrefix;
  }

  /** Waits for room, then starts `task`, which counts as `tasks`. Rejects when an earlier task has failed. */
  async add(key: string, weight: number, task: () => Promise<R>, tasks = 1): Promise<void> {
    while (this.#running > 0 && this.#isFull(tasks, weight)) await this.#change();
    this.#throwIfFailed();
    const slot: Slot<R> = { key, tasks, weight, result: undefined };
    this.#slots.push(slot);
    this.#running += tasks;
    this.#weight += weight;
    void task().then(
      (result) => this.#ended(slot, result),
      (error: unknown) => {
        this.#failed ??= { error };
        this.#ended(slot, undefined);
      },
    );
  }

  #isFull(tasks: number, weight: number): boolean {
    const { maxTasks, maxWeight } = this.#limits;
    const ahead = this.#slots.length - this.#head;
    return this.#running + tasks > maxTasks || this.#weight + weight > maxWeight || ahead >= AHEAD_MAX;
  }

  #ended(slot: Slot<R>, result: R | undefined): void {
    slot.result = result;
    this.#running -= slot.tasks;
    this.#weight -= slot.weight;
    if (this.#failed === undefined) this.#advance();
    const notify = this.#notify;
    this.#notify = undefined;
    notify?.();
  }

  #advance(): void {
    for (;;) {
      const slot = this.#slots[this.#head];
      if (slot?.result === undefined) break;
      this.#onPrefix(slot.key, slot.result);
      this.#head++;
    }
    if (this.#head <= SLOTS_KEPT) return;
    this.#slots.splice(0, this.#head);
    this.#head = 0;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#notify;
      this.#notify = () => {
        before?.();
        resolve();
      };
    });
  }

  #throwIfFailed(): void {
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  /** Waits for everything that was added. Rejects with the first failure, once nothing runs any more. */
  async drain(): Promise<void> {
    while (this.#running > 0) await this.#change();
    this.#throwIfFailed();
  }
}
