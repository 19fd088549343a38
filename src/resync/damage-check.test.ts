import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { damageCheck, damageCheckLines } from "./damage-check.ts";
import { collected, SRC, testSite, type TestSite } from "../replication/testing/site.ts";
import type { BucketName } from "../model/names.ts";

let site: TestSite;
beforeEach(async () => {
  site = await testSite();
});
afterEach(() => site.close());

test("missing and corrupt bytes are found and marked, all else is left alone", async () => {
  const versions = [];
  for (let i = 0; i < 10; i++) versions.push(await site.put(`k${i}`, String(i).repeat(5000)));
  await site.put("small", "inline");
  const [gone, torn] = versions;
  assert.ok(gone?.blob !== undefined && torn?.blob !== undefined);
  site.blobs.files.delete(gone.blob.id);
  site.blobs.files.set(torn.blob.id, Buffer.alloc(5000, 1));
  const last = (await collected(damageCheck(site, SRC, { deep: true }))).at(-1);
  assert.deepEqual(last, { examined: 11, missing: 1, corrupt: 1, done: true });
  const damaged = [];
  for (const { key, versionId } of versions) {
    const found = await site.objects.version({ bucket: SRC, key, versionId });
    if (found?.version.kind === "object" && found.version.damaged !== undefined) damaged.push(key);
  }
  assert.deepEqual(damaged, ["k0", "k1"]);
  const again = (await collected(damageCheck(site, SRC, { deep: false }))).at(-1);
  assert.deepEqual(again, { examined: 11, missing: 1, corrupt: 1, done: true });
});

test("a failure after the first byte is a line of its own", async () => {
  const lines = await collected(damageCheckLines(site, "none" as BucketName, { deep: false }));
  assert.deepEqual(
    lines.map((line) => Object.keys(JSON.parse(line) as object)),
    [["error"]],
  );
});
