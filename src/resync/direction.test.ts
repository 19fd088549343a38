import assert from "node:assert/strict";
import { test } from "node:test";
import { wrongDirection } from "./direction.ts";

const look = (there: number, lackingHere: number, lackingThere: number, more = {}) => ({
  there,
  lackingHere,
  lackingThere,
  purgedHere: 0,
  whole: true,
  ...more,
});

test("an empty source of a target that holds something is the wrong side", () => {
  assert.match(wrongDirection({ here: 0, there: 5 }, look(5, 5, 0)) ?? "", /empty/);
  assert.match(wrongDirection({ here: 0, there: undefined }, look(5, 5, 0, { whole: false })) ?? "", /at least 5/);
  assert.equal(wrongDirection({ here: 0, there: 0 }, look(0, 0, 0)), undefined);
  assert.equal(wrongDirection({ here: 10, there: 0 }, look(0, 0, 10)), undefined);
});

test("what a target has of its own is no reason, until it is more than a tenth and nothing of ours lacks there", () => {
  assert.equal(wrongDirection({ here: 95, there: 100 }, look(100, 5, 0)), undefined);
  assert.match(wrongDirection({ here: 70, there: 100 }, look(100, 30, 0)) ?? "", /30 of the target's 100 versions/);
  assert.equal(wrongDirection({ here: 80, there: 100 }, look(100, 30, 10)), undefined, "both sides lost something");
  assert.match(wrongDirection({ here: 72, there: undefined }, look(100, 30, 2)) ?? "", /and 2 of this bucket/);
});

test("counts decide where the first versions say nothing; purges meant for all are no loss", () => {
  const same = look(5000, 0, 0, { whole: false });
  assert.match(wrongDirection({ here: 6000, there: 20_000 }, same) ?? "", /6000 versions, the target 20000/);
  assert.equal(wrongDirection({ here: 6000, there: 20_000 }, { ...same, purgedHere: 4000 }), undefined);
  assert.equal(wrongDirection({ here: 6000, there: undefined }, same), undefined);
});
