import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { Arn, VersionId } from "../model/names.ts";
import { logCounter } from "../objects/rows.ts";
import { rfc3339Nano } from "../protocol/time.ts";
import type { LogRow } from "../objects/types.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { logRowKey, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow, encodeTimedRow } from "../storage/records.ts";
import { logRange, pendingWork } from "./log.ts";
import type { TargetRecord } from "./target-record.ts";
import type { FakeTarget } from "./testing/fake-target.ts";
import { runScheduler, type RunningScheduler } from "./testing/running.ts";
import { asKey, eachWithTarget, replicateTo, SRC, statusOf, until, type TestSite } from "./testing/site.ts";

describe("working off the change log", { timeout: 20_000 }, () => {
  let site: TestSite;
  let fake: FakeTarget;
  let arn: Arn;
  let running: RunningScheduler;
  const warnings: string[] = [];

  eachWithTarget(async (made) => {
    ({ site, fake } = made);
    arn = await replicateTo(site, fake);
    start();
    return () => running.stop();
  });
  afterEach(() => {
    assert.deepEqual(warnings.splice(0), []);
  });

  function start(): RunningScheduler["scheduler"] {
    running = runScheduler(site, (message, error) => warnings.push(`${message}: ${String(error)}`));
    return running.scheduler;
  }
  const idle = async (): Promise<boolean> => (await pendingWork(site.index, arn)).count === 0;

  test("writes arrive, are marked COMPLETED and leave the log", async () => {
    const versions = await Promise.all(Array.from({ length: 300 }, (_, i) => site.put(`k${i}`)));
    await until(idle);
    assert.equal(fake.versions.length, 300);
    for (const version of versions) assert.equal(await statusOf(site, arn, version), "COMPLETED");
    assert.equal((await pendingWork(site.index, arn)).bytes, 0);
  });

  const asked = (key: string): string[] => fake.seen.filter((seen) => seen.key === key).map(({ method }) => method);

  test("what may have been on its way when the process died is asked about: it may have been purged there since", async () => {
    await running.stop();
    const arrived = await site.put("arrived");
    await site.put("lacking");
    const { userMetadata } = arrived;
    fake.store.put({
      key: "arrived",
      versionId: arrived.versionId,
      headers: { "x-minio-source-mtime": rfc3339Nano(arrived.mtime), "content-type": "text/plain", ...userMetadata },
      body: Buffer.from("arrived"),
      etag: arrived.etag,
    });
    fake.store.purging.add(`arrived ${arrived.versionId}`);
    start();
    await until(idle);
    assert.deepEqual([asked("arrived"), asked("lacking")], [["HEAD"], ["HEAD", "PUT"]]);
    await site.put("later");
    await until(idle);
    assert.deepEqual(asked("later"), ["PUT"]);
  });

  test("what was sent without an answer is asked about when the target is back", async () => {
    let stopped: Promise<void> | undefined;
    fake.interfereAfter = ({ method }) => {
      if (method !== "PUT") return undefined;
      stopped ??= fake.stop();
      return "cut";
    };
    const version = await site.put("k");
    await until(() => stopped !== undefined);
    await stopped;
    const { endpoint } = site.targets.connect(await site.targets.get(SRC, arn));
    await until(() => !endpoint.isOpenForWork);
    fake.interfereAfter = () => undefined;
    fake.seen.length = 0;
    await fake.start();
    await until(async () => (await statusOf(site, arn, version)) === "COMPLETED");
    assert.deepEqual(asked("k"), ["HEAD"]);
  });

  test("a target that cannot even be connected to leaves the others theirs, and is named", async () => {
    await running.stop();
    const { bucket, index } = { ...site, bucket: await site.objects.bucket(SRC) };
    const key = namedRowKey(SPACE.targets, bucket.id);
    const row = decodeRow<{ targets: TargetRecord[] }>((await index.get(key)) as Buffer);
    const good = row.targets[0] as TargetRecord;
    const bad = "arn:minio:replication::00000000-0000-4000-8000-000000000009:dst" as Arn;
    const targets = [{ ...good, arn: bad, endpoint: "no host at all" }, good];
    await index.commit(new CommitBuilder().put(key, encodeRow({ ...row, targets })));
    await site.put("k");
    start();
    await until(idle);
    assert.equal(fake.versions.length, 1);
    await until(async () => warnings.some((warning) => warning.includes(bad)));
    const listed = (await site.targets.list(SRC)) as { arn: Arn; isOnline: boolean }[] | null;
    assert.deepEqual(
      listed?.map((target) => [target.arn, target.isOnline]),
      [
        [bad, false],
        [arn, true],
      ],
    );
    await index.commit(new CommitBuilder().put(key, encodeRow(row)));
    await running.stop();
    warnings.splice(0);
  });

  test("rows of one key keep their order: versions, marker, purge", async () => {
    const versions = [];
    for (let i = 0; i < 20; i++) versions.push(await site.put("hot", `v${i}`));
    const marker = await site.objects.delete({ bucket: SRC, key: asKey("hot") });
    await site.objects.delete({ bucket: SRC, key: asKey("hot"), versionId: versions[3]?.versionId });
    await until(idle);
    assert.equal(fake.versions.length, 20);
    assert.equal(fake.find("hot", marker.versionId as VersionId)?.kind, "delete-marker");
    assert.equal(fake.find("hot", versions[3]?.versionId ?? ""), undefined);
    const order = fake.seen
      .filter((request) => request.method === "PUT")
      .map((request) => request.query.get("versionId"));
    assert.deepEqual(
      order,
      versions.map((version) => version.versionId).filter((id) => order.includes(id)),
    );
  });

  test("tags changed while the object waits need no request of their own", async () => {
    const version = await site.put("k");
    await site.objects.setTags({ bucket: SRC, key: asKey("k"), versionId: version.versionId }, { a: "1" });
    await until(idle);
    assert.equal(fake.find("k", version.versionId)?.tags, "a=1");
    assert.equal(await statusOf(site, arn, version), "COMPLETED");
  });

  test("a target that is away costs nothing; when it is back everything arrives", async () => {
    const { record } = await site.targets.get(SRC, arn);
    await fake.stop();
    const first = await site.put("before");
    await until(async () => !(await site.targets.connections.health({ bucket: SRC, record })).isOnline);
    const more = await Promise.all(Array.from({ length: 50 }, (_, i) => site.put(`while${i}`)));
    assert.equal((await pendingWork(site.index, arn)).count, 51);
    assert.equal(await statusOf(site, arn, first), "PENDING");
    await fake.start();
    await until(idle);
    for (const version of [first, ...more]) assert.equal(await statusOf(site, arn, version), "COMPLETED");
  });
  test("a refused version is FAILED, waits in the retry queue and goes through once the target lets it", async () => {
    fake.interfere = (request) => (request.method === "PUT" ? { status: 403, code: "AccessDenied" } : undefined);
    const version = await site.put("k");
    await until(async () => (await statusOf(site, arn, version)) === "FAILED");
    assert.equal((await pendingWork(site.index, arn)).count, 1);
    fake.interfere = () => undefined;
    await until(idle);
    assert.equal(await statusOf(site, arn, version), "COMPLETED");
  });

  for (const [far, aheadMs] of Object.entries({ "a year": 365 * 86_400_000, "ten minutes": 600_000 }))
    test(`a clock that was ${far} ahead and is set back leaves no row waiting, neither here nor in the next process`, async () => {
      site.clock.aheadMs = aheadMs;
      fake.interfere = (request) => (request.method === "PUT" ? { status: 500, code: "InternalError" } : undefined);
      for (const restarted of [false, true]) {
        await site.put(`k${restarted}`);
        await until(async () => (await pendingWork(site.index, arn)).failing.count === 1);
        if (restarted) {
          await running.stop();
        }
        site.clock.aheadMs -= aheadMs / 2;
        fake.interfere = () => undefined;
        if (restarted) start();
        await until(idle);
        fake.interfere = (request) => (request.method === "PUT" ? { status: 500, code: "InternalError" } : undefined);
      }
      assert.equal(fake.versions.length, 2);
    });

  test("more than a repeat's budget that a target refused arrive at once when it lets them", async () => {
    fake.interfere = (request) => (request.method === "PUT" ? { status: 403, code: "AccessDenied" } : undefined);
    const many = 120;
    await Promise.all(Array.from({ length: many }, (_, i) => site.put(`k${i}`)));
    await until(async () => (await pendingWork(site.index, arn)).failing.count === many);
    fake.interfere = () => undefined;
    await until(idle);
    assert.equal(fake.versions.length, many);
  });

  test("one poisoned row does not hold up the others", async () => {
    fake.interfere = (request) => (request.key === "bad" ? { status: 500, code: "InternalError" } : undefined);
    await site.put("bad");
    await Promise.all(Array.from({ length: 20 }, (_, i) => site.put(`good${i}`)));
    await until(async () => (await pendingWork(site.index, arn)).count === 1);
    assert.equal(fake.versions.length, 20);
  });

  test("what was under way when the process ended is sent by the next one", async () => {
    await running.stop();
    const version = await site.put("k");
    assert.equal(fake.versions.length, 0);
    start();
    await until(idle);
    assert.equal(await statusOf(site, arn, version), "COMPLETED");
  });

  test("a row before those read last, as a clock that was set back writes it, is found", async () => {
    const [version] = [await site.put("k"), await site.put("other")];
    await until(idle);
    const row: LogRow = {
      bucket: SRC,
      bucketId: (await site.objects.bucket(SRC)).id,
      key: version.key,
      versionId: version.versionId,
      size: 0,
      operation: "metadata",
      time: 1n,
      attempts: 0,
    };
    const commit = new CommitBuilder()
      .put(logRowKey(SPACE.log, arn, row.time, Buffer.alloc(8)), encodeTimedRow(row))
      .add(logCounter(arn, "count"), 1n);
    await site.index.commit(commit);
    site.onPoke([arn]);
    await until(idle);
    assert.deepEqual(await site.index.scan(logRange(arn), { limit: 1 }), []);
  });

  test("a removed target's rows leave with it", async () => {
    fake.interfere = () => ({ status: 403, code: "AccessDenied" });
    await site.put("k");
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, replication: { rules: [], role: "" } }));
    await site.targets.remove(SRC, arn);
    await until(idle);
    assert.equal(await site.targets.list(SRC, ""), null);
  });
});
