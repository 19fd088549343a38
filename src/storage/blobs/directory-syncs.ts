/** Syncs of directories, shared by writers that ask at the same time. */
import type { FileLayer } from "./files.ts";

interface State {
  running: Promise<void>;
  /** Starts after the running one: for those whose name was made after that had begun. */
  next: Promise<void> | undefined;
}

export class DirectorySyncs {
  readonly #files: FileLayer;
  readonly #states = new Map<string, State>();

  constructor(files: FileLayer) {
    this.#files = files;
  }

  /** Resolves when every name made in `directory` before the call is on disk. */
  sync(directory: string): Promise<void> {
    const state = this.#states.get(directory);
    if (state === undefined) {
      const fresh: State = { running: Promise.resolve(), next: undefined };
      this.#states.set(directory, fresh);
      return this.#start(directory, fresh);
    }
    state.next ??= state.running.then(
      () => this.#start(directory, state),
      () => this.#start(directory, state),
    );
    return state.next;
  }

  #start(directory: string, state: State): Promise<void> {
    state.next = undefined;
    this.#states.set(directory, state);
    const done = (): void => {
      if (state.next === undefined) this.#states.delete(directory);
    };
    state.running = this.#files.syncDirectory(directory);
    state.running.then(done, done);
    return state.running;
  }
}
