/** Who a request is from, as policies and the log see it: behind proxies, and with other root credentials. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { AdminClient } from "../src/client/admin-client.ts";
import { awsClient } from "./support/clients.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer } from "./support/server.ts";

after(cleanUp);

const Bucket = "guarded";
const OPEN_TO = { IpAddress: { "aws:SourceIp": "203.0.113.0/24" }, Bool: { "aws:SecureTransport": "true" } };

test("behind a trusted proxy policies see the client; without trust they see the proxy", async () => {
  for (const trusted of [true, false]) {
    const server = await startServer({ env: trusted ? { RESILVER_TRUSTED_PROXIES: "127.0.0.1" } : {} });
    const s3 = awsClient(server);
    await s3.send(new sdk.CreateBucketCommand({ Bucket }));
    await s3.send(new sdk.PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
    const statement = {
      Effect: "Allow",
      Principal: "*",
      Action: "s3:GetObject",
      Resource: `arn:aws:s3:::${Bucket}/*`,
      Condition: OPEN_TO,
    };
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
    await s3.send(new sdk.PutBucketPolicyCommand({ Bucket, Policy }));
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${server.url}/${Bucket}/k`, { headers: { connection: "close", ...headers } })).status;
    const forwarded = { "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https" };
    assert.equal(await status(forwarded), trusted ? 200 : 403);
    assert.equal(
      await status({ ...forwarded, "x-forwarded-for": "203.0.113.9, 198.51.100.1" }),
      403,
      "written by the client itself",
    );
    assert.equal(await status({ ...forwarded, "x-forwarded-proto": "http" }), 403);
    s3.destroy();
    await server.stop();
  }
});

test("root credentials change between two starts: users and access keys stay, sessions and the old root go", async () => {
  const first = await startServer();
  const admin = new AdminClient({ url: first.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const key = { accessKey: "rootskey", secretKey: "root key secret" };
  const ann = json({ secretKey: "ann's secret", status: "enabled" });
  await admin.call({ method: "PUT", path: "add-user", query: { accessKey: "ann" }, body: ann, sealed: true });
  await admin.call({ method: "PUT", path: "add-service-account", body: json(key), sealed: true });
  await first.stop();
  const env = { RESILVER_ROOT_USER: "newroot", RESILVER_ROOT_PASSWORD: "new root secret" };
  const second = await startServer({ dir: first.dir, env });
  const as = (accessKey: string, secretKey: string): AdminClient =>
    new AdminClient({ url: second.url, accessKey, secretKey });
  const [renamed, old, ofRoot] = [
    as("newroot", "new root secret"),
    as(ROOT_USER, ROOT_SECRET),
    as(key.accessKey, key.secretKey),
  ];
  assert.deepEqual(Object.keys(await renamed.sealedJson<object>({ method: "GET", path: "list-users" })), ["ann"]);
  assert.deepEqual(Object.keys(await ofRoot.sealedJson<object>({ method: "GET", path: "list-users" })), ["ann"]);
  await assert.rejects(old.call({ method: "GET", path: "list-users" }), { code: "InvalidAccessKeyId" });
  await Promise.all([admin, renamed, old, ofRoot].map((client) => client.close()));
  await second.stop();
});
