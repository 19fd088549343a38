/** Purges of the null id on the wire: which of them are told, to whom, and what must not meet them there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NULL_VERSION, type Arn } from "../model/names.ts";
import { rfc3339Nano } from "../protocol/time.ts";
import { sendVersion } from "./sender.ts";
import type { FakeTarget } from "./testing/fake-target.ts";
import { asKey, eachWithTarget, enableRule, replicateTo, SRC, type TestSite } from "./testing/site.ts";

const AT = { bucket: SRC, key: asKey("null/a"), versionId: NULL_VERSION };
const SECOND = 1_000_000_000n;

describe("purges of the null id", () => {
  let site: TestSite;
  let fake: FakeTarget;
  let arn: Arn;

  eachWithTarget(async (made) => {
    ({ site, fake } = made);
    arn = await replicateTo(site, fake);
    const versioning = { status: "Enabled", excludedPrefixes: ["null/"] } as const;
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, versioning }));
  });

  async function send(resyncId?: string): Promise<string> {
    const bucketId = (await site.objects.bucket(SRC)).id;
    const target = site.targets.connect(await site.targets.get(SRC, arn));
    const request = { ...AT, bucketId, compareFirst: false, marks: { resyncId } };
    const { outcome } = await sendVersion(site.objects, target, request);
    if (outcome.kind === "purged") await site.objects.setTargetStatus(AT, arn, "COMPLETED");
    return outcome.kind;
  }

  const theirs = (mtime: bigint): unknown =>
    fake.store.put({ key: AT.key, versionId: "null", headers: {}, body: Buffer.from("theirs"), etag: "e", mtime });

  test("what a MinIO wrote after the purge stays there; what was before it goes", async () => {
    const { mtime } = await site.put(AT.key);
    await site.objects.delete(AT);
    theirs(mtime + 5n * SECOND);
    assert.equal(await send(), "purged");
    assert.equal(fake.find(AT.key, "null")?.body.toString(), "theirs");
    fake.remove(AT.key, "null");
    theirs(mtime - SECOND);
    assert.equal(await send(), "purged");
    assert.equal(fake.find(AT.key, "null"), undefined);
  });

  test("a purge for everyone is told although a later version was purged here alone, and only once", async () => {
    const { mtime } = await site.put(AT.key);
    await site.objects.delete(AT);
    const purged = (await site.objects.tombstone(AT))?.time ?? 0n;
    await site.objects.updateBucket(SRC, ({ replication: _off, ...bucket }) => bucket);
    await site.put(AT.key);
    await enableRule(site, arn, { deleteReplication: false });
    await site.objects.delete(AT);
    theirs(mtime);
    assert.equal(await send(), "purged");
    assert.equal(fake.find(AT.key, "null"), undefined);
    const told = fake.seen.findLast(({ method }) => method === "DELETE")?.headers["x-minio-source-mtime"];
    assert.equal(told, rfc3339Nano(purged), "the time of the purge for everyone");
    assert.equal(await send(), "gone");
    assert.equal(await send("resync"), "purged");
  });

  test("a purge is told, not the version written since that no rule sends", async () => {
    const { mtime } = await site.put(AT.key);
    await site.objects.delete(AT);
    await site.objects.updateBucket(SRC, ({ replication: _off, ...bucket }) => bucket);
    await site.put(AT.key, "for this site alone");
    theirs(mtime);
    assert.equal(await send(), "purged");
    assert.equal(fake.find(AT.key, "null"), undefined);
  });

  test("a purge is told although the bytes of the version written since are lost", async () => {
    const { mtime } = await site.put(AT.key);
    await site.objects.delete(AT);
    await site.put(AT.key, "lost");
    await site.objects.markDamaged(AT, "missing");
    theirs(mtime);
    assert.equal(await send(), "refused");
    assert.equal(fake.find(AT.key, "null"), undefined);
    theirs(mtime + 5n * SECOND);
    assert.equal(await send(), "alreadyEqual", "newer there");
    assert.equal(fake.find(AT.key, "null")?.body.toString(), "theirs");
  });

  test("rows of a bucket that was made anew under its name say nothing of the new one", async () => {
    const bucketId = (await site.objects.bucket(SRC)).id;
    const target = site.targets.connect(await site.targets.get(SRC, arn));
    await site.objects.deleteBucket(SRC, { force: true });
    await site.objects.createBucket(SRC, { owner: "root" });
    await site.objects.delete({ ...AT, source: { replica: true, mtime: 5n } });
    const { outcome } = await sendVersion(site.objects, target, { ...AT, bucketId, compareFirst: false, marks: {} });
    assert.deepEqual(outcome, { kind: "gone" });
  });
});
