import assert from "node:assert/strict";
import { test } from "node:test";
import { httpTrace } from "../../../observe/trace.ts";
import { adminError, runCommand, type FakeServer } from "../testing.ts";
import { adminCommand } from "./index.ts";
import { supportCommand } from "../support.ts";

function record(funcName: string, status: number, durationMs: number) {
  return httpTrace({
    nodeName: "n",
    funcName,
    method: "GET",
    url: "/b/k",
    httpVersion: "1.1",
    requestHeaders: {},
    responseHeaders: [],
    client: "1.2.3.4",
    status,
    startMs: 0,
    durationMs,
    timeToFirstByteMs: 1,
    bytesIn: 10,
    bytesOut: 1024,
    error: status >= 400 ? "NoSuchKey" : "",
  });
}

function server(answer: string): FakeServer {
  return { calls: [], s3: () => assert.fail("no S3 call"), admin: () => answer };
}

test("top api: sums by call, the busiest first, filters applied", async () => {
  const records = [record("s3.GetObject", 200, 2), record("s3.PutObject", 200, 1), record("s3.GetObject", 404, 4)];
  const fake = server(records.map((one) => `${JSON.stringify(one)}\n `).join(""));
  const lines = (await runCommand(fake, adminCommand, "admin top api a")).stdout.split("\n");
  assert.match(lines[0] ?? "", /^CALL +COUNT +\/s +ERRORS +AVG +MAX +IN +OUT$/);
  assert.match(lines[1] ?? "", /^s3\.GetObject +2 +[\d.]+ +1 +3ms +4ms +20B +2\.0KiB$/);
  assert.match(lines[2] ?? "", /^s3\.PutObject +1 /);
  const json = JSON.parse(
    (await runCommand(fake, supportCommand, "support top api a --name s3.Put* --json")).stdout,
  ) as {
    apis: { api: string; calls: number; avg: number }[];
  };
  assert.deepEqual(
    json.apis.map(({ api, calls, avg }) => [api, calls, avg]),
    [["s3.PutObject", 1, 1_000_000]],
  );
  assert.match(fake.calls[0] ?? "", /^GET trace\?s3=true&err=false/);
});

test("top locks: none, and some of another server", async () => {
  assert.equal((await runCommand(server("[]"), adminCommand, "admin top locks a")).stdout, "No locks are held.\n");
  assert.equal((await runCommand(server("[]"), adminCommand, "admin top locks a --json")).stdout, "");
  const lock = { time: "2026-11-23T00:00:00Z", type: "READ", resource: "b/k", source: "s" };
  const some = await runCommand(server(JSON.stringify([lock])), adminCommand, "admin top locks a --count 3");
  assert.equal(some.stdout, "2026-11-23T00:00:00Z  READ   b/k  s\n");
});

test("what the server has not is said in its words, with exit code 1", async () => {
  const refusing: FakeServer = {
    calls: [],
    s3: () => assert.fail("no S3 call"),
    admin: () => {
      throw adminError(501, "NotImplemented");
    },
  };
  for (const line of ["speedtest a", "update a", "profile a", "rebalance start a", "decommission status a"]) {
    const result = await runCommand(refusing, adminCommand, `admin ${line}`);
    assert.equal(result.code, 1, line);
    assert.match(result.stderr, /^mc: <ERROR> Unable to .*NotImplemented/, line);
  }
  assert.equal((await runCommand(refusing, supportCommand, "support perf drive a --json")).code, 1);
});
