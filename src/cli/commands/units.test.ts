import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBinarySize, formatElapsed, formatRate, parseBandwidth } from "./units.ts";

test("bandwidth is bits in the 2022 form, bytes in the current one, and explicit units win", () => {
  assert.equal(parseBandwidth("1600MB", "bits"), 200_000_000);
  assert.equal(parseBandwidth("200MB", "bytes"), 200_000_000);
  assert.equal(parseBandwidth("1600Mb/s", "bytes"), 200_000_000);
  assert.equal(parseBandwidth("200MB/s", "bits"), 200_000_000);
  assert.equal(parseBandwidth("0", "bytes"), 0);
});

test("sizes and rates print as the original does", () => {
  assert.equal(formatBinarySize(0), "0 B");
  assert.equal(formatBinarySize(26_223_218), "25 MiB");
  assert.equal(formatBinarySize(2 ** 30), "1.0 GiB");
  assert.equal(formatBinarySize(1024), "1.0 KiB");
  assert.equal(formatBinarySize(500), "500 B");
  assert.equal(formatRate(1_189_268.3), "1.2 MB/s");
  assert.equal(formatRate(1000), "1.0 kB/s");
  assert.equal(formatRate(0), "0 B/s");
});

test("elapsed time names its largest unit", () => {
  assert.equal(formatElapsed(536), "8 minutes");
  assert.equal(formatElapsed(60), "1 minute");
  assert.equal(formatElapsed(90_000), "1 day");
  assert.equal(formatElapsed(0), "0 seconds");
});
