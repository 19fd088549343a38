/** The bandwidth limit of one job: a changed limit and the end of the job hold at once, for bodies that wait too. */
import type { Clock } from "../runtime/clock.ts";
import type { Limiter } from "../replication/bandwidth.ts";

/** A waiting body looks this often whether the limit has changed. */
const LOOK_MS = 200;

/** `bytesPerSecond` is asked on every look; 0: no limit. `take` rejects when `signal` aborts. Holds a second's worth. */
export function liveLimiter(clock: Clock, bytesPerSecond: () => number, signal: AbortSignal): Limiter {
  let tokens = 0;
  let atMs = clock.nowMs();
  return {
    async take(bytes) {
      for (let left = bytes; left > 0;) {
        const rate = bytesPerSecond();
        if (rate <= 0) return;
        const now = clock.nowMs();
        tokens = Math.min(rate, tokens + (rate * Math.max(now - atMs, 0)) / 1000);
        atMs = now;
        const some = Math.min(left, Math.max(tokens, 0));
        tokens -= some;
        left -= some;
        // Less than a byte is rounding, and would wait for ever.
        if (left < 1) return;
        await clock.sleep(Math.min(LOOK_MS, Math.ceil((left * 1000) / rate)), signal);
        signal.throwIfAborted();
      }
    },
  };
}

/** Both have to agree. */
export function bothLimits(one: Limiter | undefined, other: Limiter): Limiter {
  if (one === undefined) return other;
  return {
    async take(bytes) {
      await one.take(bytes);
      await other.take(bytes);
    },
  };
}
