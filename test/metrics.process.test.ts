/** The metrics as Prometheus sees them: every endpoint, with and without a token, read by Prometheus' own checker. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { versionOf } from "../tools/clients/command.ts";
import { awsClient } from "./support/clients.ts";
import { mcRunner } from "./support/mc-run.ts";
import { cleanUp, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";

const V2 = ["cluster", "node", "bucket", "resource"].map((name) => `/minio/v2/metrics/${name}`);
const V3 = [
  "",
  "/api/requests",
  "/cluster",
  "/cluster/health",
  "/cluster/usage/objects",
  "/cluster/usage/buckets",
  "/system/process",
  "/replication",
  "/bucket/replication",
  "/bucket/replication/odd.name-1",
].map((path) => `/minio/metrics/v3${path}`);
const PATHS = [...V2, "/minio/prometheus/metrics", ...V3];
/** Suffixes and units of MinIO's names, and its label `targetArn`, which our own families carry too. */
const MINIO_NAMES = /^minio_\w+ .*(suffix|abbreviated units)$|^\w+ label names should be .* not 'camelCase'$/;
const Bucket = "odd.name-1";
/** What promtool ends with when the text can be read and it dislikes a name. */
const DISLIKES = 3;

let open: RunningServer;
let closed: RunningServer;

before(async () => {
  [open, closed] = await Promise.all([
    startServer({ env: { RESILVER_PROMETHEUS_AUTH_TYPE: "public" } }),
    startServer({ workers: 2 }),
  ]);
  const { mc } = mcRunner({ open, closed }, temporaryFolder());
  await mc(`mb --with-versioning open/${Bucket} closed/${Bucket}`);
  await mc(`quota set open/${Bucket} --size 1GiB`);
  await mc(`replicate add open/${Bucket} --remote-bucket closed/${Bucket}`);
  const s3 = awsClient(open);
  await s3.send(new sdk.PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  await s3.send(new sdk.GetObjectCommand({ Bucket, Key: "k" }));
  await s3.send(new sdk.GetObjectCommand({ Bucket, Key: 'missing"\\\n' })).catch(() => undefined);
  s3.destroy();
});
after(cleanUp);

const promtool = await versionOf("promtool", ["--version"], /version (\S+)/);
const skip = promtool === undefined && "promtool is not installed: apt-get install prometheus";

test("promtool reads every endpoint; only names that are MinIO's displease it", { skip }, async () => {
  for (const path of PATHS) {
    const response = await fetch(open.url + path);
    assert.equal(response.status, 200, path);
    const input = await response.text();
    assert.ok(input.length > 0, path);
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
    assert.ok(status === 0 || status === DISLIKES, `${path}: ${stdout}${stderr}`);
    for (const line of `${stdout}${stderr}`.split("\n").filter((one) => one !== "")) {
      assert.match(line, MINIO_NAMES, `${path}: ${line}`);
    }
  }
});

test("what operators look at is there, with numbers", async () => {
  const text = await (await fetch(`${open.url}/minio/prometheus/metrics`)).text();
  const value = (pattern: RegExp): number => {
    const line = text.split("\n").find((one) => pattern.test(one));
    assert.ok(line !== undefined, `${pattern}\n${text}`);
    return Number(line.slice(line.lastIndexOf(" ") + 1));
  };
  assert.ok(value(/^minio_s3_requests_total\{.*api="putobject"/) >= 1);
  assert.ok(value(/^minio_s3_requests_errors_total\{.*api="getobject"/) >= 1);
  assert.ok(value(/^minio_s3_requests_ttfb_seconds_distribution_bucket\{.*le="\+Inf"/) >= 1);
  assert.ok(value(/^minio_s3_traffic_received_bytes/) >= 1);
  assert.equal(value(/^minio_cluster_health_status/), 1);
  assert.equal(value(/^minio_bucket_quota_total_bytes\{.*bucket="odd.name-1"/), 1024 ** 3);
  for (const name of ["pending_versions", "pending_bytes", "oldest_pending_seconds", "lag_seconds"]) {
    assert.ok(value(new RegExp(`^resilver_replication_${name}\\{.*targetArn="arn:`)) >= 0);
  }
  for (const name of ["sent_count", "sent_bytes", "total_failed_count"]) {
    assert.ok(value(new RegExp(`^minio_bucket_replication_${name}\\{.*targetArn="arn:`)) >= 0);
  }
});

test("without the public mode a token is needed, and every process knows it", async () => {
  const path = "/minio/v2/metrics/cluster";
  assert.equal((await fetch(closed.url + path)).status, 403);
  const { mc } = mcRunner({ closed }, temporaryFolder());
  const [made] = (await mc("admin prometheus generate closed --json")).objects;
  const headers = { authorization: `Bearer ${String(made?.["bearerToken"])}`, connection: "close" };
  for (let i = 0; i < 8; i++) assert.equal((await fetch(closed.url + path, { headers })).status, 200);
  assert.match((await mc("admin prometheus metrics closed")).stdout, /^# HELP minio_cluster_/m);
});

test("one answer holds the numbers of every process", async () => {
  const { mc } = mcRunner({ closed }, temporaryFolder());
  const scrape = async (): Promise<{ processes: number; calls: number }> => {
    const { stdout } = await mc("admin prometheus metrics closed node");
    const calls = stdout.split("\n").filter((line) => /^minio_s3_requests_total\{.*api="headbucket"/.test(line));
    const uptimes = stdout.split("\n").filter((line) => line.startsWith("minio_node_process_uptime_seconds{"));
    const sum = calls.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    return { processes: uptimes.length, calls: sum };
  };
  const before = await scrape();
  const asked = 20;
  for (let i = 0; i < asked; i++) {
    await fetch(`${closed.url}/${Bucket}`, { method: "HEAD", headers: { connection: "close" } });
  }
  assert.deepEqual(await scrape(), { processes: 2, calls: before.calls + asked });
});
