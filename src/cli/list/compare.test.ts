import assert from "node:assert/strict";
import { test } from "node:test";
import { DIFFERENCE, byVersion, difference, versionDifference, versionName } from "./compare.ts";
import type { Entry } from "./entry.ts";
import { pairs } from "./places.ts";

const entry = (more: Partial<Entry> = {}): Entry => {
  return {
    type: "file",
    key: "k",
    size: 1,
    modifiedMs: 1,
    etag: "e",
    url: "",
    versionId: "V",
    isLatest: true,
    ...more,
  };
};
async function* stream(...entries: Entry[]): AsyncIterable<Entry> {
  yield* entries;
}
async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test("names and sizes count, contents do not", () => {
  assert.equal(difference(entry(), entry({ etag: "f", modifiedMs: 9 })), DIFFERENCE.none);
  assert.equal(difference(entry(), entry({ size: 2 })), DIFFERENCE.size);
  assert.equal(difference(entry(), entry({ type: "folder" })), DIFFERENCE.type);
  assert.equal(difference(entry(), undefined), DIFFERENCE.onlyFirst);
  assert.equal(difference(undefined, entry()), DIFFERENCE.onlySecond);
});

test("versions: markers, ETags, which is current, metadata and tags count", () => {
  const metadata = { "content-type": "text/plain", "X-Amz-Meta-A": "1" };
  const base = entry({ metadata, tags: { a: "1", b: "2" } });
  const against = (more: Partial<Entry>): number => versionDifference(base, { ...base, ...more });
  assert.equal(against({ tags: { b: "2", a: "1" }, isDeleteMarker: false }), DIFFERENCE.none);
  assert.equal(against({ isDeleteMarker: true }), DIFFERENCE.type);
  assert.equal(against({ etag: "f" }), DIFFERENCE.metadata);
  assert.equal(against({ isLatest: false }), DIFFERENCE.metadata);
  assert.equal(against({ tags: { a: "1" } }), DIFFERENCE.metadata);
  assert.equal(against({ metadata: { ...metadata, "x-amz-meta-a": "2" } }), DIFFERENCE.metadata);
});

test("versions: what a server says for itself or cannot say is no difference", () => {
  const base = entry({ metadata: { "content-type": "a", "X-Amz-Replication-Status": "COMPLETED" }, tags: { a: "1" } });
  const replica = { ...base, metadata: { "Content-Type": "a", "X-Amz-Replication-Status": "REPLICA" } };
  assert.equal(versionDifference(base, replica), DIFFERENCE.none);
  assert.equal(versionDifference(base, entry()), DIFFERENCE.none);
});

test("versions of a key meet by id, whatever their order in the listing", async () => {
  const first = stream(
    entry({ key: "a", versionId: "2" }),
    entry({ key: "a", versionId: "1" }),
    entry({ key: "a!", versionId: "9" }),
  );
  const second = stream(
    entry({ key: "a", versionId: "1" }),
    entry({ key: "a", versionId: "2" }),
    entry({ key: "b", versionId: "9" }),
  );
  const met = (await collect(pairs(byVersion(first), byVersion(second)))).map(({ first: one, second: other }) => {
    const seen = one ?? other;
    return [versionName(seen?.key ?? ""), seen?.versionId, one !== undefined, other !== undefined];
  });
  assert.deepEqual(met, [
    ["a", "1", true, true],
    ["a", "2", true, true],
    ["a!", "9", true, false],
    ["b", "9", false, true],
  ]);
});

test("a listing out of order ends the walk", async () => {
  await assert.rejects(collect(pairs(stream(entry({ key: "b" }), entry({ key: "a" })), stream())), /not in key order/);
  await assert.rejects(collect(pairs(stream(), stream(entry(), entry()))), /not in key order/);
});
