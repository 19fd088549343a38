import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  amzDate,
  httpDate,
  isoMillis,
  msOf,
  parseAmzDate,
  parseHttpDate,
  parseRfc3339Nano,
  rfc3339Nano,
} from "./time.ts";

const NS_MAX = 4_000_000_000_000_000_000n;

test("nanoseconds survive their text, zeros trimmed", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -NS_MAX, max: NS_MAX }), (ns) => assert.equal(parseRfc3339Nano(rfc3339Nano(ns)), ns)),
  );
  assert.equal(rfc3339Nano(1_764_000_000_500_000_000n), "2025-11-24T16:00:00.5Z");
  assert.equal(rfc3339Nano(0n), "1970-01-01T00:00:00Z");
});

test("offsets and bad dates", () => {
  assert.equal(parseRfc3339Nano("1970-01-01T01:00:00.000000001+01:00"), 1n);
  for (const bad of ["", "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T25:00:00Z", "now"]) {
    assert.equal(parseRfc3339Nano(bad), undefined, bad);
  }
});

test("a time reads the same whether it ends in Z or in an offset of nothing, and nothing near one is a time", () => {
  const two = fc.nat(70).map((n) => String(n).padStart(2, "0"));
  const year = fc.constantFrom("0000", "0999", "1970", "2000", "2023", "2024", "2100", "9999", "20x4");
  const fraction = fc.constantFrom("", ".", ".0", ".5", ".000000001", ".123456789", ".1234567891", ".12a", ".9 ");
  const text = fc.tuple(year, two, two, two, two, two, fraction);
  fc.assert(
    fc.property(text, ([y, mo, d, h, mi, s, rest]) => {
      const local = `${y}-${mo}-${d}T${h}:${mi}:${s}${rest}`;
      assert.equal(parseRfc3339Nano(`${local}Z`), parseRfc3339Nano(`${local}+00:00`), local);
    }),
    { numRuns: 5000 },
  );
});

test("http dates", () => {
  const ms = Date.UTC(2026, 10, 23, 0, 40, 5);
  assert.equal(httpDate(ms + 999), "Mon, 23 Nov 2026 00:40:05 GMT");
  assert.equal(parseHttpDate("Mon, 23 Nov 2026 00:40:05 GMT"), ms);
  assert.equal(parseHttpDate("Mon, 23 Nov 2026 01:40:05 +0100"), ms);
  assert.equal(parseHttpDate("Monday, 23-Nov-26 00:40:05 GMT"), ms);
  assert.equal(parseHttpDate("Mon Nov 23 00:40:05 2026"), ms);
  assert.equal(parseHttpDate("Sun, 1 Nov 2026 00:40:05 GMT"), Date.UTC(2026, 10, 1, 0, 40, 5));
  assert.equal(parseHttpDate("yesterday"), undefined);
});

test("millisecond and signing dates", () => {
  assert.equal(isoMillis(1_999_999n), "1970-01-01T00:00:00.001Z");
  assert.equal(isoMillis(1), "1970-01-01T00:00:00.001Z");
  for (const ms of [0, 999, 1000, -1, -1000, Date.UTC(2026, 10, 23) + 7, 8.64e15, -8.64e15, 1.5])
    assert.equal(isoMillis(ms), new Date(ms).toISOString());
  assert.throws(() => isoMillis(8.64e15 + 1000), RangeError);
  assert.equal(msOf(-1n), -1);
  assert.equal(amzDate(Date.UTC(2026, 10, 23, 0, 40, 5)), "20261123T004005Z");
  assert.equal(parseAmzDate("20261123T004005Z"), Date.UTC(2026, 10, 23, 0, 40, 5));
  assert.equal(parseAmzDate("20261323T004005Z"), undefined);
  assert.equal(parseAmzDate("2026-11-23T00:40:05Z"), undefined);
});
