import assert from "node:assert/strict";
import { test } from "node:test";
import { ok, runCommand, type FakeServer } from "../testing.ts";
import { replicateCommand } from "./index.ts";

test("two sites that show no bucket are not called equal: nothing was looked at", async () => {
  const server: FakeServer = {
    calls: [],
    s3: () => ok("<ListAllMyBucketsResult><Owner><ID>x</ID></Owner><Buckets></Buckets></ListAllMyBucketsResult>"),
    admin: () => assert.fail("no administrator is asked"),
  };
  const run = await runCommand(server, replicateCommand, "replicate verify a b");
  assert.equal(run.code, 1, run.stdout);
  assert.match(run.stderr, /shows a bucket/);
});
