import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_OPTIONS, parseLimits, parseNamed, parseOptions } from "./options.ts";

const of = (values: Record<string, string>) => (name: string) => values[name];
const invalid = { code: "InvalidArgument" };

test("absent and empty parameters are the defaults; anything unknown is refused", () => {
  assert.deepEqual(parseOptions(of({})), DEFAULT_OPTIONS);
  assert.deepEqual(parseOptions(of({ deep: "", priority: "", force: "false" })), DEFAULT_OPTIONS);
  assert.deepEqual(parseOptions(of({ prefix: "a/", deep: "true", "failed-only": "true", priority: "recent" })), {
    prefix: "a/",
    deep: true,
    failedOnly: true,
    force: false,
    order: "recent",
  });
  assert.throws(() => parseOptions(of({ deep: "yes" })), invalid);
  assert.throws(() => parseOptions(of({ priority: "hottest" })), invalid);
});

test("limits are whole numbers, and only those given change", () => {
  assert.deepEqual(parseLimits(of({})), {});
  assert.deepEqual(parseLimits(of({ bandwidth: "0", concurrency: "8" })), { bytesPerSecond: 0, inFlight: 8 });
  for (const concurrency of ["-1", "1.5", "513", "x"]) assert.throws(() => parseLimits(of({ concurrency })), invalid);
});

test("named versions are lines of JSON with a key", () => {
  const id = "0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f01";
  assert.deepEqual(parseNamed(`{"key":"a"}\n\n{"key":"b","versionId":"${id}"}\n{"key":"c","versionId":"null"}\n`), [
    { key: "a" },
    { key: "b", versionId: id },
    { key: "c", versionId: "null" },
  ]);
  for (const line of ["nothing", "null", "{}", '{"key":""}', '{"key":"a","versionId":"x"}', '{"key":1}'])
    assert.throws(() => parseNamed(line), invalid, line);
});
