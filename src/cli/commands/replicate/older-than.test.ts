import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "../../command.ts";
import { encodeOlderThan, hoursFor, olderThanHours } from "./older-than.ts";

const NOW = Date.parse("2026-11-23T00:00:00Z");
const wire = (text: string): string | undefined => {
  const hours = olderThanHours(text, NOW);
  return hours === undefined ? undefined : encodeOlderThan(hours);
};

test("ages go onto the wire as hours counted in nanoseconds", () => {
  assert.equal(wire("7d"), "168ns");
  assert.equal(wire("1d12h"), "36ns");
  assert.equal(wire("12h"), "12ns");
  assert.equal(wire("60d"), "1.44µs");
  assert.equal(wire("1y"), "8.76µs");
});

test("zero is not given, part of an hour counts whole, dates are accepted", () => {
  assert.equal(wire("0d"), undefined);
  assert.equal(wire("90m"), "2ns");
  assert.equal(wire("2026-11-22T00:00:00Z"), "24ns");
  assert.equal(wire("2026-11-16"), "168ns");
  for (const bad of ["x", "", "2027-01-01"]) assert.throws(() => wire(bad), CommandError);
});

test("MinIO, which counts whole days, is asked for the days above: nothing younger than asked for is taken", () => {
  assert.deepEqual(
    [1, 24, 36].map((hours) => hoursFor(hours, false)),
    [24, 24, 48],
  );
  assert.equal(hoursFor(36, true), 36);
});
