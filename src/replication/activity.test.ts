import assert from "node:assert/strict";
import { test } from "node:test";
import { Activity } from "./activity.ts";

test("no lag is less than none, whatever the clock was set to since the write", () => {
  const activity = new Activity({ nowMs: () => 1000, nowNs: () => 1_000_000_000n, sleep: () => Promise.resolve() });
  for (const lagMs of [-300_000, 20]) activity.sent({ bytes: 10, tookMs: lagMs, lagMs, large: false, first: true });
  const { lagMs, transfers } = activity.view();
  assert.ok(lagMs.curr === 20 && lagMs.avg > 0 && lagMs.max === 20, JSON.stringify(lagMs));
  for (const rate of [transfers.Small.currRate, transfers.Small.avgRate, transfers.Small.peakRate])
    assert.ok(rate >= 0);
});
