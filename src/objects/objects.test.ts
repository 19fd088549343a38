import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import type { Arn, UploadId, VersionId } from "../model/names.ts";
import type { ReplicationConfig } from "../model/replication-config.ts";
import { testRule } from "../model/testing.ts";
import * as keys from "../storage/keys.ts";
import type { Objects } from "./objects.ts";
import { logCounter } from "./rows.ts";
import { bodyOf, bucketName, objectKey, PLAIN, testSite, textOf, type TestSite } from "./testing.ts";

const BUCKET = bucketName("data");
const ARN = "arn:minio:replication::0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f01:data" as Arn;
const RULES: ReplicationConfig = { role: "", rules: [testRule(ARN)] };

async function versioned(site: TestSite, replication?: ReplicationConfig): Promise<Objects> {
  await site.objects.createBucket(BUCKET, { owner: "root" });
  await site.objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, versioning: { status: "Enabled" }, replication }));
  return site.objects;
}

const put = (objects: Objects, key: string, text: string, more: object = {}): ReturnType<Objects["put"]> =>
  objects.put({ bucket: BUCKET, key: objectKey(key), attributes: PLAIN, body: bodyOf(text), ...more });

test("a versioned bucket keeps every version, newest current, and delete markers hide", async () => {
  const objects = await versioned(testSite());
  const one = await put(objects, "a", "one");
  await put(objects, "a", "two");
  const at = { bucket: BUCKET, key: objectKey("a") };
  assert.equal(await textOf((await objects.find(at)).read(0, 3)), "two");
  assert.equal(await textOf((await objects.find({ ...at, versionId: one.version.versionId })).read(0, 3)), "one");
  const marker = await objects.delete(at);
  assert.equal(marker.deleteMarker, true);
  await assert.rejects(
    objects.find(at),
    (error) => hasCode(error, "NoSuchKey") && error.detail.headers?.["x-amz-delete-marker"] === "true",
  );
  await assert.rejects(objects.find({ ...at, versionId: marker.versionId }), (error) =>
    hasCode(error, "MethodNotAllowed"),
  );
  await objects.delete({ ...at, versionId: marker.versionId });
  assert.equal(await textOf((await objects.find(at)).read(0, 3)), "two");
  const page = await objects.listVersions({ bucket: BUCKET, prefix: "", delimiter: "", keyMarker: "", maxKeys: 10 });
  assert.deepEqual(
    page.versions.map((item) => item.isLatest),
    [true, false],
  );
});

test("an unversioned bucket replaces, a suspended one replaces the null version", async () => {
  const site = testSite();
  const { objects } = site;
  await objects.createBucket(BUCKET, { owner: "root" });
  await put(objects, "a", "x".repeat(5000));
  await put(objects, "a", "y".repeat(6000));
  const bucket = await objects.bucket(BUCKET);
  assert.deepEqual(await objects.usage(bucket), { objects: 1, versions: 1, deleteMarkers: 0, bytes: 6000 });
  const garbage = await site.index.scan(keys.spaceRange(keys.SPACE.garbage), { limit: 10 });
  assert.equal(garbage.length, 1, "the replaced file is left to the collector");
  await objects.updateBucket(BUCKET, (b) => ({ ...b, versioning: { status: "Enabled" } }));
  await put(objects, "a", "v2");
  await objects.updateBucket(BUCKET, (b) => ({ ...b, versioning: { status: "Suspended" } }));
  const marker = await objects.delete({ bucket: BUCKET, key: objectKey("a") });
  assert.equal(marker.versionId, "null");
  const page = await objects.listVersions({ bucket: BUCKET, prefix: "", delimiter: "", keyMarker: "", maxKeys: 10 });
  assert.deepEqual(
    page.versions.map((item) => item.version.kind),
    ["delete-marker", "object"],
  );
  await assert.rejects(objects.deleteBucket(BUCKET, { force: false }), (error) => hasCode(error, "BucketNotEmpty"));
  await objects.deleteBucket(BUCKET, { force: true });
  await assert.rejects(objects.bucket(BUCKET), (error) => hasCode(error, "NoSuchBucket"));
});

test("conditions are decided in the commit: of many writers with If-None-Match one wins", async () => {
  const objects = await versioned(testSite());
  const tries = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => put(objects, "a", `w${i}`, { conditions: { ifNoneMatch: "*" } })),
  );
  assert.equal(tries.filter((result) => result.status === "fulfilled").length, 1);
  await assert.rejects(put(objects, "b", "x", { conditions: { ifMatch: "*" } }), (error) =>
    hasCode(error, "NoSuchKey"),
  );
});

test("a body that is not what was claimed stores nothing", async () => {
  const site = testSite();
  const objects = await versioned(site);
  const bad = { ...bodyOf("z".repeat(5000)), md5: "0".repeat(32) };
  await assert.rejects(objects.put({ bucket: BUCKET, key: objectKey("a"), attributes: PLAIN, body: bad }), (error) =>
    hasCode(error, "BadDigest"),
  );
  const short = { ...bodyOf("abc"), size: 4 };
  await assert.rejects(objects.put({ bucket: BUCKET, key: objectKey("a"), attributes: PLAIN, body: short }), (error) =>
    hasCode(error, "IncompleteBody"),
  );
  assert.equal(site.blobs.files.size, 0);
  await assert.rejects(objects.find({ bucket: BUCKET, key: objectKey("a") }), (error) => hasCode(error, "NoSuchKey"));
});

test("a write that must follow is a row in the same commit, with exact counters", async () => {
  const site = testSite();
  const objects = await versioned(site, RULES);
  const { version } = await put(objects, "a", "12345");
  assert.deepEqual(version.replication.targets, { [ARN]: "PENDING" });
  const log = await site.index.scan(keys.targetRange(keys.SPACE.log, ARN), { limit: 10 });
  assert.equal(log.length, 1);
  assert.equal(keys.readCounter(await site.index.get(logCounter(ARN, "bytes"))), 5n);
  assert.deepEqual(site.poked, [ARN]);
  await put(objects, "r", "replica", {
    versionId: "8f14e45f-ceea-467f-a8d9-0f6f8e5b3c11" as VersionId,
    source: { replica: true, mtime: 5n, etag: "e" },
  });
  assert.equal(
    (await site.index.scan(keys.targetRange(keys.SPACE.log, ARN), { limit: 10 })).length,
    1,
    "a replica goes no further",
  );
});

test("purges: local ones are undone by a resync only, those of a rule never", async () => {
  const id = "8f14e45f-ceea-467f-a8d9-0f6f8e5b3c11" as VersionId;
  const source = { replica: true, mtime: 5_000_000_000n, etag: "e" };
  for (const [rules, byResync] of [
    [undefined, true],
    [RULES, false],
  ] as const) {
    const objects = await versioned(testSite(), rules);
    await put(objects, "a", "x", { versionId: id, source });
    await objects.delete({ bucket: BUCKET, key: objectKey("a"), versionId: id });
    const late = await put(objects, "a", "x", { versionId: id, source });
    assert.equal(late.purged, rules === undefined ? "local" : "everywhere");
    const again = await put(objects, "a", "x", { versionId: id, source: { ...source, resyncId: "job" } });
    assert.equal(again.purged === undefined, byResync);
  }
});

test("a replica that is here already answers 412, a damaged one is healed", async () => {
  const site = testSite();
  const objects = await versioned(site);
  const id = "8f14e45f-ceea-467f-a8d9-0f6f8e5b3c11" as VersionId;
  const text = "x".repeat(5000);
  const source = { replica: true, mtime: 5_000_000_000n, etag: "e" };
  await put(objects, "a", text, { versionId: id, source });
  await assert.rejects(put(objects, "a", text, { versionId: id, source }), (error) =>
    hasCode(error, "PreconditionFailed"),
  );
  const at = { bucket: BUCKET, key: objectKey("a"), versionId: id };
  for (const file of site.blobs.files.keys()) site.blobs.files.delete(file);
  await assert.rejects(textOf((await objects.find(at)).read(0, 10)), (error) =>
    hasCode(error, "XResilverObjectDamaged"),
  );
  assert.equal((await objects.find(at)).version.damaged, "missing");
  await put(objects, "a", text, { versionId: id, source });
  assert.equal(await textOf((await objects.find(at)).read(0, 5000)), text);
});

test("a peer's marker: made once, repeated without effect, purged by the later time", async () => {
  const objects = await versioned(testSite());
  const id = "8f14e45f-ceea-467f-a8d9-0f6f8e5b3c11" as VersionId;
  const at = { bucket: BUCKET, key: objectKey("a"), versionId: id };
  const marker = { ...at, sourceDeleteMarker: true, source: { replica: true, mtime: 7n } };
  await objects.delete(marker);
  await objects.delete(marker);
  assert.equal((await objects.version(at))?.version.kind, "delete-marker");
  await objects.delete({ ...marker, source: { replica: true, mtime: 9n } });
  assert.equal(await objects.version(at), undefined);
  await objects.delete(marker);
  assert.equal(await objects.version(at), undefined, "purged by its source: it does not come back");
});

test("registers: the newer wins, an old copy erases nothing", async () => {
  const objects = await versioned(testSite());
  const { version } = await put(objects, "a", "x");
  const at = { bucket: BUCKET, key: objectKey("a"), versionId: version.versionId };
  const tagged = await objects.setTags(at, { k: "new" });
  const time = tagged.tags?.time ?? 0n;
  const copy = (tags: Record<string, string>, tagsTime: bigint): Promise<unknown> =>
    objects.applyReplicaMetadata({
      ...at,
      tags,
      retention: undefined,
      legalHold: undefined,
      source: { replica: true, tagsTime },
    });
  await copy({ k: "old" }, time - 1n);
  assert.deepEqual((await objects.find(at)).version.tags?.value, { k: "new" });
  await copy({ k: "newer" }, time + 1n);
  assert.deepEqual((await objects.find(at)).version.tags?.value, { k: "newer" });
});

test("multipart: completion names the parts, nothing is left of the upload", async () => {
  const site = testSite();
  const objects = await versioned(site);
  const upload = await objects.createUpload({ bucket: BUCKET, key: objectKey("m"), attributes: PLAIN, initiator: "u" });
  const at = { bucket: BUCKET, key: objectKey("m"), uploadId: upload.uploadId };
  const big = Buffer.alloc(5 * 1024 * 1024, "a");
  const one = await objects.putPart(at, 1, bodyOf(big));
  await objects.putPart(at, 3, bodyOf("replaced"));
  const three = await objects.putPart(at, 3, bodyOf("tail"));
  await objects.putPart(at, 4, bodyOf("unused"));
  await assert.rejects(
    objects.completeUpload({
      ...at,
      parts: [
        { number: 3, etag: three.etag },
        { number: 1, etag: one.etag },
      ],
    }),
    (error) => hasCode(error, "InvalidPartOrder"),
  );
  const done = await objects.completeUpload({
    ...at,
    parts: [
      { number: 1, etag: one.etag },
      { number: 3, etag: three.etag },
    ],
  });
  assert.match(done.version.etag, /^[0-9a-f]{32}-2$/);
  const found = await objects.find({ bucket: BUCKET, key: objectKey("m") });
  assert.equal(await textOf(found.read(big.length - 2, big.length + 4)), "aatail");
  await assert.rejects(objects.upload(at), (error) => hasCode(error, "NoSuchUpload"));
  assert.equal((await site.index.scan(keys.uploadPartRange(upload.uploadId), { limit: 5 })).length, 0);
  await assert.rejects(objects.upload({ ...at, uploadId: "../x" as UploadId }), (error) =>
    hasCode(error, "NoSuchUpload"),
  );
});

test("copy keeps metadata and tags, and a copy of a multipart object is one part", async () => {
  const objects = await versioned(testSite());
  await put(objects, "a", "hello", {
    attributes: { ...PLAIN, userMetadata: { "x-amz-meta-c": "1" }, tags: { t: "1" } },
  });
  const from = { bucket: BUCKET, key: objectKey("a") };
  const copied = await objects.copy({ bucket: BUCKET, key: objectKey("b"), from });
  assert.equal(copied.version.userMetadata["x-amz-meta-c"], "1");
  assert.deepEqual(copied.version.tags?.value, { t: "1" });
  assert.equal(copied.version.checksum?.algorithm, "CRC64NVME");
  assert.equal(await textOf((await objects.find({ bucket: BUCKET, key: objectKey("b") })).read(0, 5)), "hello");
});

test("listing pages of any size give what one walk over the keys gives", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(
        fc.string({ unit: fc.constantFrom("a", "b", "/", "ü", "\u{1F680}"), minLength: 1, maxLength: 6 }),
        { maxLength: 25 },
      ),
      fc.constantFrom("", "/", "b"),
      fc.constantFrom("", "a", "a/", "b"),
      fc.integer({ min: 1, max: 7 }),
      async (names, delimiter, prefix, maxKeys) => {
        const objects = await versioned(testSite());
        for (const name of names) for (let i = 0; i < 1 + (name.length % 3); i++) await put(objects, name, "x");
        const seen: string[] = [];
        let after = "";
        for (;;) {
          const page = await objects.list({ bucket: BUCKET, prefix, delimiter, after, maxKeys });
          assert.ok(page.objects.length + page.commonPrefixes.length <= maxKeys);
          seen.push(...page.objects.map((o) => o.key), ...page.commonPrefixes);
          if (!page.truncated) break;
          after = page.next ?? "";
        }
        const expected = new Set<string>();
        for (const name of names.filter((n) => n.startsWith(prefix))) {
          const cut = delimiter === "" ? -1 : name.indexOf(delimiter, prefix.length);
          expected.add(cut < 0 ? name : name.slice(0, cut + delimiter.length));
        }
        assert.deepEqual(new Set(seen), expected);
        assert.equal(seen.length, expected.size);
      },
    ),
    { numRuns: 40 },
  );
});

test("paging through versions one at a time sees each once", async () => {
  const objects = await versioned(testSite());
  for (const key of ["a", "a", "a", "b", "c", "c"]) await put(objects, key, "x");
  await objects.delete({ bucket: BUCKET, key: objectKey("a") });
  const seen: string[] = [];
  let marker: { keyMarker: string; versionIdMarker?: VersionId | undefined } = { keyMarker: "" };
  for (;;) {
    const page = await objects.listVersions({ bucket: BUCKET, prefix: "", delimiter: "", maxKeys: 1, ...marker });
    seen.push(...page.versions.map((item) => `${item.version.key}${item.isLatest ? "*" : ""}`));
    if (!page.truncated) break;
    marker = { keyMarker: page.nextKeyMarker ?? "", versionIdMarker: page.nextVersionIdMarker };
  }
  assert.deepEqual(seen, ["a*", "a", "a", "a", "b*", "c*", "c"]);
});

test("a quota refuses PUT, copy and completion that would exceed it, and lets replacements through", async () => {
  const site = testSite();
  const { objects } = site;
  const over = (error: unknown): boolean => hasCode(error, "XMinioAdminBucketQuotaExceeded");
  await objects.createBucket(BUCKET, { owner: "root" });
  await objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, quota: 10 }));
  await put(objects, "a", "12345678");
  await assert.rejects(put(objects, "b", "12"), over, "as much as the quota is too much");
  await put(objects, "b", "1");
  await assert.rejects(put(objects, "c", "1"), over);
  await put(objects, "a", "12345678");
  const at = { bucket: BUCKET, key: objectKey("copy") };
  await assert.rejects(objects.copy({ ...at, from: { bucket: BUCKET, key: objectKey("b") } }), over);
  const upload = await objects.createUpload({ ...at, attributes: PLAIN, initiator: "root" });
  const selector = { ...at, uploadId: upload.uploadId };
  const part = await objects.putPart(selector, 1, { stream: bodyOf("12").stream });
  await assert.rejects(objects.completeUpload({ ...selector, parts: [{ number: 1, etag: part.etag }] }), over);
  await objects.updateBucket(BUCKET, ({ quota: _quota, ...bucket }) => bucket);
  await objects.completeUpload({ ...selector, parts: [{ number: 1, etag: part.etag }] });
  await objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, versioning: { status: "Enabled" }, quota: 12 }));
  await assert.rejects(put(objects, "d", "1"), over, "refused before the body is read");
  assert.equal((await objects.usage(await objects.bucket(BUCKET))).bytes, 11);
});

test("a prefix that no key can begin with lists nothing", async () => {
  const objects = await versioned(testSite());
  await put(objects, "a", "x");
  for (const prefix of ["a\0", "\0", "b".repeat(5000)]) {
    const at = { bucket: BUCKET, prefix, delimiter: "", maxKeys: 10 };
    assert.deepEqual((await objects.list({ ...at, after: "" })).objects, []);
    assert.deepEqual((await objects.listVersions({ ...at, keyMarker: "" })).versions, []);
  }
});
