/** What was purged for every site, and must reach a site although what stands in its way is lost or older. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as s3 from "../client/s3-calls.ts";
import { NULL_VERSION, type ObjectKey } from "../model/names.ts";
import { heldBy } from "./peek.ts";
import { rest, resyncAll } from "./scenario.ts";
import { BUCKET, type Site } from "./site.ts";
import { quietWorld, startAll } from "./testing.ts";

const KEY = "null/x";

/** Longer than what the index takes: a file, which can be damaged. */
const put = (site: Site, text: string): Promise<unknown> =>
  s3.putObject(site.client("c"), { bucket: BUCKET, key: KEY, headers: {}, body: Buffer.from(text.padEnd(100, ".")) });

test("an older copy comes back at a site: the purge is told by a resync though what was written since is lost", async () => {
  const world = quietWorld("null purge behind damage", { bucketMode: "excluded", locks: false });
  const [east, west] = world.sites as [Site, Site];
  const story = async (): Promise<void> => {
    await startAll(world);
    await put(east, "first");
    await rest(world);
    const backup = await west.storage.backup();
    await s3.deleteObject(east.client("c"), { bucket: BUCKET, key: KEY, versionId: "null" });
    await put(east, "second");
    await rest(world);
    const at = { bucket: BUCKET, key: KEY as ObjectKey, versionId: NULL_VERSION };
    const found = (await east.leader.objects.version(at))?.version;
    assert.ok(found?.kind === "object" && found.blob !== undefined);
    await east.storage.files.unlink(`/data/blobs/${found.blob.id.slice(0, 2)}/${found.blob.id}`);
    await east.leader.objects.markDamaged(at, "missing");
    west.kill();
    await west.storage.restore(backup);
    await west.start();
    assert.ok((await heldBy(west)).has(`${KEY} null`), "what was purged is back");
    await resyncAll(world, { mayMove: true });
    assert.ok(!(await heldBy(west)).has(`${KEY} null`));
  };
  try {
    await world.time.drive(story());
    assert.deepEqual(world.violations, []);
  } finally {
    for (const site of world.sites) site.kill();
  }
});
