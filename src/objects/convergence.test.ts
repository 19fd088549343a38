/** What a site makes of a peer's writes that come late, twice, or from another clock: docs/design/convergence.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import type { Arn, VersionId } from "../model/names.ts";
import { NULL_VERSION } from "../model/names.ts";
import { testRule } from "../model/testing.ts";
import type { BlobRef, Version } from "../model/version.ts";
import type { Objects } from "./objects.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import { BlobDamagedError } from "../storage/blobs/blobs.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { readCounter, SPACE, targetRange } from "../storage/keys.ts";
import { decodeRow } from "../storage/records.ts";
import { createObjects } from "./create.ts";
import { logCounter } from "./rows.ts";
import { bodyOf, bucketName, objectKey, PLAIN, testSite, textOf, type TestSite } from "./testing.ts";
import type { LogRow, PutRequest, ReplicaSource, VersionRow } from "./types.ts";

const BUCKET = bucketName("data");
const KEY = objectKey("a");
const ARN = "arn:minio:replication::0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f01:data" as Arn;
const PEER_ARN = "arn:minio:replication::0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f02:data" as Arn;
const AT = { bucket: BUCKET, key: KEY };
const NULL_AT = { ...AT, versionId: NULL_VERSION };
const SECOND = 1_000_000_000n;

/** A site whose bucket replicates; with versioning suspended new writes are null versions. */
async function replicating(status: "Enabled" | "Suspended"): Promise<TestSite> {
  const site = testSite();
  await site.objects.createBucket(BUCKET, { owner: "root" });
  const replication = { role: "", rules: [testRule(ARN)] };
  await site.objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, versioning: { status }, replication }));
  return site;
}

const suspended = async (): Promise<Objects> => (await replicating("Suspended")).objects;

const put = (objects: Objects, text: string, more: Partial<PutRequest> = {}): ReturnType<Objects["put"]> =>
  objects.put({ ...AT, attributes: PLAIN, body: bodyOf(text), ...more });

const fromPeer = (mtime: bigint, more: Partial<ReplicaSource> = {}): ReplicaSource => ({
  replica: true,
  mtime,
  ...more,
});

async function current(objects: Objects): Promise<Version | undefined> {
  return (await objects.version(NULL_AT))?.version;
}

test("a late purge of a null version leaves the one that was written after it", async () => {
  const objects = await suspended();
  const { version } = await put(objects, "new");
  await objects.delete({ ...NULL_AT, source: fromPeer(version.mtime - SECOND) });
  assert.equal((await current(objects))?.mtime, version.mtime);
  await objects.delete({ ...NULL_AT, source: fromPeer(version.mtime) });
  assert.equal(await current(objects), undefined);
});

test("a purge is later than what it removes, and a null version later than the purge, whatever the clocks say", async () => {
  const objects = await suspended();
  const ahead = (await put(objects, "one")).version.mtime + 300n * SECOND;
  await put(objects, "ahead", { versionId: NULL_VERSION, source: fromPeer(ahead) });
  await objects.delete(NULL_AT);
  const purge = await objects.tombstone(NULL_AT);
  assert.ok(purge !== undefined && purge.time > ahead);
  const after = await put(objects, "after");
  assert.ok(after.version.mtime > purge.time);
});

test("an older purge that comes late does not make a purge any older", async () => {
  const objects = await suspended();
  await objects.delete({ ...NULL_AT, source: fromPeer(20n * SECOND) });
  await objects.delete({ ...NULL_AT, source: fromPeer(10n * SECOND) });
  assert.equal((await objects.tombstone(NULL_AT))?.time, 20n * SECOND);
  const between = await put(objects, "x", { versionId: NULL_VERSION, source: fromPeer(15n * SECOND) });
  assert.equal(between.purged, "everywhere");
});

test("null versions of the same time: the larger ETag wins, in whatever order they come", async () => {
  const texts = ["one", "two"];
  const ends: (string | undefined)[] = [];
  for (const order of [texts, texts.toReversed()]) {
    const objects = await suspended();
    for (const text of order)
      await put(objects, text, { versionId: NULL_VERSION, source: fromPeer(SECOND, { etag: text }) }).catch(
        () => undefined,
      );
    const end = await current(objects);
    ends.push(end?.kind === "object" ? end.etag : undefined);
  }
  assert.deepEqual(ends, ["two", "two"]);
});

test("an object wins over a null marker of the same time; an older one is answered as settled", async () => {
  const objects = await suspended();
  const marker = { ...NULL_AT, sourceDeleteMarker: true };
  await objects.delete({ ...marker, source: fromPeer(10n * SECOND) });
  const older = put(objects, "old", { versionId: NULL_VERSION, source: fromPeer(9n * SECOND) });
  await assert.rejects(older, (error) => hasCode(error, "PreconditionFailed"));
  await put(objects, "same", { versionId: NULL_VERSION, source: fromPeer(10n * SECOND) });
  await objects.delete({ ...marker, source: fromPeer(10n * SECOND) });
  assert.equal((await current(objects))?.kind, "object");
  await objects.delete({ ...marker, source: fromPeer(11n * SECOND) });
  assert.equal((await current(objects))?.kind, "delete-marker");
});

test("a null upload is judged at its completion, where its time comes", async () => {
  const objects = await suspended();
  await objects.delete({ ...NULL_AT, sourceDeleteMarker: true, source: fromPeer(10n * SECOND) });
  const source = { replica: true, etag: "e-1" };
  const upload = await objects.createUpload({ ...NULL_AT, attributes: PLAIN, source, initiator: "peer" });
  const selector = { ...AT, uploadId: upload.uploadId };
  const part = await objects.putPart(selector, 1, bodyOf("part"));
  const complete = (mtime: bigint): ReturnType<Objects["completeUpload"]> =>
    objects.completeUpload({ ...selector, parts: [{ number: 1, etag: part.etag }], source: { ...source, mtime } });
  await assert.rejects(complete(9n * SECOND), (error) => hasCode(error, "PreconditionFailed"));
  assert.equal((await complete(11n * SECOND)).version.mtime, 11n * SECOND);
});

test("an older null version does not take the place of a damaged newer one", async () => {
  const objects = await suspended();
  const { version } = await put(objects, "new");
  await objects.markDamaged(NULL_AT, "missing");
  const older = put(objects, "old", {
    versionId: NULL_VERSION,
    source: fromPeer(version.mtime - SECOND, { resyncId: "r" }),
  });
  await assert.rejects(older, (error) => hasCode(error, "PreconditionFailed"));
  await put(objects, "new", {
    versionId: NULL_VERSION,
    source: fromPeer(version.mtime, { etag: version.etag, resyncId: "r" }),
  });
  assert.equal(await textOf((await objects.find(NULL_AT)).read(0, 3)), "new");
});

test("tags of an older null version do not land on a newer one; those of one not yet here are refused", async () => {
  const objects = await suspended();
  const { version } = await put(objects, "x");
  const tags = (mtime: bigint): ReturnType<Objects["applyReplicaMetadata"]> => {
    const source = fromPeer(mtime, { tagsTime: version.mtime + 5n });
    return objects.applyReplicaMetadata({
      ...NULL_AT,
      source,
      tags: { t: "1" },
      retention: undefined,
      legalHold: undefined,
    });
  };
  assert.equal((await tags(version.mtime - SECOND)).tags, undefined);
  await assert.rejects(tags(version.mtime + SECOND), (error) => hasCode(error, "NoSuchVersion"));
  assert.deepEqual((await tags(version.mtime)).tags?.value, { t: "1" });
});

test("of two null versions of the same time only the one that is here takes its tags", async () => {
  const objects = await suspended();
  await put(objects, "x", { versionId: NULL_VERSION, source: fromPeer(10n * SECOND, { etag: "mmm" }) });
  const tags = (etag: string): ReturnType<Objects["applyReplicaMetadata"]> => {
    const source = fromPeer(10n * SECOND, { etag, tagsTime: 11n * SECOND });
    return objects.applyReplicaMetadata({
      ...NULL_AT,
      source,
      tags: { t: etag },
      retention: undefined,
      legalHold: undefined,
    });
  };
  assert.equal((await tags("aaa")).tags, undefined);
  await assert.rejects(tags("zzz"), (error) => hasCode(error, "NoSuchVersion"));
  assert.deepEqual((await tags("mmm")).tags?.value, { t: "mmm" });
});

/** An index that lets `between` happen after the first read of a row of `space`. */
function interrupted(index: OrderedIndex, space: number, between: () => Promise<void>): OrderedIndex {
  let armed = true;
  return {
    get: async (key) => {
      const value = await index.get(key);
      if (armed && key[0] === space) {
        armed = false;
        await between();
      }
      return value;
    },
    scan: (range, options) => index.scan(range, options),
    digest: (range) => index.digest(range),
    digestParts: (range, count) => index.digestParts(range, count),
    commit: (commit) => index.commit(commit),
    close: () => index.close(),
  };
}

test("a null version that is replaced while it is looked up is neither absent nor mixed with the other one's parts", async () => {
  const site = await replicating("Suspended");
  const { index, blobs, objects } = site;
  const multipart = async (text: string): Promise<void> => {
    const upload = await objects.createUpload({ ...AT, attributes: PLAIN, initiator: "me" });
    const selector = { ...AT, uploadId: upload.uploadId };
    const part = await objects.putPart(selector, 1, bodyOf(text));
    await objects.completeUpload({ ...selector, parts: [{ number: 1, etag: part.etag }] });
  };
  for (const space of [SPACE.byId, SPACE.version]) {
    await multipart("one");
    const seen = interrupted(index, space, () => multipart("longer"));
    const late = createObjects({
      index: seen,
      blobs,
      clock: systemClock(),
      random: systemRandom,
      poke: () => undefined,
    });
    const found = await late.find(NULL_AT);
    assert.equal(await textOf(found.read(0, found.version.size)), "longer");
  }
});

test("a multipart version that was replaced while it was read is not damaged", async () => {
  const objects = await suspended();
  const multipart = async (text: string): Promise<void> => {
    const upload = await objects.createUpload({ ...AT, attributes: PLAIN, initiator: "me" });
    const selector = { ...AT, uploadId: upload.uploadId };
    const part = await objects.putPart(selector, 1, bodyOf(text));
    await objects.completeUpload({ ...selector, parts: [{ number: 1, etag: part.etag }] });
  };
  await multipart("one");
  const found = await objects.find(AT);
  await multipart("two");
  await assert.rejects(textOf(found.read(0, 3)), (error) => hasCode(error, "NoSuchVersion"));
  assert.equal(await textOf((await objects.find(AT)).read(0, 3)), "two");
});

/** Ends the oldest row of the change log as one that sent `sent`. */
async function finishFirst(site: TestSite, sent: VersionRow | "purge", losesRegisters = false): Promise<void> {
  const [entry] = await site.index.scan(targetRange(SPACE.log, ARN), { limit: 1 });
  assert.ok(entry !== undefined, "a row waits");
  await site.objects.finishLogRows(ARN, [
    {
      rowKey: entry.key,
      row: decodeRow<LogRow>(entry.value),
      raw: entry.value,
      status: "COMPLETED",
      sent,
      losesRegisters,
    },
  ]);
}

/** The version as a sender reads it. */
async function storedOf(objects: Objects, versionId: VersionId): Promise<VersionRow> {
  const stored = await objects.stored({ ...AT, versionId });
  assert.ok(stored !== undefined, "the version is there");
  return stored;
}

async function statusOf(objects: Objects, versionId: VersionId): Promise<string | undefined> {
  return (await objects.version({ ...AT, versionId }))?.version.replication.targets[ARN];
}

test("tags that a peer changed while the version was sent do not keep it pending; those changed here do", async () => {
  const site = await replicating("Enabled");
  const { objects } = site;
  const { version } = await put(objects, "x");
  const at = { ...AT, versionId: version.versionId };
  const first = await storedOf(objects, version.versionId);
  await objects.setTags(at, { t: "1" });
  await finishFirst(site, first);
  assert.equal(await statusOf(objects, version.versionId), "PENDING", "the row of the tags is on its way");
  const sent = await storedOf(objects, version.versionId);
  const peers = { ...at, tags: { t: "2" }, retention: undefined, legalHold: undefined };
  await objects.applyReplicaMetadata({
    ...peers,
    source: fromPeer(version.mtime, { tagsTime: version.mtime + 900n * SECOND }),
  });
  await finishFirst(site, sent);
  assert.equal(await statusOf(objects, version.versionId), "COMPLETED");
});

for (const finishes of ["before", "after"] as const) {
  test(`a peer's newer tags go to a MinIO that a version was sent to, which ended ${finishes} they came`, async () => {
    const site = await replicating("Enabled");
    const { objects } = site;
    const rules = [testRule(ARN), testRule(PEER_ARN)];
    await objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, replication: { role: "", rules } }));
    const { version } = await put(objects, "x");
    const sent = await storedOf(objects, version.versionId);
    const theirs = async (seconds: bigint): Promise<void> => {
      const tagsTime = version.mtime + seconds * SECOND;
      const registers = { tags: { t: String(seconds) }, retention: undefined, legalHold: undefined };
      const at = { ...AT, versionId: version.versionId };
      await objects.applyReplicaMetadata({ ...at, ...registers, source: fromPeer(version.mtime, { tagsTime }) });
    };
    if (finishes === "before") await finishFirst(site, sent, true);
    await theirs(900n);
    if (finishes === "after") await finishFirst(site, sent, true);
    assert.equal(await statusOf(objects, version.versionId), "PENDING");
    const waiting = await site.index.scan(targetRange(SPACE.log, ARN), { limit: 9 });
    assert.deepEqual(
      waiting.map(({ value }) => decodeRow<LogRow>(value).operation),
      ["metadata"],
    );
    await finishFirst(site, await storedOf(objects, version.versionId), true);
    assert.equal(await statusOf(objects, version.versionId), "COMPLETED");
    await theirs(901n);
    assert.equal(await statusOf(objects, version.versionId), "PENDING", "each that comes later goes too");
    assert.equal((await site.index.scan(targetRange(SPACE.log, PEER_ARN), { limit: 9 })).length, 1, "not to the peer");
  });
}

test("a peer's tags that go on to one target say nothing of a row to another", async () => {
  const site = await replicating("Enabled");
  const { objects } = site;
  const rules = [testRule(ARN), testRule(PEER_ARN)];
  await objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, replication: { role: "", rules } }));
  const { version } = await put(objects, "x");
  const at = { ...AT, versionId: version.versionId };
  const sent = await storedOf(objects, version.versionId);
  assert.equal(await objects.markResend(BUCKET, PEER_ARN, version), true);
  const registers = { tags: { t: "1" }, retention: undefined, legalHold: undefined };
  const source = fromPeer(version.mtime, { tagsTime: version.mtime + 900n * SECOND });
  await objects.applyReplicaMetadata({ ...at, ...registers, source });
  await finishFirst(site, sent);
  const { targets } = (await objects.version(at))?.version.replication ?? {};
  assert.deepEqual(targets, { [ARN]: "COMPLETED", [PEER_ARN]: "PENDING" });
});

test("tags changed while no rule sends them are not taken for sent", async () => {
  const site = await replicating("Enabled");
  const { objects } = site;
  const { version } = await put(objects, "x");
  const sent = await storedOf(objects, version.versionId);
  await objects.updateBucket(BUCKET, (bucket) => ({
    ...bucket,
    replication: { role: "", rules: [{ ...testRule(ARN), enabled: false }] },
  }));
  await objects.setTags({ ...AT, versionId: version.versionId }, { t: "1" });
  assert.equal(await statusOf(objects, version.versionId), undefined);
  await finishFirst(site, sent);
  assert.equal(await statusOf(objects, version.versionId), undefined, "what was sent is not what is here");
});

test("the end of a purge says nothing of a null version that was written after it", async () => {
  const site = await replicating("Suspended");
  const { objects } = site;
  const { version } = await put(objects, "one");
  await finishFirst(site, await storedOf(objects, version.versionId));
  await objects.delete(NULL_AT);
  await put(objects, "two");
  await finishFirst(site, "purge");
  assert.equal(await statusOf(objects, NULL_VERSION), "PENDING");
});

test("a copy of a version whose file is gone finds the damage", async () => {
  const site = await replicating("Enabled");
  const { objects } = site;
  const body = { ...bodyOf("x".repeat(5000)), checksumAlgorithm: "CRC32" } as const;
  const { version } = await put(objects, "", { body });
  const blobs = { ...site.blobs, link: (ref: BlobRef) => Promise.reject(new BlobDamagedError(ref.id, "missing")) };
  site.blobs.files.clear();
  const context = { index: site.index, blobs, clock: systemClock(), random: systemRandom, poke: () => undefined };
  const copy = createObjects(context).copy({ bucket: BUCKET, key: objectKey("b"), from: AT });
  await assert.rejects(copy, (error) => hasCode(error, "XResilverObjectDamaged"));
  const now = await objects.version({ ...AT, versionId: version.versionId });
  assert.ok(now?.version.kind === "object" && now.version.damaged === "missing");
});

const UNSEEN = { ...AT, versionId: "0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f02" as VersionId };
const waiting = async ({ index }: TestSite): Promise<number> =>
  (await index.scan(targetRange(SPACE.log, ARN), { limit: 10 })).length;

test("a client's purge of a version that is not here yet holds when the version arrives, and is carried on once", async () => {
  const site = await replicating("Enabled");
  await site.objects.delete(UNSEEN);
  await site.objects.delete(UNSEEN);
  assert.equal((await site.objects.tombstone(UNSEEN))?.will, "everywhere");
  assert.equal(await waiting(site), 1);
  const late = await put(site.objects, "late", { versionId: UNSEEN.versionId, source: fromPeer(10n * SECOND) });
  assert.equal(late.purged, "everywhere");
});

test("a client's purge of what a peer has purged already is carried on, once: that peer's targets may be others", async () => {
  const site = await replicating("Enabled");
  await site.objects.delete({ ...UNSEEN, source: fromPeer(10n * SECOND) });
  assert.equal(await waiting(site), 0);
  await site.objects.delete(UNSEEN);
  await site.objects.delete(UNSEEN);
  assert.equal(await waiting(site), 1);
});

test("a peer's purge of what was sent from here is told to its targets: a MinIO may have got it once more", async () => {
  const { objects, ...site } = await replicating("Enabled");
  const sent = (await put(objects, "sent")).version;
  const replica = (await put(objects, "replica", { versionId: UNSEEN.versionId, source: fromPeer(10n * SECOND) }))
    .version;
  const before = await waiting({ objects, ...site });
  await objects.delete({ ...AT, versionId: replica.versionId, source: fromPeer(11n * SECOND) });
  assert.equal(await waiting({ objects, ...site }), before);
  await objects.delete({ ...AT, versionId: sent.versionId, source: fromPeer(12n * SECOND) });
  assert.equal(await waiting({ objects, ...site }), before + 1);
});

test("nothing is purged unseen where no rule carries it, where versions may be locked, or by the null id", async () => {
  const [locked, uncarried] = [await replicating("Enabled"), await replicating("Enabled")];
  await locked.objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, objectLock: {} }));
  const rules = [testRule(ARN, { deleteReplication: false })];
  await uncarried.objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, replication: { role: "", rules } }));
  for (const site of [locked, uncarried]) {
    await site.objects.delete(UNSEEN);
    await site.objects.delete(NULL_AT);
    assert.equal(await site.objects.tombstone(UNSEEN), undefined);
    assert.equal(await site.objects.tombstone(NULL_AT), undefined);
    assert.equal(await waiting(site), 0);
  }
});

test("many rows end at once, each by what became of its version meanwhile", async () => {
  const site = await replicating("Enabled");
  const { objects, index } = site;
  const rows = [];
  for (const name of ["still", "tagged", "purged", "again"]) {
    const { version } = await put(objects, name);
    rows.push({ version, sent: await storedOf(objects, version.versionId) });
  }
  const [still, tagged, purged, again] = rows.map(({ version }) => version.versionId) as VersionId[];
  await objects.setTags({ ...AT, versionId: tagged }, { t: "1" });
  await objects.delete({ ...AT, versionId: purged });
  const entries = await index.scan(targetRange(SPACE.log, ARN), { limit: 10 });
  const finished = rows.map(({ sent }, i) => {
    const { key, value } = entries[i] as { key: Buffer; value: Buffer };
    return { rowKey: key, row: decodeRow<LogRow>(value), raw: value, status: "COMPLETED" as const, sent };
  });
  await objects.finishLogRows(ARN, finished);
  // A second process ended them too: nothing is counted twice.
  await objects.finishLogRows(ARN, finished);
  assert.deepEqual(await Promise.all([still, tagged, again].map((id) => statusOf(objects, id as VersionId))), [
    "COMPLETED",
    "PENDING",
    "COMPLETED",
  ]);
  assert.equal(readCounter(await index.get(logCounter(ARN, "count"))), 2n, "the tags and the purge are on their way");
  assert.equal((await index.scan(targetRange(SPACE.log, ARN), { limit: 10 })).length, 2);
});

test("a version that was sent once does not come back after its purge, although the bucket has no rules any more", async () => {
  const { objects } = await replicating("Enabled");
  const { version } = await put(objects, "text");
  const at = { ...AT, versionId: version.versionId };
  await objects.setTargetStatus(at, ARN, "COMPLETED");
  await objects.updateBucket(BUCKET, ({ replication: _gone, ...bucket }) => bucket);
  await objects.delete(at);
  assert.equal((await objects.tombstone(at))?.will, "local");
  const late = await put(objects, "text", { versionId: version.versionId, source: fromPeer(version.mtime) });
  assert.equal(late.purged, "local");
  assert.equal(await objects.version(at), undefined);
});
