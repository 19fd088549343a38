import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "./log.ts";
import { family, MetricsRegistry, renderMetrics, SERIES_MAX } from "./metrics.ts";
import type { RequestSample } from "./requests.ts";
import { createRequestObserver } from "./requests.ts";

const clock = { nowMs: () => Date.UTC(2024, 0, 2, 3, 4, 5, 6) };

test("log lines: JSON and readable, with errors and inherited fields", () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const cause = new Error("disk gone");
  createLogger({ json: true, clock, write })
    .with({ worker: 1 })
    .error("write failed", { error: new Error("no", { cause }), size: 5n });
  const parsed = JSON.parse(lines[0] ?? "") as { error: { message: string; cause: { message: string } } };
  assert.equal(parsed.error.cause.message, "disk gone");
  assert.match(
    lines[0] ?? "",
    /^\{"time":"2024-01-02T03:04:05\.006Z","level":"error","message":"write failed","worker":1,.*"size":"5"\}\n$/,
  );
  const readable = createLogger({ json: false, quiet: true, clock, write });
  readable.info("not shown");
  readable.warn("slow", { bucket: "b", path: "a b", count: 3 });
  assert.equal(lines[1], '2024-01-02T03:04:05.006Z WARN  slow bucket=b path="a b" count=3\n');
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  createLogger({ json: true, clock, write }).info("odd", { cycle });
  assert.equal(lines.length, 3);
});

test("metrics render with help, type, labels and cumulated buckets", async () => {
  const registry = new MetricsRegistry({ server: "a:9000" });
  const counter = registry.counter({ name: "c_total", help: "Counts.\nTwo lines", v2: "node" });
  counter.add({ api: 'quo"te' });
  counter.add({ api: 'quo"te' }, 2);
  const histogram = registry.histogram({ name: "h", help: "H", v2: "node" }, [1, 2]);
  for (const value of [0.5, 1, 1.5, 9]) histogram.observe({}, value);
  registry.collect(async () => [family("gauge", { name: "g", help: "G", v2: "bucket" }, [[{ bucket: "b" }, 7]])]);
  const text = renderMetrics((await registry.families()).filter(({ name }) => !name.startsWith("resilver_")));
  assert.equal(
    text,
    [
      "# HELP c_total Counts.\\nTwo lines",
      "# TYPE c_total counter",
      'c_total{server="a:9000",api="quo\\"te"} 3',
      "# HELP g G",
      "# TYPE g gauge",
      'g{server="a:9000",bucket="b"} 7',
      "# HELP h H",
      "# TYPE h histogram",
      'h_bucket{server="a:9000",le="1"} 2',
      'h_bucket{server="a:9000",le="2"} 3',
      'h_bucket{server="a:9000",le="+Inf"} 4',
      'h_sum{server="a:9000"} 12',
      'h_count{server="a:9000"} 4',
      "",
    ].join("\n"),
  );
});

test("label sets are bounded, and what was dropped is counted", async () => {
  const registry = new MetricsRegistry();
  const counter = registry.counter({ name: "c", help: "C", v2: "node" });
  for (let i = 0; i < SERIES_MAX + 3; i++) counter.add({ bucket: `b${i}` });
  const families = await registry.families();
  assert.equal(families.find(({ name }) => name === "c")?.samples.length, SERIES_MAX);
  assert.equal(families.find(({ name }) => name.includes("dropped"))?.samples[0]?.value, 3);
});

test("requests are counted by outcome, and only unforeseen failures are logged", async () => {
  const registry = new MetricsRegistry();
  const lines: string[] = [];
  const log = createLogger({ json: true, clock, write: (line) => void lines.push(line) });
  const observer = createRequestObserver(registry, log);
  const sample: RequestSample = {
    api: "GetObject",
    method: "GET",
    url: "/b/k",
    bucket: "b",
    status: 200,
    errorCode: "",
    requestId: "R",
    remoteAddress: "::1",
    durationMs: 2,
    timeToFirstByteMs: 1,
    bytesIn: 0,
    bytesOut: 10,
    replication: false,
  };
  observer.request(sample);
  observer.request({ ...sample, status: 403, errorCode: "AccessDenied" });
  observer.request({ ...sample, status: 500, errorCode: "InternalError", error: new Error("bug") });
  const text = renderMetrics(await registry.families());
  assert.match(text, /minio_s3_requests_total\{api="getobject"\} 3/);
  assert.match(text, /minio_s3_requests_4xx_errors_total\{api="getobject"\} 1/);
  assert.match(text, /minio_s3_requests_5xx_errors_total\{api="getobject"\} 1/);
  assert.match(text, /minio_s3_requests_rejected_auth_total 1/);
  assert.match(text, /minio_s3_traffic_sent_bytes 30/);
  assert.equal(lines.length, 1);
});
