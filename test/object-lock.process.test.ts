/** Object lock over two sites that replicate to each other: locks arrive exactly and are kept on both. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { blobFiles } from "./support/damage.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER } from "./support/server.ts";
import { difference, explainDifference, putRule, setRule, Site, until } from "./support/site.ts";

const Bucket = "archive";
const WAIT_MS = 30_000;
const DAY = 86_400_000;
// Milliseconds count too.
const START = Date.now() - (Date.now() % 1000) + 123;
const inDays = (days: number): Date => new Date(START + days * DAY);

let sites: [Site, Site];
let clients: [sdk.S3Client, sdk.S3Client];
let arn: string;

before(async () => {
  sites = [await Site.start(), await Site.start()];
  clients = sites.map(
    ({ server }) =>
      new sdk.S3Client({
        endpoint: server.url,
        region: "us-east-1",
        forcePathStyle: true,
        credentials: { accessKeyId: ROOT_USER, secretAccessKey: ROOT_SECRET },
        maxAttempts: 1,
      }),
  ) as [sdk.S3Client, sdk.S3Client];
  for (const s3 of clients) await s3.send(new sdk.CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  arn = await setRule(sites[0], sites[1], Bucket);
  await setRule(sites[1], sites[0], Bucket);
});

after(async () => {
  for (const s3 of clients ?? []) s3.destroy();
  for (const site of sites ?? []) await site.close();
  await cleanUp();
});

const fails = (code: string) => (error: unknown) => (error as Error).name === code;

async function equal(): Promise<void> {
  const same = async (): Promise<boolean> => {
    const { onlyA, onlyB } = await difference(...sites, Bucket);
    return onlyA.length + onlyB.length === 0;
  };
  await until(same, WAIT_MS, () => explainDifference(...sites, Bucket));
}

const reached = (condition: () => Promise<boolean>, explain: () => Promise<string>): Promise<void> =>
  until(condition, WAIT_MS, explain);

async function put(s3: sdk.S3Client, Key: string, more: Partial<sdk.PutObjectCommandInput> = {}): Promise<string> {
  return (await s3.send(new sdk.PutObjectCommand({ Bucket, Key, Body: Key, ...more }))).VersionId as string;
}

/** The three lock headers of a version at one site. */
async function locks(s3: sdk.S3Client, Key: string, VersionId: string): Promise<unknown[]> {
  const head = await s3.send(new sdk.HeadObjectCommand({ Bucket, Key, VersionId }));
  return [head.ObjectLockMode, head.ObjectLockRetainUntilDate?.getTime(), head.ObjectLockLegalHoldStatus];
}

const gone = async (s3: sdk.S3Client, Key: string, VersionId: string, bucket = Bucket): Promise<boolean> =>
  s3.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key, VersionId })).then(
    () => false,
    (error: sdk.S3ServiceException) => error.$metadata.httpStatusCode === 404,
  );

const defaults = (s3: sdk.S3Client, Rule: sdk.ObjectLockRule | undefined) => {
  const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled" as const, ...(Rule === undefined ? {} : { Rule }) };
  return s3.send(new sdk.PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }));
};

test("locks of PUT, copy and multipart arrive exactly; the target's own default is not for replicas", async () => {
  const [a, b] = clients;
  await defaults(b, { DefaultRetention: { Mode: "COMPLIANCE", Days: 900 } });
  const until = { ObjectLockMode: "GOVERNANCE" as const, ObjectLockRetainUntilDate: inDays(2) };
  const hold = { ObjectLockLegalHoldStatus: "ON" as const };
  const plain = await put(a, "plain");
  const both = await put(a, "both", { ...until, ...hold });
  const copy = new sdk.CopyObjectCommand({ Bucket, Key: "copied", CopySource: `${Bucket}/both`, ...hold });
  const copied = (await a.send(copy)).VersionId as string;
  const Key = "parts";
  const { UploadId } = await a.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key, ...until }));
  const part = await a.send(new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: "x" }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] };
  const done = new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload });
  const parts = (await a.send(done)).VersionId as string;
  await equal();
  for (const s3 of clients) {
    assert.deepEqual(await locks(s3, "plain", plain), [undefined, undefined, undefined]);
    assert.deepEqual(await locks(s3, "both", both), ["GOVERNANCE", inDays(2).getTime(), "ON"]);
    assert.deepEqual(await locks(s3, "copied", copied), [undefined, undefined, "ON"]);
    assert.deepEqual(await locks(s3, Key, parts), ["GOVERNANCE", inDays(2).getTime(), undefined]);
    await assert.rejects(
      s3.send(new sdk.DeleteObjectCommand({ Bucket, Key, VersionId: parts })),
      fails("AccessDenied"),
    );
  }
  await defaults(b, undefined);
});

test("a default of the source arrives as the retention it gave", async () => {
  const [a, b] = clients;
  await defaults(a, { DefaultRetention: { Mode: "GOVERNANCE", Years: 1 } });
  const id = await put(a, "defaulted");
  await equal();
  assert.equal((await locks(a, "defaulted", id))[0], "GOVERNANCE");
  assert.deepEqual(await locks(b, "defaulted", id), await locks(a, "defaulted", id));
  await defaults(a, undefined);
});

test("changes at either site reach the other: extended, held, released, cleared", async () => {
  const [a, b] = clients;
  const Key = "changing";
  const VersionId = await put(a, Key);
  await equal();
  const at = { Bucket, Key, VersionId };
  const retain = (s3: sdk.S3Client, Retention: sdk.ObjectLockRetention, BypassGovernanceRetention = false) =>
    s3.send(new sdk.PutObjectRetentionCommand({ ...at, Retention, BypassGovernanceRetention }));
  const hold = (s3: sdk.S3Client, Status: "ON" | "OFF") =>
    s3.send(new sdk.PutObjectLegalHoldCommand({ ...at, LegalHold: { Status } }));
  const steps: [() => Promise<unknown>, unknown[]][] = [
    [
      () => retain(a, { Mode: "GOVERNANCE", RetainUntilDate: inDays(1) }),
      ["GOVERNANCE", inDays(1).getTime(), undefined],
    ],
    [
      () => retain(b, { Mode: "GOVERNANCE", RetainUntilDate: inDays(3) }),
      ["GOVERNANCE", inDays(3).getTime(), undefined],
    ],
    [() => hold(b, "ON"), ["GOVERNANCE", inDays(3).getTime(), "ON"]],
    [() => hold(a, "OFF"), ["GOVERNANCE", inDays(3).getTime(), "OFF"]],
    [() => retain(a, {}, true), [undefined, undefined, "OFF"]],
  ];
  for (const [step, expected] of steps) {
    await step();
    await equal();
    for (const s3 of clients) assert.deepEqual(await locks(s3, Key, VersionId), expected);
  }
});

test("a hold that is lifted and the version purged at once: the purge carries through", async () => {
  const [a, b] = clients;
  const Key = "lifted";
  const VersionId = await put(a, Key, { ObjectLockLegalHoldStatus: "ON" });
  await equal();
  await a.send(new sdk.PutObjectLegalHoldCommand({ Bucket, Key, VersionId, LegalHold: { Status: "OFF" } }));
  await a.send(new sdk.DeleteObjectCommand({ Bucket, Key, VersionId }));
  await until(
    () => gone(b, Key, VersionId),
    WAIT_MS,
    () => explainDifference(...sites, Bucket),
  );
});

test("governance passed over at one site is passed over at the other; markers go and come freely", async () => {
  const [a, b] = clients;
  const Key = "governed";
  const VersionId = await put(a, Key, { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: inDays(1) });
  const marker = await a.send(new sdk.DeleteObjectCommand({ Bucket, Key }));
  await equal();
  await b.send(new sdk.DeleteObjectCommand({ Bucket, Key, VersionId: marker.VersionId }));
  await b.send(new sdk.DeleteObjectCommand({ Bucket, Key, VersionId, BypassGovernanceRetention: true }));
  await until(
    () => gone(a, Key, VersionId),
    WAIT_MS,
    () => explainDifference(...sites, Bucket),
  );
  await equal();
});

/** A replication purge as a peer sends it. */
async function purgeByPeer(site: Site, key: string, versionId: string): Promise<string> {
  const answer = await site.call("DELETE", Bucket, {
    key,
    query: { versionId },
    headers: {
      "x-minio-source-replication-request": "true",
      "x-amz-replication-status": "REPLICA",
      "x-minio-source-mtime": new Date(Date.now() + 60_000).toISOString(),
      "x-resilver-resync": "r",
    },
  });
  return `${answer.status} ${(await answer.bytes()).toString("utf8")}`;
}

test("COMPLIANCE binds everyone on both sites: clients, the bypass, root, peers, local purges", async () => {
  const [a, b] = clients;
  const Key = "kept";
  const VersionId = await put(a, Key, { ObjectLockMode: "COMPLIANCE", ObjectLockRetainUntilDate: inDays(1) });
  await equal();
  const refusedEverywhere = async (): Promise<void> => {
    for (const [i, s3] of clients.entries()) {
      const remove = { Bucket, Key, VersionId, BypassGovernanceRetention: true };
      await assert.rejects(s3.send(new sdk.DeleteObjectCommand(remove)), fails("AccessDenied"));
      const clear = { Bucket, Key, VersionId, Retention: {}, BypassGovernanceRetention: true };
      await assert.rejects(s3.send(new sdk.PutObjectRetentionCommand(clear)), fails("AccessDenied"));
      assert.match(await purgeByPeer(sites[i] as Site, Key, VersionId), /^403 .*COMPLIANCE retention until/s);
    }
  };
  await refusedEverywhere();
  // Rules disabled for a repair: a purge then is this site's own affair, and the lock is there all the same.
  await putRule(sites[0], Bucket, arn, false);
  await refusedEverywhere();
  await putRule(sites[0], Bucket, arn, true);
  const force = await sites[0].call("DELETE", Bucket, { headers: { "x-minio-force-delete": "true" } });
  await force.discard();
  assert.equal(force.status, 405);
  assert.ok(!(await gone(a, Key, VersionId)) && !(await gone(b, Key, VersionId)));
});

test("a locked version whose bytes are lost at one site comes back by a resync, under the same lock", async () => {
  const [a, b] = clients;
  const Key = "lost";
  const Body = "x".repeat(100_000);
  const until = { ObjectLockMode: "COMPLIANCE" as const, ObjectLockRetainUntilDate: inDays(1) };
  const VersionId = await put(a, Key, { Body, ...until });
  await equal();
  for (const file of blobFiles(sites[1].server.dir)) rmSync(file);
  const query = { "replication-reset": "", arn, "reset-id": crypto.randomUUID() };
  await sites[0].text("PUT", Bucket, { query });
  const status = () => sites[0].text("GET", Bucket, { query: { "replication-reset-status": "", arn } });
  await reached(async () => /"resyncStatus":"(Completed|Failed)"/.test(await status()), status);
  assert.match(await status(), /"resyncStatus":"Completed".*"failed":0/s);
  const read = await b.send(new sdk.GetObjectCommand({ Bucket, Key, VersionId }));
  assert.equal(await read.Body?.transformToString(), Body);
  assert.deepEqual(await locks(b, Key, VersionId), ["COMPLIANCE", inDays(1).getTime(), undefined]);
  await assert.rejects(b.send(new sdk.DeleteObjectCommand({ Bucket, Key, VersionId })), fails("AccessDenied"));
});

test("a bucket without object lock takes no replicas of one that has it", async () => {
  const name = "unlocked";
  const [a, b] = clients;
  await a.send(new sdk.CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: true }));
  await sites[1].makeBucket(name);
  await assert.rejects(setRule(sites[0], sites[1], name), /ReplicationDestinationMissingLockError/);
  const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled" as const };
  await b.send(new sdk.PutObjectLockConfigurationCommand({ Bucket: name, ObjectLockConfiguration }));
  await putRule(sites[0], name, await targetArn(name), true);
});

test("object lock comes to a bucket that replicates both ways: one rule rests while it does", async () => {
  const name = "later";
  const [a, b] = clients;
  for (const site of sites) await site.makeBucket(name);
  const there = await setRule(sites[0], sites[1], name);
  await setRule(sites[1], sites[0], name);
  const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled" as const };
  const turnOn = (s3: sdk.S3Client) =>
    s3.send(new sdk.PutObjectLockConfigurationCommand({ Bucket: name, ObjectLockConfiguration }));
  for (const s3 of clients) await assert.rejects(turnOn(s3), fails("ReplicationDestinationMissingLockError"));
  await putRule(sites[0], name, there, false);
  await turnOn(a);
  await turnOn(b);
  await putRule(sites[0], name, there, true);
  const locked = { ObjectLockMode: "COMPLIANCE" as const, ObjectLockRetainUntilDate: inDays(1) };
  const { VersionId } = await a.send(new sdk.PutObjectCommand({ Bucket: name, Key: "k", Body: "k", ...locked }));
  await reached(
    async () => !(await gone(b, "k", String(VersionId), name)),
    () => explainDifference(...sites, name),
  );
  const purge = new sdk.DeleteObjectCommand({ Bucket: name, Key: "k", VersionId });
  await assert.rejects(b.send(purge), fails("AccessDenied"));
});

/** The target that was registered although the rule was refused. */
async function targetArn(bucket: string): Promise<string> {
  const query = { bucket, type: "replication" };
  const targets = await sites[0].admin((admin) =>
    admin.json<{ arn: string }[]>({ method: "GET", path: "list-remote-targets", query }),
  );
  return targets[0]?.arn ?? "";
}
