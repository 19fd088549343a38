import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../runtime/clock.ts";
import { Feed } from "./feed.ts";
import { LogTail } from "./log-tail.ts";
import { createLogger } from "./log.ts";

interface Item {
  readonly n: number;
}

function manualClock(): Clock & { ms: number } {
  return {
    ms: 1000,
    nowMs() {
      return this.ms;
    },
    nowNs() {
      return BigInt(this.ms) * 1_000_000n;
    },
    sleep: (_ms, signal) =>
      new Promise((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true })),
  };
}

async function take(items: AsyncIterable<Item>, count: number): Promise<number[]> {
  const out: number[] = [];
  for await (const { n } of items) if (out.push(n) === count) break;
  return out;
}

test("followers get what is published while they follow, and nobody else costs anything", async () => {
  const feed = new Feed<Item>(manualClock());
  assert.equal(feed.active, false);
  feed.publish({ n: 0 });
  const ended = new AbortController();
  const items = feed.follow(ended.signal);
  assert.equal(feed.active, true);
  for (const n of [1, 2, 3]) feed.publish({ n });
  assert.deepEqual(await take(items, 3), [1, 2, 3]);
  ended.abort();
  assert.equal(feed.active, false);
  assert.deepEqual(await take(feed.follow(AbortSignal.abort()), 1), []);
});

test("a follower that waits ends with its signal", async () => {
  const feed = new Feed<Item>(manualClock());
  const ended = new AbortController();
  const waiting = take(feed.follow(ended.signal), 1);
  ended.abort();
  assert.deepEqual(await waiting, []);
});

test("two processes: what one publishes, the other's follower sees, as long as it follows", async () => {
  const clock = manualClock();
  const [here, there] = [new Feed<Item>(clock), new Feed<Item>(clock)];
  const sent: number[] = [];
  here.link = { announce: (until) => there.followedUntil(until), send: () => assert.fail("nobody follows there") };
  there.link = {
    announce: () => undefined,
    send: (item) => {
      sent.push(item.n);
      here.deliver(item);
    },
  };
  const ended = new AbortController();
  const items = here.follow(ended.signal);
  assert.equal(there.active, true);
  there.publish({ n: 7 });
  here.publish({ n: 8 });
  assert.deepEqual(await take(items, 2), [7, 8]);
  ended.abort();
  clock.ms += 60_000;
  assert.equal(there.active, false, "a lease that is not renewed ends");
  there.publish({ n: 9 });
  assert.deepEqual(sent, [7]);
});

test("the log keeps its newest lines", () => {
  const clock = manualClock();
  const tail = new LogTail(clock);
  const log = createLogger({ json: true, clock, write: () => undefined, tail });
  for (let n = 0; n < 1500; n++) log.with({ n }).info("line");
  assert.deepEqual(
    tail.newest(2).map(({ text, level }) => [level, text]),
    [
      ["info", "INFO  line n=1498"],
      ["info", "INFO  line n=1499"],
    ],
  );
  assert.equal(tail.newest(5000).length, 1000);
  assert.equal(tail.newest(0).length, 0);
});
