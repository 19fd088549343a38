/** What waits for a target, told exactly from counters and the ages of its rows. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Arn } from "../model/names.ts";
import { dropLog, logRange, pendingWork, readRows, retryRange } from "./log.ts";
import { FakeTarget } from "./testing/fake-target.ts";
import { replicateTo, testSite, type TestSite } from "./testing/site.ts";

let site: TestSite;
let arn: Arn;
const fake = new FakeTarget();

before(async () => {
  await fake.start();
  site = await testSite();
  arn = await replicateTo(site, fake);
});
after(async () => {
  await site.close();
  await fake.stop();
});

const rows = async (range = logRange(arn)) => readRows(site.index, range, 100);

test("the oldest of all rows is told, whenever the failed ones are due", async () => {
  for (const key of ["first", "second", "third"]) await site.put(key, "12345");
  const [first, second] = await rows();
  assert.ok(first !== undefined && second !== undefined);
  const later = site.clock.nowNs() + 3_600_000_000_000n;
  // The oldest row is due last.
  await site.objects.finishLogRows(arn, [{ ...first, retry: { due: later, reason: "no", refused: true } }]);
  await site.objects.finishLogRows(arn, [{ ...second, retry: { due: 1n, reason: "busy", refused: false } }]);
  const work = await pendingWork(site.index, arn);
  assert.deepEqual([work.count, work.bytes, work.oldest], [3, 15, first.row.time]);
  assert.deepEqual(
    [work.failing, work.refused],
    [
      { count: 2, bytes: 10 },
      { count: 1, bytes: 5 },
    ],
  );
});

test("a row that fails again keeps its age; one that ends takes it along", async () => {
  const [busy, refused] = await rows(retryRange(arn));
  assert.ok(busy !== undefined && refused?.row.refused === true);
  await site.objects.finishLogRows(arn, [{ ...refused, retry: { due: 2n, reason: "busy", refused: false } }]);
  const again = await pendingWork(site.index, arn);
  assert.deepEqual([again.oldest, again.failing.count, again.refused.count], [refused.row.time, 2, 0]);
  const [, moved] = await rows(retryRange(arn));
  assert.equal(moved?.row.attempts, 2);
  await site.objects.finishLogRows(arn, [moved as typeof refused]);
  const ended = await pendingWork(site.index, arn);
  assert.deepEqual([ended.count, ended.failing.count, ended.oldest], [2, 1, busy.row.time]);
});

test("a dropped log leaves nothing behind", async () => {
  await dropLog(site.index, arn);
  const nothing = { count: 0, bytes: 0 };
  assert.deepEqual(await pendingWork(site.index, arn), {
    ...nothing,
    oldest: undefined,
    failing: nothing,
    refused: nothing,
  });
});
