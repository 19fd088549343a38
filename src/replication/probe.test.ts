/** A target is tried before a rule sends to it, and again when it may have become another. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Arn } from "../model/names.ts";
import type { ReplicationRule } from "../model/replication-config.ts";
import { testRule } from "../model/testing.ts";
import { systemRandom } from "../runtime/random.ts";
import { validateConfig } from "./config.ts";
import { probeResult, Probes } from "./probe.ts";
import type { FakeTarget, SeenRequest } from "./testing/fake-target.ts";
import { eachWithTarget, enableRule, SRC, targetJson, until, type TestSite } from "./testing/site.ts";

describe("trying a target", { timeout: 20_000 }, () => {
  let site: TestSite;
  let fake: FakeTarget;
  let arn: Arn;

  eachWithTarget(async (made) => {
    ({ site, fake } = made);
    arn = await site.targets.set(SRC, targetJson(fake));
  });

  const deps = () => ({ ...site, random: systemRandom, hostId: "this-site" });
  const validate = (rule: Partial<ReplicationRule> = {}): Promise<void> =>
    validateConfig(deps(), SRC, { rules: [testRule(arn, rule)], role: "" });
  const isDry = ({ headers }: SeenRequest): boolean => headers["x-minio-source-replication-check"] !== undefined;

  test("rights that MinIO's dry run does not look at are found by a version that is written and purged", async () => {
    await validate();
    assert.deepEqual(fake.versions, []);
    fake.interfere = (seen) =>
      seen.method === "PUT" && !isDry(seen) ? { status: 403, code: "AccessDenied" } : undefined;
    await assert.rejects(validate(), { code: "InvalidRequest", message: /lacks s3:ReplicateObject/ });
    fake.interfere = (seen) =>
      seen.method === "DELETE" && !isDry(seen) ? { status: 403, code: "AccessDenied" } : undefined;
    await assert.rejects(validate(), { code: "InvalidRequest", message: /lacks s3:ReplicateDelete/ });
  });

  test("a target that knows no dry runs is tried for real, and nothing stays there", async () => {
    fake.knowsDryRuns = false;
    for (const deleteReplication of [true, false]) await validate({ deleteReplication });
    assert.deepEqual(fake.versions, []);
    fake.interfere = ({ method }) => (method === "DELETE" ? { status: 403, code: "AccessDenied" } : undefined);
    await assert.rejects(validate(), { code: "InvalidRequest", message: /lacks s3:ReplicateDelete.*stays there/ });
  });

  test("a target without dry runs that purges a second time, as a MinIO with rules does, is not found wanting", async () => {
    fake.knowsDryRuns = false;
    const purged = new Set<string>();
    fake.interfere = ({ method, key, query }) => {
      const versionId = query.get("versionId") ?? "";
      if (method === "HEAD" && purged.has(versionId)) fake.remove(key, versionId);
      if (method === "DELETE") purged.add(versionId);
      return undefined;
    };
    await validate();
  });

  test("only what a rule needs is asked for, and only when it begins to need it", async () => {
    fake.interfere = ({ method }) => (method === "DELETE" ? { status: 403, code: "AccessDenied" } : undefined);
    const modest = { deleteMarkerReplication: false, deleteReplication: false };
    await validate(modest);
    await assert.rejects(validate(), { message: /s3:ReplicateDelete/ });
    await enableRule(site, arn, modest);
    fake.seen.length = 0;
    await validate({ ...modest, priority: 7 });
    assert.deepEqual(fake.seen, []);
    await validate({ enabled: false });
    await assert.rejects(validate({ ...modest, deleteMarkerReplication: true }), { message: /of markers/ });
  });

  test("a target of our own answers dry runs exactly: nothing is written there", async () => {
    fake.liveHeaders = { "x-resilver": "1" };
    await validate();
    assert.ok(fake.seen.filter(({ method }) => method === "PUT").every(isDry));
  });

  test("a target that was there before and is away now does not keep a rule from being enabled", async () => {
    await enableRule(site, arn, { enabled: false });
    await fake.stop();
    await validate();
    await fake.start();
  });

  test("when it came back or changed its name it is tried again, and the result is kept", async () => {
    await enableRule(site, arn);
    const warned: string[] = [];
    const probes = new Probes({ ...deps(), warn: (message) => void warned.push(message) });
    const stop = new AbortController();
    const ended = probes.run(stop.signal);
    const result = () => probeResult(site.index, arn);
    await until(async () => (await result()) !== undefined);
    assert.equal((await result())?.fault, undefined);
    fake.interfere = (seen) => (isDry(seen) ? { status: 403, code: "AccessDenied" } : undefined);
    fake.liveHeaders = { server: "Another" };
    await until(async () => (await result())?.fault !== undefined);
    assert.match((await result())?.fault ?? "", /lacks s3:PutObject and s3:ReplicateObject/);
    assert.match(warned[0] ?? "", /will not take what is sent/);
    fake.interfere = () => undefined;
    await until(async () => (await result())?.fault === undefined);
    assert.equal(warned.length, 1);
    stop.abort();
    await ended;
  });
});
