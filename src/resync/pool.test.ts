import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AHEAD_MAX, OrderedPool } from "./pool.ts";

test("results come in the order of adding, limits hold, whatever the tasks' speed", async () => {
  const task = fc.record({ turns: fc.nat(5), weight: fc.nat(10), tasks: fc.integer({ min: 1, max: 3 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(task, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), async (tasks, maxTasks) => {
      const seen: string[] = [];
      let running = 0;
      const pool = new OrderedPool<number>({ maxTasks, maxWeight: 15 }, (key, result) => seen.push(`${key}:${result}`));
      for (const [i, { turns, weight, tasks: count }] of tasks.entries()) {
        await pool.add(
          String(i),
          weight,
          async () => {
            running += count;
            assert.ok(running <= maxTasks || running === count);
            for (let turn = 0; turn < turns; turn++) await Promise.resolve();
            running -= count;
            return i;
          },
          count,
        );
      }
      await pool.drain();
      assert.deepEqual(
        seen,
        tasks.map((_, i) => `${i}:${i}`),
      );
    }),
    { numRuns: 100 },
  );
});

test("after a failure nothing past it counts as done", async () => {
  const seen: string[] = [];
  const pool = new OrderedPool<true>({ maxTasks: 3, maxWeight: 1 }, (key) => seen.push(key));
  await pool.add("a", 0, async () => true);
  await pool.add("b", 0, async () => {
    throw new Error("no");
  });
  await assert.rejects(
    pool.add("c", 0, async () => true),
    /no/,
  );
  await assert.rejects(pool.drain(), /no/);
  assert.deepEqual(seen, ["a"]);
});

test("what has ended behind a task that takes long is bounded", async () => {
  let reached = 0;
  const pool = new OrderedPool<true>({ maxTasks: 3, maxWeight: 1 }, () => reached++);
  let end = (): void => undefined;
  await pool.add("large", 0, () => new Promise((resolve) => (end = () => resolve(true))));
  for (let i = 1; i < AHEAD_MAX; i++) await pool.add("small", 0, async () => true);
  let started = false;
  const one = pool.add("one more", 0, async () => (started = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([started, reached], [false, 0]);
  end();
  await one;
  await pool.drain();
  assert.equal(reached, AHEAD_MAX + 1);
});
