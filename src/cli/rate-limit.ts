/** `--limit-upload` and `--limit-download`: streams that wait their turn. */
import type { Clock } from "../runtime/clock.ts";

/** Bytes per second over all streams that share it: each chunk is let through when its turn in time has come. */
export class RateLimit {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** Resolves when `bytes` more may pass. Callers are served in the order of their calls. */
  async take(bytes: number): Promise<void> {
    const now = this.#clock.nowMs();
    const startMs = Math.max(now, this.#freeAtMs);
    this.#freeAtMs = startMs + (bytes / this.#bytesPerSecond) * 1000;
    if (startMs > now) await this.#clock.sleep(startMs - now);
  }
}

/** `source`, no faster than `limit` allows. */
export async function* limited(source: AsyncIterable<Buffer>, limit: RateLimit): AsyncIterable<Buffer> {
  for await (const chunk of source) {
    await limit.take(chunk.length);
    yield chunk;
  }
}
