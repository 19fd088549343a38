/** What a target's queue does right now and did lately: numbers for metrics only, lost with the process. */
import type { Clock } from "../runtime/clock.ts";

export interface CountBytes {
  readonly count: number;
  readonly bytes: number;
}

const BUCKET_MS = 10_000;
const HOUR_BUCKETS = 360;
const MINUTE_BUCKETS = 6;
/** Weight of the newest sample in a moving average. */
const SMOOTHING = 0.2;

/** Sums of the last minute and hour, in steps of ten seconds. */
class Recent {
  readonly #counts = new Float64Array(HOUR_BUCKETS);
  readonly #bytes = new Float64Array(HOUR_BUCKETS);
  #at = 0;

  #advance(nowMs: number): void {
    const now = Math.floor(nowMs / BUCKET_MS);
    if (this.#at === 0) this.#at = now;
    const steps = Math.min(now - this.#at, HOUR_BUCKETS);
    for (let i = 1; i <= steps; i++) {
      this.#counts[(this.#at + i) % HOUR_BUCKETS] = 0;
      this.#bytes[(this.#at + i) % HOUR_BUCKETS] = 0;
    }
    if (now > this.#at) this.#at = now;
  }

  add(nowMs: number, bytes: number): void {
    this.#advance(nowMs);
    const slot = this.#at % HOUR_BUCKETS;
    this.#counts[slot] = (this.#counts[slot] as number) + 1;
    this.#bytes[slot] = (this.#bytes[slot] as number) + bytes;
  }

  sum(nowMs: number, window: "minute" | "hour"): CountBytes {
    this.#advance(nowMs);
    let count = 0;
    let bytes = 0;
    for (let i = 0; i < (window === "minute" ? MINUTE_BUCKETS : HOUR_BUCKETS); i++) {
      const slot = (((this.#at - i) % HOUR_BUCKETS) + HOUR_BUCKETS) % HOUR_BUCKETS;
      count += this.#counts[slot] as number;
      bytes += this.#bytes[slot] as number;
    }
    return { count, bytes };
  }
}

export interface Rate {
  readonly currRate: number;
  readonly avgRate: number;
  readonly peakRate: number;
  readonly n: number;
}

/** Bytes per second of single transfers. */
class Transfers {
  #avg = 0;
  #peak = 0;
  #count = 0;
  #last = { rate: 0, atMs: 0 };

  add(nowMs: number, bytes: number, tookMs: number): void {
    const rate = (bytes * 1000) / Math.max(tookMs, 1);
    this.#avg = this.#count === 0 ? rate : this.#avg + SMOOTHING * (rate - this.#avg);
    this.#peak = Math.max(this.#peak, rate);
    this.#last = { rate, atMs: nowMs };
    this.#count++;
  }

  view(nowMs: number): Rate {
    const currRate = nowMs - this.#last.atMs < BUCKET_MS ? this.#last.rate : 0;
    return { currRate, avgRate: this.#avg, peakRate: this.#peak, n: this.#count };
  }
}

export interface ActivityView {
  readonly failed: { readonly lastMinute: CountBytes; readonly lastHour: CountBytes };
  readonly sent: { readonly lastMinute: CountBytes; readonly lastHour: CountBytes };
  readonly errCounts: Readonly<Record<string, number>>;
  readonly transfers: { readonly Large: Rate; readonly Small: Rate; readonly Total: Rate };
  readonly workers: { readonly curr: number; readonly avg: number; readonly max: number };
  readonly retries: number;
  /** What waited, sampled about once a second: moving average and the most since the start. */
  readonly queued: { readonly avg: CountBytes; readonly max: CountBytes };
  /** Milliseconds from the write to its arrival at the target. */
  readonly lagMs: { readonly curr: number; readonly avg: number; readonly max: number };
}

const ERROR_CODES_MAX = 100;
const NONE: CountBytes = { count: 0, bytes: 0 };

export class Activity {
  readonly #clock: Clock;
  readonly #failed = new Recent();
  readonly #sent = new Recent();
  readonly #transfers = { large: new Transfers(), small: new Transfers(), total: new Transfers() };
  readonly #errors = new Map<string, number>();
  #workers = { curr: 0, avg: 0, max: 0 };
  #lag = { curr: 0, avg: 0, max: 0 };
  #retries = 0;
  #queued = { avg: NONE, max: NONE };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  working(count: number): void {
    const { avg, max } = this.#workers;
    this.#workers = { curr: count, avg: avg + SMOOTHING * (count - avg), max: Math.max(max, count) };
  }

  sent(transfer: { bytes: number; tookMs: number; lagMs: number; large: boolean; first: boolean }): void {
    const now = this.#clock.nowMs();
    // A clock that was set back since the write would tell of versions that arrived before they were written.
    const [tookMs, lagMs] = [Math.max(0, transfer.tookMs), Math.max(0, transfer.lagMs)];
    this.#sent.add(now, transfer.bytes);
    if (transfer.bytes > 0) {
      this.#transfers.total.add(now, transfer.bytes, tookMs);
      this.#transfers[transfer.large ? "large" : "small"].add(now, transfer.bytes, tookMs);
    }
    // Retries would tell how long a target was away, not how far replication is behind.
    if (!transfer.first) return;
    const { avg, max } = this.#lag;
    this.#lag = { curr: lagMs, avg: avg === 0 ? lagMs : avg + SMOOTHING * (lagMs - avg), max: Math.max(max, lagMs) };
  }

  failed(code: string, bytes: number): void {
    this.#failed.add(this.#clock.nowMs(), bytes);
    if (this.#errors.size < ERROR_CODES_MAX || this.#errors.has(code))
      this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  /** A sample of what waits for the target. */
  waiting(now: CountBytes): void {
    const { avg, max } = this.#queued;
    const smooth = (before: number, sample: number): number => {
      // Hundredths: ever smaller fractions would keep the numbers of a target at rest changing, and written.
      const next = Math.round((before + SMOOTHING * (sample - before)) * 100) / 100;
      return next === before ? sample : next;
    };
    this.#queued = {
      avg: { count: smooth(avg.count, now.count), bytes: smooth(avg.bytes, now.bytes) },
      max: { count: Math.max(max.count, now.count), bytes: Math.max(max.bytes, now.bytes) },
    };
  }

  retried(): void {
    this.#retries++;
  }

  view(): ActivityView {
    const now = this.#clock.nowMs();
    const { large, small, total } = this.#transfers;
    return {
      failed: { lastMinute: this.#failed.sum(now, "minute"), lastHour: this.#failed.sum(now, "hour") },
      sent: { lastMinute: this.#sent.sum(now, "minute"), lastHour: this.#sent.sum(now, "hour") },
      errCounts: Object.fromEntries(this.#errors),
      transfers: { Large: large.view(now), Small: small.view(now), Total: total.view(now) },
      workers: this.#workers,
      retries: this.#retries,
      queued: this.#queued,
      lagMs: this.#lag,
    };
  }
}
