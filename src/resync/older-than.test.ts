import assert from "node:assert/strict";
import { test } from "node:test";
import { olderThanMs } from "./older-than.ts";

const DAY = 86_400_000;

test("nanoseconds mean hours", () => {
  assert.equal(olderThanMs("168ns"), 7 * DAY);
  assert.equal(olderThanMs("36ns"), 1.5 * DAY);
  assert.equal(olderThanMs("12ns"), DAY / 2);
  assert.equal(olderThanMs("1.44µs"), 60 * DAY);
  assert.equal(olderThanMs(""), 0);
});

test("durations as people write them are taken as they stand", () => {
  assert.equal(olderThanMs("7d"), 7 * DAY);
  assert.equal(olderThanMs("168h"), 7 * DAY);
  assert.equal(olderThanMs("1d12h"), 1.5 * DAY);
});

test("anything else is refused", () => {
  for (const text of ["x", "7", "7 d", "-7d", "d"]) assert.throws(() => olderThanMs(text), { code: "InvalidArgument" });
});
