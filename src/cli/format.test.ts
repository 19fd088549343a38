import assert from "node:assert/strict";
import { test } from "node:test";
import {
  columns,
  formatBinarySize,
  formatRate,
  formatRfc3339,
  formatSize,
  formatSpan,
  parseDuration,
  parseMoment,
  parseSize,
} from "./format.ts";

test("sizes: one digit below ten, none above, no blank", () => {
  const cases: [number, string][] = [
    [0, "0B"],
    [5, "5B"],
    [1023, "1023B"],
    [1024, "1.0KiB"],
    [5_452_595, "5.2MiB"],
    [15 * 1024 * 1024, "15MiB"],
    [2 ** 40, "1.0TiB"],
    [40_000_000, "38MiB"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatSize(bytes), text);
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

test("sizes are read in powers of 1000 and of 1024", () => {
  assert.equal(parseSize("10MiB"), 10 * 1024 * 1024);
  assert.equal(parseSize("1g"), 1e9);
  assert.equal(parseSize("1.5k"), 1500);
  assert.equal(parseSize("64Ki"), 65_536);
  assert.equal(parseSize("512"), 512);
  assert.throws(() => parseSize("ten"), /not a size/);
});

test("durations are joined from units", () => {
  assert.equal(parseDuration("7d10h31s"), 7 * 864e5 + 10 * 36e5 + 31e3);
  assert.equal(parseDuration("1y"), 365 * 864e5);
  assert.equal(parseDuration("500ms"), 500);
  for (const bad of ["", "7", "7x", "d"]) assert.equal(parseDuration(bad), undefined);
});

test("a moment is a duration back, a local date or RFC 3339", () => {
  const now = Date.UTC(2026, 10, 23);
  assert.equal(parseMoment("1d", now), now - 864e5);
  assert.equal(parseMoment("2025.12.31T15:04", now), new Date(2025, 11, 31, 15, 4).getTime());
  assert.equal(parseMoment("2025.12.31", now), new Date(2025, 11, 31).getTime());
  assert.equal(parseMoment("2025-12-31T15:04:05Z", now), Date.UTC(2025, 11, 31, 15, 4, 5));
  assert.throws(() => parseMoment("yesterday", now), /neither a duration/);
});

test("times lose trailing zeros of the fraction only", () => {
  assert.equal(formatRfc3339(new Date("2026-11-23T00:43:10.000Z")), "2026-11-23T00:43:10Z");
  assert.equal(formatRfc3339(new Date("2026-11-23T00:43:10.120Z")), "2026-11-23T00:43:10.12Z");
});

test("spans and columns", () => {
  assert.deepEqual([450, 12_000, 185_000, 7_800_000].map(formatSpan), ["450ms", "12s", "3m05s", "2h10m"]);
  assert.equal(
    columns([
      ["a", "bb"],
      ["ccc", "d"],
    ]),
    "a    bb\nccc  d",
  );
});
