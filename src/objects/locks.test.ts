/** Object lock in every use case that could lose a version, with the clock set forward and back. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import type { VersionId } from "../model/names.ts";
import { NULL_VERSION } from "../model/names.ts";
import type { DefaultRetention } from "../model/object-lock.ts";
import type { ObjectVersion, Retention, Version } from "../model/version.ts";
import { systemRandom } from "../runtime/random.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { createObjects } from "./create.ts";
import type { Objects } from "./objects.ts";
import { bodyOf, bucketName, objectKey, PLAIN, SettableClock, testSite, type TestSite } from "./testing.ts";
import type { PutRequest, ReplicaSource } from "./types.ts";

const BUCKET = bucketName("safe");
const KEY = objectKey("a");
const AT = { bucket: BUCKET, key: KEY };
const HOUR = 3_600_000;
const START = Date.parse("2027-06-01T12:00:00.000Z");
const ID = "11111111-1111-4111-8111-111111111111" as VersionId;

let clock: SettableClock;
let site: TestSite;
let objects: Objects;

beforeEach(async () => {
  clock = new SettableClock(START);
  site = testSite(clock);
  ({ objects } = site);
  await objects.createBucket(BUCKET, { owner: "root", objectLock: true });
});

const keep = (mode: Retention["mode"], hours: number): Retention => ({
  mode,
  until: new Date(START + hours * HOUR).toISOString(),
});
const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n;
const denied = (error: unknown): boolean => hasCode(error, "AccessDenied");
const invalid = (error: unknown): boolean => hasCode(error, "InvalidRequest");
const badState = (error: unknown): boolean => hasCode(error, "InvalidBucketState");

async function put(more: Partial<PutRequest> = {}, text = "x"): Promise<ObjectVersion> {
  return (await objects.put({ ...AT, attributes: PLAIN, body: bodyOf(text), ...more })).version;
}
const putLocked = (retention: Retention): Promise<ObjectVersion> => put({ attributes: { ...PLAIN, retention } });
const selector = ({ versionId }: Version) => ({ ...AT, versionId });
const isThere = async (version: Version): Promise<boolean> => (await objects.version(selector(version))) !== undefined;
const peer = (mtime: bigint, more: Partial<ReplicaSource> = {}): ReplicaSource => ({ replica: true, mtime, ...more });
const setDefault = (defaultRetention: DefaultRetention | undefined) =>
  objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, objectLock: { defaultRetention } }));

test("a locked version is removed when its retention ends by this site's clock, and no sooner", async () => {
  const version = await putLocked(keep("COMPLIANCE", 2));
  await assert.rejects(objects.delete({ ...selector(version), bypassGovernance: true }), denied);
  clock.ms = START + 2 * HOUR - 1;
  await assert.rejects(objects.delete(selector(version)), denied);
  // Set forward and back again: it is the moment of the request that counts.
  clock.ms = START + 3 * HOUR;
  clock.ms = START - 100 * HOUR;
  await assert.rejects(objects.delete(selector(version)), denied);
  assert.ok(await isThere(version));
  clock.ms = START + 2 * HOUR;
  await objects.delete(selector(version));
  assert.ok(!(await isThere(version)));
});

test("governance yields to the bypass, a legal hold to nothing but its end; markers are made and removed freely", async () => {
  const version = await put({ attributes: { ...PLAIN, retention: keep("GOVERNANCE", 1), legalHold: true } });
  const marker = await objects.delete(AT);
  assert.ok(marker.deleteMarker);
  await objects.delete({ ...AT, versionId: marker.versionId });
  await assert.rejects(objects.delete({ ...selector(version), bypassGovernance: true }), denied);
  await objects.setLegalHold(selector(version), false);
  await assert.rejects(objects.delete(selector(version)), denied);
  await objects.delete({ ...selector(version), bypassGovernance: true });
  assert.ok(!(await isThere(version)));
});

test("a bucket's default locks new objects, copies and uploads; what a request says counts instead", async () => {
  await setDefault({ mode: "GOVERNANCE", unit: "days", count: 3 });
  const standard = keep("GOVERNANCE", 72);
  const plain = await put();
  assert.deepEqual(plain.retention?.value, standard);
  assert.deepEqual((await putLocked(keep("COMPLIANCE", 1))).retention?.value, keep("COMPLIANCE", 1));
  const copied = await objects.copy({ ...AT, key: objectKey("b"), from: AT });
  assert.deepEqual(copied.version.retention?.value, standard);
  const upload = await objects.createUpload({ ...AT, attributes: PLAIN, initiator: "me" });
  const at = { ...AT, uploadId: upload.uploadId };
  const part = await objects.putPart(at, 1, bodyOf("x"));
  // An upload takes its time: the period begins with the version.
  clock.ms = START + 24 * HOUR;
  const done = await objects.completeUpload({ ...at, parts: [{ number: 1, etag: part.etag }] });
  assert.deepEqual(done.version.retention?.value, keep("GOVERNANCE", 96));
  await setDefault(undefined);
  assert.equal((await put()).retention, undefined);
});

test("a default is counted from the clock, not from a version that was written when it was far ahead", async () => {
  await setDefault({ mode: "COMPLIANCE", unit: "days", count: 1 });
  clock.ms = START + 10_000 * HOUR;
  const ahead = await put();
  clock.ms = START;
  const next = await put();
  assert.ok(next.mtime > ahead.mtime);
  assert.deepEqual(next.retention?.value, keep("COMPLIANCE", 24));
});

test("locks of an upload's creation are those of its object", async () => {
  const locks = { retention: keep("COMPLIANCE", 5), legalHold: true };
  const upload = await objects.createUpload({ ...AT, attributes: { ...PLAIN, ...locks }, initiator: "me" });
  const at = { ...AT, uploadId: upload.uploadId };
  const part = await objects.putPart(at, 1, bodyOf("x"));
  const { version } = await objects.completeUpload({ ...at, parts: [{ number: 1, etag: part.etag }] });
  assert.deepEqual(version.retention?.value, locks.retention);
  assert.equal(version.legalHold?.value, true);
});

test("without object lock no lock is promised, neither to clients nor to peers", async () => {
  const bucket = bucketName("plain");
  await objects.createBucket(bucket, { owner: "root" });
  await objects.updateBucket(bucket, (old) => ({ ...old, versioning: { status: "Enabled" } }));
  const attributes = { ...PLAIN, retention: keep("GOVERNANCE", 1) };
  await assert.rejects(put({ bucket, attributes }), invalid);
  await assert.rejects(put({ bucket, attributes: { ...PLAIN, legalHold: false } }), invalid);
  await assert.rejects(put({ bucket, attributes, versionId: ID, source: peer(1n) }), invalid);
  await assert.rejects(objects.createUpload({ ...AT, bucket, attributes, initiator: "me" }), invalid);
  const { versionId } = await put({ bucket });
  await assert.rejects(objects.copy({ ...AT, bucket, from: { ...AT, bucket }, legalHold: true }), invalid);
  await assert.rejects(objects.setRetention({ ...AT, bucket }, keep("GOVERNANCE", 1)), invalid);
  await assert.rejects(objects.setLegalHold({ ...AT, bucket }, true), invalid);
  const metadata = { ...AT, bucket, versionId, source: peer(1n), tags: {}, retention: null };
  await assert.rejects(objects.applyReplicaMetadata({ ...metadata, legalHold: true }), invalid);
  await objects.applyReplicaMetadata({ ...metadata, legalHold: false });
});

test("object lock keeps versioning on for every key, stays for good, and needs versioning to begin with", async () => {
  const change = (more: object) => objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, ...more }));
  await assert.rejects(change({ versioning: { status: "Suspended" } }), badState);
  await assert.rejects(change({ versioning: { status: "Enabled", excludedPrefixes: ["a"] } }), badState);
  await assert.rejects(change({ versioning: { status: "Enabled", excludeFolders: true } }), badState);
  await assert.rejects(change({ objectLock: undefined }), badState);
  const plain = bucketName("plain");
  await objects.createBucket(plain, { owner: "root" });
  const lock = () => objects.updateBucket(plain, (bucket) => ({ ...bucket, objectLock: {} }));
  await assert.rejects(lock(), badState);
  await objects.updateBucket(plain, (bucket) => ({ ...bucket, versioning: { status: "Suspended" } }));
  await assert.rejects(lock(), badState);
  await objects.updateBucket(plain, (bucket) => ({ ...bucket, versioning: { status: "Enabled" } }));
  await lock();
});

test("a bucket with object lock is not emptied by force; without a version it goes", async () => {
  const version = await put();
  await assert.rejects(objects.deleteBucket(BUCKET, { force: true }), (error) => hasCode(error, "MethodNotAllowed"));
  await assert.rejects(objects.deleteBucket(BUCKET, { force: false }), (error) => hasCode(error, "BucketNotEmpty"));
  await objects.delete(selector(version));
  await objects.deleteBucket(BUCKET, { force: false });
});

/** An index that lets `between` happen before the first commit. */
function interrupted(index: OrderedIndex, between: () => Promise<void>): OrderedIndex {
  let armed = true;
  return {
    get: (key) => index.get(key),
    scan: (range, options) => index.scan(range, options),
    async commit(commit) {
      const first = armed;
      armed = false;
      if (first) await between();
      return index.commit(commit);
    },
    digest: (range) => index.digest(range),
    digestParts: (range, count) => index.digestParts(range, count),
    close: () => index.close(),
  };
}

const racing = (between: () => Promise<void>): Objects =>
  createObjects({
    index: interrupted(site.index, between),
    blobs: site.blobs,
    clock,
    random: systemRandom,
    poke: () => undefined,
  });

test("a lock that is set while a removal is under way is seen by it", async () => {
  const version = await put();
  const hold = async (): Promise<void> => void (await objects.setLegalHold(selector(version), true));
  await assert.rejects(racing(hold).delete(selector(version)), denied);
  const extended = async (): Promise<void> =>
    void (await objects.setRetention(selector(version), keep("COMPLIANCE", 9)));
  await assert.rejects(racing(extended).setRetention(selector(version), keep("COMPLIANCE", 8)), denied);
});

test("object lock that is turned on while a bucket is emptied by force keeps what is left", async () => {
  const bucket = bucketName("plain");
  await objects.createBucket(bucket, { owner: "root" });
  await objects.updateBucket(bucket, (old) => ({ ...old, versioning: { status: "Enabled" } }));
  const version = await put({ bucket });
  const lock = async (): Promise<void> => {
    await objects.updateBucket(bucket, (old) => ({ ...old, objectLock: {} }));
    await objects.setLegalHold({ ...selector(version), bucket }, true);
  };
  await assert.rejects(racing(lock).deleteBucket(bucket, { force: true }), (e) => hasCode(e, "BucketNotEmpty"));
  assert.ok((await objects.version({ ...selector(version), bucket })) !== undefined);
});

test("a null version from before object lock is kept like any other, from clients and from peers", async () => {
  const bucket = bucketName("older");
  await objects.createBucket(bucket, { owner: "root" });
  const { mtime } = await put({ bucket });
  const at = { ...AT, bucket, versionId: NULL_VERSION };
  await objects.updateBucket(bucket, (old) => ({ ...old, versioning: { status: "Enabled" }, objectLock: {} }));
  await objects.setRetention(at, keep("COMPLIANCE", 1));
  await assert.rejects(objects.delete({ ...at, bypassGovernance: true }), denied);
  const later = mtime + 1000n;
  await assert.rejects(put({ ...at, source: peer(later) }, "other"), denied);
  await assert.rejects(objects.delete({ ...at, source: peer(later), sourceDeleteMarker: true }), denied);
  await assert.rejects(objects.delete({ ...at, source: peer(later) }), denied);
  clock.ms = START + HOUR;
  assert.equal((await put({ ...at, source: peer(later) }, "other")).mtime, later);
});

test("a peer's purge passes over governance and holds that are older than it, never over COMPLIANCE", async () => {
  const governed = await putLocked(keep("GOVERNANCE", 1));
  const set = governed.retention?.time ?? 0n;
  await assert.rejects(objects.delete({ ...selector(governed), source: peer(set - 1n) }), denied);
  await objects.delete({ ...selector(governed), source: peer(set) });
  assert.ok(!(await isThere(governed)));
  const held = await put({ attributes: { ...PLAIN, legalHold: true } });
  await objects.delete({ ...selector(held), source: peer(held.mtime + 1n) });
  assert.ok(!(await isThere(held)));
  const kept = await putLocked(keep("COMPLIANCE", 1));
  await assert.rejects(
    objects.delete({ ...selector(kept), source: peer(kept.mtime + ns(HOUR), { resyncId: "r" }) }),
    denied,
  );
  clock.ms = START + HOUR;
  await objects.delete({ ...selector(kept), source: peer(kept.mtime + 1n) });
});

test("a purge is later than the locks that it passes over, whatever the clocks say", async () => {
  const source = peer(ns(START), { retentionTime: ns(START + 5 * HOUR) });
  await put({ versionId: ID, source, attributes: { ...PLAIN, retention: keep("GOVERNANCE", 9) } });
  await objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, replication: { role: "", rules: [] } }));
  await objects.delete({ ...AT, versionId: ID, bypassGovernance: true });
  const stone = await objects.tombstone({ ...AT, versionId: ID });
  assert.ok((stone?.time ?? 0n) > ns(START + 5 * HOUR));
});

test("replicas bring their locks, past ones too, and take no default of the bucket", async () => {
  await setDefault({ mode: "COMPLIANCE", unit: "years", count: 1 });
  const times = { retentionTime: ns(START - HOUR), legalHoldTime: ns(START - 2 * HOUR) };
  const locks = { retention: keep("GOVERNANCE", -5), legalHold: true };
  const source = peer(ns(START - 9 * HOUR), times);
  const version = await put({ versionId: ID, source, attributes: { ...PLAIN, ...locks } });
  assert.deepEqual(version.retention, { value: locks.retention, time: times.retentionTime });
  assert.deepEqual(version.legalHold, { value: true, time: times.legalHoldTime });
  const other = "22222222-2222-4222-8222-222222222222" as VersionId;
  assert.equal((await put({ versionId: other, source: peer(ns(START)) })).retention, undefined);
  const cleared = "33333333-3333-4333-8333-333333333333" as VersionId;
  const told = await put({ versionId: cleared, source: peer(ns(START), { retentionTime: ns(START + 1) }) });
  assert.deepEqual(told.retention, { value: null, time: ns(START + 1) });
});

test("the same version sent again keeps the later lock of here; other content under a locked id is refused", async () => {
  const etag = "0123456789abcdef0123456789abcdef";
  const again = (mtime: bigint, more: Partial<ReplicaSource> = {}) => ({
    versionId: ID,
    source: peer(mtime, { etag, ...more }),
  });
  const first = await put(again(ns(START)));
  await objects.setRetention(selector(first), keep("COMPLIANCE", 5));
  await objects.setLegalHold(selector(first), true);
  const second = await put(again(ns(START) + 1_000_000_000n), "x").catch((error: unknown) => error);
  assert.ok(hasCode(second, "PreconditionFailed"));
  // Without the guard of the ETag it is taken again, for its time.
  await objects.markDamaged(selector(first), "missing");
  const healed = await put({ versionId: ID, source: peer(ns(START), { etag }) });
  assert.deepEqual(healed.retention?.value, keep("COMPLIANCE", 5));
  assert.equal(healed.legalHold?.value, true);
  await assert.rejects(put({ versionId: ID, source: peer(ns(START) + 9n, { etag: `f${etag.slice(1)}` }) }), denied);
});

test("who sends a damaged version again cannot put other bytes in its place", async () => {
  const body = (text: string) => ({ ...bodyOf(text), checksumAlgorithm: "SHA256" as const });
  const first = await put({ versionId: ID, source: peer(ns(START)), body: body("ours") });
  await objects.setRetention(selector(first), keep("COMPLIANCE", 5));
  await objects.markDamaged(selector(first), "missing");
  const again = (text: string) =>
    put({ versionId: ID, source: peer(ns(START), { etag: first.etag }), body: body(text) });
  await assert.rejects(again("evil"), denied);
  assert.equal((await again("ours")).damaged, undefined);
});

test("registers of a peer: the newer wins, COMPLIANCE is not cut short, not even by a clock that is ahead", async () => {
  const version = await putLocked(keep("COMPLIANCE", 5));
  const tell = (retention: Retention | null, atMs: number) =>
    objects.applyReplicaMetadata({
      ...selector(version),
      source: peer(version.mtime, { retentionTime: ns(atMs) }),
      tags: {},
      retention,
      legalHold: undefined,
    });
  const unchanged = await tell(keep("GOVERNANCE", 50), START + HOUR);
  assert.deepEqual(unchanged.retention?.value, keep("COMPLIANCE", 5));
  await assert.rejects(tell(null, START + 6 * HOUR), denied);
  clock.ms = START + 5 * HOUR;
  assert.equal((await tell(null, START + 6 * HOUR)).retention?.value, null);
});

/** Calls and the clock's moves, in any order. */
type Step =
  | { readonly kind: "clock"; readonly hours: number }
  | { readonly kind: "retain"; readonly retention: Retention | null; readonly bypass: boolean }
  | { readonly kind: "hold"; readonly on: boolean }
  | { readonly kind: "delete"; readonly bypass: boolean }
  | { readonly kind: "peer"; readonly early: boolean };

const hours = fc.integer({ min: -4, max: 8 });
const modes = fc.constantFrom("GOVERNANCE" as const, "COMPLIANCE" as const);
const retentions = fc.option(
  fc.tuple(modes, hours).map(([mode, until]) => keep(mode, until)),
  { nil: null },
);
const steps = fc.array(
  fc.oneof(
    hours.map((at): Step => ({ kind: "clock", hours: at })),
    fc.record({ kind: fc.constant("retain" as const), retention: retentions, bypass: fc.boolean() }),
    fc.record({ kind: fc.constant("hold" as const), on: fc.boolean() }),
    fc.record({ kind: fc.constant("delete" as const), bypass: fc.boolean() }),
    fc.record({ kind: fc.constant("peer" as const), early: fc.boolean() }),
  ),
  { maxLength: 15 },
);

/** Retention and hold as a table of S3's documentation would tell them, without times of registers. */
class Naive {
  retention: Retention | null = null;
  hold = false;

  #active(): Retention | null {
    return this.retention !== null && Date.parse(this.retention.until) > clock.ms ? this.retention : null;
  }

  mayDelete(bypass: boolean): boolean {
    const active = this.#active();
    return !this.hold && (active === null || (active.mode === "GOVERNANCE" && bypass));
  }

  /** `early`: from before every lock. */
  mayPurge(early: boolean): boolean {
    const active = this.#active();
    return active?.mode !== "COMPLIANCE" && (!early || (active === null && !this.hold));
  }

  mayRetain(next: Retention | null, bypass: boolean): boolean {
    const active = this.#active();
    if (active === null || (active.mode === "GOVERNANCE" && bypass)) return true;
    return next?.mode === active.mode && Date.parse(next.until) >= Date.parse(active.until);
  }
}

/** Whether the call was let through. */
const done = (call: Promise<unknown>): Promise<boolean> =>
  call.then(
    () => true,
    (error: unknown) => {
      if (!denied(error)) throw error;
      return false;
    },
  );

async function obeys(version: ObjectVersion, naive: Naive, step: Step): Promise<void> {
  const at = selector(version);
  switch (step.kind) {
    case "clock":
      clock.ms = START + step.hours * HOUR;
      return;
    case "hold":
      await objects.setLegalHold(at, step.on);
      naive.hold = step.on;
      return;
    case "retain": {
      const { retention, bypass } = step;
      const expected = naive.mayRetain(retention, bypass);
      assert.equal(await done(objects.setRetention(at, retention, { bypassGovernance: bypass })), expected);
      if (expected) naive.retention = retention;
      return;
    }
    case "delete": {
      const expected = naive.mayDelete(step.bypass);
      assert.equal(await done(objects.delete({ ...at, bypassGovernance: step.bypass })), expected);
      return;
    }
    case "peer": {
      const time = step.early ? version.mtime : ns(START + 100 * HOUR);
      const expected = naive.mayPurge(step.early);
      assert.equal(await done(objects.delete({ ...at, source: peer(time) })), expected);
    }
  }
}

test("any calls, whatever the clock shows: what may be done to a locked version, and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (moves) => {
      clock.ms = START;
      const version = await put();
      const naive = new Naive();
      for (const move of moves) {
        await obeys(version, naive, move);
        if (!(await isThere(version))) return;
      }
    }),
    { numRuns: 300 },
  );
});
