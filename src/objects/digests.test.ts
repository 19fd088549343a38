/** Whatever the use cases do, the digests are those of the versions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import type { VersionId } from "../model/names.ts";
import { buildDigests, checkDigests, digestsReady, rebuildDigests } from "../storage/digests.ts";
import { buildFileRows, checkFileRows, fileRowsReady, rebuildFileRows } from "../storage/file-rows.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { bucketPlaces } from "../storage/index/digest/query.ts";
import { idRowKey, SPACE, spaceRange } from "../storage/keys.ts";
import { bodyOf, bucketName, objectKey, PLAIN, testSite, type TestSite } from "./testing.ts";

const SRC = bucketName("src");
const quiet = (): void => undefined;

async function faults(site: TestSite): Promise<string[]> {
  const out = [];
  for await (const { what } of checkDigests(site.index)) out.push(what);
  return out;
}

async function fileFaults(site: TestSite): Promise<string[]> {
  const out = [];
  for await (const { what } of checkFileRows(site.index)) out.push(what);
  return out;
}

async function bucketDigest(site: TestSite) {
  return site.index.digest(bucketPlaces((await site.objects.bucket(SRC)).id));
}

async function filled(count: number): Promise<TestSite> {
  const site = testSite();
  await site.objects.createBucket(SRC, { owner: "me", objectLock: true });
  for (let i = 0; i < count; i++)
    await site.objects.put({ bucket: SRC, key: objectKey(`k${i % 7}`), attributes: PLAIN, body: bodyOf(`body ${i}`) });
  return site;
}

const call = fc.record({
  kind: fc.constantFrom("put", "null", "tags", "delete", "purge", "damage", "hold"),
  key: fc.nat(3),
  pick: fc.nat(5),
});

/** A legal hold stands in the way. */
function unlessHeld(error: unknown): void {
  if (!hasCode(error, "AccessDenied")) throw error;
}

/** Every other one too long to lie in the index. */
const textOf = (pick: number): string => `text ${pick}`.repeat(pick % 2 === 0 ? 1 : 1000);

async function make(site: TestSite, { kind, key: number, pick }: { kind: string; key: number; pick: number }) {
  const { objects } = site;
  const key = objectKey(`k${number}`);
  const page = await objects.listVersions({ bucket: SRC, prefix: key, delimiter: "", keyMarker: "", maxKeys: 100 });
  const version = page.versions[pick % Math.max(page.versions.length, 1)]?.version;
  const versionId = kind === "null" ? ("null" as VersionId) : undefined;
  if (kind === "put" || kind === "null") {
    const request = { bucket: SRC, key, versionId, attributes: PLAIN, body: bodyOf(textOf(pick)) };
    return void (await objects.put(request).catch(unlessHeld));
  }
  if (kind === "delete") return void (await objects.delete({ bucket: SRC, key }));
  if (version === undefined) return;
  const at = { bucket: SRC, key, versionId: version.versionId };
  if (kind === "purge") return void (await objects.delete(at).catch(unlessHeld));
  if (version.kind === "delete-marker") return;
  if (kind === "tags") await objects.setTags(at, { pick: String(pick) });
  else if (kind === "hold") await objects.setLegalHold(at, pick % 2 === 0);
  else await objects.markDamaged(at, "missing");
}

test("digests are those of the versions after any calls", async () => {
  const property = fc.asyncProperty(fc.array(call, { maxLength: 40 }), async (calls) => {
    const site = await filled(0);
    for (const each of calls) await make(site, each);
    assert.deepEqual(await faults(site), []);
    const usage = await site.objects.usage(await site.objects.bucket(SRC));
    const digest = await bucketDigest(site);
    assert.equal(digest.count, usage.versions + usage.deleteMarkers);
    assert.equal(digest.bytes, usage.bytes);
    assert.deepEqual(await fileFaults(site), []);
  });
  await fc.assert(property, { numRuns: 60 });
});

test("an index of format 1 gets its digests, also when that was cut short", async () => {
  const site = await filled(300);
  const before = await bucketDigest(site);
  const bare = new CommitBuilder();
  const rows = await site.index.scan(spaceRange(SPACE.byId), { limit: 1e6 });
  for (const { key, value } of rows) bare.put(key, value.subarray(0, 8));
  await site.index.commit(bare);
  assert.equal((await site.index.scan(spaceRange(SPACE.digest), { limit: 1 })).length, 0);
  assert.equal(await digestsReady(site.index), false);
  assert.equal((await faults(site)).length, 300);
  // The first half was written before the process died.
  const half = new CommitBuilder();
  for (const { key, value } of rows.slice(0, 150)) half.put(key, value);
  await site.index.commit(half);
  assert.equal(await buildDigests(site.index, quiet), 150);
  assert.equal(await digestsReady(site.index), true);
  assert.deepEqual(await faults(site), []);
  assert.ok((await bucketDigest(site)).equals(before));
});

test("a wrong digest, a wrong hash and rows that belong to nothing are found; built anew, all is right", async () => {
  const site = await filled(100);
  const before = await bucketDigest(site);
  const bucket = await site.objects.bucket(SRC);
  const [digest] = await site.index.scan(spaceRange(SPACE.digest), { limit: 1 });
  const [lookup] = await site.index.scan(spaceRange(SPACE.byId), { limit: 1 });
  assert.ok(digest !== undefined && lookup !== undefined);
  const wrong = Buffer.from(digest.value);
  wrong.writeUInt8(wrong.readUInt8(30) ^ 1, 30);
  await site.index.commit(new CommitBuilder().put(digest.key, wrong));
  assert.deepEqual(await faults(site), ["digest differs"]);
  const other = Buffer.from(lookup.value);
  other.writeUInt8(other.readUInt8(40) ^ 1, 40);
  const nobody = idRowKey(SPACE.byId, bucket.id, objectKey("nobody"), "null" as VersionId);
  await site.index.commit(new CommitBuilder().put(lookup.key, other).put(nobody, lookup.value));
  const found = new Set(await faults(site));
  assert.deepEqual(found, new Set(["lookup row differs", "digest differs", "lookup row without a version"]));
  await site.index.commit(new CommitBuilder().delete(nobody));
  await rebuildDigests(site.index, quiet);
  assert.deepEqual(await faults(site), []);
  assert.ok((await bucketDigest(site)).equals(before));
});

async function filesIn(site: TestSite): Promise<number> {
  return (await site.index.scan(spaceRange(SPACE.file), { limit: 1e6, keysOnly: true })).length;
}

test("an index of format 2 gets its rows of files, also when that was cut short", async () => {
  const site = await filled(20);
  for (const name of ["a", "b", "c"])
    await site.objects.put({ bucket: SRC, key: objectKey(name), attributes: PLAIN, body: bodyOf("y".repeat(100_000)) });
  const at = { bucket: SRC, key: objectKey("parts") };
  const { uploadId } = await site.objects.createUpload({ ...at, attributes: PLAIN, initiator: "me" });
  const part = await site.objects.putPart({ ...at, uploadId }, 1, bodyOf("x".repeat(100_000)));
  await site.objects.completeUpload({ ...at, uploadId, parts: [{ number: 1, etag: part.etag }] });
  const rows = await site.index.scan(spaceRange(SPACE.file), { limit: 1e6, keysOnly: true });
  assert.equal(rows.length, 4);
  const bare = new CommitBuilder();
  for (const { key } of rows.slice(1)) bare.delete(key);
  await site.index.commit(bare);
  assert.equal(await fileRowsReady(site.index), false);
  assert.deepEqual(await fileFaults(site), ["no file row", "no file row", "no file row"]);
  await buildFileRows(site.index, quiet);
  assert.equal(await fileRowsReady(site.index), true);
  assert.deepEqual([await fileFaults(site), await filesIn(site)], [[], 4]);
});

test("a row of files that belongs to nothing is found; built anew, all is right", async () => {
  const site = await filled(1);
  const { id } = await site.objects.bucket(SRC);
  const [version] = (
    await site.objects.listVersions({ bucket: SRC, prefix: "", delimiter: "", keyMarker: "", maxKeys: 1 })
  ).versions;
  assert.ok(version !== undefined);
  const { key, versionId } = version.version;
  const commit = new CommitBuilder().put(idRowKey(SPACE.file, id, key, versionId), Buffer.alloc(0));
  commit.put(idRowKey(SPACE.file, id, objectKey("nobody"), "null" as VersionId), Buffer.alloc(0));
  await site.index.commit(commit);
  assert.deepEqual(await fileFaults(site), ["file row without a file", "file row without a file"]);
  await rebuildFileRows(site.index, quiet);
  assert.deepEqual([await fileFaults(site), await filesIn(site)], [[], 0]);
});
