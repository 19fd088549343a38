import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../runtime/clock.ts";
import { Failures } from "./failures.ts";

const LIMITS = { free: 3, forgiveMs: 1000, delayMs: 100, delayMsMax: 250, waitingMax: 2, addressesMax: 2 };

/** A clock that stands still and notes how long somebody was to wait; nobody who waits ever wakes. */
function stoppedClock(): Clock & { nowAt: number; readonly slept: number[] } {
  const slept: number[] = [];
  return {
    nowAt: 1_000_000,
    slept,
    nowMs() {
      return this.nowAt;
    },
    nowNs() {
      return BigInt(this.nowAt) * 1_000_000n;
    },
    sleep(ms) {
      slept.push(ms);
      return Promise.resolve();
    },
  };
}

test("a few bad signatures are free, more wait one after another, and time forgives", async () => {
  const clock = stoppedClock();
  const failures = new Failures(clock, LIMITS);
  for (let i = 0; i < 3; i++) await failures.note("a");
  assert.deepEqual(clock.slept, []);
  for (let i = 0; i < 4; i++) await failures.note("a");
  assert.deepEqual(clock.slept, [100, 200, 250, 250]);
  await failures.note("b");
  assert.equal(clock.slept.length, 4, "another address is not meant");
  clock.nowAt += 60_000;
  await failures.note("a");
  assert.equal(clock.slept.length, 4);
});

test("only so many answers wait, and the quietest address is forgotten first", async () => {
  const clock = stoppedClock();
  const waiting: (() => void)[] = [];
  const failures = new Failures(
    { ...clock, nowMs: () => clock.nowAt, sleep: () => new Promise((resolve) => waiting.push(() => resolve())) },
    LIMITS,
  );
  for (let i = 0; i < 3; i++) await failures.note("a");
  const held = [failures.note("a"), failures.note("a")];
  await failures.note("a");
  assert.equal(waiting.length, 2, "the third is answered at once");
  for (const wake of waiting.splice(0)) wake();
  await Promise.all(held);
  await failures.note("b");
  await failures.note("c");
  await failures.note("a");
  assert.equal(waiting.length, 0);
});
