import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Bucket } from "../model/bucket.ts";
import type { OpenResponse } from "./wire.ts";
import { PeerReads, proxyStats } from "./peer-reads.ts";
import { FakeTarget } from "./testing/fake-target.ts";
import { enableRule, replicateTo, SRC, targetJson, testSite, type TestSite } from "./testing/site.ts";

let site: TestSite;
const fake = new FakeTarget();

before(async () => {
  await fake.start();
  site = await testSite();
});
after(async () => {
  await site.close();
  await fake.stop();
});

const reads = (): PeerReads => new PeerReads({ ...site, warn: () => undefined });
const count = async (key: string, change: (bucket: Bucket) => Bucket = (same) => same): Promise<number> =>
  (await reads().peersFor(change(await site.objects.bucket(SRC)), key)).length;

test("only targets of enabled rules by prefix, in versioned buckets, that allow it", async () => {
  const arn = await replicateTo(site, fake, { prefix: "docs/" });
  assert.equal(await count("docs/a"), 1);
  assert.equal(await count("other"), 0);
  assert.equal(await count("docs/a", (bucket) => ({ ...bucket, versioning: { status: "Suspended" } })), 0);
  const excluded = { status: "Enabled", excludedPrefixes: ["docs/"] } as const;
  assert.equal(await count("docs/a", (bucket) => ({ ...bucket, versioning: excluded })), 0);
  await enableRule(site, arn, { enabled: false });
  assert.equal(await count("docs/a"), 0);
  await enableRule(site, arn, { tags: [{ key: "a", value: "b" }], filterForm: "tag" });
  assert.equal(await count("docs/a"), 0);
  await enableRule(site, arn);
  await site.targets.set(SRC, { ...targetJson(fake), arn, disableProxy: true }, ["update", "proxy"]);
  assert.equal(await count("docs/a"), 0);
  await site.targets.set(SRC, { ...targetJson(fake), arn, disableProxy: false }, ["update", "proxy"]);
  assert.equal(await count("docs/a"), 1);
});

test("a peer is asked with the header that stops loops; one that gives no answer is not asked again until it lives", async () => {
  const [peer] = await reads().peersFor(await site.objects.bucket(SRC), "k");
  fake.seen.splice(0);
  const answer = (await peer?.ask({ method: "HEAD", key: "k" })) as OpenResponse;
  await answer.discard();
  assert.equal(answer.status, 404);
  assert.equal(fake.seen[0]?.headers["x-minio-source-proxy-request"], "true");
  await fake.stop();
  assert.equal(await peer?.ask({ method: "HEAD", key: "k" }), undefined);
  const [target] = await site.targets.ofBucket(SRC);
  assert.ok(target !== undefined);
  await site.targets.connect(target).endpoint.confirm();
  assert.equal(await count("k"), 0);
  await fake.start();
  await site.targets.connect(target).endpoint.confirm();
  assert.equal(await count("k"), 1);
});

test("calls are counted in the index when the process ends, and soon before", async () => {
  const { id } = await site.objects.bucket(SRC);
  const counting = reads();
  counting.count(id, "get", true);
  counting.count(id, "get", false);
  counting.count(id, "putTagging", true);
  await counting.close();
  const stats = await proxyStats(site.index, id);
  assert.deepEqual(stats.get, { total: 2, failed: 1 });
  assert.deepEqual(stats.putTagging, { total: 1, failed: 0 });
  assert.deepEqual(stats.head, { total: 0, failed: 0 });
});
