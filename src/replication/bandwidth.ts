/** Token bucket over bytes: makes a body wait, never gives up on it. The limit may change at any moment and has no minimum. */
import type { Clock } from "../runtime/clock.ts";
import { BANDWIDTH_LOOK_MS, BANDWIDTH_SLICES_PER_SECOND } from "./limits.ts";

export interface Limiter {
  /** Resolves when `bytes` may be sent, or at once when `signal` aborts. Callers get their turn in the order of calls. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
  /** Most bytes to send at once, so that a connection is never silent for long. */
  slice(): number;
}

/** `bytesPerSecond` is read anew all the time; 0 means no limit. The bucket holds one second's worth. */
export function tokenBucket(clock: Clock, bytesPerSecond: () => number): Limiter {
  let tokens: number | undefined;
  let filledMs = 0;
  let last: Promise<void> = Promise.resolve();

  const refill = (rate: number): number => {
    const now = clock.nowMs();
    // A clock that is stepped back gives nothing, and takes nothing.
    const more = tokens === undefined ? rate : (Math.max(0, now - filledMs) * rate) / 1000;
    filledMs = now;
    return Math.min((tokens ?? 0) + more, rate);
  };

  const turn = async (bytes: number, signal: AbortSignal | undefined): Promise<void> => {
    for (;;) {
      const rate = bytesPerSecond();
      if (rate <= 0) {
        tokens = undefined;
        return;
      }
      tokens = refill(rate);
      // More than one second's worth goes in debt, which the next ones pay.
      const needed = Math.min(bytes, rate);
      if (tokens >= needed) {
        tokens -= bytes;
        return;
      }
      if (signal?.aborted === true) return;
      const waitMs = Math.ceil(((needed - tokens) * 1000) / rate);
      await clock.sleep(Math.min(waitMs, BANDWIDTH_LOOK_MS), signal);
    }
  };

  return {
    take(bytes, signal) {
      if (bytesPerSecond() <= 0) return Promise.resolve();
      last = last.then(() => turn(bytes, signal));
      return last;
    },
    slice() {
      const rate = bytesPerSecond();
      return rate <= 0 ? Infinity : Math.max(1, Math.floor(rate / BANDWIDTH_SLICES_PER_SECOND));
    },
  };
}

/** Two limits at once: both have to agree. */
export function bothLimits(one: Limiter | undefined, other: Limiter): Limiter {
  if (one === undefined) return other;
  return {
    async take(bytes, signal) {
      await one.take(bytes, signal);
      await other.take(bytes, signal);
    },
    slice: () => Math.min(one.slice(), other.slice()),
  };
}

/** The same bytes, each slice released by the limiter. */
export async function* limited(
  body: AsyncIterable<Buffer>,
  limiter: Limiter | undefined,
  signal?: AbortSignal,
): AsyncIterable<Buffer> {
  for await (const piece of body) {
    if (limiter === undefined) {
      yield piece;
      continue;
    }
    for (let at = 0; at < piece.length;) {
      const end = Math.min(piece.length, at + limiter.slice());
      await limiter.take(end - at, signal);
      yield at === 0 && end === piece.length ? piece : piece.subarray(at, end);
      at = end;
    }
  }
}
