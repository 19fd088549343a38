import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachParallel } from "./pool.ts";

const never = new AbortController().signal;

test("never more at a time than there are workers, and all are done", async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await forEachParallel([1, 2, 3, 4, 5, 6, 7], 3, never, async (item) => {
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    done.push(item);
  });
  assert.equal(most, 3);
  assert.deepEqual(done.sort(), [1, 2, 3, 4, 5, 6, 7]);
});

test("the first failure stops the pulling and is thrown when what runs has ended", async () => {
  let pulled = 0;
  let slowEnded = false;
  const source = (function* () {
    for (;;) yield (pulled += 1);
  })();
  const work = async (item: number): Promise<void> => {
    if (item === 2) throw new Error("second");
    if (item === 1) {
      await new Promise((resolve) => setImmediate(resolve));
      slowEnded = true;
    }
  };
  await assert.rejects(forEachParallel(source, 2, never, work), /second/);
  assert.ok(slowEnded);
  assert.ok(pulled <= 4);
});

test("a source that fails still waits for running work", async () => {
  let ended = false;
  const source = (async function* () {
    yield 1;
    throw new Error("listing");
  })();
  const work = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    ended = true;
  };
  await assert.rejects(forEachParallel(source, 4, never, work), /listing/);
  assert.ok(ended);
});

test("an abort ends it", async () => {
  const stop = new AbortController();
  await assert.rejects(forEachParallel([1, 2, 3], 1, stop.signal, async () => stop.abort()));
});
