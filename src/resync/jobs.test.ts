/** What operators say to a resync: plan, scope, order, limits, pause, direction; and what it says of itself. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { Bucket } from "../model/bucket.ts";
import type { Arn, BucketName } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { signerOf } from "../protocol/signed-document.ts";
import { FALLBACK_POLL_MS } from "../replication/limits.ts";
import { pendingWork } from "../replication/log.ts";
import { RESYNC_ATTEMPTS } from "./limits.ts";
import type { FakeTarget } from "../replication/testing/fake-target.ts";
import { asKey, collected, eachWithTarget, enableRule, replicateTo, SRC, until } from "../replication/testing/site.ts";
import type { TestSite } from "../replication/testing/site.ts";
import { systemRandom } from "../runtime/random.ts";
import { nameOfRow, namedRange, SPACE } from "../storage/keys.ts";
import type { Forecast } from "./forecast.ts";
import { clearRows } from "./job-rows.ts";
import type { ResyncJobs } from "./jobs.ts";
import { loadList } from "./named-versions.ts";
import { DEFAULT_OPTIONS, type JobOptions } from "./options.ts";
import type { StartRequest } from "./prepare.ts";
import type { ResyncRecord } from "./record.ts";
import { fillWith, finishedJob, jobsOf, keyOf, recordOf } from "./testing.ts";

describe("jobs of resync", { timeout: 120_000 }, () => {
  let site: TestSite;
  let fake: FakeTarget;
  let arn: Arn;
  let jobs: ResyncJobs;
  let stop: AbortController;
  let ended: Promise<void>;
  const warnings: string[] = [];
  const files = new Map<string, string>();

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
    files.clear();
    assert.deepEqual(warnings.splice(0), []);
  });

  const newJobs = (): ResyncJobs =>
    jobsOf(site, warnings, { saveReport: async (name, text) => void files.set(name, text) });
  function run(): void {
    jobs = newJobs();
    stop = new AbortController();
    ended = jobs.run(stop.signal);
  }

  const request = (options: Partial<JobOptions> = {}, more: Partial<StartRequest> = {}): StartRequest => ({
    arn,
    resetId: "",
    olderThan: "",
    options: { ...DEFAULT_OPTIONS, ...options },
    ...more,
  });
  const record = (): Promise<ResyncRecord> => recordOf(site);
  const finished = (): Promise<ResyncRecord> => finishedJob(site);
  async function resync(options: Partial<JobOptions> = {}, more: Partial<StartRequest> = {}): Promise<ResyncRecord> {
    await jobs.start(SRC, request(options, more));
    return finished();
  }
  const fill = (count: number): Promise<ObjectVersion[]> => fillWith(site, count);
  const puts = (): string[] => fake.seen.filter(({ method }) => method === "PUT").map(({ key }) => key);
  const plan = async (options: Partial<JobOptions> = {}, more: Partial<StartRequest> = {}): Promise<Forecast> =>
    (await collected(await jobs.plan(SRC, request(options, more), stop.signal))).at(-1) as Forecast;

  test("what was sent before a crash counts as sent after it", async () => {
    await fill(300);
    let count = 0;
    fake.interfere = ({ method, key }) =>
      method === "PUT" && (key === keyOf(40) || ++count > 200) ? "cut" : undefined;
    await jobs.start(SRC, request());
    // Everything up to key 200 is there but one, which holds the mark low.
    await until(() => fake.versions.length >= 190);
    // As after kill -9: what the process knew is gone, what it wrote is there.
    const rows = await site.index.scan(namedRange(SPACE.job, ""), { limit: 1000 });
    stop.abort();
    await ended;
    const now = await site.index.scan(namedRange(SPACE.job, ""), { limit: 1000, keysOnly: true });
    await site.index.commit({ checks: [], deletes: now.map(({ key }) => key), puts: rows, adds: [] });
    fake.interfere = () => undefined;
    run();
    const done = await finished();
    assert.deepEqual([done.counters.sent, done.counters.alreadyEqual, done.verify?.different], [300, 0, 0]);
    assert.equal(new Set(fake.versions.map(({ versionId }) => versionId)).size, 300);
  });

  test("a write whose answer was lost was a write", async () => {
    await fill(20);
    const lost = new Set<string>();
    fake.interfereAfter = ({ method, key }) => {
      if (method !== "PUT" || lost.has(key)) return undefined;
      lost.add(key);
      return "cut";
    };
    assert.deepEqual([(await resync()).counters.sent, lost.size], [20, 20]);
  });

  test("a target that refuses everything is not asked four times for each version", async () => {
    await fill(400);
    fake.interfere = ({ method }) => (method === "PUT" ? { status: 403, code: "AccessDenied" } : undefined);
    const done = await resync();
    assert.deepEqual([done.counters.failed, done.verify?.different], [400, 400]);
    // Four times for the first ones, which may be many at a time, once each for the rest, once each in the proof.
    assert.ok(puts().length < 1400, String(puts().length));
  });

  test("what failed is tried once more by the proof, however many others arrived between", async () => {
    await fill(40);
    const isRefused = (key: string): boolean => key.endsWith("5");
    fake.interfere = ({ method, key }) =>
      method === "PUT" && isRefused(key) ? { status: 507, code: "XMinioStorageFull" } : undefined;
    const done = await resync();
    assert.deepEqual([done.counters.failed, done.counters.sent, done.verify?.different], [4, 36, 4]);
    assert.equal(puts().filter(isRefused).length, 4 * (RESYNC_ATTEMPTS + 1));
  });

  test("a plan says what would move and why, and moves nothing", async () => {
    const versions = await fill(40);
    await resync();
    for (const { key, versionId } of versions.slice(0, 3)) fake.remove(key, versionId);
    const tagged = versions[10] as ObjectVersion;
    await site.objects.setTags({ bucket: SRC, key: tagged.key, versionId: tagged.versionId }, { a: "1" });
    const purged = versions[20] as ObjectVersion;
    await site.objects.delete({ bucket: SRC, key: purged.key, versionId: purged.versionId });
    fake.seen.length = 0;
    const before = await site.index.scan(namedRange(SPACE.job, ""), { limit: 1000 });
    const found = await plan();
    assert.deepEqual(await site.index.scan(namedRange(SPACE.job, ""), { limit: 1000 }), before);
    assert.ok(fake.seen.every(({ method }) => method === "GET" || method === "HEAD"));
    assert.deepEqual(
      [found.done, found.compared, found.toSend, found.alreadyEqual, found.toPurge, found.bytesToSend],
      [true, 39, 4, 35, 1, 18],
    );
    assert.deepEqual(found.restored, { absent: 3, purgedThere: 0, damaged: 0, different: 1 });
    assert.equal(found.rate?.from, "round trips");
    assert.equal(typeof found.seconds, "number");
    const done = await resync();
    assert.deepEqual([done.counters.sent, done.counters.purged], [found.toSend, found.toPurge]);
  });

  test("a prefix bounds both sides and the total", async () => {
    await Promise.all(["a/1", "a/2", "b/1"].map((key) => site.put(key)));
    const done = await resync({ prefix: "a/" });
    assert.deepEqual([done.total, done.counters.sent, done.verify?.compared], [2, 2, 2]);
    assert.deepEqual(fake.versions.map(({ key }) => key).toSorted(), ["a/1", "a/2"]);
  });

  test("named versions alone are asked for and sent; what is not here is named", async () => {
    const versions = await fill(10);
    const [one, two] = versions as [ObjectVersion, ObjectVersion];
    const again = await site.put(two.key, "newer");
    const absent = systemRandom.uuid() as ObjectVersion["versionId"];
    const named = [{ key: two.key }, { key: one.key, versionId: one.versionId }, { key: "k0005", versionId: absent }];
    // The beginning of other keys is none of them.
    const unknown = { key: "k000" };
    const done = await resync({}, { named: [...named, unknown] });
    assert.deepEqual(
      [done.total, done.counters.compared, done.counters.sent, done.counters.notReplicable],
      [5, 5, 3, 2],
    );
    assert.deepEqual(
      new Set(fake.versions.map(({ versionId }) => versionId)),
      new Set([one.versionId, two.versionId, again.versionId]),
    );
    assert.deepEqual([done.verify?.compared, done.verify?.different], [3, 0]);
    assert.ok(done.samples.some(({ versionId }) => versionId === absent));
    assert.ok(done.samples.some(({ key }) => key === unknown.key));
    assert.ok(!fake.seen.some(({ query }) => query.has("versions")));
  });

  test("a start that another overtakes takes nothing of its list; a job that lost its list does not end well", async () => {
    const versions = await fill(9);
    const named = versions.slice(0, 5).map(({ key }) => ({ key }));
    const { index } = site;
    stop.abort();
    await ended;
    // The second has written its list; the first begins before it goes on.
    const commit = index.commit.bind(index);
    index.commit = async (last) => {
      index.commit = commit;
      const result = await commit(last);
      await jobs.start(SRC, request({}, { named }));
      return result;
    };
    const one = [{ key: (versions[8] as ObjectVersion).key }];
    await assert.rejects(jobs.start(SRC, request({}, { named: one })), /already in progress/);
    run();
    const done = await finished();
    assert.deepEqual([done.state, done.total, done.counters.sent], ["Completed", 5, 5]);
    stop.abort();
    await ended;
    await jobs.start(SRC, request({}, { named }));
    await clearRows(index, await record());
    run();
    assert.equal((await finished()).state, "Failed");
  });

  test("of two starts in two processes at the same moment one is the job, with its own list alone", async () => {
    const versions = await fill(40);
    stop.abort();
    await ended;
    const others = newJobs();
    const lists = [versions.slice(0, 30), versions.slice(30)];
    const commit = site.index.commit.bind(site.index);
    for (let turn = 0; turn < 4; turn++) {
      // Neither writes its list before the other is about to do the same.
      let waiting: (() => void) | undefined;
      site.index.commit = async (rows) => {
        if (waiting === undefined) {
          await new Promise<void>((resolve) => (waiting = resolve));
        } else {
          site.index.commit = commit;
          waiting();
        }
        return commit(rows);
      };
      const starts = [jobs, others].map((process, i) => {
        const named = lists[(i + turn) % 2]?.map(({ key }) => ({ key }));
        return process.start(SRC, request({}, { named }));
      });
      const results = await Promise.allSettled(starts);
      assert.deepEqual(results.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
      const job = await record();
      const kept = (await collected(loadList(site.index, job, ""))).map(({ key }) => key);
      const asked = lists.map((list) => list.map(({ key }) => key as string));
      assert.deepEqual(
        kept,
        asked.find(({ length }) => length === job.total),
      );
      const rows = await site.index.scan(namedRange(SPACE.job, "resync-list/"), { limit: 100 });
      assert.ok(
        rows.every(({ key }) => nameOfRow(key).includes(String(job.rows))),
        "the other left nothing",
      );
      await jobs.cancel(SRC, arn);
    }
    run();
  });

  test("failed-only takes what failed, and then nothing is left to take", async () => {
    await fill(6);
    fake.interfere = ({ method, key }) =>
      method !== "GET" && key === "k0003" ? { status: 403, code: "AccessDenied" } : undefined;
    assert.equal((await resync()).counters.failed, 1);
    fake.interfere = () => undefined;
    const done = await resync({ failedOnly: true });
    assert.deepEqual([done.total, done.counters.sent, done.verify?.different], [1, 1, 0]);
    assert.equal((await resync({ failedOnly: true })).total, 0);
  });

  test("what a resync could not bring is carried on by the change log while a rule sends it, else nobody says FAILED", async () => {
    for (const rules of ["on", "off"] as const) {
      const { key, versionId } = await site.put(rules);
      const version = async () => (await site.objects.version({ bucket: SRC, key, versionId }))?.version;
      await site.objects.setTargetStatus({ bucket: SRC, key, versionId }, arn, "COMPLETED", await version());
      const before = (await pendingWork(site.index, arn)).count;
      let off: Promise<unknown> | undefined;
      fake.interfere = (request) => {
        if (request.method === "GET" || request.key !== key) return undefined;
        const change = (bucket: Bucket): Bucket => ({ ...bucket, replication: undefined });
        if (rules === "off") off ??= site.objects.updateBucket(SRC, change);
        return { status: 403, code: "AccessDenied" };
      };
      assert.equal((await resync()).counters.failed, 1);
      await off;
      fake.interfere = () => undefined;
      const carriesOn = rules === "on";
      assert.equal((await version())?.replication.targets[arn], carriesOn ? "FAILED" : "COMPLETED");
      assert.equal((await pendingWork(site.index, arn)).count - before, carriesOn ? 1 : 0);
      if (carriesOn) assert.equal((await resync()).counters.sent, 1);
    }
  });

  test("current versions go before older ones, and every version goes once", async () => {
    for (const key of ["a", "b", "c"]) for (const body of ["1", "2", "3"]) await site.put(key, body);
    const done = await resync({ order: "current" });
    assert.deepEqual([done.counters.compared, done.counters.sent], [9, 9]);
    const bodies = fake.versions.map(({ body }) => body.toString());
    assert.deepEqual(bodies.slice(0, 3), ["3", "3", "3"]);
    assert.equal((await resync({ order: "recent" })).counters.alreadyEqual, 9);
  });

  test("paused it moves nothing and survives a restart; resumed it ends with honest counts", async () => {
    await fill(200);
    let held = 0;
    fake.interfere = ({ method }) => (method === "PUT" && ++held > 60 ? "cut" : undefined);
    await jobs.start(SRC, request());
    await until(() => held > 60);
    const shown = (await jobs.control(SRC, arn, { paused: true, limits: {} })) as { target: [Record<string, unknown>] };
    assert.deepEqual([shown.target[0]["resyncStatus"], shown.target[0]["paused"]], ["Pending", true]);
    stop.abort();
    await ended;
    // What was on its way ends with its connection.
    await fake.stop();
    fake.interfere = () => undefined;
    fake.seen.length = 0;
    await fake.start();
    run();
    // Jobs are looked for so often.
    await site.clock.sleep(4 * FALLBACK_POLL_MS);
    assert.deepEqual(puts(), []);
    await assert.rejects(jobs.start(SRC, request()), { code: "BadRequest" });
    await jobs.control(SRC, "", { paused: false, limits: {} });
    const done = await finished();
    assert.deepEqual([done.state, done.counters.compared, done.verify?.different], ["Completed", 200, 0]);
    assert.equal(new Set(fake.versions.map(({ versionId }) => versionId)).size, 200);
  });

  test("a limit that is changed while it runs holds for what already waits", async () => {
    await fill(20);
    await jobs.start(SRC, request({}, { limits: { bytesPerSecond: 1, inFlight: 2 } }));
    await until(async () => (await record()).state === "Ongoing");
    await jobs.control(SRC, arn, { limits: { bytesPerSecond: 0 } });
    assert.equal((await finished()).counters.sent, 20);
    await assert.rejects(jobs.control(SRC, arn, { limits: {} }), { code: "BadRequest" });
  });

  test("a source that is the emptier side is refused unless told to", async () => {
    const versions = await fill(40);
    await resync();
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, replication: { rules: [], role: "" } }));
    for (const { key, versionId } of versions.slice(0, 10)) await site.objects.delete({ bucket: SRC, key, versionId });
    await enableRule(site, arn);
    const state = await record();
    await assert.rejects(jobs.start(SRC, request()), /10 of the target's 40 versions are not here.*--force/);
    assert.deepEqual(await record(), state);
    assert.match((await plan()).refusal ?? "", /not here/);
    const done = await resync({ force: true });
    assert.deepEqual([done.state, done.counters.alreadyEqual, done.counters.onlyAtTarget], ["Completed", 30, 10]);
  });

  test("a target with a few of its own, or with what was purged here for everyone, is no wrong direction", async () => {
    const versions = await fill(40);
    await resync();
    for (const { key, versionId } of versions.slice(0, 15)) await site.objects.delete({ bucket: SRC, key, versionId });
    fake.versions.push({ ...(fake.versions[39] as (typeof fake.versions)[0]), versionId: systemRandom.uuid() });
    const done = await resync();
    assert.deepEqual([done.counters.purged, done.counters.onlyAtTarget], [15, 1]);
  });

  test("the end is a signed report, by the API and as a file", async () => {
    await fill(3);
    const done = await resync();
    const text = await jobs.report(SRC, arn);
    assert.equal(files.get(`resync-${SRC}-${done.id}.json`), text);
    const report = JSON.parse(text) as Record<string, unknown>;
    assert.equal(signerOf(report)?.length, 44);
    assert.equal(signerOf({ ...report, state: "Failed" }), undefined);
    assert.deepEqual([report["job"], report["state"]], [done.id, "Completed"]);
    assert.match(String(report["statement"]), /^Equal: 3 versions compared at level metadata/);
    await assert.rejects(jobs.report("other" as BucketName, ""), { code: "NoSuchBucket" });
  });

  test("a cancelled job has a report too", async () => {
    await fill(10);
    fake.interfere = ({ method }) => (method === "PUT" ? "cut" : undefined);
    await jobs.start(SRC, request());
    await until(() => puts().length > 0);
    await assert.rejects(jobs.report(SRC, ""), { code: "BadRequest" });
    await jobs.cancel(SRC, "");
    assert.equal((JSON.parse(await jobs.report(SRC, "")) as { state: string }).state, "Canceled");
    await site.objects.version({ bucket: SRC, key: asKey("k0000") });
  });
});
