/** Time as a parameter, so that the simulator can own it. */
export interface Clock {
  /** Nanoseconds since the Unix epoch, strictly increasing within the process. */
  nowNs(): bigint;
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Resolves after `ms` (0: after what else waits for its turn now), or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Work in the background leaves them room (giving-way.ts); absent: there are none. */
  clientsAreServed?(): boolean;
}

/** The machine's clock. Sub-millisecond digits come from the monotonic counter; ties are broken by one nanosecond. */
export function systemClock(): Clock {
  let base = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
  let last = 0n;
  return {
    nowNs() {
      let now = process.hrtime.bigint() + base;
      const wall = BigInt(Date.now()) * 1_000_000n;
      const drift = wall - now;
      // The wall clock was stepped (NTP, an operator): follow it, but never behind what was already given out.
      if (drift > 2_000_000n || drift < -2_000_000n) {
        base += drift;
        now = wall;
      }
      if (now <= last) now = last + 1n;
      last = now;
      return now;
    },
    nowMs: () => Date.now(),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        if (ms <= 0) return void setImmediate(resolve);
        const done = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        signal?.addEventListener("abort", done, { once: true });
      }),
  };
}
