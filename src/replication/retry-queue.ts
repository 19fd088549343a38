/** Which rows of a target's retry queue are to be tried again now: those that are due, or all when what held them up is mended. */
import type { Arn, UnixNs } from "../model/names.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Entry, OrderedIndex } from "../storage/index/index.ts";
import { keyAfter } from "../storage/keys.ts";
import { Allowance } from "./allowance.ts";
import * as limits from "./limits.ts";
import { dueOf, retryRange, retryRangeFrom } from "./log.ts";

const NS_PER_MS = 1_000_000n;

export interface RetryQueueDeps {
  readonly index: OrderedIndex;
  readonly clock: Clock;
}

export class RetryQueue {
  readonly #deps: RetryQueueDeps;
  readonly #arn: Arn;
  /** When the next row is due. */
  #nextDueNs: bigint | undefined;
  /** Set while the whole queue is gone through, due or not, since what held it up seems mended. */
  #flushFrom: Buffer | undefined;
  #flushedAtMs = 0;
  /** Failures since a row that had failed before went through. */
  #failuresInARow = 0;
  readonly #repeats: Allowance;
  /** What the clock showed when the queue was last read; Infinity: never, as after a start. */
  #lookedAtMs = Infinity;

  constructor(deps: RetryQueueDeps, arn: Arn) {
    this.#deps = deps;
    this.#arn = arn;
    this.#repeats = new Allowance(deps.clock, limits.RETRIES_PER_SECOND_MAX, limits.RETRY_ROWS_PER_SCAN);
  }

  get isFlushing(): boolean {
    return this.#flushFrom !== undefined;
  }

  /** Until the next row is due; Infinity: none is known of. */
  get untilDueMs(): number {
    return this.#nextDueNs === undefined ? Infinity : Number((this.#nextDueNs - this.dueIn(0)) / NS_PER_MS);
  }

  /** By the wall clock: the one that never goes back stands still after it was set back, and no row would become due. */
  dueIn(ms: number): UnixNs {
    return BigInt(Math.round(this.#deps.clock.nowMs() + ms)) * NS_PER_MS;
  }

  /** From now on all rows are gone through once, due or not. */
  flush(): void {
    this.#flushFrom = retryRange(this.#arn).start;
    this.#failuresInARow = 0;
  }

  /** What stood in the way of one row is gone: all are tried; not again soon, for the sake of those that can never go through. */
  wentThrough(): void {
    this.#failuresInARow = 0;
    const now = this.#deps.clock.nowMs();
    if (this.isFlushing || now - this.#flushedAtMs < limits.RETRY_FLUSH_MS) return;
    this.#flushedAtMs = now;
    this.flush();
  }

  /** Nothing was mended after all, if it happens too often: the others wait for their time. */
  failed(): void {
    if (++this.#failuresInARow >= limits.FLUSH_FAILURES_MAX) this.#flushFrom = undefined;
  }

  /**
   * Hands over rows that are to be tried; `admit` tells whether it had not known the row. `known`: how many rows it knows.
   * True: a flush has begun, and there is more to read. Rejects when the index cannot be read.
   */
  async read(known: number, admit: (entry: Entry) => boolean): Promise<boolean> {
    const range = retryRange(this.#arn);
    const limit = known + limits.RETRY_ROWS_PER_SCAN;
    const from = this.#flushFrom;
    const entries = await this.#deps.index.scan({ start: from ?? range.start, end: range.end }, { limit });
    const begun = await this.#readStranded(limit, admit);
    const now = this.dueIn(0);
    this.#nextDueNs = undefined;
    const room = this.#repeats.left;
    let admitted = 0;
    for (const entry of entries) {
      const due = dueOf(entry.key);
      if (from === undefined && (due > now || admitted >= room)) {
        this.#nextDueNs = due > now ? due : this.dueIn(limits.RETRY_ROOM_MS);
        break;
      }
      if (admit(entry)) admitted++;
    }
    if (from === undefined) {
      this.#repeats.take(admitted);
    } else {
      const last = entries.at(-1);
      this.#flushFrom = entries.length === limit && last !== undefined ? keyAfter(last.key) : undefined;
    }
    return begun;
  }

  /**
   * A clock that was set back, by whatever: rows would wait as long as that beyond their time. All are tried; should that
   * end early, those due later than the longest delay are.
   */
  async #readStranded(limit: number, admit: (entry: Entry) => boolean): Promise<boolean> {
    const nowMs = this.#deps.clock.nowMs();
    let begun = false;
    if (nowMs < this.#lookedAtMs) {
      begun = !this.isFlushing;
      this.#flushFrom ??= retryRange(this.#arn).start;
      const range = retryRangeFrom(this.#arn, this.dueIn(limits.REFUSED_RETRY_MS) + 1n);
      const stranded = await this.#deps.index.scan(range, { limit });
      for (const entry of stranded) admit(entry);
      if (stranded.length === limit) return begun;
    }
    this.#lookedAtMs = nowMs;
    return begun;
  }
}
