import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DeleteMarker } from "../model/version.ts";
import { DEFAULT_OPTIONS, ORDERS } from "./options.ts";
import type { ResyncRecord } from "./record.ts";
import { inPass, passesOf } from "./scope.ts";

const DAY_NS = 86_400_000_000_000n;

test("whatever the order, every version has its turn in exactly one pass", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ORDERS), fc.integer({ min: -5, max: 400 }), fc.boolean(), (order, days, latest) => {
      const created = 1000n * DAY_NS;
      const record = { created, options: { ...DEFAULT_OPTIONS, order } } as ResyncRecord;
      const version = { kind: "delete-marker", mtime: created - BigInt(days) * DAY_NS } as DeleteMarker;
      const turns = Array.from({ length: passesOf(record) }, (_, pass) => inPass(record, pass, version, latest));
      assert.equal(turns.filter(Boolean).length, 1);
    }),
  );
});

test("recent goes by age, current by being the newest of its key", () => {
  const created = 1000n * DAY_NS;
  const passOf = (order: "recent" | "current", days: bigint, latest: boolean): number => {
    const record = { created, options: { ...DEFAULT_OPTIONS, order } } as ResyncRecord;
    const version = { kind: "delete-marker", mtime: created - days * DAY_NS } as DeleteMarker;
    return Array.from({ length: passesOf(record) }, (_, pass) => inPass(record, pass, version, latest)).indexOf(true);
  };
  assert.deepEqual(
    [0n, 3n, 20n, 300n].map((days) => passOf("recent", days, true)),
    [0, 1, 2, 3],
  );
  assert.deepEqual([passOf("current", 300n, true), passOf("current", 0n, false)], [0, 1]);
});
