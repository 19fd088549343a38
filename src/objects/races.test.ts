/** What happens between the looks of a write and its commit, or to the answer of that commit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "../model/errors.ts";
import { NULL_VERSION, type UploadId } from "../model/names.ts";
import type { Commit, CommitResult } from "../storage/index/index.ts";
import * as keys from "../storage/keys.ts";
import { bodyOf, bucketName, objectKey, PLAIN, testSite, textOf, type TestSite } from "./testing.ts";

const BUCKET = bucketName("data");
const AT = { bucket: BUCKET, key: objectKey("k") };
/** Too large to lie beside the index. */
const LARGE = "x".repeat(300_000);

async function site(): Promise<TestSite> {
  const made = testSite();
  await made.objects.createBucket(BUCKET, { owner: "me" });
  return made;
}

/** The next commit goes through `how`; later ones are as ever. */
function nextCommit({ index }: TestSite, how: (commit: () => Promise<CommitResult>) => Promise<CommitResult>): void {
  const real = index.commit.bind(index);
  index.commit = (commit: Commit) => {
    index.commit = real;
    return how(() => real(commit));
  };
}

async function newUpload({ objects }: TestSite) {
  const { uploadId } = await objects.createUpload({ ...AT, attributes: PLAIN, initiator: "me" });
  return { ...AT, uploadId };
}

const partRows = async ({ index }: TestSite, uploadId: UploadId): Promise<number> =>
  (await index.scan(keys.uploadPartRange(uploadId), { limit: 100 })).length;

test("a write whose commit went through although its answer was lost keeps its bytes", async () => {
  const made = await site();
  const { objects } = made;
  await objects.put({ ...AT, attributes: PLAIN, body: bodyOf(`old ${LARGE}`) });
  const lost = async (commit: () => Promise<CommitResult>): Promise<CommitResult> => {
    await commit();
    throw new StoreError("InternalError", { message: "The writer is gone." });
  };
  nextCommit(made, lost);
  await assert.rejects(objects.put({ ...AT, attributes: PLAIN, body: bodyOf(LARGE) }), { code: "InternalError" });
  assert.equal(await textOf((await objects.find(AT)).read(0, LARGE.length)), LARGE);
  const selector = await newUpload(made);
  nextCommit(made, lost);
  await assert.rejects(objects.putPart(selector, 1, bodyOf(LARGE)), { code: "InternalError" });
  const { parts } = await objects.listParts(selector, { after: 0, limit: 10 });
  await objects.completeUpload({ ...selector, parts });
  assert.equal(await textOf((await objects.find(AT)).read(0, LARGE.length)), LARGE);
});

test("a write that is known to have failed leaves no bytes", async () => {
  const made = await site();
  const before = made.blobs.files.size;
  nextCommit(made, () => Promise.reject(new StoreError("XMinioStorageFull")));
  const put = made.objects.put({ ...AT, attributes: PLAIN, body: bodyOf(LARGE) });
  await assert.rejects(put, { code: "XMinioStorageFull" });
  assert.equal(made.blobs.files.size, before);
});

test("a part that arrives while its upload ends leaves no row behind", async () => {
  for (const ending of ["abort", "complete"] as const) {
    for (const late of [1, 3, 5, 9]) {
      const made = await site();
      const { objects } = made;
      const selector = await newUpload(made);
      for (const number of [2, 4, 6])
        if (ending === "abort" || number === 4) await objects.putPart(selector, number, bodyOf("p"));
      nextCommit(made, async (commit) => {
        await objects.putPart(selector, late, bodyOf("late"));
        return commit();
      });
      const { parts } = await objects.listParts(selector, { after: 0, limit: 10 });
      if (ending === "abort") await objects.abortUpload(selector);
      else await objects.completeUpload({ ...selector, parts });
      assert.equal(await partRows(made, selector.uploadId), 0, `${ending}, part ${late}`);
    }
  }
});

test("two completions of one upload get the same answer; one that an abort overtook finds no upload", async () => {
  const made = await site();
  const { objects } = made;
  const selector = await newUpload(made);
  await objects.putPart(selector, 1, bodyOf("p"));
  const { parts } = await objects.listParts(selector, { after: 0, limit: 10 });
  let first: string | undefined;
  nextCommit(made, async (commit) => {
    first = (await objects.completeUpload({ ...selector, parts })).version.etag;
    return commit();
  });
  assert.equal((await objects.completeUpload({ ...selector, parts })).version.etag, first);
  const other = await newUpload(made);
  await objects.putPart(other, 1, bodyOf("q"));
  nextCommit(made, async (commit) => {
    await objects.abortUpload(other);
    return commit();
  });
  const { parts: listed } = await objects.listParts(other, { after: 0, limit: 10 });
  await assert.rejects(objects.completeUpload({ ...other, parts: listed }), { code: "NoSuchUpload" });
});

test("a bucket's delete that is cut short is finished later, and no other bucket loses anything", async () => {
  const made = await site();
  const { objects, index } = made;
  const kept = bucketName("kept");
  await objects.createBucket(kept, { owner: "me" });
  const keptUpload = await objects.createUpload({ ...AT, bucket: kept, attributes: PLAIN, initiator: "me" });
  const inKept = { ...AT, bucket: kept, uploadId: keptUpload.uploadId };
  await objects.putPart(inKept, 1, bodyOf("p"));
  const selector = await newUpload(made);
  await objects.putPart(selector, 1, bodyOf(LARGE));
  await objects.delete({ ...AT, versionId: NULL_VERSION, source: { replica: true, mtime: 5n } });
  // The process ends right behind the commit that removes the bucket.
  const real = index.commit.bind(index);
  nextCommit(made, async (commit) => {
    await commit();
    index.commit = () => Promise.reject(new Error("killed"));
    return "committed";
  });
  await assert.rejects(objects.deleteBucket(BUCKET, { force: false }), /killed/);
  index.commit = real;
  assert.equal(await partRows(made, selector.uploadId), 1);
  assert.equal(await objects.clearDeleted(), 1);
  assert.equal(await partRows(made, selector.uploadId), 0);
  for (const space of [keys.SPACE.upload, keys.SPACE.tombstone])
    assert.equal((await index.scan(keys.spaceRange(space), { limit: 9 })).length, space === keys.SPACE.upload ? 1 : 0);
  assert.equal((await index.scan(keys.spaceRange(keys.SPACE.garbage), { limit: 9 })).length, 1);
  assert.equal((await objects.listParts(inKept, { after: 0, limit: 10 })).parts.length, 1);
  assert.equal(await objects.clearDeleted(), 0);
});

test("what is written here is later than what it replaces, whenever that came", async () => {
  const writes = {
    "a delete marker": ({ objects }: TestSite) => objects.delete(AT),
    "an object": ({ objects }: TestSite) => objects.put({ ...AT, attributes: PLAIN, body: bodyOf("new") }),
    "a purge": ({ objects }: TestSite) => objects.delete({ ...AT, versionId: NULL_VERSION }),
  };
  for (const [what, write] of Object.entries(writes)) {
    for (let reads = 0; ; reads++) {
      const made = await site();
      const { objects, index } = made;
      await objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, versioning: { status: "Suspended" } }));
      const { version: old } = await objects.put({ ...AT, attributes: PLAIN, body: bodyOf("old") });
      // Of a site whose clock is far ahead.
      const mtime = old.mtime + 10n ** 12n;
      const source = { mtime, etag: "e".repeat(32), replica: true };
      const arrive = () =>
        objects.put({ ...AT, attributes: PLAIN, body: bodyOf("far"), versionId: NULL_VERSION, source });
      const [get, scan] = [index.get.bind(index), index.scan.bind(index)];
      let left = reads;
      const before = async (): Promise<unknown> => (left-- === 0 ? arrive() : undefined);
      index.get = (key) => before().then(() => get(key));
      index.scan = (range, options) => before().then(() => scan(range, options));
      await write(made);
      if (left >= 0) break;
      const { version } = (await objects.version(AT)) ?? {};
      assert.ok(version === undefined || version.mtime >= mtime, `${what}, after ${reads} reads`);
    }
  }
});
