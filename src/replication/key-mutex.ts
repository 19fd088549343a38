/**
 * One at a time for each name. The queue of a target and a resync may reach the same version together; a delete marker
 * that both found absent and both sent would be gone again at a MinIO target (replication.md 3.7).
 */
export class KeyMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` after everything that was asked for under the same name before it. */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const mine = before === undefined ? work() : before.then(work, work);
    this.#last.set(name, mine);
    const forget = (): void => {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    };
    mine.then(forget, forget);
    return mine;
  }
}
