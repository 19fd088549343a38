import assert from "node:assert/strict";
import { test } from "node:test";
import { httpTrace, replicationTrace } from "../../../observe/trace.ts";
import { runCommand, type FakeServer } from "../testing.ts";
import { logsCommand, shortJson, shortText, spanText, traceCommand } from "./trace.ts";

const get = httpTrace({
  nodeName: "n",
  funcName: "s3.GetObject",
  method: "GET",
  url: "/b/k?versionId=null",
  httpVersion: "1.1",
  requestHeaders: { host: "h" },
  responseHeaders: ["ETag", "e"],
  client: "1.2.3.4",
  status: 404,
  startMs: 0,
  durationMs: 2,
  timeToFirstByteMs: 1,
  bytesIn: 0,
  bytesOut: 2048,
  error: "NoSuchKey",
});
const sent = replicationTrace({
  nodeName: "n",
  name: "Resync",
  bucket: "b",
  key: "k",
  versionId: "v",
  arn: "arn",
  outcome: "sent",
  bytes: 5,
  startMs: 0,
  durationMs: 0.0171,
});

function server(records: readonly object[]): FakeServer {
  return {
    calls: [],
    s3: () => assert.fail("no S3 call"),
    admin: () => records.map((record) => `${JSON.stringify(record)}\n `).join(""),
  };
}

test("one line a call, and the members of --json", () => {
  assert.match(shortText(get), /^\d\d:\d\d:\d\d\.\d{3} \[404 Not Found\] s3\.GetObject /);
  assert.match(shortText(get), /GET \/b\/k\?versionId=null 1\.2\.3\.4 2ms first byte 1ms in 0B out 2\.0KiB NoSuchKey$/);
  assert.match(shortText(sent), /\[sent\] replication\.Resync b\/k 17\.1µs 5B$/);
  const json = shortJson(get);
  assert.deepEqual(
    [json["api"], json["statusCode"], json["statusMsg"], json["callStats"]],
    ["s3.GetObject", 404, "Not Found", { rx: 0, tx: 2048, duration: 2e6, timeToFirstByte: 1e6 }],
  );
  assert.deepEqual([1, 1500, 2_500_000, 61e9].map(spanText), ["0.001µs", "1.5µs", "2.5ms", "61s"]);
});

test("filters of the client, and what is asked of the server", async () => {
  const shown = async (flags: string): Promise<number> => {
    const fake = server([get, sent]);
    const { stdout, stderr } = await runCommand(fake, traceCommand, `trace a ${flags}`.trim());
    assert.match(stderr, /ended the trace/);
    return stdout.split("\n").filter((line) => line !== "").length;
  };
  assert.equal(await shown(""), 2);
  assert.equal(await shown("--status-code 404"), 1);
  assert.equal(await shown("--method put"), 0);
  assert.equal(await shown("--funcname replication.*"), 1);
  assert.equal(await shown("--path b/*"), 2);
  assert.equal(await shown("--request-query versionId=*"), 1);
  assert.equal(await shown("--request-header HOST:h"), 1);
  const fake = server([]);
  await runCommand(fake, traceCommand, "trace a --call replication --errors --response-duration 5ms");
  const query = new URLSearchParams(fake.calls[0]?.split("?")[1]);
  assert.deepEqual(
    ["replication", "s3", "err", "threshold"].map((name) => query.get(name)),
    ["true", "false", "true", "5ms"],
  );
  assert.equal((await runCommand(server([]), traceCommand, "trace a --call nonsense")).code, 1);
});

test("logs prints the lines as the server wrote them", async () => {
  const fake = server([{ time: "2026-11-23T00:00:00Z", ConsoleMsg: "WARN  m", node: "n" }]);
  const { stdout } = await runCommand(fake, logsCommand, "logs a --last 3");
  assert.equal(stdout, "2026-11-23T00:00:00Z WARN  m\n");
  assert.match(fake.calls[0] ?? "", /GET log\?node=&limit=3/);
});
