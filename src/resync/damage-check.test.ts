import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { damageCheck, damageCheckLines } from "./damage-check.ts";
import { collected, SRC, testSite, type TestSite } from "../replication/testing/site.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { keyPrefixRange, SPACE } from "../storage/keys.ts";
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
  assert.deepEqual(last, { total: 11, examined: 11, missing: 1, corrupt: 1, done: true });
  const damaged = [];
  for (const { key, versionId } of versions) {
    const found = await site.objects.version({ bucket: SRC, key, versionId });
    if (found?.version.kind === "object" && found.version.damaged !== undefined) damaged.push(key);
  }
  assert.deepEqual(damaged, ["k0", "k1"]);
  const again = (await collected(damageCheck(site, SRC, { deep: false }))).at(-1);
  assert.deepEqual(again, { total: 10, examined: 10, missing: 1, corrupt: 1, done: true });
});

test("a row of the index that changed on the disk fails a deep check; the digests know nothing of it", async () => {
  await site.put("whole", "x");
  const { id } = await site.objects.bucket(SRC);
  for (const [from, to] of [
    [`"size":1`, `"size":2`],
    [`"key":"torn"`, `"key":"tern"`],
    [`{"f"`, `{,f"`],
  ] as const) {
    await site.put("torn", "y");
    const range = keyPrefixRange(SPACE.version, id, "torn");
    const [row] = await site.index.scan(range, { limit: 1 });
    const changed = row?.value.toString().replace(from, to);
    assert.ok(row !== undefined && changed !== undefined && changed !== row.value.toString());
    await site.index.commit(new CommitBuilder().put(row.key, Buffer.from(changed)));
    const deep = collected(damageCheck(site, SRC, { deep: true }));
    await assert.rejects(deep, /A row of this site's index is damaged.*\(torn\)/);
    await collected(damageCheck(site, SRC, { deep: true, prefix: "w" }));
    await site.index.commit(new CommitBuilder().put(row.key, row.value));
  }
  assert.equal((await collected(damageCheck(site, SRC, { deep: true }))).at(-1)?.examined, 4);
});

test("only files are looked at, and what is known to be damaged; removed versions are not", async () => {
  const small = await site.put("small", "inline");
  await site.put("other", "inline too");
  const large = await site.put("large", "x".repeat(5000));
  const purged = await site.put("purged", "y".repeat(5000));
  await site.objects.delete({ bucket: SRC, key: purged.key, versionId: purged.versionId });
  const check = async () => (await collected(damageCheck(site, SRC, { deep: false }))).at(-1);
  const counts = { total: 1, examined: 1, missing: 0, corrupt: 0, done: true };
  assert.deepEqual(await check(), counts);
  await site.objects.markDamaged({ bucket: SRC, key: small.key, versionId: small.versionId }, "corrupt");
  assert.deepEqual(await check(), { ...counts, total: 2, examined: 2, corrupt: 1 });
  await site.objects.markDamaged({ bucket: SRC, key: large.key, versionId: large.versionId }, "missing");
  assert.deepEqual(await check(), { ...counts, total: 2, examined: 2, corrupt: 1, missing: 1 });
});

test("a dry run names what it finds and records nothing; a prefix leaves the rest alone", async () => {
  const kept = await site.put("a/1", "x".repeat(5000));
  const gone = await site.put("b/1", "y".repeat(5000));
  site.blobs.files.clear();
  const lines = await collected(damageCheckLines(site, SRC, { deep: false, dryRun: true, prefix: "b/" }));
  const rows = lines
    .join("")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { found?: object });
  assert.deepEqual(
    rows.flatMap(({ found }) => found ?? []),
    [{ key: "b/1", versionId: gone.versionId }],
  );
  for (const { key, versionId } of [kept, gone]) {
    const found = (await site.objects.version({ bucket: SRC, key, versionId }))?.version;
    assert.equal(found?.kind === "object" ? found.damaged : "", undefined);
  }
});

test("a failure after the first byte is a line of its own", async () => {
  const lines = await collected(damageCheckLines(site, "none" as BucketName, { deep: false }));
  assert.deepEqual(
    lines.map((line) => Object.keys(JSON.parse(line) as object)),
    [["error"]],
  );
});
