import assert from "node:assert/strict";
import { test } from "node:test";
import { statCommand } from "./stat.ts";
import { ok, runCommand, s3Error, type FakeServer } from "./testing.ts";

function server(answer: FakeServer["s3"]): FakeServer {
  return { calls: [], admin: () => assert.fail("no admin call"), s3: answer };
}

test("a bucket is not made up for whom every question is refused", async () => {
  const refused = await runCommand(
    server(() => s3Error(403, "SignatureDoesNotMatch")),
    statCommand,
    "stat a/bucket",
  );
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  const missing = await runCommand(
    server(() => s3Error(404, "NoSuchBucket")),
    statCommand,
    "stat a/bucket",
  );
  assert.deepEqual([missing.code, missing.stdout], [1, ""]);
  assert.match(missing.stderr, /does not exist/);
});

test("what is no date in Expires does not hide the object", async () => {
  const stated = async (expires: string): Promise<unknown> => {
    const headers = { "content-length": "1", etag: '"e"', "last-modified": "Mon, 23 Nov 2026 00:00:00 GMT", expires };
    const run = await runCommand(
      server(() => ({ ...ok(), headers })),
      statCommand,
      "stat --json a/bucket/k",
    );
    assert.equal(run.code, 0, expires);
    return (JSON.parse(run.stdout) as { expires?: string }).expires;
  };
  assert.equal(await stated("never"), undefined);
  assert.equal(await stated("0"), undefined);
  assert.equal(await stated("Mon, 23 Nov 2026 00:00:00 GMT"), "2026-11-23T00:00:00Z");
});
