/**
 * One at a time for each name. The queue of a target and a resync may reach the same version together; a delete marker
 * that both found absent and both sent would be gone again at a MinIO target (replication.md 3.7).
 */
export class KeyMutex {
  readonly #last = new Map<string, Turn>();

  /** Runs `work` after everything that was asked for under the same name before it. */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)?.end;
    const mine = before === undefined ? work() : before.then(work, work);
    const turn: Turn = { end: mine };
    this.#last.set(name, turn);
    const forget = (): void => {
      turn.end = undefined;
      if (this.#last.get(name) === turn) this.#last.delete(name);
    };
    mine.then(forget, forget);
    return mine;
  }

  /** The same for many names at once. Calls wait only for earlier ones, so none waits in a circle. */
  runAll<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = new Set<Promise<unknown>>();
    for (const name of names) {
      const last = this.#last.get(name)?.end;
      if (last !== undefined) before.add(last);
    }
    const mine = before.size === 0 ? work() : Promise.allSettled(before).then(work);
    const turn: Turn = { end: mine };
    for (const name of names) this.#last.set(name, turn);
    const forget = (): void => {
      turn.end = undefined;
      for (const name of names) if (this.#last.get(name) === turn) this.#last.delete(name);
    };
    mine.then(forget, forget);
    return mine;
  }
}

/**
 * Work under way or waiting. Emptied at its end: the tables that a busy Map outgrows hold on to what was in them, each
 * to the next, until a full collection, and results of sends are large.
 */
interface Turn {
  end: Promise<unknown> | undefined;
}
