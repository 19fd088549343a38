import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BucketName } from "../model/names.ts";
import type { ReplicationRule } from "../model/replication-config.ts";
import { testRule } from "../model/testing.ts";
import { systemRandom } from "../runtime/random.ts";
import { checkConfig, validateConfig, type ConfigDeps } from "./config.ts";
import { FakeTarget } from "./testing/fake-target.ts";
import type { TargetRecord } from "./target-record.ts";
import { asKey, eachWithTarget, enableRule, replicateTo, SRC, targetJson, type TestSite } from "./testing/site.ts";

describe("remote targets", { timeout: 20_000 }, () => {
  let site: TestSite;
  let fake: FakeTarget;

  eachWithTarget((made) => void ({ site, fake } = made));
  const json = (more: object = {}): object => ({ ...targetJson(fake), ...more });
  const refuses = (promise: Promise<unknown>, code: string): Promise<void> => assert.rejects(promise, { code });

  test("a target gets an ARN, keeps it, and is listed without its secret", async () => {
    const arn = await site.targets.set(
      SRC,
      JSON.stringify(json({ region: "eu", bandwidthlimit: 5, replicationSync: true })),
    );
    assert.match(arn, /^arn:minio:replication:eu:[0-9a-f-]{36}:dst$/);
    assert.equal(await site.targets.set(SRC, json()), arn);
    const [listed] = (await site.targets.list(SRC, "replication")) as [Record<string, unknown>];
    assert.deepEqual(listed["credentials"], { accessKey: "AK", expiration: "0001-01-01T00:00:00Z" });
    assert.deepEqual(
      [listed["arn"], listed["region"], listed["omitempty"], listed["bandwidthlimit"]],
      [arn, "eu", "eu", 5],
    );
    assert.ok(!JSON.stringify(listed).includes("SK"));
    assert.deepEqual(await site.targets.list("", ""), await site.targets.list(SRC, ""));
  });

  test("what cannot be used is refused with its own code", async () => {
    await refuses(site.targets.set(SRC, "{"), "XMinioAdminConfigBadJSON");
    await refuses(site.targets.set(SRC, json({ type: "ilm" })), "XMinioAdminConfigBadJSON");
    await refuses(site.targets.set(SRC, json({ endpoint: "a/b" })), "XMinioAdminConfigBadJSON");
    await refuses(site.targets.set("none" as BucketName, json()), "NoSuchBucket");
    await refuses(site.targets.set(SRC, json({ targetbucket: "other" })), "XMinioAdminRemoteTargetNotFoundError");
    await refuses(site.targets.set(SRC, json({ bandwidthlimit: -1 })), "XMinioAdminReplicationBandwidthLimitError");
    fake.versioning = "Suspended";
    await refuses(site.targets.set(SRC, json()), "RemoteTargetNotVersionedError");
    fake.interfere = () => ({ status: 403, code: "AccessDenied" });
    await refuses(site.targets.set(SRC, json()), "InvalidRequest");
    fake.interfere = () => ({ status: 503, code: "SlowDown" });
    await refuses(site.targets.set(SRC, json()), "XMinioAdminReplicationRemoteConnectionError");
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, versioning: { status: "Suspended" } }));
    await refuses(site.targets.set(SRC, json()), "ReplicationSourceNotVersionedError");
    assert.equal(await site.targets.list(SRC, ""), null);
  });

  test("this very bucket is no target", async () => {
    fake.liveHeaders = { "x-amz-id-2": "this-site" };
    const own = new FakeTarget(SRC);
    own.liveHeaders = fake.liveHeaders;
    await own.start();
    await refuses(site.targets.set(SRC, targetJson(own)), "XMinioAdminRemoteIdenticalToSource");
    await own.stop();
  });

  test("an update changes the flagged parts only", async () => {
    const arn = await site.targets.set(SRC, json());
    await refuses(
      site.targets.set(SRC, json({ arn: "arn:minio:replication::x:y" }), ["update"]),
      "XMinioAdminRemoteTargetNotFoundError",
    );
    const edit = json({
      arn,
      bandwidthlimit: 7,
      replicationSync: true,
      credentials: { accessKey: "AK2", secretKey: "S2" },
    });
    assert.equal(await site.targets.set(SRC, edit, ["update", "bandwidth"]), arn);
    let { record } = await site.targets.get(SRC, arn);
    assert.deepEqual([record.bandwidth, record.sync, record.accessKey], [7, false, "AK"]);
    await site.targets.set(SRC, edit, new Set(["update", "creds", "sync"] as const));
    ({ record } = await site.targets.get(SRC, arn));
    assert.deepEqual([record.sync, record.accessKey, record.secret], [true, "AK2", "sealed:S2"]);
  });

  test("a request under way ends although the target's keys change; that to an address it left is cut", async () => {
    const arn = await site.targets.set(SRC, json());
    const ask = async (change: Partial<TargetRecord>): Promise<number> => {
      const known = await site.targets.get(SRC, arn);
      const { client } = site.targets.connect(known);
      fake.interfere = ({ method }) => {
        if (method === "PUT") site.targets.connect({ ...known, record: { ...known.record, ...change } });
        return undefined;
      };
      const body = Buffer.from("x");
      return (await client.request({ method: "PUT", key: asKey("k"), body, payload: "hashed" })).status;
    };
    assert.equal(await ask({ accessKey: "AK2" }), 200);
    await assert.rejects(ask({ endpoint: "localhost:1" }));
  });

  test("a target without a rule gives way to the next attempt; one with a rule does not", async () => {
    const arn = await site.targets.set(SRC, json());
    const other = json({ credentials: { accessKey: "AK2", secretKey: "S2" } });
    assert.equal(await site.targets.set(SRC, other), arn);
    await enableRule(site, arn);
    await refuses(site.targets.set(SRC, json()), "XMinioAdminBucketRemoteAlreadyExists");
    await refuses(site.targets.remove(SRC, arn), "XMinioAdminRemoteRemoveDisallowed");
    await refuses(site.targets.remove(SRC, "x"), "XMinioAdminRemoteArnInvalid");
    await enableRule(site, arn, { enabled: false });
    await site.targets.remove(SRC, arn);
    await refuses(site.targets.remove(SRC, arn), "XMinioAdminRemoteTargetNotFoundError");
    await refuses(site.targets.removeAll(SRC), "XMinioAdminRemoteTargetNotFoundError");
  });

  function config(): ConfigDeps {
    const { objects, targets, clock } = site;
    return { objects, targets, clock, random: systemRandom, hostId: "this-site" };
  }

  test("a configuration is held against targets and syntax", async () => {
    const arn = await site.targets.set(SRC, json());
    const validate = (...rules: ReplicationRule[]): Promise<void> => validateConfig(config(), SRC, { rules, role: "" });
    await validate(testRule(arn));
    await refuses(validate(), "XMinioAdminRemoteTargetNotFoundError");
    await refuses(validate(testRule("arn:aws:s3:::dst")), "XMinioAdminRemoteArnInvalid");
    await refuses(validate(testRule("arn:minio:ilm::x:dst")), "XMinioAdminRemoteARNTypeInvalid");
    await refuses(validate(testRule("arn:minio:replication::x:dst")), "XMinioAdminRemoteTargetNotFoundError");
    await refuses(validate(testRule(arn), testRule(arn)), "MalformedXML");
    await refuses(validate(testRule(arn, { id: "x".repeat(256) })), "MalformedXML");
    const tags = [{ key: "a", value: "b" }];
    await refuses(validate(testRule(arn, { filterForm: "tag", tags })), "MalformedXML");
    await validate(testRule(arn, { filterForm: "and", tags }));
    fake.interfere = (request) => (request.method === "HEAD" ? { status: 404, code: "NoSuchBucket" } : undefined);
    await refuses(validate(testRule(arn)), "RemoteDestinationNotFoundError");
    await enableRule(site, arn);
    await validate(testRule(arn, { enabled: false }));
  });

  test("a bucket with object lock replicates only to one that has it too", async () => {
    const arn = await site.targets.set(SRC, json());
    const validate = (): Promise<void> => validateConfig(config(), SRC, { rules: [testRule(arn)], role: "" });
    await validate();
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, objectLock: {} }));
    await refuses(validate(), "ReplicationDestinationMissingLockError");
    fake.objectLock = true;
    await validate();
    await enableRule(site, arn);
    await checkConfig(config(), SRC);
    fake.objectLock = false;
    await refuses(checkConfig(config(), SRC), "ReplicationDestinationMissingLockError");
    fake.interfere = ({ query }) => (query.has("object-lock") ? { status: 403, code: "AccessDenied" } : undefined);
    await assert.rejects(checkConfig(config(), SRC), { code: "InvalidRequest", message: /\?object-lock/ });
  });

  test("object lock is turned on only while every target of an enabled rule could keep it", async () => {
    const arn = await replicateTo(site, fake);
    const lock = async () => site.objects.updateBucket(SRC, await site.targets.lockChange(SRC, {}));
    await refuses(lock(), "ReplicationDestinationMissingLockError");
    fake.interfere = ({ query }) => (query.has("object-lock") ? { status: 503, code: "SlowDown" } : undefined);
    await refuses(lock(), "XMinioAdminReplicationRemoteConnectionError");
    assert.equal((await site.objects.bucket(SRC)).objectLock, undefined);
    await enableRule(site, arn, { enabled: false });
    const change = await site.targets.lockChange(SRC, {});
    await enableRule(site, arn);
    await refuses(site.objects.updateBucket(SRC, change), "OperationAborted");
    fake.interfere = () => undefined;
    fake.objectLock = true;
    await lock();
    // From then on only the default changes: nobody is asked.
    await fake.stop();
    await lock();
    await fake.start();
  });

  test("replication-check makes dry runs only and names the missing right", async () => {
    await refuses(checkConfig(config(), SRC), "ReplicationConfigurationNotFoundError");
    await replicateTo(site, fake);
    await checkConfig(config(), SRC);
    assert.equal(fake.versions.length, 0);
    const dry = fake.seen.filter((request) => request.headers["x-minio-source-replication-check"] === "true");
    assert.deepEqual(
      dry.map((request) => request.method),
      ["PUT", "DELETE", "DELETE"],
    );
    fake.interfere = (request) => (request.method === "DELETE" ? { status: 403, code: "AccessDenied" } : undefined);
    await assert.rejects(checkConfig(config(), SRC), { code: "InvalidRequest", message: /s3:ReplicateDelete/ });
  });
});
