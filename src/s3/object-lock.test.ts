/** Object lock as clients see it: codes, headers, permissions, policies. Decisions themselves: objects/locks.test.ts. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { SettableClock } from "../objects/testing.ts";
import { noReplication, startTestPort, TEST_ROOT, call, type Call, type Answer, type TestPort } from "./testing.ts";

const Bucket = "safe";
const DAY = 86_400_000;
// Signatures of SDKs are of the machine's time.
const clock = new SettableClock(Date.now());
const START = clock.ms;
const USER = { accessKey: "lockuser", secretKey: "lockuser-secret" };

let port: TestPort;
let root: sdk.S3Client;
let user: sdk.S3Client;

const client = ({ accessKey, secretKey }: typeof USER): sdk.S3Client =>
  new sdk.S3Client({
    endpoint: port.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    maxAttempts: 1,
  });

before(async () => {
  port = await startTestPort({}, noReplication, clock);
  root = client(TEST_ROOT);
  user = client(USER);
  await port.iam.users.put(USER.accessKey, { secretKey: USER.secretKey, enabled: true });
  await root.send(new sdk.CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
});

after(async () => {
  root.destroy();
  user.destroy();
  await port.close();
});

const fails = (code: string, text?: RegExp) => (error: unknown) =>
  (error as Error).name === code && (text === undefined || text.test((error as Error).message));
const inDays = (days: number): Date => new Date(START + days * DAY);
/** One request at the time that the server's clock shows. */
const raw = (request: Call): Promise<Answer> => call(port, { nowMs: clock.ms, ...request });
const put = (Key: string, more: Partial<sdk.PutObjectCommandInput> = {}) =>
  root.send(new sdk.PutObjectCommand({ Bucket, Key, Body: "x", ...more }));

/** The policy of the user from here on. */
async function mayDo(statements: readonly object[]): Promise<void> {
  const Resource = [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`];
  const Statement = statements.map((statement) => ({ Effect: "Allow", Resource, ...statement }));
  await port.iam.policies.put("lockpolicy", JSON.stringify({ Version: "2012-10-17", Statement }));
  await port.iam.policies.map({ kind: "user", name: USER.accessKey }, ["lockpolicy"]);
}

test("a bucket made with object lock has versioning, says so, and cannot be made otherwise", async () => {
  const versioning = await root.send(new sdk.GetBucketVersioningCommand({ Bucket }));
  assert.equal(versioning.Status, "Enabled");
  const suspend = new sdk.PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Suspended" } });
  await assert.rejects(root.send(suspend), (error) => {
    const { $metadata, name } = error as sdk.S3ServiceException;
    return name === "InvalidBucketState" && $metadata.httpStatusCode === 409;
  });
  const get = (name: string) => root.send(new sdk.GetObjectLockConfigurationCommand({ Bucket: name }));
  assert.deepEqual((await get(Bucket)).ObjectLockConfiguration, { ObjectLockEnabled: "Enabled" });
  await root.send(new sdk.CreateBucketCommand({ Bucket: "plain" }));
  await assert.rejects(get("plain"), fails("ObjectLockConfigurationNotFoundError"));
  const word = { method: "PUT", path: "/other", headers: { "x-amz-bucket-object-lock-enabled": "yes" } };
  assert.equal((await raw(word)).code, "InvalidRequest");
});

test("object lock is turned on for a bucket that keeps versions, with a default that new objects get", async () => {
  const name = "later";
  await root.send(new sdk.CreateBucketCommand({ Bucket: name }));
  const ObjectLockConfiguration: sdk.ObjectLockConfiguration = {
    ObjectLockEnabled: "Enabled",
    Rule: { DefaultRetention: { Mode: "GOVERNANCE", Days: 2 } },
  };
  const lock = () => root.send(new sdk.PutObjectLockConfigurationCommand({ Bucket: name, ObjectLockConfiguration }));
  await assert.rejects(lock(), fails("InvalidBucketState"));
  const VersioningConfiguration = { Status: "Enabled" as const };
  await root.send(new sdk.PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }));
  await lock();
  const read = await root.send(new sdk.GetObjectLockConfigurationCommand({ Bucket: name }));
  assert.deepEqual(read.ObjectLockConfiguration, ObjectLockConfiguration);
  await put("k", { Bucket: name });
  const head = await root.send(new sdk.HeadObjectCommand({ Bucket: name, Key: "k" }));
  assert.equal(head.ObjectLockMode, "GOVERNANCE");
  assert.equal(head.ObjectLockRetainUntilDate?.getTime(), inDays(2).getTime());
  assert.equal(head.ObjectLockLegalHoldStatus, undefined);
});

test("lock headers that do not fit are InvalidRequest", async () => {
  const mode = "x-amz-object-lock-mode";
  const until = "x-amz-object-lock-retain-until-date";
  const future = inDays(1).toISOString();
  const table: [string, Record<string, string>, string?][] = [
    ["a mode alone", { [mode]: "GOVERNANCE" }],
    ["a date alone", { [until]: future }],
    ["another mode", { [mode]: "governance", [until]: future }],
    ["no date", { [mode]: "GOVERNANCE", [until]: "tomorrow" }],
    ["a past date", { [mode]: "COMPLIANCE", [until]: inDays(-1).toISOString() }],
    ["another status", { "x-amz-object-lock-legal-hold": "on" }],
    ["a bucket without", { "x-amz-object-lock-legal-hold": "ON" }, "plain"],
  ];
  for (const [name, headers, bucket = Bucket] of table) {
    for (const [method, query] of [
      ["PUT", undefined],
      ["POST", "uploads="],
    ] as const) {
      const answer = await raw({ method, path: `/${bucket}/k`, headers, ...(query === undefined ? {} : { query }) });
      assert.deepEqual([answer.status, answer.code], [400, "InvalidRequest"], `${name}, ${method}`);
    }
  }
  const done = { method: "POST", path: `/${Bucket}/k`, query: `uploadId=${"0".repeat(32)}` };
  assert.equal((await raw({ ...done, headers: { [mode]: "GOVERNANCE" } })).code, "InvalidRequest");
});

test("retention and legal hold: set, read, refused, unset", async () => {
  const Key = "registers";
  const VersionId = (await put(Key)).VersionId as string;
  const at = { Bucket, Key, VersionId };
  const getRetention = () => root.send(new sdk.GetObjectRetentionCommand(at));
  const getHold = () => root.send(new sdk.GetObjectLegalHoldCommand(at));
  await assert.rejects(getRetention(), fails("NoSuchObjectLockConfiguration"));
  await assert.rejects(getHold(), fails("NoSuchObjectLockConfiguration"));
  const retain = (Retention: sdk.ObjectLockRetention, more: { BypassGovernanceRetention?: boolean } = {}) =>
    root.send(new sdk.PutObjectRetentionCommand({ ...at, Retention, ...more }));
  const Retention = { Mode: "GOVERNANCE" as const, RetainUntilDate: inDays(2) };
  await retain(Retention);
  assert.deepEqual((await getRetention()).Retention, Retention);
  await assert.rejects(retain({ ...Retention, RetainUntilDate: inDays(-1) }), fails("InvalidRequest"));
  const sooner = { ...Retention, RetainUntilDate: inDays(1) };
  await assert.rejects(retain(sooner), fails("AccessDenied", /protected by object lock: GOVERNANCE retention until/));
  await retain(sooner, { BypassGovernanceRetention: true });
  await retain({}, { BypassGovernanceRetention: true });
  await assert.rejects(getRetention(), fails("NoSuchObjectLockConfiguration"));
  const hold = (Status: "ON" | "OFF") => root.send(new sdk.PutObjectLegalHoldCommand({ ...at, LegalHold: { Status } }));
  await hold("ON");
  assert.deepEqual((await getHold()).LegalHold, { Status: "ON" });
  await assert.rejects(
    root.send(new sdk.DeleteObjectCommand({ ...at, BypassGovernanceRetention: true })),
    fails("AccessDenied", /legal hold/),
  );
  await hold("OFF");
  await root.send(new sdk.DeleteObjectCommand(at));
  await assert.rejects(getHold(), fails("NoSuchVersion"));
  await put("k", { Bucket: "plain" });
  for (const query of ["retention=", "legal-hold="]) {
    assert.equal((await raw({ method: "GET", path: "/plain/k", query })).code, "InvalidRequest");
    const body = query === "retention=" ? "<Retention/>" : "<LegalHold><Status>ON</Status></LegalHold>";
    assert.equal((await raw({ method: "PUT", path: "/plain/k", query, body })).code, "InvalidRequest");
    const unsigned = { method: "PUT", path: `/${Bucket}/k`, query, body, payloadHash: "UNSIGNED-PAYLOAD" };
    assert.equal((await raw(unsigned)).code, "MissingContentMD5");
  }
});

test("a delete marker takes no lock", async () => {
  await put("marked");
  const { VersionId } = await root.send(new sdk.DeleteObjectCommand({ Bucket, Key: "marked" }));
  const hold = { Bucket, Key: "marked", LegalHold: { Status: "ON" as const } };
  const held = root.send(new sdk.PutObjectLegalHoldCommand({ ...hold, VersionId }));
  await assert.rejects(held, fails("MethodNotAllowed"));
  await root.send(new sdk.DeleteObjectCommand({ Bucket, Key: "marked", VersionId }));
});

test("multi-delete: each locked version is an error of its own, the others go", async () => {
  const until = { ObjectLockRetainUntilDate: inDays(1) };
  const free = (await put("free")).VersionId;
  const governed = (await put("governed", { ObjectLockMode: "GOVERNANCE", ...until })).VersionId;
  const kept = (await put("kept", { ObjectLockMode: "COMPLIANCE", ...until })).VersionId;
  const Objects = [
    { Key: "free", VersionId: free },
    { Key: "governed", VersionId: governed },
    { Key: "kept", VersionId: kept },
    { Key: "kept" },
  ];
  const remove = (BypassGovernanceRetention?: boolean) =>
    root.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects }, BypassGovernanceRetention }));
  const first = await remove();
  assert.deepEqual(
    first.Errors?.map(({ Key, Code }) => [Key, Code]),
    [
      ["governed", "AccessDenied"],
      ["kept", "AccessDenied"],
    ],
  );
  assert.equal(first.Deleted?.length, 2);
  assert.deepEqual(
    (await remove(true)).Errors?.map(({ Key }) => Key),
    ["kept"],
  );
});

test("the server's clock decides, set forward and back", async () => {
  const version = await raw({
    method: "PUT",
    path: `/${Bucket}/clock`,
    headers: {
      "x-amz-object-lock-mode": "COMPLIANCE",
      "x-amz-object-lock-retain-until-date": inDays(1).toISOString(),
    },
  });
  const query = `versionId=${version.headers["x-amz-version-id"]}`;
  const remove = () => raw({ method: "DELETE", path: `/${Bucket}/clock`, query });
  for (const days of [0, 0.5, -300, 0.999]) {
    clock.ms = inDays(days).getTime();
    assert.equal((await remove()).code, "AccessDenied", `${days} days`);
  }
  clock.ms = inDays(1).getTime();
  assert.equal((await remove()).status, 204);
  clock.ms = START;
});

test("locks are shown only to those who may ask for them", async () => {
  await put("shown", {
    ObjectLockMode: "GOVERNANCE",
    ObjectLockRetainUntilDate: inDays(1),
    ObjectLockLegalHoldStatus: "ON",
  });
  const seen = async (...actions: string[]): Promise<unknown[]> => {
    await mayDo([{ Action: ["s3:GetObject", ...actions] }]);
    const head = await user.send(new sdk.HeadObjectCommand({ Bucket, Key: "shown" }));
    return [head.ObjectLockMode, head.ObjectLockRetainUntilDate?.getTime(), head.ObjectLockLegalHoldStatus];
  };
  assert.deepEqual(await seen(), [undefined, undefined, undefined]);
  assert.deepEqual(await seen("s3:GetObjectRetention"), ["GOVERNANCE", inDays(1).getTime(), undefined]);
  assert.deepEqual(await seen("s3:GetObjectLegalHold"), [undefined, undefined, "ON"]);
});

test("a listing with metadata tells the same locks to the same callers, and all to whoever may write replicas", async () => {
  const seen = async (headers: Record<string, string>, ...actions: string[]): Promise<boolean[]> => {
    await mayDo([{ Action: ["s3:ListBucket", "s3:GetObject", ...actions] }]);
    const query = "versions=&metadata=true&prefix=shown";
    const listing = await raw({ method: "GET", path: `/${Bucket}`, query, headers, credentials: USER });
    assert.equal(listing.status, 200);
    return ["<x-amz-object-lock-mode>GOVERNANCE<", "<x-amz-object-lock-legal-hold>ON<"].map((text) =>
      listing.body.includes(text),
    );
  };
  assert.deepEqual(await seen({}), [false, false]);
  assert.deepEqual(await seen({}, "s3:GetObjectRetention"), [true, false]);
  assert.deepEqual(await seen({}, "s3:ReplicateObject"), [false, false]);
  assert.deepEqual(await seen({ "x-minio-source-proxy-request": "false" }), [false, false]);
  assert.deepEqual(await seen({ "x-minio-source-proxy-request": "false" }, "s3:ReplicateObject"), [true, true]);
});

test("each way of locking needs its permission, on every way of writing", async () => {
  const retention = { ObjectLockMode: "GOVERNANCE" as const, ObjectLockRetainUntilDate: inDays(1) };
  const hold = { ObjectLockLegalHoldStatus: "ON" as const };
  const at = { Bucket, Key: "mine" };
  const ways = (locks: object): sdk.PutObjectCommand[] =>
    [
      new sdk.PutObjectCommand({ ...at, Body: "x", ...locks }),
      new sdk.CreateMultipartUploadCommand({ ...at, ...locks }),
      new sdk.CopyObjectCommand({ ...at, CopySource: `${Bucket}/mine`, MetadataDirective: "REPLACE", ...locks }),
    ] as never;
  await put("mine");
  const basic = ["s3:PutObject", "s3:GetObject"];
  await mayDo([{ Action: [...basic, "s3:PutObjectLegalHold"] }]);
  for (const way of ways(retention)) await assert.rejects(user.send(way), fails("AccessDenied"));
  for (const way of ways(hold)) await user.send(way);
  await mayDo([{ Action: [...basic, "s3:PutObjectRetention"] }]);
  for (const way of ways(hold)) await assert.rejects(user.send(way), fails("AccessDenied"));
  for (const way of ways(retention)) await user.send(way);
});

test("a form's lock fields need their permission, and then lock what it uploads", async () => {
  await root.send(new sdk.CreateBucketCommand({ Bucket: "forms", ObjectLockEnabledForBucket: true }));
  const open = (Condition: object, ...Action: string[]) => {
    const Resource = "arn:aws:s3:::forms/*";
    const statement = { Effect: "Allow", Principal: "*", Action, Resource, Condition };
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
    return root.send(new sdk.PutBucketPolicyCommand({ Bucket: "forms", Policy }));
  };
  const fields = {
    key: "uploaded",
    "x-amz-object-lock-mode": "GOVERNANCE",
    "x-amz-object-lock-retain-until-date": inDays(3).toISOString(),
    "x-amz-object-lock-legal-hold": "ON",
    file: "x",
  };
  const parts = Object.entries(fields).map(([name, value]) => `form-data; name="${name}"\r\n\r\n${value}`);
  const body = `${parts.map((part) => `--b\r\nContent-Disposition: ${part}\r\n`).join("")}--b--\r\n`;
  const headers = { "content-type": "multipart/form-data; boundary=b" };
  const post = () => raw({ method: "POST", path: "/forms", credentials: null, body, headers });
  await open({}, "s3:PutObject", "s3:PutObjectRetention");
  assert.equal((await post()).code, "AccessDenied");
  const all = ["s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectLegalHold"];
  await open({ NumericLessThan: { "s3:object-lock-remaining-retention-days": "3" } }, ...all);
  assert.equal((await post()).code, "AccessDenied");
  await open({ NumericLessThan: { "s3:object-lock-remaining-retention-days": "4" } }, ...all);
  assert.equal((await post()).status, 204);
  const head = await root.send(new sdk.HeadObjectCommand({ Bucket: "forms", Key: "uploaded" }));
  assert.deepEqual([head.ObjectLockMode, head.ObjectLockLegalHoldStatus], ["GOVERNANCE", "ON"]);
  assert.equal(head.ObjectLockRetainUntilDate?.getTime(), inDays(3).getTime());
});

test("making a bucket with object lock needs the rights to set lock and versioning too", async () => {
  const Resource = "arn:aws:s3:::mine";
  const make = () => user.send(new sdk.CreateBucketCommand({ Bucket: "mine", ObjectLockEnabledForBucket: true }));
  const Action = ["s3:CreateBucket", "s3:PutBucketVersioning"];
  await mayDo([{ Action, Resource }]);
  await assert.rejects(make(), fails("AccessDenied"));
  await mayDo([{ Action: [...Action, "s3:PutBucketObjectLockConfiguration"], Resource }]);
  await make();
});

test("the bypass counts for those who may, and hides nothing that is not locked", async () => {
  const locked = async (): Promise<{ Key: string; VersionId: string | undefined }> => {
    const locks = { ObjectLockMode: "GOVERNANCE" as const, ObjectLockRetainUntilDate: inDays(1) };
    return { Key: "bypass", VersionId: (await put("bypass", locks)).VersionId };
  };
  const remove = (at: object) =>
    user.send(new sdk.DeleteObjectCommand({ Bucket, Key: "bypass", BypassGovernanceRetention: true, ...at }));
  const at = await locked();
  await mayDo([{ Action: ["s3:DeleteObject"] }]);
  await assert.rejects(remove(at), fails("AccessDenied"));
  await remove({ VersionId: (await put("bypass")).VersionId });
  await mayDo([{ Action: ["s3:DeleteObject", "s3:BypassGovernanceRetention"] }]);
  await remove(at);
});

test("whoever pretends to be a peer needs a peer's rights, and COMPLIANCE stops even those", async () => {
  const until = { ObjectLockRetainUntilDate: inDays(1) };
  const governed = (await put("forged", { ObjectLockMode: "GOVERNANCE", ...until })).VersionId ?? "";
  const kept = (await put("forged", { ObjectLockMode: "COMPLIANCE", ...until })).VersionId ?? "";
  const headers = {
    "x-minio-source-replication-request": "true",
    "x-amz-replication-status": "REPLICA",
    "x-minio-source-mtime": inDays(300).toISOString(),
  };
  const path = `/${Bucket}/forged`;
  const purge = (id: string) => raw({ method: "DELETE", path, query: `versionId=${id}`, headers, credentials: USER });
  const clear = (id: string) => {
    const empty = { "x-amz-object-lock-mode": "", "x-amz-object-lock-retain-until-date": "" };
    const time = { "x-minio-source-replication-retention-timestamp": inDays(300).toISOString() };
    const source = { "x-amz-copy-source": `${Bucket}/forged?versionId=${id}`, ...empty, ...time };
    return raw({
      method: "PUT",
      path,
      query: `versionId=${id}`,
      headers: { ...headers, ...source },
      credentials: USER,
    });
  };
  const plain = ["s3:DeleteObject", "s3:PutObject", "s3:GetObject", "s3:PutObjectRetention"];
  await mayDo([{ Action: plain }]);
  for (const id of [governed, kept]) {
    assert.equal((await purge(id)).code, "AccessDenied");
    assert.equal((await clear(id)).code, "AccessDenied");
  }
  await mayDo([{ Action: [...plain, "s3:ReplicateDelete", "s3:ReplicateObject"] }]);
  assert.equal((await purge(kept)).code, "AccessDenied");
  assert.equal((await clear(kept)).code, "AccessDenied");
  assert.equal((await clear(governed)).status, 200);
  assert.equal((await purge(governed)).status, 204);
});

test("policies look at what a request asks for: mode, date, days, hold", async () => {
  const at = { Bucket, Key: "policy" };
  await put(at.Key);
  const retain = (Mode: "GOVERNANCE" | "COMPLIANCE", days: number) =>
    user.send(new sdk.PutObjectRetentionCommand({ ...at, Retention: { Mode, RetainUntilDate: inDays(days) } }));
  const Condition = {
    StringEquals: { "s3:object-lock-mode": "GOVERNANCE" },
    NumericLessThanEquals: { "s3:object-lock-remaining-retention-days": "10" },
  };
  await mayDo([{ Action: ["s3:PutObjectRetention"], Condition }]);
  await assert.rejects(retain("COMPLIANCE", 1), fails("AccessDenied"));
  await assert.rejects(retain("GOVERNANCE", 11), fails("AccessDenied"));
  await retain("GOVERNANCE", 10);
  const before = { DateLessThan: { "s3:object-lock-retain-until-date": inDays(20).toISOString() } };
  await mayDo([{ Action: ["s3:PutObjectRetention"], Condition: before }]);
  await assert.rejects(retain("GOVERNANCE", 21), fails("AccessDenied"));
  await retain("GOVERNANCE", 19);
  const hold = (Status: "ON" | "OFF") => user.send(new sdk.PutObjectLegalHoldCommand({ ...at, LegalHold: { Status } }));
  const onlyOn = { StringEquals: { "s3:object-lock-legal-hold": "ON" } };
  await mayDo([{ Action: ["s3:PutObjectLegalHold"], Condition: onlyOn }]);
  await hold("ON");
  await assert.rejects(hold("OFF"), fails("AccessDenied"));
  const short = { NumericLessThan: { "s3:object-lock-remaining-retention-days": "5" } };
  await mayDo([{ Action: ["s3:PutObject", "s3:PutObjectRetention"], Condition: short }]);
  const write = (days: number) =>
    user.send(
      new sdk.PutObjectCommand({
        ...at,
        Body: "x",
        ObjectLockMode: "GOVERNANCE",
        ObjectLockRetainUntilDate: inDays(days),
      }),
    );
  await assert.rejects(write(5), fails("AccessDenied"));
  await write(4);
});
