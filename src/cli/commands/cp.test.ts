import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { cpCommand } from "./cp.ts";
import { mirrorCommand } from "./mirror.ts";
import { ok, runCommand, type FakeServer } from "./testing.ts";

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "resilver-cp-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A bucket whose objects hold `x`. */
function server(keys: readonly string[]): FakeServer {
  const contents = keys.map((key) => `<Contents><Key>${encodeURIComponent(key)}</Key><Size>1</Size></Contents>`);
  const headers = { "content-length": "1", etag: '"e"', "last-modified": "Mon, 23 Nov 2026 00:00:00 GMT" };
  return {
    calls: [],
    admin: () => assert.fail("no admin call"),
    s3({ method, query }) {
      const listing = `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>${contents.join("")}</ListBucketResult>`;
      if (query?.["list-type"] !== undefined) return ok(listing);
      return { ...ok(method === "GET" ? "x" : ""), headers };
    },
  };
}

const HOSTILE = ["..", "../up", "a/../../up", "fine", "last"];

test("names that lead out of the folder are refused one by one; the others arrive", async (t) => {
  for (const command of [cpCommand, mirrorCommand]) {
    const dir = folder(t);
    const target = join(dir, "in", "here");
    mkdirSync(target, { recursive: true });
    const line =
      command === cpCommand ? ["cp", "-r", "a/bucket/", target] : ["mirror", "--skip-errors", "a/bucket", target];
    const run = await runCommand(server(HOSTILE), command, line);
    assert.equal(run.code, 1, command.name);
    assert.equal(run.stderr.match(/would leave/g)?.length, 3, run.stderr);
    assert.deepEqual(readdirSync(dir, { recursive: true }).sort(), ["in", "in/here", "in/here/fine", "in/here/last"]);
  }
});

test("a name as long as a file system takes arrives", async (t) => {
  const dir = folder(t);
  const key = "n".repeat(255);
  assert.equal((await runCommand(server([key]), cpCommand, ["cp", "-r", "a/bucket/", dir])).code, 0);
  assert.deepEqual(readdirSync(dir), [key]);
  writeFileSync(join(dir, key), "changed");
  assert.equal((await runCommand(server([]), cpCommand, ["cp", join(dir, key), join(dir, "m".repeat(255))])).code, 0);
  assert.equal(readFileSync(join(dir, "m".repeat(255)), "utf8"), "changed");
});

test("a file whose name is not UTF-8 is not left out in silence", async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, "a-good"), "x");
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/bad`), Buffer.from([0xff])]), "x");
  mkdirSync(Buffer.concat([Buffer.from(`${dir}/dir`), Buffer.from([0xff])]));
  writeFileSync(join(dir, "z-good"), "x");
  const fake = server([]);
  const run = await runCommand(fake, cpCommand, ["cp", "-r", `${dir}/`, "a/bucket/"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /not UTF-8/);
  assert.equal(fake.calls.filter((call) => call.startsWith("PUT")).length, 2, "the others are copied");
});
