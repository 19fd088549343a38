/** Object lock through MinIO's own JavaScript client, which writes its requests in its own way. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as minio from "minio";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer } from "./support/server.ts";

const DAY = 86_400_000;
let client: minio.Client;

before(async () => {
  const { port } = await startServer();
  const keys = { accessKey: ROOT_USER, secretKey: ROOT_SECRET };
  client = new minio.Client({ endPoint: "127.0.0.1", port, useSSL: false, ...keys });
  await client.makeBucket("safe", "us-east-1", { ObjectLocking: true });
});
after(cleanUp);

test("configuration, retention, legal hold, refusal and bypass", async () => {
  const mode = minio.RETENTION_MODES.GOVERNANCE;
  await client.setObjectLockConfig("safe", { mode, unit: minio.RETENTION_VALIDITY_UNITS.DAYS, validity: 3 });
  assert.deepEqual(await client.getObjectLockConfig("safe"), {
    mode: "GOVERNANCE",
    objectLockEnabled: "Enabled",
    unit: "Days",
    validity: 3,
  });
  const { versionId } = await client.putObject("safe", "k", "x");
  assert.ok(typeof versionId === "string");
  const kept = await client.getObjectRetention("safe", "k", { versionId });
  assert.equal(kept?.mode, "GOVERNANCE");
  const retainUntilDate = new Date(Date.now() + 30 * DAY).toISOString();
  await client.putObjectRetention("safe", "k", { mode, retainUntilDate, versionId });
  assert.equal((await client.getObjectRetention("safe", "k", { versionId }))?.retainUntilDate, retainUntilDate);
  await client.setObjectLegalHold("safe", "k", { versionId, status: "ON" });
  assert.match(JSON.stringify(await client.getObjectLegalHold("safe", "k", { versionId })), /"ON"/);
  await assert.rejects(client.removeObject("safe", "k", { versionId, governanceBypass: true }), /object lock/);
  await client.setObjectLegalHold("safe", "k", { versionId, status: "OFF" });
  await assert.rejects(client.removeObject("safe", "k", { versionId }), /object lock/);
  await client.removeObject("safe", "k", { versionId, governanceBypass: true });
  await client.removeBucket("safe");
});
