/** The life of one process: what it had begun never goes on after its death, and those who wait for it learn of it. */

export class Life {
  #alive = true;
  readonly #mourners = new Set<() => void>();

  get alive(): boolean {
    return this.#alive;
  }

  /** Calls `mourn` at the death. Returns the way to call it off. */
  onDeath(mourn: () => void): () => void {
    this.#mourners.add(mourn);
    return () => this.#mourners.delete(mourn);
  }

  end(): void {
    this.#alive = false;
    for (const mourn of this.#mourners) mourn();
    this.#mourners.clear();
  }
}

/** A promise that never settles: what a killed process waits for. */
export const never = <T>(): Promise<T> => new Promise(() => undefined);
