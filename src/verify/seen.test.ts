import assert from "node:assert/strict";
import { test } from "node:test";
import { objectVersion } from "../reconcile/testing.ts";
import { mismatches, seenOfDescribed, seenOfListed, type SeenObject } from "./seen.ts";

const seen = (more: Partial<SeenObject> = {}): SeenObject => ({
  kind: "object",
  key: "k",
  versionId: "v",
  mtimeMs: 1000,
  precisionMs: 1,
  touchedMs: 1000,
  size: 5,
  etag: "e",
  metadata: { "content-type": "text/plain", "x-amz-meta-a": "1" },
  tags: { a: "b" },
  ...more,
});
const kinds = (a: Parameters<typeof mismatches>[0], b: Parameters<typeof mismatches>[1]): string[] =>
  mismatches(a, b, "metadata").map(({ kind }) => kind);

test("each thing that differs has its kind", () => {
  assert.deepEqual(kinds(seen(), seen()), []);
  assert.deepEqual(kinds(seen(), undefined), ["onlyAtSource"]);
  assert.deepEqual(kinds(undefined, seen()), ["onlyAtTarget"]);
  assert.deepEqual(kinds(seen(), seen({ size: 6, etag: "f" })), ["size", "etag"]);
  assert.deepEqual(kinds(seen(), seen({ tags: { a: "c" } })), ["tags"]);
  assert.deepEqual(kinds(seen(), seen({ metadata: { "x-amz-meta-a": "2" } })), ["metadata"]);
  assert.deepEqual(kinds(seen(), seen({ metadata: { "x-amz-meta-b": "1" } })), ["metadata"]);
  assert.deepEqual(kinds(seen(), seen({ damaged: "missing", etag: "f" })), ["damagedAtTarget"]);
  assert.deepEqual(kinds(seen({ damaged: "corrupt" }), seen({ damaged: "missing" })), [
    "damagedAtSource",
    "damagedAtTarget",
  ]);
  const held = { ...seen().metadata, "x-amz-object-lock-legal-hold": "ON" };
  assert.deepEqual(kinds(seen(), seen({ metadata: held })), ["legalHold"]);
  const locked = {
    "x-amz-object-lock-mode": "GOVERNANCE",
    "x-amz-object-lock-retain-until-date": "2030-01-01T00:00:00.000Z",
  };
  assert.deepEqual(kinds(seen({ metadata: { ...seen().metadata, ...locked } }), seen()), ["retention"]);
  const { key, versionId, mtimeMs, precisionMs, touchedMs } = seen();
  assert.deepEqual(kinds(seen(), { kind: "delete-marker", key, versionId, mtimeMs, precisionMs, touchedMs }), ["kind"]);
  assert.deepEqual(mismatches(seen(), seen({ tags: {} }), "identity"), []);
});

test("times are compared as precisely as both sides tell them", () => {
  assert.deepEqual(kinds(seen(), seen({ mtimeMs: 1500 })), ["time"]);
  assert.deepEqual(kinds(seen(), seen({ mtimeMs: 1500, precisionMs: 1000 })), []);
  assert.deepEqual(kinds(seen({ mtimeNs: 1n }), seen({ mtimeNs: 2n })), ["time"]);
  assert.deepEqual(kinds(seen({ mtimeNs: 1n }), seen()), []);
});

test("what a side leaves untold is not taken for different", () => {
  assert.deepEqual(kinds(seen(), seen({ metadata: undefined, tags: undefined })), []);
  assert.deepEqual(kinds(seen(), seen({ metadata: { "x-amz-meta-a": "1", "x-amz-request-id": "7" } })), []);
});

test("a version described by its site and the same one listed are equal", () => {
  const version = objectVersion("k", 3, {
    userMetadata: { "x-amz-meta-a": "ä" },
    tags: { value: { t: "1" }, time: 9n },
    retention: { value: { mode: "GOVERNANCE", until: "2030-01-01T00:00:00.000Z" }, time: 9n },
    legalHold: { value: true, time: 9n },
  });
  const metadata = {
    "content-type": "text/plain",
    "x-amz-meta-a": "=?UTF-8?B?w6Q=?=",
    "x-amz-object-lock-mode": "GOVERNANCE",
    "x-amz-object-lock-retain-until-date": "2030-01-01T00:00:00Z",
    "x-amz-object-lock-legal-hold": "ON",
  };
  const { versionId, etag, size } = version;
  const mtimeMs = Number(version.mtime / 1_000_000n);
  const listed = seenOfListed("k", {
    kind: "object",
    versionId,
    etag,
    size,
    mtimeMs,
    precisionMs: 1,
    metadata,
    tags: { t: "1" },
  });
  assert.deepEqual(kinds(seenOfDescribed(version), listed), []);
});
