import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { LifecycleRule } from "../model/lifecycle.ts";
import type { VersionId } from "../model/names.ts";
import { expireBucket, lifecycles, type Expired } from "./expire.ts";
import { bodyOf, bucketName, objectKey, PLAIN, SettableClock, testSite, type TestSite } from "./testing.ts";
import type { ObjectAttributesInput } from "./types.ts";

const DAY = 86_400_000;
const NOON = Date.parse("2026-03-01T12:00:00Z");
const B = bucketName("bucket");

let clock: SettableClock;
let site: TestSite;
beforeEach(() => {
  clock = new SettableClock(NOON);
  site = testSite(clock);
});

const rule = (more: Partial<LifecycleRule>): LifecycleRule => ({
  id: "r",
  enabled: true,
  oldForm: false,
  filter: {},
  ...more,
});

async function bucket(status: "Enabled" | "Suspended" | undefined, ...rules: LifecycleRule[]): Promise<void> {
  await site.objects.createBucket(B, { owner: "o" });
  await site.objects.updateBucket(B, (row) => ({
    ...row,
    ...(status === undefined ? {} : { versioning: { status } }),
    lifecycle: { updatedMs: clock.nowMs(), rules },
  }));
}

async function put(key: string, text = key, more: Partial<ObjectAttributesInput> = {}): Promise<VersionId> {
  const { version } = await site.objects.put({
    bucket: B,
    key: objectKey(key),
    attributes: { ...PLAIN, ...more },
    body: bodyOf(text),
  });
  return version.versionId;
}

const pass = async (): Promise<Expired> => expireBucket({ objects: site.objects, clock }, await site.objects.bucket(B));

/** Rows as `key kind`, in listing order. */
async function rows(): Promise<string[]> {
  const page = await site.objects.listVersions({ bucket: B, prefix: "", delimiter: "", keyMarker: "", maxKeys: 1000 });
  return page.versions.map(({ version }) => `${version.key} ${version.kind === "object" ? version.size : "marker"}`);
}

test("plain bucket: what is due goes for good at midnight, the rest stays", async () => {
  await bucket(undefined, rule({ filter: { prefix: "logs/" }, expiration: { days: 1 } }));
  await put("logs/a");
  await put("other");
  clock.ms = NOON + 1.4 * DAY;
  await put("logs/b");
  assert.deepEqual(await pass(), { versions: 0, uploads: 0 });
  clock.ms = Date.parse("2026-03-03T00:00:00Z");
  assert.deepEqual(await pass(), { versions: 1, uploads: 0 });
  assert.deepEqual(await rows(), ["logs/b 6", "other 5"]);
});

test("versions: a marker hides the newest; older ones go by their own rule; then the marker alone", async () => {
  await bucket("Enabled", rule({ id: "a", expiration: { days: 1 } }), rule({ id: "b", noncurrent: { days: 2 } }));
  await put("k", "1");
  await put("k", "22");
  clock.ms = NOON + 2 * DAY;
  assert.equal((await pass()).versions, 1);
  assert.deepEqual(await rows(), ["k marker", "k 2", "k 1"]);
  assert.equal((await pass()).versions, 0);
  clock.ms = NOON + 3 * DAY;
  assert.equal((await pass()).versions, 1, "since the first was followed by the second");
  assert.deepEqual(await rows(), ["k marker", "k 2"]);
  clock.ms = NOON + 5 * DAY;
  assert.equal((await pass()).versions, 1);
  assert.deepEqual(await rows(), ["k marker"]);
  assert.equal((await pass()).versions, 1);
  assert.deepEqual(await rows(), []);
});

test("so many newer ones stay, across pages of the listing", async () => {
  await bucket("Enabled", rule({ noncurrent: { newerVersions: 2 } }));
  for (let i = 1; i <= 6; i++) await put("a", "x".repeat(i));
  for (let i = 0; i < 1002; i++) await put("many", "y".repeat(i % 7));
  await put("z");
  assert.equal((await pass()).versions, 3 + 999);
  assert.deepEqual((await rows()).slice(0, 3), ["a 6", "a 5", "a 4"]);
  assert.equal((await rows()).length, 7);
  assert.equal((await pass()).versions, 0);
});

test("a lone marker goes where a rule says so; one with versions below it, or over which something is put, stays", async () => {
  await bucket("Enabled", rule({ expiration: { expiredObjectDeleteMarker: true } }));
  const id = await put("lone");
  await site.objects.delete({ bucket: B, key: objectKey("lone"), versionId: id });
  await site.objects.delete({ bucket: B, key: objectKey("lone") });
  await put("kept");
  await site.objects.delete({ bucket: B, key: objectKey("kept") });
  assert.equal((await pass()).versions, 1);
  assert.deepEqual(await rows(), ["kept marker", "kept 4"]);
});

test("what is locked, or still has to reach a target, stays; what was replaced meanwhile is not what was due", async () => {
  await bucket("Enabled", rule({ noncurrent: { newerVersions: 1 }, expiration: { days: 1 } }));
  await site.objects.updateBucket(B, (row) => ({ ...row, objectLock: {} }));
  const until = new Date(NOON + 100 * DAY).toISOString();
  await put("locked", "1", { retention: { mode: "COMPLIANCE", until } });
  await put("locked", "22");
  await put("locked", "333");
  const { version } = (await site.objects.version({ bucket: B, key: objectKey("locked") })) ?? assert.fail();
  await site.objects.setTargetStatus(
    { bucket: B, key: version.key, versionId: version.versionId },
    "arn" as never,
    "PENDING",
  );
  clock.ms = NOON + 10 * DAY;
  assert.equal((await pass()).versions, 0);
  assert.deepEqual(await rows(), ["locked 3", "locked 2", "locked 1"]);
  await site.objects.setTargetStatus(
    { bucket: B, key: version.key, versionId: version.versionId },
    "arn" as never,
    "COMPLETED",
  );
  assert.equal((await pass()).versions, 1);
  assert.deepEqual(await rows(), ["locked marker", "locked 3", "locked 2", "locked 1"]);
});

test("the conditions of a removal hold in its commit", async () => {
  await bucket("Enabled");
  const first = await put("k", "1");
  const key = objectKey("k");
  const mtime = (await site.objects.version({ bucket: B, key }))?.version.mtime;
  const remove = (place: "noncurrent" | "only") =>
    site.objects.delete({ bucket: B, key, versionId: first, conditions: { mtime, place }, byLifecycle: true });
  await remove("noncurrent");
  assert.deepEqual(await rows(), ["k 1"]);
  const second = await put("k", "22");
  await remove("only");
  assert.deepEqual(await rows(), ["k 2", "k 1"]);
  await remove("noncurrent");
  assert.deepEqual(await rows(), ["k 2"]);
  await assert.rejects(
    site.objects.delete({ bucket: B, key, versionId: second, conditions: { mtime }, byLifecycle: true }),
  );
});

test("uploads that were begun long ago are aborted", async () => {
  await bucket(undefined, rule({ filter: { prefix: "up/" }, abortUploadsDays: 2 }));
  const create = (key: string) =>
    site.objects.createUpload({ bucket: B, key: objectKey(key), attributes: PLAIN, initiator: "i" });
  await create("up/old");
  await create("other");
  clock.ms = NOON + 3 * DAY;
  await create("up/new");
  assert.deepEqual(await pass(), { versions: 0, uploads: 1 });
  const listed = await site.objects.listUploads({
    bucket: B,
    prefix: "",
    delimiter: "",
    keyMarker: "",
    uploadIdMarker: "",
    maxUploads: 10,
  });
  assert.deepEqual(
    listed.uploads.map((upload) => upload.key),
    ["other", "up/new"],
  );
});

test("one pass a day and for each change of the rules", async () => {
  await bucket(undefined, rule({ expiration: { days: 1 } }));
  const walks: string[] = [];
  const expiring = lifecycles(
    { objects: site.objects, clock },
    ({ name }, expired) => void walks.push(`${name} ${"versions" in expired ? expired.versions : "failed"}`),
  );
  const { signal } = new AbortController();
  await put("a");
  await expiring.step(signal);
  await expiring.step(signal);
  assert.deepEqual(walks, ["bucket 0"]);
  clock.ms = NOON + 2 * DAY;
  await expiring.step(signal);
  assert.deepEqual(walks, ["bucket 0", "bucket 1"]);
  await site.objects.updateBucket(B, (row) => ({
    ...row,
    lifecycle: { updatedMs: clock.nowMs(), rules: [rule({ enabled: false, expiration: { days: 1 } })] },
  }));
  await expiring.step(signal);
  await site.objects.updateBucket(B, (row) => ({
    ...row,
    lifecycle: { updatedMs: clock.nowMs(), rules: [rule({ expiration: { days: 1 } })] },
  }));
  await expiring.step(signal);
  assert.deepEqual(walks, ["bucket 0", "bucket 1", "bucket 0"]);
});
