import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import type { ObjectVersion } from "../model/version.ts";
import { bareEtag, decideRead, parseCopyRange, parseRange } from "./read-conditions.ts";

test("ranges: clipped, suffixes, refused, ignored (s3-api.md section 7)", () => {
  const cases: [string, number, [number, number] | undefined | "416"][] = [
    ["bytes=0-4", 10, [0, 5]],
    ["bytes=5-", 10, [5, 10]],
    ["bytes=5-99", 10, [5, 10]],
    ["bytes=-3", 10, [7, 10]],
    ["bytes=-30", 10, [0, 10]],
    ["bytes=-0", 10, "416"],
    ["bytes=10-", 10, "416"],
    ["bytes=5-4", 10, "416"],
    ["bytes=0-", 0, "416"],
    ["bytes=0-1,3-4", 10, undefined],
    ["bytes=+1-2", 10, undefined],
    ["bytes=-", 10, undefined],
    ["chars=0-1", 10, undefined],
  ];
  for (const [header, size, expected] of cases) {
    if (expected === "416")
      assert.throws(
        () => parseRange(header, size),
        (error) => hasCode(error, "InvalidRange"),
        header,
      );
    else assert.deepEqual(parseRange(header, size), expected && { start: expected[0], end: expected[1] }, header);
  }
  assert.deepEqual(parseCopyRange("bytes=0-9"), { start: 0, end: 10 });
  for (const bad of ["bytes=0-", "bytes=-5", "bytes=9-1", "0-1"]) {
    assert.throws(
      () => parseCopyRange(bad),
      (error) => hasCode(error, "InvalidArgument"),
      bad,
    );
  }
});

test("conditions: 304 wins over 412, dates count in whole seconds", () => {
  const version = { etag: "e", mtime: 10_500_000_000n } as ObjectVersion;
  assert.equal(decideRead({ ifNoneMatch: "e", ifMatch: "x" }, version), "not-modified");
  assert.equal(decideRead({ ifNoneMatch: "*" }, version), "not-modified");
  assert.equal(decideRead({ ifNoneMatch: "x", ifModifiedSince: 10_000 }, version), "send");
  assert.equal(decideRead({ ifModifiedSince: 10_000 }, version), "not-modified");
  assert.equal(decideRead({ ifModifiedSince: 9_000 }, version), "send");
  assert.equal(decideRead({ ifUnmodifiedSince: 10_000 }, version), "send");
  assert.equal(decideRead({ ifMatch: "e", ifUnmodifiedSince: 9_000 }, version), "send");
  const failing = { "If-Match": { ifMatch: "x" }, "If-Unmodified-Since": { ifUnmodifiedSince: 9_000 } };
  for (const [Condition, conditions] of Object.entries(failing)) {
    assert.throws(
      () => decideRead(conditions, version),
      (error) => hasCode(error, "PreconditionFailed") && error.detail.fields?.["Condition"] === Condition,
    );
  }
});

test("ETags lose quotes and weak marks", () => {
  assert.deepEqual(['"a"', "a", 'W/"a"', " * "].map(bareEtag), ["a", "a", "a", "*"]);
});
