import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareUtf8 } from "../model/key-order.ts";
import { march } from "./march.ts";

async function* stream(keys: readonly string[]): AsyncGenerator<{ key: string }> {
  for (const key of keys) yield { key };
}

test("every key of both sides comes exactly once, with the side it is on", async () => {
  const keys = fc.uniqueArray(fc.string({ unit: "grapheme", maxLength: 4 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(keys, keys, async (a, b) => {
      const sorted = (list: string[]): string[] => list.toSorted(compareUtf8);
      const seen: string[] = [];
      for await (const step of march(stream(sorted(a)), stream(sorted(b)))) {
        if (step.kind === "both") assert.equal(step.left.key, step.right.key);
        seen.push(`${step.kind}:${step.kind === "right" ? step.right.key : step.left.key}`);
      }
      const union = sorted([...new Set([...a, ...b])]);
      assert.deepEqual(
        seen,
        union.map((key) => `${a.includes(key) ? (b.includes(key) ? "both" : "left") : "right"}:${key}`),
      );
    }),
    { numRuns: 200 },
  );
});

test("disorder is an error, not a conclusion", async () => {
  await assert.rejects(async () => {
    for await (const step of march(stream(["b", "a"]), stream([]))) assert.ok(step);
  }, /out of order/);
});
