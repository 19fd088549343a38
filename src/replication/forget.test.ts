import assert from "node:assert/strict";
import { test } from "node:test";
import { ForgottenTargets } from "./forget.ts";
import { pendingWork } from "./log.ts";
import { FakeTarget } from "./testing/fake-target.ts";
import { asKey, replicateTo, SRC, statusOf, testSite, until } from "./testing/site.ts";

test(
  "versions stop waiting for a target that was removed, and keep what it had received",
  { timeout: 20_000 },
  async () => {
    const site = await testSite();
    const fake = new FakeTarget();
    await fake.start();
    const stop = new AbortController();
    const forgotten = new ForgottenTargets({ ...site, warn: (message) => assert.fail(message) });
    const ended = forgotten.run(stop.signal);
    try {
      const arn = await replicateTo(site, fake);
      const sent = await site.put("sent");
      const waiting = await site.put("waiting");
      const purged = await site.put("purged");
      await site.objects.setTargetStatus({ bucket: SRC, ...sent }, arn, "COMPLETED", sent);
      await site.objects.setTargetStatus({ bucket: SRC, ...waiting }, arn, "FAILED");
      await site.objects.delete({ bucket: SRC, key: asKey("purged"), versionId: purged.versionId });
      assert.equal(await statusOf(site, arn, purged), "PENDING");
      await site.objects.updateBucket(SRC, ({ replication: _gone, ...bucket }) => bucket);
      const undelivered = (await pendingWork(site.index, arn)).count;
      assert.equal(undelivered, 4, "a purge and the versions, whose rows nobody ended");
      assert.equal(await site.targets.remove(SRC, arn), undelivered, "the operator is told");
      forgotten.wake();
      await until(async () => (await statusOf(site, arn, waiting)) === undefined);
      assert.equal(await statusOf(site, arn, purged), undefined);
      assert.equal(await statusOf(site, arn, sent), "COMPLETED");
      const { count, bytes, failing } = await pendingWork(site.index, arn);
      assert.deepEqual([count, bytes, failing.count], [0, 0, 0]);
    } finally {
      stop.abort();
      await ended;
      await site.close();
      await fake.stop();
    }
  },
);
