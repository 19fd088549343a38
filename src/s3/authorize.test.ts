import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { presignUrl } from "../protocol/sigv4-sign.ts";
import { call, startTestPort, TEST_ROOT, type Answer, type Call, type TestPort } from "./testing.ts";

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

const USER = { accessKey: "limited", secretKey: "limited-secret" };

/** What the user may do from here on, beside everything that is not denied. */
async function deny(...statements: readonly object[]): Promise<void> {
  const all = { Effect: "Allow", Action: ["s3:*"], Resource: ["arn:aws:s3:::*"] };
  const Statement = [all, ...statements.map((one) => ({ Effect: "Deny", Resource: ["arn:aws:s3:::*"], ...one }))];
  await port.iam.users.put(USER.accessKey, { secretKey: USER.secretKey, enabled: true });
  await port.iam.policies.put("limits", JSON.stringify({ Version: "2012-10-17", Statement }));
  await port.iam.policies.map({ kind: "user", name: USER.accessKey }, ["limits"]);
}

const asUser = (method: string, path: string, more: Partial<Call> = {}): Promise<Answer> =>
  call(port, { method, path, credentials: USER, ...more });
const tagging = (tags: string): string => {
  const [Key, Value] = tags.split("=");
  return `<Tagging><TagSet><Tag><Key>${Key}</Key><Value>${Value}</Value></Tag></TagSet></Tagging>`;
};

test("a Deny of tagged objects holds for copies, attributes and tags too", async () => {
  await call(port, { method: "PUT", path: `/${Bucket}/open`, body: "x" });
  await call(port, {
    method: "PUT",
    path: `/${Bucket}/secret`,
    body: "x",
    headers: { "x-amz-tagging": "class=secret" },
  });
  const StringEquals = { "s3:ExistingObjectTag/class": "secret" };
  const Action = ["s3:GetObject", "s3:GetObjectTagging", "s3:PutObjectTagging", "s3:DeleteObjectTagging"];
  await deny({ Action, Condition: { StringEquals } });
  const statuses = async (key: string): Promise<number[]> => {
    const path = `/${Bucket}/${key}`;
    const upload = await asUser("POST", `/${Bucket}/part`, { query: "uploads" });
    const uploadId = /<UploadId>(.*?)</.exec(upload.body)?.[1] ?? "";
    const from = { "x-amz-copy-source": path };
    const answers = [
      await asUser("GET", path),
      await asUser("HEAD", path),
      await asUser("GET", path, { query: "attributes", headers: { "x-amz-object-attributes": "ETag" } }),
      await asUser("PUT", `/${Bucket}/copy`, { headers: from }),
      await asUser("PUT", `/${Bucket}/part`, { query: `partNumber=1&uploadId=${uploadId}`, headers: from }),
      await asUser("GET", path, { query: "tagging" }),
      await asUser("PUT", path, { query: "tagging", body: tagging("class=open") }),
      await asUser("DELETE", path, { query: "tagging" }),
    ];
    return answers.map(({ status }) => status);
  };
  assert.deepEqual(await statuses("open"), [200, 200, 200, 200, 200, 200, 200, 204]);
  assert.deepEqual(
    await statuses("secret"),
    Array.from({ length: 8 }, () => 403),
  );
});

test("tags that are asked for count as the document says, whatever a header beside it pretends", async () => {
  const path = `/${Bucket}/open`;
  const StringNotEquals = { "s3:RequestObjectTag/env": "prod" };
  await deny({ Action: ["s3:PutObjectTagging"], Condition: { StringNotEquals } });
  const put = (tags: string, headers: Record<string, string> = {}): Promise<Answer> =>
    asUser("PUT", path, { query: "tagging", body: tagging(tags), headers });
  assert.equal((await put("env=prod")).status, 200);
  assert.equal((await put("env=test")).status, 403);
  assert.equal((await put("a=b")).status, 403);
  assert.equal((await put("a=b", { "x-amz-tagging": "env=prod" })).status, 403);
  const upload = (tags: string): Promise<Answer> =>
    asUser("PUT", path, { body: "x", headers: { "x-amz-tagging": tags } });
  assert.equal((await upload("env=prod")).status, 200);
  assert.equal((await upload("env=test")).status, 403, "tags of an upload are tags");
});

test("an explicit Deny holds although another right would do", async () => {
  const versions = (): Promise<Answer> => asUser("GET", `/${Bucket}`, { query: "versions" });
  await deny({ Action: ["s3:ListBucketVersions"] });
  assert.equal((await versions()).status, 403);
  assert.equal((await asUser("GET", `/${Bucket}`)).status, 200);
  await deny({ Action: ["s3:ListBucket"] });
  assert.equal((await versions()).status, 200);
  assert.equal((await asUser("HEAD", `/${Bucket}`)).status, 403);
  const path = `/${Bucket}/open`;
  const version = { query: "versionId=null&tagging" };
  assert.equal((await asUser("GET", path, version)).status, 200);
  await deny({ Action: ["s3:GetObjectVersionTagging"] });
  assert.equal((await asUser("GET", path, version)).status, 403);
  assert.equal((await asUser("GET", path, { query: "tagging" })).status, 200);
  await deny({ Action: ["s3:GetBucketAcl"] });
  assert.equal((await asUser("GET", `/${Bucket}`, { query: "acl" })).status, 403);
});

test("a presigned URL is as old as its signature", async () => {
  await call(port, { method: "PUT", path: `/${Bucket}/aged`, body: "x" });
  await deny({ Action: ["s3:GetObject"], Condition: { NumericGreaterThan: { "s3:signatureAge": "600000" } } });
  const status = async (ageMs: number): Promise<number> => {
    const where = { method: "GET", origin: port.endpoint, path: `/${Bucket}/aged`, query: {}, region: "us-east-1" };
    const url = presignUrl({ ...USER, ...where, expiresSeconds: 3600, nowMs: Date.now() - ageMs });
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status;
  };
  assert.deepEqual([await status(0), await status(300_000), await status(900_000)], [200, 200, 403]);
  assert.equal((await asUser("GET", `/${Bucket}/aged`)).status, 200);
});
