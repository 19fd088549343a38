import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "./clock.ts";
import { Clients, givingWay } from "./giving-way.ts";

/** Sleeps end when they are told to, in the order of their beginning. */
function handClock(): Clock & { now: number; sleeps: { ms: number; end: () => void }[] } {
  const clock = {
    now: 1000,
    sleeps: [] as { ms: number; end: () => void }[],
    nowNs: () => BigInt(clock.now) * 1_000_000n,
    nowMs: () => clock.now,
    sleep: (ms: number) => new Promise<void>((end) => clock.sleeps.push({ ms, end })),
  };
  return clock;
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("one piece of background work at a time, each after a turn", async () => {
  const hand = handClock();
  const clock = givingWay(hand, new Clients());
  const done: string[] = [];
  for (const name of ["a", "b"]) void clock.sleep(0).then(() => done.push(name));
  await settled();
  assert.deepEqual(
    hand.sleeps.map(({ ms }) => ms),
    [0],
  );
  hand.sleeps[0]?.end();
  await settled();
  assert.deepEqual([done, hand.sleeps.length], [["a"], 2]);
  hand.sleeps[1]?.end();
  await settled();
  assert.deepEqual(done, ["a", "b"]);
});

test("it pauses while clients are served and a moment longer; other waits are as long as they were asked for", async () => {
  const hand = handClock();
  const clients = new Clients();
  const clock = givingWay(hand, clients);
  const pause = async (): Promise<number | undefined> => {
    void clock.sleep(0);
    await settled();
    const begun = hand.sleeps.shift();
    begun?.end();
    await settled();
    return begun?.ms;
  };
  assert.equal(await pause(), 0);
  assert.equal(clock.clientsAreServed?.(), false);
  clients.begin();
  assert.ok(((await pause()) ?? 0) > 0);
  assert.equal(clock.clientsAreServed?.(), true);
  hand.now += 60_000;
  assert.ok(((await pause()) ?? 0) > 0, "a long download is a client too");
  clients.end(hand.now);
  assert.ok(((await pause()) ?? 0) > 0);
  hand.now += 100;
  assert.equal(await pause(), 0);
  clients.begin();
  clients.end(hand.now);
  hand.now -= 3_600_000;
  assert.equal(await pause(), 0, "the clock was set back");
  void clock.sleep(7);
  assert.equal(hand.sleeps.at(-1)?.ms, 7);
});
