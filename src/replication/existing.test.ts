import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { Arn } from "../model/names.ts";
import { systemRandom } from "../runtime/random.ts";
import { ExistingObjects } from "./existing.ts";
import { logRange, pendingWork, readRows } from "./log.ts";
import { failures, replicationDiff, replicationMetrics, type StatusDeps } from "./status.ts";
import type { FakeTarget } from "./testing/fake-target.ts";
import {
  asKey,
  collected,
  eachWithTarget,
  enableRule,
  SRC,
  statusOf,
  targetJson,
  until,
  type TestSite,
} from "./testing/site.ts";

describe("objects that a rule finds there already", { timeout: 20_000 }, () => {
  let site: TestSite;
  let fake: FakeTarget;
  let arn: Arn;
  let existing: ExistingObjects;
  let stop: AbortController;
  let ended: Promise<void>;
  const poked: Arn[] = [];

  eachWithTarget(async (made) => {
    ({ site, fake } = made);
    arn = await site.targets.set(SRC, targetJson(fake));
    const { index, objects, clock } = site;
    const warn = (message: string): void => assert.fail(message);
    existing = new ExistingObjects({
      index,
      objects,
      clock,
      random: systemRandom,
      poke: (target) => poked.push(target),
      warn,
    });
    stop = new AbortController();
    ended = existing.run(stop.signal);
    return async () => {
      stop.abort();
      await ended;
    };
  });
  afterEach(() => {
    poked.length = 0;
  });
  const pendingCount = async (): Promise<number> => (await pendingWork(site.index, arn)).count;

  test("all of them get a row, oldest first within a key, once", async () => {
    const versions = [await site.put("a", "1"), await site.put("a", "22")];
    await site.objects.delete({ bucket: SRC, key: asKey("b") });
    for (let i = 0; i < 600; i++) await site.put(`k${i}`);
    await enableRule(site, arn);
    await existing.ensure(SRC);
    await until(async () => (await pendingCount()) === 603);
    const rows = await readRows(site.index, logRange(arn), 600);
    const ofA = rows.filter(({ row }) => row.key === "a").map(({ row }) => row.versionId);
    assert.deepEqual(
      ofA,
      versions.map((version) => version.versionId),
    );
    assert.equal(await statusOf(site, arn, versions[0] as (typeof versions)[0]), "PENDING");
    assert.ok(poked.includes(arn));
    await existing.ensure(SRC);
    assert.equal(await pendingCount(), 603);
  });

  test("only what the rules allow: prefix, kind, and the feature itself", async () => {
    await site.put("in/a");
    await site.put("out");
    await site.objects.delete({ bucket: SRC, key: asKey("in/gone") });
    await enableRule(site, arn, { existingObjectReplication: false });
    await existing.ensure(SRC);
    assert.equal(await pendingCount(), 0);
    await enableRule(site, arn, { prefix: "in/", deleteMarkerReplication: false, deleteReplication: false });
    await existing.ensure(SRC);
    await until(async () => (await pendingCount()) === 1);
  });

  const statusDeps = (): StatusDeps => {
    const { index, objects, clock, targets } = site;
    return { index, objects, clock, targets, nodeName: "n:1", startedMs: clock.nowMs(), activity: () => undefined };
  };

  test("a target has not caught up while what was there before is still being looked through", async () => {
    await site.put("a");
    const state = async (): Promise<string | undefined> => {
      const { Stats } = (await replicationMetrics(statusDeps(), SRC, 1)) as { Stats: Record<Arn, { state: string }> };
      return Stats[arn]?.state;
    };
    // No process walks now: the job alone is there.
    stop.abort();
    await ended;
    await enableRule(site, arn);
    await existing.ensure(SRC);
    assert.deepEqual([await pendingCount(), await state()], [0, "PENDING"]);
    stop = new AbortController();
    ended = existing.run(stop.signal);
    await until(async () => (await pendingCount()) === 1);
    const [entry] = await readRows(site.index, logRange(arn), 1);
    assert.ok(entry !== undefined);
    await site.objects.finishLogRows(arn, [{ ...entry, status: "COMPLETED" }]);
    await until(async () => (await state()) === "CAUGHT_UP");
  });

  test("metrics, diff and failures tell the same numbers", async () => {
    await site.put("a", "12345");
    await enableRule(site, arn);
    await existing.ensure(SRC);
    await until(async () => (await pendingCount()) === 1);
    const [entry] = await readRows(site.index, logRange(arn), 1);
    assert.ok(entry !== undefined);
    const { objects, clock } = site;
    const status = statusDeps();
    const metrics = async (): Promise<Record<string, unknown>> =>
      (await replicationMetrics(status, SRC, 1)) as Record<string, unknown>;
    const before = await metrics();
    assert.deepEqual(
      [before["pendingReplicationCount"], before["pendingReplicationSize"], before["replicationCount"]],
      [1, 5, 0],
    );
    assert.deepEqual((before["queued"] as Record<string, unknown>)["peak"], { count: 1, bytes: 5 });
    const due = clock.nowNs();
    await objects.finishLogRows(arn, [
      {
        ...entry,
        status: "FAILED",
        retry: { due, reason: "AccessDenied: no", refused: false },
        counted: { as: "failed", bytes: 5 },
      },
    ]);
    const failed = await collected(await failures(status, SRC));
    assert.deepEqual(failed, [
      {
        nodeName: "n:1",
        bucket: SRC,
        object: "a",
        versionId: entry.row.versionId,
        retryCount: 1,
        state: "FAILED",
        targetArn: arn,
        reason: "AccessDenied: no",
      },
    ]);
    const [line] = await collected(await replicationDiff(status, SRC, { verbose: false, prefix: "" }));
    assert.deepEqual(line?.targets, { [arn]: { rStatus: "FAILED" } });
    const full = (await replicationMetrics(status, SRC, 2)) as {
      queueStats: { nodes: { nodeName: string }[] };
      currStats: { failed: { totals: object } };
    };
    assert.equal(full.queueStats.nodes[0]?.nodeName, "n:1");
    assert.deepEqual(full.currStats.failed.totals, { count: 1, bytes: 5 });
  });
});
