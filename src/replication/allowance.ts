/** So many a second, and only a few at once: a token bucket that is asked, and keeps nobody waiting. */
import type { Clock } from "../runtime/clock.ts";

export class Allowance {
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #perSecond: number;
  readonly #most: number;
  #tokens: number;
  #filledMs: number;

  constructor(clock: Pick<Clock, "nowMs">, perSecond: number, most: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#most = most;
    this.#tokens = most;
    this.#filledMs = clock.nowMs();
  }

  /** How many there may be now. A clock that is stepped back gives nothing, and takes nothing. */
  get left(): number {
    const nowMs = this.#clock.nowMs();
    const more = ((nowMs - this.#filledMs) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#tokens + Math.max(more, 0), this.#most);
    this.#filledMs = nowMs;
    return Math.floor(this.#tokens);
  }

  take(count: number): void {
    this.#tokens -= count;
  }
}
