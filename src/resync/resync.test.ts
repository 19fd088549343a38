import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { Arn, VersionId } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import type { FakeVersion } from "../replication/testing/fake-store.ts";
import type { FakeTarget } from "../replication/testing/fake-target.ts";
import {
  asKey,
  eachWithTarget,
  enableRule,
  replicateTo,
  SRC,
  until,
  type TestSite,
} from "../replication/testing/site.ts";
import type { ResyncJobs } from "./jobs.ts";
import type { ResyncRecord } from "./record.ts";
import { fillWith, finishedJob, jobsOf, keyOf, recordOf } from "./testing.ts";

describe("resync", { timeout: 120_000 }, () => {
  let site: TestSite;
  let fake: FakeTarget;
  let arn: Arn;
  let jobs: ResyncJobs;
  let stop: AbortController;
  let ended: Promise<void>;
  const warnings: string[] = [];

  eachWithTarget(async (made) => {
    ({ site, fake } = made);
    arn = await replicateTo(site, fake);
    run();
    return async () => {
      stop.abort();
      await ended;
    };
  });
  afterEach(() => {
    assert.deepEqual(warnings.splice(0), []);
  });

  function run(): void {
    jobs = jobsOf(site, warnings);
    stop = new AbortController();
    ended = jobs.run(stop.signal);
  }

  const record = (): Promise<ResyncRecord> => recordOf(site);
  const finished = (): Promise<ResyncRecord> => finishedJob(site);
  const start = (olderThan = "", resetId = ""): Promise<object> => jobs.start(SRC, { arn, resetId, olderThan });
  const fill = (count: number): Promise<Version[]> => fillWith(site, count);

  test("an empty target gets everything, oldest first within a key, and the end is verified", async () => {
    await fill(50);
    const first = await site.put("hot", "1");
    const second = await site.put("hot", "2");
    const marker = await site.objects.delete({ bucket: SRC, key: asKey("hot") });
    await start();
    const done = await finished();
    assert.equal(done.state, "Completed");
    assert.equal(done.counters.sent, 53);
    assert.deepEqual(done.verify, { level: "metadata", compared: 53, different: 0, exempt: 0, samples: [] });
    assert.equal(fake.versions.length, 53);
    const order = fake.versions.filter((version) => version.key === "hot").map((version) => version.versionId);
    assert.deepEqual(order, [first.versionId, second.versionId, marker.versionId]);
    const stored = await site.objects.version({ bucket: SRC, key: asKey("hot"), versionId: first.versionId });
    assert.equal(stored?.version.replication.targets[arn], "COMPLETED");
  });

  test("equal sites cost listings, not one question for each version", async () => {
    await fill(1100);
    await start();
    await finished();
    fake.seen.length = 0;
    await start();
    const done = await finished();
    assert.equal(done.counters.alreadyEqual, 1100);
    assert.equal(done.counters.sent, 0);
    // Two pages for the look at the direction, two for the comparison, which is the proof too.
    assert.equal(fake.seen.filter((request) => request.query.has("versions")).length, 4);
    assert.equal(fake.seen.filter((request) => request.method === "HEAD").length, 1);
  });

  test("a comparison that was broken off proves nothing of what it saw before", async () => {
    const versions = await fill(1100);
    await start();
    await finished();
    let pages = 0;
    // The second page of the comparison (the look at the direction takes two): the target goes away, and loses a version.
    fake.interfere = ({ query }) => {
      if (!query.has("versions") || ++pages !== 4) return undefined;
      fake.remove(keyOf(3), (versions[3] as Version).versionId);
      return "cut";
    };
    await start();
    const done = await finished();
    assert.equal(done.counters.sent, 0, "the version was there when it was compared");
    assert.equal(done.verify?.different, 0);
    assert.ok(fake.find(keyOf(3), (versions[3] as Version).versionId) !== undefined, "the proof found that it is not");
  });

  test("a connection that breaks while the proof sends what lacks is no difference", async () => {
    const versions = await fill(1100);
    await start();
    await finished();
    let pages = 0;
    let puts = 0;
    fake.interfere = ({ method, query }) => {
      if (method === "PUT" && ++puts === 1) return "cut";
      if (!query.has("versions") || ++pages !== 4) return undefined;
      fake.remove(keyOf(3), (versions[3] as Version).versionId);
      return "cut";
    };
    await start();
    const done = await finished();
    assert.equal(puts, 2);
    assert.deepEqual([done.verify?.different, done.verify?.samples], [0, []]);
  });

  test("what a target takes and does not keep as it was is told, however often it is sent", async () => {
    site.clock.aheadMs = 60_000;
    const versions = await fill(3);
    fake.keepsTimes = false;
    await start();
    const done = await finished();
    assert.equal(done.counters.sent, versions.length);
    assert.equal(done.verify?.different, versions.length);
    assert.equal(done.verify?.samples?.[0]?.reason, "modification time");
  });

  /** A target that tells how many tags a version has, and those of `k` older than here. */
  async function staleTags(): Promise<Version> {
    Object.assign(fake, { tellsTags: false, listsMetadata: false });
    const version = await site.put("k", "v", { t: "1" });
    await start();
    await finished();
    const there = fake.find("k", version.versionId);
    assert.equal(there?.tags, "t=1");
    await site.objects.setTags({ bucket: SRC, key: version.key, versionId: version.versionId }, { t: "2" });
    return version;
  }

  test("tags of which the target tells only the count are looked at, and mended", async () => {
    const version = await staleTags();
    await start("", "again");
    const done = await finished();
    assert.equal(fake.find("k", version.versionId)?.tags, "t=2");
    assert.deepEqual([done.counters.sent, done.verify?.different], [1, 0]);
  });

  test("tags that the target does not let us read are not called equal", async () => {
    await staleTags();
    fake.interfere = ({ method, query }) =>
      method === "GET" && query.has("tagging") ? { status: 403, code: "AccessDenied" } : undefined;
    await start("", "again");
    const done = await finished();
    assert.deepEqual([done.verify?.different, done.verify?.samples?.[0]?.reason], [1, "tags"]);
  });

  test("only what was lost moves; what only the target has stays", async () => {
    const versions = await fill(40);
    await start();
    await finished();
    for (const version of versions.slice(5, 9)) fake.remove(version.key, version.versionId);
    const gone = versions[20] as Version;
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, replication: { rules: [], role: "" } }));
    await site.objects.delete({ bucket: SRC, key: gone.key, versionId: gone.versionId });
    await enableRule(site, arn);
    await start("", "again");
    const done = await finished();
    assert.equal(done.id, "again");
    assert.deepEqual([done.counters.sent, done.counters.alreadyEqual, done.counters.onlyAtTarget], [4, 35, 1]);
    assert.ok(fake.find(gone.key, gone.versionId) !== undefined);
    assert.ok(fake.seen.every((request) => request.method !== "DELETE"));
  });

  test("a difference that the target answers with 412 is mended where it can be, and never called equal", async () => {
    const [moved, kept] = (await fill(3)) as [Version, Version];
    await start();
    await finished();
    const change = (version: Version, how: Partial<FakeVersion>): void => {
      const at = fake.versions.findIndex(({ versionId }) => versionId === version.versionId);
      fake.versions[at] = { ...(fake.versions[at] as FakeVersion), ...how };
    };
    // A time that a PUT with the same ETag does not change; other content that the target would not part with.
    change(moved, { mtime: moved.mtime - 5_000_000_000n });
    change(kept, { body: Buffer.from("other"), etag: "0".repeat(32) });
    fake.interfere = ({ method, key }) =>
      method === "PUT" && key === kept.key ? { status: 412, code: "PreconditionFailed" } : undefined;
    await start();
    const done = await finished();
    const { sent, alreadyEqual, notReplicable } = done.counters;
    assert.deepEqual([sent, alreadyEqual, notReplicable], [1, 1, 1]);
    assert.equal(fake.find(moved.key, moved.versionId)?.mtime, moved.mtime);
    assert.match(done.samples.find(({ key }) => key === kept.key)?.reason ?? "", /size/);
    const status = (await site.objects.version({ bucket: SRC, key: kept.key, versionId: kept.versionId }))?.version;
    assert.notEqual(status?.replication.targets[arn], "PENDING");
  });

  test("a purge for every site is carried to a target where the version came back", async () => {
    const [version] = (await fill(3)) as [Version];
    await start();
    await finished();
    const copy = fake.find(version.key, version.versionId);
    await site.objects.delete({ bucket: SRC, key: version.key, versionId: version.versionId });
    assert.ok(copy !== undefined && fake.find(version.key, version.versionId) === copy);
    await start();
    const done = await finished();
    assert.deepEqual([done.counters.purged, done.counters.onlyAtTarget, done.counters.alreadyEqual], [1, 0, 2]);
    assert.equal(fake.find(version.key, version.versionId), undefined);
  });

  test("changed tags are found in the listing and mended", async () => {
    const [version] = (await fill(3)) as [Version];
    await start();
    await finished();
    await site.objects.setTags({ bucket: SRC, key: version.key, versionId: version.versionId }, { a: "1" });
    await start();
    const done = await finished();
    assert.deepEqual([done.counters.sent, done.counters.sentBytes], [1, 0]);
    assert.equal(fake.find(version.key, version.versionId)?.tags, "a=1");
  });

  test("a target that lists no metadata is asked about every version: what it shows more than here is found", async () => {
    fake.listsMetadata = false;
    const versions = await fill(30);
    await start();
    await finished();
    const stale = versions[7] as Version;
    const there = fake.find(stale.key, stale.versionId);
    assert.ok(there !== undefined);
    fake.store.change({ ...there, tags: "stale=1" });
    fake.seen.length = 0;
    await start();
    const done = await finished();
    assert.deepEqual([done.counters.alreadyEqual, done.counters.sent], [29, 1]);
    assert.equal(fake.find(stale.key, stale.versionId)?.tags, "");
    assert.deepEqual([done.verify?.level, done.verify?.different], ["metadata", 0]);
    const asked = new Set(fake.seen.filter(({ method }) => method === "HEAD").map(({ key }) => key));
    assert.ok(versions.every(({ key }) => asked.has(key)));
  });

  test("what no rule sends and what is damaged here is counted and named", async () => {
    const big = await site.put("bad", "x".repeat(5000));
    await site.put("other");
    await enableRule(site, arn, { prefix: "b" });
    site.blobs.files.clear();
    await start();
    const done = await finished();
    assert.equal(done.state, "Completed");
    assert.deepEqual([done.counters.notReplicable, done.counters.compared], [2, 2]);
    assert.ok(done.samples.some((sample) => sample.key === "bad" && sample.versionId === big.versionId));
    assert.deepEqual([done.verify?.different, done.verify?.exempt], [0, 2]);
    assert.match(await jobs.report(SRC, arn), /"Equal but for 2 that cannot be replicated: 2 versions compared/);
    // What turned out to be so only when it was sent, beside something that was sent.
    await enableRule(site, arn);
    const again = await site.put("again", "x".repeat(5000));
    site.blobs.files.clear();
    await start();
    const more = await finished();
    assert.deepEqual([more.counters.sent, more.counters.notReplicable], [1, 2], again.versionId);
    assert.deepEqual([more.verify?.different, more.verify?.exempt], [0, 2]);
  });

  test("a refusal of one version is counted as failed and the job still ends", async () => {
    await fill(3);
    fake.interfere = (request) =>
      request.method !== "GET" && request.key === "k0001" ? { status: 403, code: "AccessDenied" } : undefined;
    await start();
    const done = await finished();
    assert.equal(done.state, "Completed");
    assert.deepEqual([done.counters.failed, done.counters.sent, done.verify?.different], [1, 2, 1]);
  });

  test("older-than leaves newer versions out", async () => {
    await fill(3);
    await start("24ns");
    const done = await finished();
    assert.deepEqual([done.counters.compared, done.counters.outOfScope], [0, 3]);
  });

  test("a second start is refused without effect; cancel ends the job at once", async () => {
    await fill(10);
    fake.interfere = (request) => (request.method === "PUT" ? "cut" : undefined);
    await start("", "first");
    await until(() => new Set(fake.seen.filter(({ method }) => method === "PUT").map(({ key }) => key)).size === 10);
    await assert.rejects(start("", "second"), { code: "BadRequest" });
    assert.equal((await site.targets.get(SRC, arn)).record.resetId, "first");
    assert.equal(await jobs.cancel(SRC, arn), "first");
    assert.equal((await record()).state, "Canceled");
    await assert.rejects(jobs.cancel(SRC, arn), { code: "BadRequest" });
    fake.interfere = () => undefined;
    await start();
    // What the first job sent once more as it was cancelled may still have arrived.
    const { counters } = await finished();
    assert.deepEqual([counters.compared, counters.sent + counters.alreadyEqual], [10, 10]);
    assert.ok(counters.sent > 0, "the second job sends");
  });

  test("a job that lost its process goes on at the low-water mark and counts nothing twice", async () => {
    await fill(300);
    let puts = 0;
    fake.interfere = (request) => (request.method === "PUT" && ++puts > 150 ? "cut" : undefined);
    await start("", "long");
    await until(async () => (await record()).cursor !== "");
    stop.abort();
    await ended;
    assert.equal((await record()).state, "Ongoing");
    fake.interfere = () => undefined;
    run();
    const done = await finished();
    assert.equal(done.id, "long");
    assert.equal(done.counters.compared, 300);
    assert.equal(done.verify?.different, 0);
  });

  test("a target that goes away and comes back only makes it wait", async () => {
    await fill(100);
    let puts = 0;
    let stopped: Promise<void> | undefined;
    fake.interfere = (request) => {
      if (request.method === "PUT" && ++puts === 20) stopped = fake.stop();
      return undefined;
    };
    await start();
    await until(() => stopped !== undefined);
    await stopped;
    await until(async () => !(await site.targets.connect(await site.targets.get(SRC, arn)).endpoint.confirm()));
    const told = async () => {
      const { target } = (await jobs.status(SRC)) as { target: [{ targetAway?: { since: string; reason: string } }] };
      return target[0].targetAway;
    };
    const away = await told();
    assert.match(away?.reason ?? "", /^GET http:.*: ./);
    assert.ok(Date.parse(away?.since ?? "") <= Date.now());
    fake.interfere = () => undefined;
    await fake.start();
    const done = await finished();
    assert.deepEqual(
      [done.state, done.counters.compared, done.counters.failed, done.verify?.different],
      ["Completed", 100, 0, 0],
    );
    assert.equal(await told(), undefined);
  });

  test("start checks configuration, ARN, rules and target before it stores anything", async () => {
    await assert.rejects(jobs.start(SRC, { arn: "arn:minio:replication::x:y", resetId: "", olderThan: "" }), {
      code: "XMinioAdminRemoteTargetNotFoundError",
    });
    await enableRule(site, arn, { existingObjectReplication: false });
    await assert.rejects(start(), { code: "XMinioReplicationNoExistingObjects" });
    await enableRule(site, arn);
    await fake.stop();
    await assert.rejects(start(), { code: "XMinioAdminReplicationRemoteConnectionError" });
    await fake.start();
    assert.deepEqual(await jobs.status(SRC), {});
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, replication: undefined }));
    await assert.rejects(start(), { code: "ReplicationConfigurationNotFoundError" });
  });

  test("status is current while it runs and names every number", async () => {
    await fill(5);
    await start("", "id-1");
    await finished();
    const status = (await jobs.status(SRC, arn)) as { target: [Record<string, unknown>] };
    const [shown] = status.target;
    assert.deepEqual(
      [
        shown["arn"],
        shown["resetid"],
        shown["resyncStatus"],
        shown["replicationCount"],
        shown["completedReplicationSize"],
        shown["verified"],
      ],
      [arn, "id-1", "Completed", 5, 30, true],
    );
    assert.ok(
      (await site.targets.list(SRC, ""))?.some((target) => (target as { resetID?: string }).resetID === "id-1"),
    );
  });

  test("what was found of a target that is gone is told only to who asks for it", async () => {
    await fill(1);
    await start();
    await finished();
    await enableRule(site, arn, { enabled: false });
    await site.targets.remove(SRC, arn);
    assert.deepEqual(await jobs.status(SRC), {});
    const { target } = (await jobs.status(SRC, arn)) as { target: { resyncStatus: string }[] };
    assert.equal(target[0]?.resyncStatus, "Completed");
  });

  test("a null version that is newer at the target stays", async () => {
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, versioning: { status: "Suspended" } }));
    const version = await site.put("n", "old");
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, versioning: { status: "Enabled" } }));
    assert.equal(version.versionId, "null" as VersionId);
    const mtime = version.mtime + 10_000_000_000n;
    fake.versions.push({
      key: "n",
      versionId: "null",
      kind: "object",
      mtime,
      etag: "e",
      body: Buffer.from("new"),
      metadata: {},
      tags: "",
      parts: 0,
    });
    await start();
    const done = await finished();
    assert.equal(done.counters.notReplicable, 1);
    assert.equal(fake.find("n", "null")?.body.toString(), "new");
  });
});
