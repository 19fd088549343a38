import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { filled } from "../commands/find.ts";
import type { FolderTotal } from "../commands/du.ts";
import { folderTotals } from "../commands/du.ts";
import { compareUtf8 } from "../../model/key-order.ts";
import type { Entry } from "./entry.ts";
import { lsLine, lsObject } from "./ls-line.ts";
import { globPattern, pairsMatch } from "./match.ts";
import { pairs } from "./places.ts";
import { currentAt } from "./rewind.ts";
import { parseExpiration, shownMetadata, statObject, statText } from "./stat-report.ts";

const entry = (key: string, more: Partial<Entry> = {}): Entry => {
  return {
    type: "file",
    key,
    size: 1,
    modifiedMs: Date.UTC(2026, 10, 23, 0, 50, 14, 479),
    etag: "e",
    url: "http://h/b/",
    ...more,
  };
};
async function* stream<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}
async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test("a line of ls, plain and with versions", () => {
  const plain = lsLine(entry("k", { size: 1536, storageClass: "STANDARD" }), "k", 0);
  assert.match(plain, /^\[2026-11-2\d \d\d:\d\d:\d\d \S+\]  1\.5KiB STANDARD k$/);
  const marker = entry("k", {
    size: 0,
    versionId: "V",
    versionOrdinal: 2,
    isDeleteMarker: true,
    storageClass: "STANDARD",
  });
  assert.match(lsLine(marker, "k", 0), /\]      0B STANDARD V v2 DEL k$/);
});

test("the object of a delete marker has the captured members in the captured order", () => {
  const marker = entry("k", {
    size: 0,
    etag: "",
    versionId: "D",
    versionOrdinal: 2,
    isDeleteMarker: true,
    storageClass: "STANDARD",
  });
  const object = lsObject(marker, "k", 0);
  const names = [
    "status",
    "type",
    "lastModified",
    "size",
    "key",
    "etag",
    "url",
    "versionId",
    "versionOrdinal",
    "isDeleteMarker",
    "storageClass",
  ];
  assert.deepEqual(Object.keys(object), names);
  assert.equal("versionId" in lsObject(entry("k", { versionId: "D" }), "k", 0), false);
});

test("rewind picks the newest version that is old enough", async () => {
  const versions = [
    entry("a", { versionId: "3", modifiedMs: 30, isDeleteMarker: true }),
    entry("a", { versionId: "2", modifiedMs: 20 }),
    entry("a", { versionId: "1", modifiedMs: 10 }),
    entry("b", { versionId: "9", modifiedMs: 25, isDeleteMarker: true }),
  ];
  const at = async (ms: number): Promise<(string | undefined)[]> =>
    (await collect(currentAt(stream(versions), ms))).map((one) => one.versionId);
  assert.deepEqual(await at(29), ["2"]);
  assert.deepEqual(await at(15), ["1"]);
  assert.deepEqual(await at(99), []);
});

test("folder totals: children first, the root last, marked objects not counted", async () => {
  const entries = [
    entry("a/1"),
    entry("a/b/2", { size: 5 }),
    entry("c/3"),
    entry("d", { isDeleteMarker: true }),
    entry("e"),
  ];
  const totals = async (depth: number): Promise<FolderTotal[]> => collect(folderTotals(stream(entries), depth));
  assert.deepEqual(await totals(1), [{ folder: "", size: 8, objects: 4 }]);
  assert.deepEqual(
    (await totals(2)).map(({ folder, size }) => `${folder}=${size}`),
    ["a/=6", "c/=1", "=8"],
  );
  assert.deepEqual(
    (await totals(Infinity)).map(({ folder }) => folder),
    ["a/b/", "a/", "c/", ""],
  );
});

test("two sorted listings meet key by key", async () => {
  const keys = fc.uniqueArray(
    fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom("a", "b", "/", "é", "😀") }),
  );
  await fc.assert(
    fc.asyncProperty(keys, keys, async (left, right) => {
      const sorted = (names: string[]): AsyncIterable<Entry> =>
        stream([...names].sort(compareUtf8).map((key) => entry(key)));
      const met = await collect(pairs(sorted(left), sorted(right)));
      const expected = [...new Set([...left, ...right])].sort(compareUtf8);
      assert.deepEqual(
        met.map(({ first, second }) => first?.key ?? second?.key),
        expected,
      );
      for (const { first, second } of met) {
        const key = first?.key ?? second?.key ?? "";
        assert.deepEqual([first !== undefined, second !== undefined], [left.includes(key), right.includes(key)]);
      }
    }),
  );
});

test("patterns and pairs", () => {
  assert.ok(globPattern("*.jp?g").test("a/b.jpeg"));
  assert.ok(!globPattern("*.jpg").test("a.jpg.txt"));
  assert.ok(globPattern("a+(b)*").test("a+(b)c"));
  const values = { "x-amz-meta-Color": "dark red" };
  assert.ok(pairsMatch([["color", /red$/]], values));
  assert.ok(!pairsMatch([["color", /blue/]], values));
  assert.ok(!pairsMatch([["size", /./]], undefined));
});

test("placeholders of find, plain and quoted", () => {
  const found = {
    entry: entry("d/a b.txt", { size: 2048, versionId: "V" }),
    path: "h/b/d/a b.txt",
    below: "d/a b.txt",
    url: "http://h/b/d/a b.txt",
  };
  assert.equal(
    filled('{} {base} {"base"} {dir} {size} {version} {x}', found),
    'h/b/d/a b.txt a b.txt "a b.txt" h/b/d 2.0KiB V {x}',
  );
});

test("stat shows metadata in order, checksums, encryption and replication", () => {
  const headers = {
    "x-amz-meta-b": "2",
    "x-amz-meta-a": "1",
    "content-type": "text/plain",
    date: "x",
    "x-amz-replication-status": "COMPLETED",
    "x-amz-checksum-crc32": "NhCmhg==",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "K",
  };
  const head = { size: 5, modifiedMs: Date.UTC(2026, 10, 23), etag: "e", versionId: "V", headers };
  const subject = { name: "k", type: "file" as const, head, deleteMarker: false };
  assert.deepEqual(Object.keys(shownMetadata(headers)).slice(0, 3), ["Content-Type", "X-Amz-Meta-A", "X-Amz-Meta-B"]);
  assert.match(
    statText(subject),
    /Encryption: SSE-KMS \(K\)\nMetadata  :\n  Content-Type: text\/plain\n[^]*Replication Status: COMPLETED\n$/,
  );
  const object = statObject(subject);
  assert.equal(object["replicationStatus"], "COMPLETED");
  assert.deepEqual(object["checksum"], { CRC32: "NhCmhg==" });
  assert.equal(object["lastModified"], "2026-11-23T00:00:00Z");
  assert.equal(parseExpiration('expiry-date="Mon, 23 Nov 2026 00:00:00 GMT", rule-id="r"')?.ruleId, "r");
});
