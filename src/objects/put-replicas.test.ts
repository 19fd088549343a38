/** Replicas in one commit are what they would be one by one; whatever is not plain is left to `put`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { UnixNs, VersionId } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import { checkDigests } from "../storage/digests.ts";
import { checkFileRows } from "../storage/file-rows.ts";
import type { PutRequest } from "./types.ts";
import { bodyOf, bucketName, objectKey, PLAIN, testSite, type TestSite } from "./testing.ts";

const DST = bucketName("dst");
const idOf = (n: number): VersionId => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}` as VersionId;

async function site(): Promise<TestSite> {
  const made = testSite();
  await made.objects.createBucket(DST, { owner: "me", objectLock: true });
  return made;
}

interface Item {
  readonly key: number;
  readonly id: number;
  readonly time: number;
  readonly size: number;
  readonly kind: "plain" | "null" | "held" | "no etag" | "wrong checksum";
}

function requestOf({ key, id, time, size, kind }: Item): PutRequest {
  const bytes = Buffer.alloc(size, `${key}/${id}/${time}`);
  const isWrong = kind === "wrong checksum";
  return {
    bucket: DST,
    key: objectKey(`k${key}`),
    versionId: kind === "null" ? ("null" as VersionId) : idOf(id),
    attributes: {
      ...PLAIN,
      tags: time % 2 === 0 ? { n: String(time) } : undefined,
      legalHold: kind === "held" || undefined,
    },
    body: {
      ...bodyOf(bytes),
      bytes,
      checksumAlgorithm: isWrong ? "CRC32" : undefined,
      expectedChecksum: isWrong ? () => "AAAAAA==" : undefined,
    },
    source: {
      replica: true,
      mtime: BigInt(time) as UnixNs,
      etag: kind === "no etag" ? undefined : `etag-${key}-${id}`,
      tagsTime: time % 2 === 0 ? (BigInt(time) as UnixNs) : undefined,
    },
  };
}

async function versionsOf({ objects }: TestSite): Promise<Version[]> {
  const page = await objects.listVersions({ bucket: DST, prefix: "", delimiter: "", keyMarker: "", maxKeys: 1000 });
  return page.versions.map(({ version }) => version);
}

/** What does not depend on where the bytes lie. */
const seen = (versions: readonly Version[]): unknown[] =>
  versions.map((version) => (version.kind === "object" ? { ...version, blob: undefined } : version));

async function putAlone({ objects }: TestSite, requests: readonly PutRequest[]): Promise<void> {
  for (const request of requests) await objects.put(request).catch(() => undefined);
}

const item = fc.record<Item>({
  key: fc.nat(2),
  id: fc.nat(3),
  time: fc.integer({ min: 1, max: 4 }),
  size: fc.constantFrom(0, 10, 1024, 5000),
  kind: fc.constantFrom("plain", "plain", "plain", "null", "held", "no etag", "wrong checksum"),
});
/** Versions that were here and were purged here before. */
const start = fc.record({ held: fc.array(item, { maxLength: 3 }), purged: fc.array(item, { maxLength: 2 }) });

async function begin(made: TestSite, { held, purged }: { held: readonly Item[]; purged: readonly Item[] }) {
  await putAlone(made, held.map(requestOf));
  for (const { key, id } of purged)
    await made.objects.delete({ bucket: DST, key: objectKey(`k${key}`), versionId: idOf(id) }).catch(() => undefined);
}

test("versions, digests and counters are those of single PUTs in the same order of deciding", async () => {
  const property = fc.asyncProperty(start, fc.array(item, { maxLength: 12 }), async (before, items) => {
    const [together, alone] = [await site(), await site()];
    await begin(together, before);
    await begin(alone, before);
    const stored = await together.objects.putReplicas(DST, items.map(requestOf));
    const left = items.filter((_, i) => stored[i] !== true);
    await putAlone(together, left.map(requestOf));
    // What is plain meets nothing, so that it may as well have come first.
    await putAlone(alone, [...items.filter((_, i) => stored[i] === true), ...left].map(requestOf));
    assert.deepEqual(seen(await versionsOf(together)), seen(await versionsOf(alone)));
    const usage = async ({ objects }: TestSite) => objects.usage(await objects.bucket(DST));
    assert.deepEqual(await usage(together), await usage(alone));
    for await (const fault of checkDigests(together.index)) assert.fail(fault.what);
    for await (const fault of checkFileRows(together.index)) assert.fail(fault.what);
    for (const version of await versionsOf(together)) {
      if (version.kind !== "object") continue;
      const found = await together.objects.find({ bucket: DST, key: version.key, versionId: version.versionId });
      let size = 0;
      for await (const piece of found.read(0, version.size)) size += piece.length;
      assert.equal(size, version.size);
    }
  });
  await fc.assert(property, { numRuns: 100 });
});

const plain = (id: number): Item => ({ key: 0, id, time: 1, size: 10, kind: "plain" });

test("a write in between leaves all of them to put; nothing is stored then", async () => {
  const { index, ...made } = await site();
  const requests = [plain(1), plain(2)].map(requestOf);
  const commit = index.commit.bind(index);
  index.commit = async (rows) => {
    index.commit = commit;
    await made.objects.put(requestOf(plain(2)));
    return commit(rows);
  };
  assert.deepEqual(await made.objects.putReplicas(DST, requests), [false, false]);
  assert.equal((await versionsOf({ index, ...made })).length, 1);
});

test("what is not plain is left alone: purged here, under a quota, without versioning, too large, twice the same", async () => {
  const made = await site();
  const { objects } = made;
  const put = (...items: Item[]) => objects.putReplicas(DST, items.map(requestOf));
  await objects.put(requestOf(plain(1)));
  await objects.delete({ bucket: DST, key: objectKey("k0"), versionId: idOf(1) });
  assert.deepEqual(await put(plain(1), plain(2), plain(2), { ...plain(3), size: 5000 }), [false, true, false, false]);
  await objects.updateBucket(DST, (bucket) => ({ ...bucket, quota: 1e6 }));
  assert.deepEqual(await put(plain(4)), [false]);
  const other = bucketName("unversioned");
  await objects.createBucket(other, { owner: "me" });
  assert.deepEqual(await objects.putReplicas(other, [{ ...requestOf(plain(4)), bucket: other }]), [false]);
});
