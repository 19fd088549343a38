/** Token bucket over bytes: makes a body wait, never gives up on it. */
import type { Clock } from "../runtime/clock.ts";

export interface Limiter {
  /** Resolves when `bytes` may be sent. */
  take(bytes: number): Promise<void>;
}

/** `bytesPerSecond` may be read anew on every call; 0 means no limit. The bucket holds one second's worth. */
export function tokenBucket(clock: Clock, bytesPerSecond: () => number): Limiter {
  let freeAtMs = 0;
  return {
    async take(bytes) {
      const rate = bytesPerSecond();
      if (rate <= 0) return;
      const now = clock.nowMs();
      // Bytes are booked ahead: each caller waits for the end of those booked before it, less one second of burst.
      freeAtMs = Math.max(freeAtMs, now) + (bytes * 1000) / rate;
      const waitMs = freeAtMs - now - 1000;
      if (waitMs > 0) await clock.sleep(waitMs);
    },
  };
}

/** The same pieces, each released by the limiter. */
export async function* limited(body: AsyncIterable<Buffer>, limiter: Limiter | undefined): AsyncIterable<Buffer> {
  for await (const piece of body) {
    if (limiter !== undefined) await limiter.take(piece.length);
    yield piece;
  }
}
