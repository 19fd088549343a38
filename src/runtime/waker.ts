/** The pause of a background worker: it ends by itself, or sooner when somebody has work for it. */
import type { Clock } from "./clock.ts";

export interface Rounds {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Between two rounds, in ms; read after each. */
  readonly idleMs: () => number;
  readonly round: () => Promise<void>;
  /** Is told of a round that threw; the next one comes all the same. */
  readonly failed: (error: unknown) => void;
}

export class Waker {
  #woken = new AbortController();

  /** Ends the sleep under way; without one, the next: what is announced while the worker is at work is not overslept. */
  wake(): void {
    this.#woken.abort();
  }

  /** True: somebody woke it, or had done so since the last sleep. Never rejects. */
  async sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
    await clock.sleep(ms, AbortSignal.any([this.#woken.signal, signal]));
    const woken = this.#woken.signal.aborted;
    if (woken) this.#woken = new AbortController();
    return woken;
  }

  /** A round, a pause, a round, until `signal` aborts. Never rejects. */
  async repeat({ clock, signal, idleMs, round, failed }: Rounds): Promise<void> {
    while (!signal.aborted) {
      try {
        await round();
      } catch (error) {
        failed(error);
      }
      await this.sleep(clock, idleMs(), signal);
    }
  }
}
