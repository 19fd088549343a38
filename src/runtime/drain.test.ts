import assert from "node:assert/strict";
import { test } from "node:test";
import { Drain } from "./drain.ts";

test("what comes while a round is under way goes into the next one", async () => {
  const waiting: string[] = ["gone"];
  const rounds: string[][] = [];
  const drain = new Drain(
    () => waiting.length > 0,
    async () => {
      rounds.push(waiting.splice(0));
      await Promise.resolve();
    },
  );
  waiting.splice(0);
  drain.start();
  assert.equal(drain.ended, undefined, "nothing was there");
  waiting.push("a");
  drain.start();
  waiting.push("b", "c");
  drain.start();
  drain.start();
  await drain.ended;
  assert.deepEqual(rounds, [["a"], ["b", "c"]]);
  assert.equal(drain.ended, undefined);
});

test("what comes in any turn around the end of the last round is worked off, though nothing follows it", async () => {
  const TURNS = 12;
  for (let turns = 0; turns < TURNS; turns++) {
    const waiting = ["first"];
    const done: string[] = [];
    const drain = new Drain(
      () => waiting.length > 0,
      async () => {
        done.push(...waiting.splice(0));
        await Promise.resolve();
      },
    );
    drain.start();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    waiting.push("second");
    drain.start();
    for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
    assert.deepEqual(done, ["first", "second"], `announced ${turns} turns after the first`);
  }
});
