import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { startTestPort, TEST_ROOT, type TestPort } from "./testing.ts";

let port: TestPort;
let s3: sdk.S3Client;
const Bucket = "guarded";

before(async () => {
  port = await startTestPort();
  const credentials = { accessKeyId: TEST_ROOT.accessKey, secretAccessKey: TEST_ROOT.secretKey };
  s3 = new sdk.S3Client({
    endpoint: port.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials,
    maxAttempts: 1,
  });
});

after(async () => {
  s3.destroy();
  await port.close();
});

const fails = (code: string) => (error: unknown) => (error as Error).name === code;

test("a bucket policy's Deny for everyone binds root too, except for the calls that repair it", async () => {
  await s3.send(new sdk.CreateBucketCommand({ Bucket }));
  await s3.send(new sdk.PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  const Resource = [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`];
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Deny", Principal: "*", Action: "s3:*", Resource }] };
  await s3.send(new sdk.PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policy) }));
  const denied = [
    new sdk.GetObjectCommand({ Bucket, Key: "k" }),
    new sdk.PutObjectCommand({ Bucket, Key: "k", Body: "y" }),
    new sdk.DeleteObjectCommand({ Bucket, Key: "k" }),
    new sdk.CopyObjectCommand({ Bucket: Bucket, Key: "c", CopySource: `${Bucket}/k` }),
    new sdk.ListObjectsV2Command({ Bucket }),
  ];
  for (const command of denied) await assert.rejects(s3.send(command as never), fails("AccessDenied"));
  const many = await s3.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "k" }] } }));
  assert.deepEqual(
    many.Errors?.map((error) => error.Code),
    ["AccessDenied"],
  );
  assert.ok((await s3.send(new sdk.GetBucketPolicyCommand({ Bucket }))).Policy?.includes("Deny"));
  await s3.send(new sdk.DeleteBucketPolicyCommand({ Bucket }));
  await s3.send(new sdk.GetObjectCommand({ Bucket, Key: "k" }));
});
