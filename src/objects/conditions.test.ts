import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import type { ObjectVersion } from "../model/version.ts";
import { checkCopySource, checkDelete, checkWrite } from "./conditions.ts";

const stored = { kind: "object", key: "k", etag: "e", size: 3, mtime: 10_500_000_000n } as ObjectVersion;

test("a 412 names the condition that did not hold", () => {
  const cases: [() => void, string][] = [
    [() => checkWrite({ ifMatch: "x" }, stored), "If-Match"],
    [() => checkWrite({ ifMatch: "e", ifNoneMatch: "*" }, stored), "If-None-Match"],
    [() => checkDelete({ etag: "x" }, stored), "If-Match"],
    [() => checkDelete({ etag: "e", lastModifiedMs: 9_000 }, stored), "x-amz-if-match-last-modified-time"],
    [() => checkDelete({ etag: "e", lastModifiedMs: 10_000, size: 4 }, stored), "x-amz-if-match-size"],
    [() => checkCopySource({ ifMatch: "x" }, stored), "x-amz-copy-source-If-Match"],
    [() => checkCopySource({ ifMatch: "e", ifNoneMatch: "e" }, stored), "x-amz-copy-source-If-None-Match"],
    [() => checkCopySource({ ifModifiedSince: 10_000 }, stored), "x-amz-copy-source-If-Modified-Since"],
    [() => checkCopySource({ ifUnmodifiedSince: 9_000 }, stored), "x-amz-copy-source-If-Unmodified-Since"],
  ];
  for (const [check, condition] of cases) {
    assert.throws(check, (error) => {
      assert.ok(hasCode(error, "PreconditionFailed"), condition);
      assert.deepEqual(error.detail.fields, { Condition: condition });
      assert.equal(error.detail.headers?.["etag"], '"e"');
      return true;
    });
  }
});

test("conditions that hold, and times that do not count beside an ETag", () => {
  checkWrite({ ifMatch: "*", ifNoneMatch: "x" }, stored);
  checkWrite({ ifNoneMatch: "*" }, undefined);
  checkDelete({ etag: "e", lastModifiedMs: 10_999, size: 3, mtime: 10_500_000_000n }, stored);
  checkCopySource({ ifMatch: "e", ifUnmodifiedSince: 9_000 }, stored);
  checkCopySource({ ifNoneMatch: "x", ifModifiedSince: 10_000 }, stored);
  assert.throws(
    () => checkDelete({ mtime: 10_500_000_001n }, stored),
    (error) => hasCode(error, "PreconditionFailed"),
  );
});
