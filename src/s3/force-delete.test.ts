/** DELETE with `x-minio-force-delete`: what goes, what stays, and who may. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { call, noReplication, startTestPort, TEST_ROOT, type Answer, type TestPort } from "./testing.ts";

const Bucket = "shelf";
const USER = { accessKey: "forceuser", secretKey: "forceuser-secret" };
let port: TestPort;
let root: sdk.S3Client;

before(async () => {
  port = await startTestPort({}, noReplication);
  root = new sdk.S3Client({
    endpoint: port.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: TEST_ROOT.accessKey, secretAccessKey: TEST_ROOT.secretKey },
    maxAttempts: 1,
  });
  await root.send(new sdk.CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: "Enabled" as const };
  await root.send(new sdk.PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
});

after(async () => {
  root.destroy();
  await port.close();
});

const put = (Key: string) => root.send(new sdk.PutObjectCommand({ Bucket, Key, Body: "x" }));
const force = (path: string, more: object = {}): Promise<Answer> =>
  call(port, { method: "DELETE", path: `/${path}`, headers: { "x-minio-force-delete": "true" }, ...more });

/** `KEY` for a version and `KEY-` for a delete marker, sorted. */
async function held(): Promise<string[]> {
  const { Versions = [], DeleteMarkers = [] } = await root.send(new sdk.ListObjectVersionsCommand({ Bucket }));
  return [...Versions.map(({ Key }) => `${Key}`), ...DeleteMarkers.map(({ Key }) => `${Key}-`)].sort();
}

test("a forced delete takes all versions and markers of a key and of what is below it, and no neighbour", async () => {
  for (const key of ["a", "a", "a/b", "a/b/c", "a/b/c", "a.b", "a0", "ab"]) await put(key);
  await root.send(new sdk.DeleteObjectCommand({ Bucket, Key: "a" }));
  await root.send(new sdk.DeleteObjectCommand({ Bucket, Key: "a/b" }));
  assert.equal((await force(`${Bucket}/a/b/`)).status, 204);
  assert.deepEqual(await held(), ["a", "a", "a-", "a.b", "a/b", "a/b-", "a0", "ab"]);
  assert.equal((await force(`${Bucket}/a`)).status, 204);
  assert.deepEqual(await held(), ["a.b", "a0", "ab"]);
  assert.equal((await force(`${Bucket}/a`)).status, 204, "nothing there is as good as deleted");
});

test("more versions than a page holds go as well", async () => {
  await Promise.all(Array.from({ length: 130 }, () => put("many/k")));
  assert.equal((await force(`${Bucket}/many/`)).status, 204);
  assert.ok(!(await held()).includes("many/k"));
});

test("a forced delete names no version, and finds no way round locks, rights and missing buckets", async () => {
  assert.equal((await force(`${Bucket}/ab`, { query: "versionId=null" })).code, "InvalidArgument");
  assert.equal((await force("nowhere/ab")).code, "NoSuchBucket");
  await root.send(new sdk.CreateBucketCommand({ Bucket: "locked", ObjectLockEnabledForBucket: true }));
  assert.equal((await force("locked/ab")).status, 405);
  await port.iam.users.put(USER.accessKey, { secretKey: USER.secretKey, enabled: true });
  const credentials = { accessKey: USER.accessKey, secretKey: USER.secretKey };
  assert.equal((await force(`${Bucket}/ab`, { credentials })).code, "AccessDenied");
  const Resource = [`arn:aws:s3:::${Bucket}/*`];
  const Statement = [
    { Effect: "Allow", Action: ["s3:DeleteObject"], Resource },
    { Effect: "Deny", Action: ["s3:DeleteObject"], Resource: [`arn:aws:s3:::${Bucket}/p/kept`] },
  ];
  await port.iam.policies.put("force", JSON.stringify({ Version: "2012-10-17", Statement }));
  await port.iam.policies.map({ kind: "user", name: USER.accessKey }, ["force"]);
  for (const key of ["p/a", "p/kept"]) await put(key);
  assert.equal((await force(`${Bucket}/p/`, { credentials })).code, "AccessDenied");
  assert.ok((await held()).includes("p/kept"));
});
