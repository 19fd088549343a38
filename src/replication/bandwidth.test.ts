import assert from "node:assert/strict";
import { test } from "node:test";
import { limited, tokenBucket } from "./bandwidth.ts";
import { KeyMutex } from "./key-mutex.ts";
import { backoffMs } from "./backoff.ts";
import { RETRY_CAP_MS, RETRY_FIRST_MS } from "./limits.ts";
import { systemRandom } from "../runtime/random.ts";

test("bytes wait for their turn beyond one second's worth", async () => {
  let now = 0;
  const clock = {
    nowNs: () => BigInt(now) * 1_000_000n,
    nowMs: () => now,
    sleep: async (ms: number) => void (now += ms),
  };
  let rate = 1000;
  const limiter = tokenBucket(clock, () => rate);
  const body = (async function* () {
    for (let i = 0; i < 50; i++) yield Buffer.alloc(100);
  })();
  let seen = 0;
  for await (const piece of limited(body, limiter)) seen += piece.length;
  assert.equal(seen, 5000);
  assert.equal(now, 4000);
  rate = 0;
  await limiter.take(1e9);
  assert.equal(now, 4000);
});

/** A clock whose sleepers wake only when `pass` moves it. */
function steppedClock() {
  let now = 0;
  let sleepers: { at: number; wake: () => void }[] = [];
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    nowNs: () => BigInt(now) * 1_000_000n,
    nowMs: () => now,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        sleepers.push({ at: now + ms, wake: resolve });
        signal?.addEventListener("abort", () => resolve());
      }),
    async pass(ms: number): Promise<void> {
      for (const end = now + ms; now < end;) {
        await settle();
        const next = Math.min(end, ...sleepers.map(({ at }) => at));
        now = Math.max(now, next);
        const due = sleepers.filter(({ at }) => at <= now);
        sleepers = sleepers.filter(({ at }) => at > now);
        for (const { wake } of due) wake();
      }
      await settle();
    },
  };
}

test("a limit that is raised or lifted frees at once who waited under the old one", async () => {
  const clock = steppedClock();
  let rate = 1;
  const limiter = tokenBucket(clock, () => rate);
  await limiter.take(1000);
  let freed = false;
  const waiting = limiter.take(1000).then(() => void (freed = true));
  await clock.pass(10_000);
  assert.equal(freed, false);
  rate = 1_000_000;
  await clock.pass(300);
  assert.equal(freed, true);
  await waiting;
  rate = 1;
  await limiter.take(1_000_000);
  const lifted = limiter.take(1_000_000);
  rate = 0;
  await clock.pass(300);
  await lifted;
});

test("any limit keeps the bytes moving, and an end does not wait for it", async () => {
  const clock = steppedClock();
  const stop = new AbortController();
  const limiter = tokenBucket(clock, () => 10);
  const moved: number[] = [];
  const body = (async function* () {
    yield Buffer.alloc(1000);
  })();
  const sending = (async () => {
    for await (const piece of limited(body, limiter, stop.signal)) moved.push(piece.length);
  })();
  await clock.pass(20_000);
  assert.ok(moved.every((bytes) => bytes <= 10));
  const sum = moved.reduce((total, bytes) => total + bytes, 0);
  assert.ok(sum >= 200 && sum <= 212, String(sum));
  stop.abort();
  await sending;
  assert.equal(
    moved.reduce((total, bytes) => total + bytes, 0),
    1000,
  );
});

test("work under one name runs one after another, failures included; names do not wait for each other", async () => {
  const mutex = new KeyMutex();
  const order: string[] = [];
  let release = (): void => undefined;
  const first = mutex.run("a", () =>
    new Promise<void>((resolve) => (release = resolve)).then(() => void order.push("a1")),
  );
  const second = mutex.run("a", async () => {
    order.push("a2");
    throw new Error("no");
  });
  const third = mutex.run("a", async () => order.push("a3"));
  await mutex.run("b", async () => order.push("b"));
  release();
  await first;
  await assert.rejects(second);
  await third;
  assert.deepEqual(order, ["b", "a1", "a2", "a3"]);
});

test("delays double up to the cap, within a quarter", () => {
  for (let attempts = 0; attempts < 40; attempts++) {
    const nominal = Math.min(RETRY_FIRST_MS * 2 ** attempts, RETRY_CAP_MS);
    const delay = backoffMs(attempts, systemRandom);
    assert.ok(delay >= nominal * 0.75 - 1 && delay <= nominal * 1.25 + 1, `${attempts}: ${delay}`);
  }
});
