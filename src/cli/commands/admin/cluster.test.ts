import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { adminError, runCommand, type FakeServer } from "../testing.ts";
import { clusterCommand } from "./cluster.ts";

const dir = mkdtempSync(join(tmpdir(), "resilver-cluster-"));
after(() => rmSync(dir, { recursive: true }));

function server(answers: Readonly<Record<string, string>>): FakeServer {
  return {
    calls: [],
    s3: () => assert.fail("no S3 call"),
    admin(call) {
      const answer = answers[call.path];
      if (answer === undefined) throw adminError(426, "XMinioAdminVersionMismatch");
      return answer;
    },
  };
}

test("exports become files that only their owner reads", async () => {
  const file = join(dir, "iam.zip");
  const fake = server({ "export-iam": "zip bytes", "export-bucket-metadata": "more bytes" });
  const { stdout, code } = await runCommand(fake, clusterCommand, [
    "cluster",
    "iam",
    "export",
    "a",
    "-o",
    file,
    "--json",
  ]);
  assert.deepEqual([code, JSON.parse(stdout)], [0, { status: "success", file }]);
  assert.deepEqual([readFileSync(file, "utf8"), statSync(file).mode & 0o777], ["zip bytes", 0o600]);
  await runCommand(fake, clusterCommand, ["cluster", "bucket", "export", "a/b", "-o", file]);
  assert.deepEqual(fake.calls, ["GET export-iam?", "GET export-bucket-metadata?bucket=b"]);
});

test("imports say what became of each, and fail when something did", async () => {
  const file = join(dir, "in.zip");
  writeFileSync(file, "x");
  const run = (answers: Record<string, string>, kind: string) =>
    runCommand(server(answers), clusterCommand, ["cluster", kind, "import", "a", file]);
  const fine = await run(
    { "import-iam-v2": JSON.stringify({ added: { users: ["u", "v"], policies: null }, failed: {} }) },
    "iam",
  );
  assert.deepEqual([fine.code, fine.stdout], [0, "added: 2 users\n"]);
  const bad = await run(
    { "import-iam-v2": JSON.stringify({ failed: { groups: [{ name: "g", message: "no such user" }] } }) },
    "iam",
  );
  assert.deepEqual([bad.code, bad.stdout], [1, "failed: groups g: no such user\n"]);
  const older = await run({ "import-iam": "" }, "iam");
  assert.equal(older.code, 0);
  const buckets = {
    buckets: { b: { policy: { isSet: true }, quota: { isSet: false }, sse: { isSet: false, error: "no" } } },
  };
  const set = await run({ "import-bucket-metadata": JSON.stringify(buckets) }, "bucket");
  assert.deepEqual([set.code, set.stdout], [1, "b: policy\n  failed sse: no\n"]);
  assert.equal(
    (await runCommand(server({}), clusterCommand, ["cluster", "iam", "import", "a", join(dir, "absent")])).code,
    1,
  );
});
