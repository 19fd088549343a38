import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyMutex } from "./key-mutex.ts";

test("work under one name runs one at a time in the order of asking, whether it asked for one name or for many", async () => {
  const asked = fc.record({
    names: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1 }),
    turns: fc.nat(4),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(asked, { maxLength: 20 }), async (all) => {
      const mutex = new KeyMutex();
      const busy = new Set<string>();
      const order = new Map<string, number[]>();
      const work = (i: number, names: readonly string[], turns: number) => async (): Promise<number> => {
        for (const name of names) {
          assert.ok(!busy.has(name));
          busy.add(name);
          order.set(name, [...(order.get(name) ?? []), i]);
        }
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        for (const name of names) busy.delete(name);
        if (turns === 3) throw new Error("failed");
        return i;
      };
      const ends = all.map(({ names, turns }, i) => {
        const [one = ""] = names;
        return names.length === 1 ? mutex.run(one, work(i, names, turns)) : mutex.runAll(names, work(i, names, turns));
      });
      const results = await Promise.allSettled(ends);
      assert.deepEqual(
        results.map((result) => (result.status === "fulfilled" ? result.value : "failed")),
        all.map(({ turns }, i) => (turns === 3 ? "failed" : i)),
      );
      for (const numbers of order.values())
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
        );
    }),
    { numRuns: 200 },
  );
});
