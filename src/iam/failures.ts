/**
 * Slows down whoever keeps sending bad signatures, without ever locking anybody out: a good signature is answered at
 * once, whatever came from its address before. The answers to bad ones of one address leave one after another.
 */
import type { Clock } from "../runtime/clock.ts";

export interface FailureLimits {
  /** Bad signatures of an address that are answered at once; one is forgiven in each `forgiveMs`. */
  readonly free: number;
  readonly forgiveMs: number;
  /** Time between two answers above that. */
  readonly delayMs: number;
  /** Longest wait: those who keep more requests waiting are all answered after this long. */
  readonly delayMsMax: number;
  /** Answers held back at once; further ones leave at once, so that waiting cannot use up what others need. */
  readonly waitingMax: number;
  readonly addressesMax: number;
}

const FAILURE_LIMITS: FailureLimits = {
  free: 20,
  forgiveMs: 1_000,
  delayMs: 100,
  delayMsMax: 5_000,
  waitingMax: 200,
  addressesMax: 10_000,
};

interface Offender {
  /** When the address will be forgiven everything. */
  clearMs: number;
  /** When the last of its waiting answers leaves. */
  lastMs: number;
}

export class Failures {
  readonly #clock: Clock;
  readonly #limits: FailureLimits;
  readonly #records = new Map<string, Offender>();

  #waiting = 0;

  constructor(clock: Clock, limits: FailureLimits = FAILURE_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Notes a bad signature from `address`; resolves when its answer may leave. */
  async note(address: string): Promise<void> {
    const waitMs = this.#waitMs(address, this.#clock.nowMs());
    if (waitMs <= 0 || this.#waiting >= this.#limits.waitingMax) return;
    this.#waiting++;
    await this.#clock.sleep(waitMs);
    this.#waiting--;
  }

  #waitMs(address: string, nowMs: number): number {
    const { free, forgiveMs, delayMs, delayMsMax, addressesMax } = this.#limits;
    const record = this.#records.get(address) ?? { clearMs: nowMs, lastMs: nowMs };
    // Moved to the end: the addresses that were quiet longest are forgotten first.
    this.#records.delete(address);
    this.#records.set(address, record);
    const [oldest] = this.#records.size > addressesMax ? this.#records.keys() : [];
    if (oldest !== undefined) this.#records.delete(oldest);
    record.clearMs = Math.min(Math.max(record.clearMs, nowMs) + forgiveMs, nowMs + 2 * free * forgiveMs);
    if (record.clearMs - nowMs <= free * forgiveMs) return 0;
    record.lastMs = Math.min(Math.max(record.lastMs, nowMs) + delayMs, nowMs + delayMsMax);
    return record.lastMs - nowMs;
  }
}
