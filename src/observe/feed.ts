/**
 * Items for whoever follows them right now, in this process or in another of the site. Nothing is kept, and while nobody
 * follows, publishing is one comparison: producers ask `active` before they make an item.
 */
import type { Clock } from "../runtime/clock.ts";

/** The way to the other processes of the site. */
export interface FeedLink<Item> {
  /** Somebody follows here until then (Unix ms). */
  announce(untilMs: number): void;
  send(item: Item): void;
}

/** A follower that ends without a word is believed to follow for so long. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
/** Items that wait for a slow follower; further ones are lost to it. */
const WAITING_MAX = 10_000;

export class Feed<Item extends object> {
  readonly #clock: Clock;
  readonly #followers = new Set<(item: Item) => void>();
  #remoteUntilMs = 0;
  /** Set by a site with several processes. */
  link: FeedLink<Item> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get active(): boolean {
    return this.#followers.size > 0 || this.#followedElsewhere;
  }

  get #followedElsewhere(): boolean {
    return this.#remoteUntilMs > 0 && this.#remoteUntilMs > this.#clock.nowMs();
  }

  publish(item: Item): void {
    this.deliver(item);
    if (this.#followedElsewhere) this.link?.send(item);
  }

  /** Hands an item of another process to the followers here. */
  deliver(item: Item): void {
    for (const follower of this.#followers) follower(item);
  }

  /** Another process says that somebody follows there. */
  followedUntil(untilMs: number): void {
    this.#remoteUntilMs = Math.max(this.#remoteUntilMs, untilMs);
  }

  /** Everything published from this call on, until `signal` aborts. */
  follow(signal: AbortSignal): AsyncIterable<Item> {
    const waiting: Item[] = [];
    let wake = (): void => undefined;
    const follower = (item: Item): void => {
      if (waiting.length < WAITING_MAX) waiting.push(item);
      wake();
    };
    const leave = (): void => {
      this.#followers.delete(follower);
      wake();
    };
    if (signal.aborted) return drain(waiting, signal, () => Promise.resolve());
    this.#followers.add(follower);
    signal.addEventListener("abort", leave, { once: true });
    void this.#renew(signal);
    return drain(waiting, signal, () => new Promise((resolve) => (wake = resolve)));
  }

  async #renew(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.link !== undefined) {
      this.link.announce(this.#clock.nowMs() + LEASE_MS);
      await this.#clock.sleep(RENEW_MS, signal);
    }
  }
}

async function* drain<Item>(
  waiting: Item[],
  signal: AbortSignal,
  more: () => Promise<void>,
): AsyncGenerator<Item, void, undefined> {
  while (!signal.aborted) {
    if (waiting.length === 0) await more();
    yield* waiting.splice(0);
  }
}
