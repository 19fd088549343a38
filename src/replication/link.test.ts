/** A target with several endpoints: work goes to the first that lives, and back when it is back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Arn } from "../model/names.ts";
import { FakeTarget } from "./testing/fake-target.ts";
import { runScheduler, type RunningScheduler } from "./testing/running.ts";
import { enableRule, SRC, statusOf, targetJson, testSite, until, type TestSite } from "./testing/site.ts";

let site: TestSite;
let arn: Arn;
let running: RunningScheduler;
const [first, second] = [new FakeTarget(), new FakeTarget()];

before(async () => {
  await Promise.all([first.start(), second.start()]);
  site = await testSite();
  arn = await site.targets.set(SRC, { ...targetJson(first), endpoint: `${first.endpoint}, ${second.endpoint}` });
  await enableRule(site, arn);
  running = runScheduler(site, (message) => assert.fail(message));
});
after(async () => {
  await running.stop();
  await site.close();
  await Promise.all([first.stop(), second.stop()]);
});

const arrives = async (key: string): Promise<void> => {
  const version = await site.put(key);
  await until(async () => (await statusOf(site, arn, version)) === "COMPLETED");
};
const keysAt = (fake: FakeTarget): string[] => fake.versions.map(({ key }) => key);
const online = async () => ((await site.targets.list(SRC)) as [{ isOnline: boolean; endpoint: string }])[0];

test("the next endpoint takes over, and the first one is preferred again", { timeout: 20_000 }, async () => {
  await arrives("one");
  await first.stop();
  await arrives("two");
  assert.deepEqual([keysAt(first), keysAt(second)], [["one"], ["two"]]);
  assert.equal((await online()).isOnline, true);
  await first.start();
  const [known] = await site.targets.ofBucket(SRC);
  assert.ok(known !== undefined);
  await until(() => site.targets.connect(known).endpoint.currentIndex === 0);
  await arrives("three");
  assert.deepEqual(keysAt(first).toSorted(), ["one", "three"]);
});

test("a target is offline when all of its endpoints are", { timeout: 20_000 }, async () => {
  await Promise.all([first.stop(), second.stop()]);
  const version = await site.put("four");
  await until(async () => !(await online()).isOnline);
  assert.equal(await statusOf(site, arn, version), "PENDING");
  await second.start();
  await until(async () => (await statusOf(site, arn, version)) === "COMPLETED");
});

test("an endpoint may belong to one target of a bucket only, and must be there when it is set", async () => {
  await assert.rejects(
    site.targets.set(SRC, { ...targetJson(second), credentials: { accessKey: "X", secretKey: "Y" } }),
    {
      code: "XMinioAdminBucketRemoteAlreadyExists",
    },
  );
  const edit = { ...targetJson(second), arn, endpoint: `${second.endpoint},127.0.0.1:1` };
  await assert.rejects(site.targets.set(SRC, edit, ["update", "creds"]), {
    code: "XMinioAdminReplicationRemoteConnectionError",
  });
});

test(
  "nothing is sent to the bucket that it comes from, whatever the address leads to",
  { timeout: 20_000 },
  async () => {
    const namesake = new FakeTarget(SRC);
    await namesake.start();
    after(() => namesake.stop());
    const home = await site.targets.set(SRC, targetJson(namesake));
    const { endpoint } = site.targets.connect(await site.targets.get(SRC, home));
    await enableRule(site, home);
    namesake.liveHeaders = { "x-amz-id-2": "this-site" };
    await until(() => endpoint.leadsHome);
    assert.deepEqual([endpoint.isOpenForWork, await endpoint.confirm()], [false, false]);
    const version = await site.put("four");
    await until(async () => !(await endpoint.confirm()));
    assert.equal(await statusOf(site, home, version), "PENDING");
    assert.deepEqual(keysAt(namesake), []);
    namesake.liveHeaders = { "x-amz-id-2": "another" };
    await until(async () => (await statusOf(site, home, version)) === "COMPLETED");
  },
);
