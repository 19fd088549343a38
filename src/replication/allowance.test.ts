import assert from "node:assert/strict";
import { test } from "node:test";
import { Allowance } from "./allowance.ts";

test("so many a second, a few at once, and nothing from a clock that goes back", () => {
  let nowMs = 1000;
  const allowance = new Allowance({ nowMs: () => nowMs }, 100, 5);
  assert.equal(allowance.left, 5);
  allowance.take(5);
  assert.equal(allowance.left, 0);
  nowMs += 15;
  assert.equal(allowance.left, 1);
  allowance.take(1);
  nowMs += 5;
  assert.equal(allowance.left, 1, "half a one was left");
  nowMs += 60_000;
  assert.equal(allowance.left, 5);
  allowance.take(5);
  nowMs -= 60_000;
  assert.equal(allowance.left, 0);
  nowMs += 20;
  assert.equal(allowance.left, 2);
});
