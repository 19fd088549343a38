import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alignColumns,
  formatBinarySize,
  formatElapsed,
  formatRate,
  parseBandwidth,
  parseDurationNs,
  parseSize,
} from "./units.ts";

test("sizes read decimal and binary units and refuse the rest", () => {
  assert.equal(parseSize("100MB"), 100_000_000);
  assert.equal(parseSize("1.5GiB"), 1_610_612_736);
  assert.equal(parseSize("2000"), 2000);
  assert.equal(parseSize("10m"), 10_000_000);
  for (const bad of ["", "x", "10q", "-1", "1 2"]) assert.throws(() => parseSize(bad), /Unable to parse size/);
});

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

test("durations join units; days, weeks and years are whole hours", () => {
  assert.equal(parseDurationNs("7d10h31s"), (7 * 24 * 3600 + 36_000 + 31) * 1e9);
  assert.equal(parseDurationNs("1y"), 365 * 24 * 3600e9);
  assert.equal(parseDurationNs("12h"), 12 * 3600e9);
  for (const bad of ["", "7", "d", "7d x", "2024-01-01"]) assert.equal(parseDurationNs(bad), undefined);
});

test("elapsed time names its largest unit", () => {
  assert.equal(formatElapsed(536), "8 minutes");
  assert.equal(formatElapsed(60), "1 minute");
  assert.equal(formatElapsed(90_000), "1 day");
  assert.equal(formatElapsed(0), "0 seconds");
});

test("columns are as wide as their widest cell", () => {
  assert.deepEqual(alignColumns([["a", "bb"], ["ccc", "d"]]), ["a    bb", "ccc  d"]);
});
