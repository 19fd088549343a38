import assert from "node:assert/strict";
import { test } from "node:test";
import type { TraceRecord } from "../observe/trace.ts";
import { httpTrace, replicationTrace } from "../observe/trace.ts";
import { testAdmin } from "./testing.ts";
import { goDuration, traceFilter } from "./trace.ts";

const finished = {
  nodeName: "n",
  funcName: "s3.GetObject",
  method: "GET",
  url: "/b/k?X-Amz-Signature=abc&versionId=null",
  httpVersion: "1.1",
  requestHeaders: { authorization: "AWS4 secret", "x-amz-date": "d", host: "h" },
  responseHeaders: ["ETag", "e", "X-A", "1", "X-A", "2"],
  client: "1.2.3.4",
  status: 200,
  startMs: 0,
  durationMs: 2,
  timeToFirstByteMs: 1,
  bytesIn: 3,
  bytesOut: 4,
  error: "",
};
const replication = replicationTrace({
  nodeName: "n",
  name: "Send",
  bucket: "b",
  key: "k",
  versionId: "v",
  arn: "a",
  outcome: "retry",
  bytes: 0,
  startMs: 0,
  durationMs: 2,
  error: "X: y",
});

test("a record has what clients dereference, and no secret", () => {
  const record = httpTrace(finished);
  assert.deepEqual([record.type, record.dur, record.path], [4, 2_000_000, "/b/k"]);
  assert.equal(record.http?.request.rawquery, "X-Amz-Signature=*REDACTED*&versionId=null");
  assert.deepEqual(record.http?.request.headers, { Authorization: ["*REDACTED*"], "X-Amz-Date": ["d"], Host: ["h"] });
  assert.deepEqual(record.http?.response.headers, { ETag: ["e"], "X-A": ["1", "2"] });
  assert.deepEqual(record.http?.stats, {
    inputbytes: 3,
    outputbytes: 4,
    latency: 2_000_000,
    timetofirstbyte: 1_000_000,
  });
});

test("followers get what they asked for", () => {
  const filter = (query: string): ((record: TraceRecord) => boolean) => {
    const parameters = new URLSearchParams(query);
    return traceFilter({
      param: (name) => parameters.get(name) ?? "",
      flag: (name) => parameters.get(name) === "true",
    });
  };
  const s3 = httpTrace(finished);
  const failed = httpTrace({ ...finished, status: 404, error: "NoSuchKey" });
  const admin = httpTrace({ ...finished, url: "/minio/admin/v3/info", funcName: "admin.Info" });
  const shown = (query: string): boolean[] => [s3, failed, admin, replication].map(filter(query));
  assert.deepEqual(shown("s3=true"), [true, true, false, false]);
  assert.deepEqual(shown("s3=true&err=true"), [false, true, false, false]);
  assert.deepEqual(shown("all=true"), [true, true, true, false]);
  assert.deepEqual(shown("internal=true"), [false, false, true, false]);
  assert.deepEqual(shown("replication-resync=true&err=true"), [false, false, false, true]);
  assert.deepEqual(shown("all=true&replication=true&threshold=3ms"), [false, false, false, false]);
  assert.throws(() => filter("threshold=soon"), { code: "InvalidArgument" });
  assert.deepEqual(["0s", "5ms", "1m30s", "1.5s", "x"].map(goDuration), [0, 5e6, 90e9, 1.5e9, undefined]);
});

test("trace and log stream until the client goes, for those who may", async () => {
  const admin = await testAdmin();
  const stop = new AbortController();
  const follow = { method: "GET", path: "trace", query: { s3: "true" }, signal: stop.signal };
  const records = admin.root.objects<TraceRecord>(follow)[Symbol.asyncIterator]();
  const first = records.next();
  await admin.following("trace");
  admin.traces.publish(httpTrace(finished));
  assert.equal((await first).value.funcname, "s3.GetObject");
  stop.abort();
  await assert.rejects(records.next());
  admin.logTail.add({ time: "2026-11-23T00:00:00Z", level: "warn", message: "m", text: "WARN  m" });
  const leave = new AbortController();
  const call = { method: "GET", path: "log", query: { limit: "10" }, signal: leave.signal };
  const lines = admin.root.objects<Record<string, string>>(call)[Symbol.asyncIterator]();
  const line = (await lines.next()).value as Record<string, string>;
  assert.deepEqual([line["ConsoleMsg"], line["level"], line["node"]], ["WARN  m", "WARNING", "n:9000"]);
  leave.abort();
  await admin.iam.users.put("blind", { secretKey: "long enough", enabled: true });
  await assert.rejects(admin.client("blind", "long enough").call({ method: "GET", path: "trace" }), {
    code: "AccessDenied",
  });
  await admin.close();
});
