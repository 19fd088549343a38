import assert from "node:assert/strict";
import { test } from "node:test";
import { formatElapsed, parseBandwidth } from "./units.ts";

test("bandwidth is bits in the 2022 form, bytes in the current one, and explicit units win", () => {
  assert.equal(parseBandwidth("1600MB", "bits"), 200_000_000);
  assert.equal(parseBandwidth("200MB", "bytes"), 200_000_000);
  assert.equal(parseBandwidth("1600Mb/s", "bytes"), 200_000_000);
  assert.equal(parseBandwidth("200MB/s", "bits"), 200_000_000);
  assert.equal(parseBandwidth("0", "bytes"), 0);
});

test("elapsed time names its largest unit", () => {
  assert.equal(formatElapsed(536), "8 minutes");
  assert.equal(formatElapsed(60), "1 minute");
  assert.equal(formatElapsed(90_000), "1 day");
  assert.equal(formatElapsed(0), "0 seconds");
});
