import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { ObjectKey, UnixNs, VersionId } from "../model/names.ts";
import { idRowKey, sameIdRowKey, SPACE, splitIdRowKey, u64, versionRowKey, versionRowKeyOf } from "./keys.ts";

const BUCKET = "00ff10ab20cd30ef";
const id = fc.oneof(fc.constant("null"), fc.uuid()).map((text) => text as VersionId);
const key = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\0"));

test("a row's key gives back the key and the version id that it was made of, as bytes of the UUID", () => {
  fc.assert(
    fc.property(key, id, (name, versionId) => {
      const row = idRowKey(SPACE.byId, BUCKET, name, versionId);
      assert.deepEqual(splitIdRowKey(row), { key: name.toWellFormed(), versionId });
      const hex = versionId === "null" ? "0".repeat(32) : versionId.replaceAll("-", "");
      assert.equal(row.toString("hex", row.length - 16), hex);
      assert.deepEqual(sameIdRowKey(SPACE.tombstone, row), idRowKey(SPACE.tombstone, BUCKET, name, versionId));
    }),
  );
});

test("a lookup row leads to the row of its version", () => {
  const time = fc.bigInt({ min: 0n, max: 2n ** 63n });
  fc.assert(
    fc.property(key, id, time, (name, versionId, mtime) => {
      const at = { key: name as ObjectKey, versionId, mtime: mtime as UnixNs };
      const row = versionRowKeyOf(idRowKey(SPACE.byId, BUCKET, name, versionId), u64(mtime));
      assert.deepEqual(row, versionRowKey(BUCKET, at));
    }),
  );
});

test("digits in capitals are the same digits", () => {
  const text = randomUUID();
  const upper = idRowKey(SPACE.byId, BUCKET, "k", text.toUpperCase() as VersionId);
  assert.deepEqual(upper, idRowKey(SPACE.byId, BUCKET, "k", text as VersionId));
});
