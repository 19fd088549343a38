/** Works off what gathers, round after round while there is something: rounds grow with the load by themselves. */
export class Drain {
  readonly #hasMore: () => boolean;
  readonly #round: () => Promise<void>;
  #running: Promise<void> | undefined;

  /** `round` takes at least one thing of what there is, and never rejects. */
  constructor(hasMore: () => boolean, round: () => Promise<void>) {
    this.#hasMore = hasMore;
    this.#round = round;
  }

  /** A round begins, or follows the one under way, if there is something. */
  start(): void {
    if (this.#hasMore()) this.#running ??= this.#run();
  }

  /** The end of the rounds under way; undefined: there are none. */
  get ended(): Promise<void> | undefined {
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#hasMore()) await this.#round();
    // In the turn that found nothing more: what is announced before somebody else cleared it would wait, maybe for ever.
    this.#running = undefined;
  }
}
