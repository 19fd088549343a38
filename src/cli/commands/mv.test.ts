import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { mvCommand } from "./cp.ts";
import { ok, runCommand, type FakeServer } from "./testing.ts";

const noServer: FakeServer = { calls: [], s3: () => assert.fail("no call"), admin: () => assert.fail("no call") };

test("a file moved onto itself stays, however its path is written", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "resilver-mv-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "f");
  writeFileSync(file, "content");
  mkdirSync(join(dir, "sub"));
  symlinkSync(dir, join(dir, "sub", "link"));
  for (const other of [`${dir}/./f`, `${dir}/sub/../f`, `${dir}/sub/link/f`, `${dir}//f`]) {
    assert.equal((await runCommand(noServer, mvCommand, ["mv", file, other])).code, 0, other);
    assert.equal(readFileSync(file, "utf8"), "content", other);
  }
  assert.equal((await runCommand(noServer, mvCommand, ["mv", file, join(dir, "g")])).code, 0);
  assert.deepEqual([existsSync(file), readFileSync(join(dir, "g"), "utf8")], [false, "content"]);
});

test("an object moved to another alias of the same server stays", async () => {
  const headers = { "content-length": "1", etag: '"e"', "last-modified": "Mon, 23 Nov 2026 00:00:00 GMT" };
  const server: FakeServer = {
    calls: [],
    admin: () => assert.fail("no admin call"),
    s3({ method, query }) {
      if (query?.["list-type"] !== undefined)
        return ok("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
      return { ...ok(method === "GET" ? "x" : ""), headers };
    },
  };
  assert.equal((await runCommand(server, mvCommand, "mv a/bucket/k b/bucket/k")).code, 0);
  assert.ok(server.calls.some((call) => call.startsWith("PUT")));
  assert.deepEqual(
    server.calls.filter((call) => call.startsWith("DELETE")),
    [],
  );
  assert.equal((await runCommand(server, mvCommand, "mv a/bucket/k b/bucket/k2")).code, 0);
  assert.equal(server.calls.filter((call) => call.startsWith("DELETE")).length, 1);
});
