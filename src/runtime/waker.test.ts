import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "./clock.ts";
import { Waker } from "./waker.ts";

/** A sleep lasts until it is aborted or `pass` is called. */
function heldClock(): Clock & { readonly asked: number[]; pass: () => void } {
  const asked: number[] = [];
  const clock = {
    asked,
    pass: (): void => undefined,
    nowMs: () => 0,
    nowNs: () => 0n,
    sleep: (ms: number, signal?: AbortSignal): Promise<void> => {
      asked.push(ms);
      return new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        clock.pass = resolve;
        signal?.addEventListener("abort", () => resolve(), { once: true });
      });
    },
  };
  return clock;
}

test("a sleep ends by itself, when woken, and at once when it was woken before", async () => {
  const clock = heldClock();
  const waker = new Waker();
  const { signal } = new AbortController();
  const first = waker.sleep(clock, 10, signal);
  clock.pass();
  assert.equal(await first, false);
  const second = waker.sleep(clock, 10, signal);
  waker.wake();
  assert.equal(await second, true);
  waker.wake();
  waker.wake();
  assert.equal(await waker.sleep(clock, 10, signal), true);
  const fourth = waker.sleep(clock, 10, signal);
  clock.pass();
  assert.equal(await fourth, false, "woken once, however often it was called");
});

test("rounds go on after a failure, miss no call made while they work, and end with the signal", async () => {
  const clock = heldClock();
  const waker = new Waker();
  const stop = new AbortController();
  const errors: unknown[] = [];
  let rounds = 0;
  await waker.repeat({
    clock,
    signal: stop.signal,
    idleMs: () => rounds,
    async round() {
      rounds++;
      await Promise.resolve();
      if (rounds === 3) stop.abort();
      else waker.wake();
      if (rounds === 1) throw new Error("no");
    },
    failed: (error) => void errors.push(error),
  });
  assert.deepEqual([rounds, errors.length, clock.asked], [3, 1, [1, 2, 3]]);
});
