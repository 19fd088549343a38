import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Arn } from "../model/names.ts";
import { bodyOf, PLAIN } from "../objects/testing.ts";
import type { Objects } from "../objects/objects.ts";
import { withSynchronousTargets } from "./synchronous.ts";
import { FakeTarget } from "./testing/fake-target.ts";
import { runScheduler, type RunningScheduler } from "./testing/running.ts";
import { asKey, replicateTo, SRC, statusOf, targetJson, testSite, type TestSite } from "./testing/site.ts";

let site: TestSite;
let arn: Arn;
let objects: Objects;
let running: RunningScheduler;
const fake = new FakeTarget();

before(async () => {
  await fake.start();
  site = await testSite();
  arn = await replicateTo(site, fake);
  const warn = (message: string): void => assert.fail(message);
  running = runScheduler(site, warn);
  objects = withSynchronousTargets({ ...site, warn });
});
after(async () => {
  await running.stop();
  await site.close();
  await fake.stop();
});

const setSync = (sync: boolean) =>
  site.targets.set(SRC, { ...targetJson(fake), arn, replicationSync: sync }, ["update", "sync"]);
const put = async (key: string) =>
  (await objects.put({ bucket: SRC, key: asKey(key), attributes: PLAIN, body: bodyOf(key) })).version;

test("a write is answered when a synchronous target has it, with its tags", { timeout: 20_000 }, async () => {
  await setSync(true);
  const version = await put("a");
  assert.ok(fake.find("a", version.versionId) !== undefined, "it is there before the answer");
  assert.equal(await statusOf(site, arn, version), "COMPLETED");
  await objects.setTags({ bucket: SRC, key: asKey("a") }, { colour: "red" });
  assert.equal(fake.find("a", version.versionId)?.tags, "colour=red");
});

test("a refusal of the target, or its absence, fails no write", { timeout: 20_000 }, async () => {
  fake.interfere = ({ method }) => (method === "PUT" ? { status: 403, code: "AccessDenied" } : undefined);
  const refused = await put("refused");
  assert.equal(await statusOf(site, arn, refused), "FAILED");
  fake.interfere = () => undefined;
  await fake.stop();
  const away = await put("away");
  assert.equal(await statusOf(site, arn, away), "PENDING");
  await fake.start();
});

test("without a synchronous target nothing waits", async () => {
  await setSync(false);
  fake.interfere = () => ({ status: 503, code: "SlowDown" });
  const version = await put("b");
  assert.equal(version.replication.targets[arn], "PENDING");
  fake.interfere = () => undefined;
});
