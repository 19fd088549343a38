import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { bearerToken, metricsPath, scrapeText } from "./prometheus.ts";

test("paths of the kinds of metrics", () => {
  assert.equal(metricsPath("v2", undefined, undefined), "/minio/v2/metrics/cluster");
  assert.equal(metricsPath("v2", "bucket", undefined), "/minio/v2/metrics/bucket");
  assert.equal(metricsPath("v3", undefined, undefined), "/minio/metrics/v3");
  assert.equal(metricsPath("v3", "replication", "src"), "/minio/metrics/v3/bucket/replication/src");
  assert.throws(() => metricsPath("v2", "nodes", undefined), /none of/);
});

test("the token is an HS512 JWT of the access key", () => {
  const [header = "", payload = "", signature] = bearerToken("AK", "SK", 1_000_000).split(".");
  assert.deepEqual(JSON.parse(Buffer.from(header, "base64url").toString()), { alg: "HS512", typ: "JWT" });
  const claims = { exp: 1000 + 3_153_600_000, sub: "AK", iss: "prometheus" };
  assert.deepEqual(JSON.parse(Buffer.from(payload, "base64url").toString()), claims);
  assert.equal(signature, createHmac("sha512", "SK").update(`${header}.${payload}`).digest("base64url"));
});

test("the scrape configuration is YAML", () => {
  const config = {
    jobName: "minio-job",
    bearerToken: "T",
    metricsPath: "/minio/v2/metrics/cluster",
    scheme: "http",
    staticConfigs: [{ targets: ["a.example:9000"] }],
  };
  assert.match(scrapeText(config), /^scrape_configs:\n- job_name: minio-job\n {2}bearer_token: T\n/);
});
