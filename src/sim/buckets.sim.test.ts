/** What happens to a bucket as a whole at one site while the other writes: docs/design/convergence.md, "Buckets". */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as s3 from "../client/s3-calls.ts";
import { heldBy, targetsOf, tombstonesOf, waitingRows } from "./peek.ts";
import { rest, resyncAll } from "./scenario.ts";
import { BUCKET, type Site } from "./site.ts";
import { quietWorld, startAll } from "./testing.ts";
import type { World } from "./world.ts";

const LONG_ENOUGH_MS = 5000;

async function inWorld(seed: string, story: (world: World, east: Site, west: Site) => Promise<void>): Promise<void> {
  const world = quietWorld(seed, { bucketMode: "versioned", locks: false });
  const [east, west] = world.sites as [Site, Site];
  const told = async (): Promise<void> => {
    await startAll(world);
    await story(world, east, west);
  };
  try {
    await world.time.drive(told());
    assert.deepEqual(world.violations, []);
  } finally {
    for (const site of world.sites) site.kill();
  }
}

async function put(site: Site, key: string): Promise<string> {
  const body = Buffer.from(`${key} of ${site.name}`);
  const answer = await s3.putObject(site.client("c"), { bucket: BUCKET, key, headers: {}, body });
  return answer["x-amz-version-id"] ?? "null";
}

const purge = (site: Site, key: string, versionId: string): Promise<unknown> =>
  s3.deleteObject(site.client("c"), { bucket: BUCKET, key, versionId });

/** Keys with their version ids, sorted. */
const listed = async (site: Site): Promise<string[]> => [...(await heldBy(site)).keys()].toSorted();

async function errorsOf(site: Site): Promise<(string | undefined)[]> {
  const [target] = await targetsOf(site);
  return target === undefined ? [] : (await waitingRows(site, target.arn)).map(({ row }) => row.error?.split(":")[0]);
}

test("versions with ids wait while the other site's bucket is suspended; what that writes is null and comes here", async () => {
  await inWorld("suspended", async (world, east, west) => {
    await world.suspendVersioning(west);
    const id = await put(east, "a");
    assert.equal(await put(west, "b"), "null");
    await s3.deleteObject(west.client("c"), { bucket: BUCKET, key: "b" });
    await put(west, "c");
    await world.time.sleep(LONG_ENOUGH_MS);
    assert.deepEqual(await errorsOf(east), ["InvalidArgument"], "it waits, and says why");
    assert.deepEqual(await listed(west), ["b null", "c null"]);
    await world.enableVersioning(west);
    await rest(world);
    for (const site of world.sites) assert.deepEqual(await listed(site), [`a ${id}`, "b null", "c null"].toSorted());
    assert.equal((await heldBy(east)).get("b null")?.version.kind, "delete-marker");
  });
});

test("a bucket that is made anew has forgotten its purges; the other site has not", async () => {
  await inWorld("recreated", async (world, east, west) => {
    const [kept, purged, late] = [await put(east, "a"), await put(east, "b"), await put(east, "c")];
    await rest(world);
    await purge(west, "b", purged);
    await rest(world);
    world.network.cut("east", "west");
    world.network.cut("west", "east");
    await purge(east, "c", late);
    await world.unconfigure(west);
    await west.leader.objects.deleteBucket(BUCKET, { force: true });
    await world.createBucket(west);
    assert.equal((await tombstonesOf(west)).size, 0);
    const here = await put(west, "d");
    world.network.mendAll();
    await world.time.sleep(LONG_ENOUGH_MS);
    await world.enableVersioning(west);
    await world.configure(west, "on");
    await rest(world);
    assert.equal(here, "null", "written before the bucket had versioning");
    await resyncAll(world, { mayMove: true });
    for (const site of world.sites) assert.deepEqual(await listed(site), [`a ${kept}`, "d null"]);
  });
});

test("what was written while a rule was off follows when it is on; what was purged then stays purged here alone", async () => {
  await inWorld("rules", async (world, east, west) => {
    const [both, other] = [await put(east, "a"), await put(east, "b")];
    await rest(world);
    await world.setRules(east, "off");
    await s3.putTags(east.client("c"), { bucket: BUCKET, key: "a" }, { t: "1" });
    await purge(east, "b", other);
    const missed = await put(east, "c");
    const marker = await s3.deleteObject(east.client("c"), { bucket: BUCKET, key: "d" });
    await world.time.sleep(LONG_ENOUGH_MS);
    assert.deepEqual(await listed(west), [`a ${both}`, `b ${other}`]);
    await world.setRules(east, "on");
    await rest(world);
    const sent = [`a ${both}`, `c ${missed}`, `d ${marker["x-amz-version-id"]}`];
    assert.deepEqual(await listed(east), sent);
    assert.deepEqual(await listed(west), [...sent, `b ${other}`].toSorted());
    const tagged = (await heldBy(west)).get(`a ${both}`)?.version;
    assert.deepEqual(tagged?.kind === "object" && tagged.tags?.value, { t: "1" });
    await resyncAll(world, { mayMove: true });
    assert.deepEqual(await listed(east), await listed(west), "a resync brings it back");
  });
});
