import assert from "node:assert/strict";
import { test } from "node:test";
import { adminBucketQuotaCommand, quotaCommand } from "./quota.ts";
import { runCommand, type FakeServer } from "./testing.ts";

function server(quota: number): FakeServer & { readonly bodies: string[] } {
  const bodies: string[] = [];
  return {
    bodies,
    calls: [],
    s3: () => assert.fail("no S3 call"),
    admin(call, body) {
      if (call.method === "PUT") bodies.push(body);
      return call.method === "GET" ? JSON.stringify({ quota, size: quota }) : "";
    },
  };
}

test("quota set, info and clear, and the form of 2022", async () => {
  const fake = server(64 * 1024 ** 3);
  assert.equal(
    (await runCommand(fake, quotaCommand, "quota set a/b --size 64GiB")).stdout,
    "Set a hard quota of 64GiB on `b`\n",
  );
  const body = JSON.parse(fake.bodies[0] ?? "") as Record<string, unknown>;
  assert.deepEqual([body["quota"], body["size"], body["quotatype"]], [64 * 1024 ** 3, 64 * 1024 ** 3, "hard"]);
  assert.equal(
    (await runCommand(fake, quotaCommand, "quota info a/b")).stdout,
    "Bucket `b` has a hard quota of 64GiB\n",
  );
  const json = await runCommand(fake, quotaCommand, "quota info a/b --json");
  assert.deepEqual(JSON.parse(json.stdout), { status: "success", bucket: "b", quota: 64 * 1024 ** 3, type: "hard" });
  await runCommand(fake, quotaCommand, "quota clear a/b");
  await runCommand(fake, adminBucketQuotaCommand, "quota a/b --hard 1KiB");
  await runCommand(fake, adminBucketQuotaCommand, "quota a/b --clear");
  assert.deepEqual(
    fake.bodies.slice(1).map((text) => (JSON.parse(text) as { quota: number }).quota),
    [0, 1024, 0],
  );
  assert.equal((await runCommand(server(0), adminBucketQuotaCommand, "quota a/b")).stdout, "Bucket `b` has no quota\n");
  assert.equal((await runCommand(fake, quotaCommand, "quota set a/b --size 0")).code, 1);
  assert.deepEqual(fake.calls.slice(0, 2), ["PUT set-bucket-quota?bucket=b", "GET get-bucket-quota?bucket=b"]);
});
