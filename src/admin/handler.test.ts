import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import type { AdminCall } from "../client/admin-client.ts";
import { TEST_ROOT } from "../iam/testing.ts";
import { bucketName } from "../objects/testing.ts";
import { routeAt, ROUTES } from "./handler.ts";
import { bucketParameter } from "./request.ts";
import { addUser, get, policyOf, put, refused, sealed, SECRET } from "./testing-calls.ts";
import type { TestAdmin } from "./testing.ts";
import { testAdmin } from "./testing.ts";

type Json = Record<string, unknown>;

let admin: TestAdmin;
before(async () => {
  admin = await testAdmin();
});
after(() => admin.close());

test("paths and names that nobody signed cost no more than their length", () => {
  // So long that a look at each slash from each slash would not end.
  const many = 4_000_000;
  assert.equal(routeAt("GET", `/minio/admin/v3${"/a".repeat(many)}`), undefined);
  assert.equal(routeAt("POST", `/minio/admin/v3/heal/bucket${"/a".repeat(many)}`)?.path, "heal/*");
  assert.equal(bucketParameter(`${"/".repeat(many)}x`), `${"/".repeat(many)}x`);
  assert.deepEqual(["b", "b//", "/", ".", "./", ""].map(bucketParameter), ["b", "b", "", "", "", ""]);
});

test("the longest route below a path is its route", () => {
  assert.equal(routeAt("PUT", "/minio/admin/v3/site-replication/peer/join")?.path, "site-replication/peer/*");
  assert.equal(routeAt("POST", "/minio/admin/v3/revoke-tokens/builtin")?.path, "revoke-tokens/builtin");
  assert.equal(routeAt("POST", "/minio/admin/v3/revoke-tokens/ldap")?.path, "revoke-tokens/*");
  assert.equal(routeAt("GET", "/minio/admin/v3/tier/COLD")?.path, "tier/*");
  assert.equal(routeAt("GET", "/minio/admin/v3/tier")?.path, "tier");
  assert.equal(routeAt("GET", "/minio/admin/v3/tierx/COLD"), undefined);
});

test("a heal of a path that is not percent-encoded is the caller's mistake", async () => {
  await refused(admin.root, { method: "POST", path: "heal/b/%zz" }, 400, "InvalidArgument");
});

test("unknown calls are 426 before anyone is asked for a name", async () => {
  const cases: [string, string][] = [
    ["GET", "/minio/admin/v4/info"],
    ["GET", "/minio/admin/v3/nothing"],
    ["POST", "/minio/admin/v3/info"],
    ["GET", "/minio/admin/v3/list-remote-targets?bucket=b"],
    ["GET", "/minio/admin/v3/info/"],
    ["GET", "/minio/admin"],
  ];
  for (const [method, path] of cases) {
    const response = await fetch(admin.url + path, { method });
    const text = await response.text();
    const document = JSON.parse(text) as Json;
    assert.equal(response.status, 426, path);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.deepEqual(
      [document["Code"], document["RequestId"], document["HostId"]],
      ["XMinioAdminVersionMismatch", "", ""],
    );
    assert.ok(text.endsWith("\n"));
  }
  assert.equal((await fetch(`${admin.url}/minio/other`)).status, 404, "not ours");
  assert.equal((await fetch(`${admin.url}/minio/kms/v1/nothing`)).status, 501);
  assert.equal((await fetch(`${admin.url}/minio/kms/v1/status`)).status, 403);
  await refused(admin.root, get("/minio/kms/v1/status"), 501, "NotImplemented");
});

test("who may ask: signatures, keys, bodies", async () => {
  const anonymous = await fetch(`${admin.url}/minio/admin/v3/info`);
  assert.equal(anonymous.status, 403);
  assert.equal(((await anonymous.json()) as Json)["Code"], "AccessDenied");
  await refused(admin.client("nobody", SECRET), get("info"), 403, "InvalidAccessKeyId");
  await refused(admin.client(TEST_ROOT.accessKey, "wrong secret"), get("info"), 403, "SignatureDoesNotMatch");
  const error = await refused(await addUser(admin, "powerless"), get("info"), 403, "AccessDenied");
  assert.equal(error.resource, "/minio/admin/v3/info");
  assert.ok(error.requestId !== "" && error.hostId === "host");
  await admin.iam.users.setEnabled("powerless", false);
  await refused(admin.client("powerless", SECRET), get("info"), 403, "InvalidAccessKeyId");
  await refused(
    admin.root,
    put("add-user", { accessKey: "plain" }, { secretKey: SECRET }),
    400,
    "XMinioAdminConfigBadJSON",
  );
  const large = { method: "PUT", path: "add-user", query: { accessKey: "large" }, body: Buffer.alloc(262_273) };
  await refused(admin.root, large, 400, "XMinioAdminConfigTooLarge");
});

test("remote targets are handed on with their flags; errors and statuses are the protocol's", async () => {
  await admin.site.objects.createBucket(bucketName("src"), { owner: TEST_ROOT.accessKey });
  const target = { endpoint: "b:9000", targetbucket: "dst", type: "replication" };
  const arn = await admin.root.json<string>(sealed(put("set-remote-target", { bucket: "src/" }, target)));
  assert.match(arn, /^arn:minio:replication:/);
  await admin.root.call(
    sealed(
      put("set-remote-target", { bucket: "src", update: "true", creds: "true", sync: "false" }, { ...target, arn }),
    ),
  );
  assert.deepEqual(admin.calls.splice(0), [
    ["set", "src", target, []],
    ["set", "src", { ...target, arn }, ["update", "creds"]],
  ]);
  assert.equal((await admin.root.call(get("list-remote-targets", { bucket: "src", type: "" }))).toString(), "null");
  assert.equal((await admin.root.call(get("list-remote-targets", { bucket: "", type: "" }))).toString(), "null");
  const remove = { method: "DELETE", path: "remove-remote-target", query: { bucket: "src", arn: "x" } };
  const error = await refused(admin.root, remove, 404, "XMinioAdminRemoteTargetNotFoundError");
  assert.equal(error.bucket, "src");
  await refused(admin.root, sealed(put("set-remote-target", { bucket: "none" }, target)), 404, "NoSuchBucket");
  await refused(admin.root, put("set-remote-target", { bucket: "src" }, target), 400, "XMinioAdminConfigBadJSON");
  await refused(
    await addUser(admin, "reader", "readonly"),
    get("list-remote-targets", { bucket: "src", type: "" }),
    403,
    "AccessDenied",
  );
  const replicator = await addUser(admin, "replicator", "ReplicationAdminPolicy");
  await replicator.call(get("list-remote-targets", { bucket: "src", type: "" }));
});

test("backlog streams one object a line", async () => {
  const diff: Json[] = [];
  for await (const line of admin.root.objects<Json>({
    method: "POST",
    path: "replication/diff",
    query: { bucket: "src" },
  }))
    diff.push(line);
  assert.deepEqual(
    diff.map((line) => line["object"]),
    ["a", "b"],
  );
  assert.equal("error" in (diff[0] ?? {}), false);
  const failed: Json[] = [];
  for await (const line of admin.root.objects<Json>(get("replication/mrf", { bucket: "", node: "all" })))
    failed.push(line);
  assert.equal(failed[0]?.["bucket"], "all");
  await refused(
    admin.root,
    { method: "POST", path: "replication/diff", query: { bucket: "src", arn: "unknown" } },
    400,
    "InvalidRequest",
  );
});

test("info keeps its arrays consistent, and the account sees its buckets", async () => {
  const info = await admin.root.json<Json>(get("info", { metrics: "false" }));
  const backend = info["backend"] as { totalSets: number[]; totalDrivesPerSet: number[] };
  const [server] = info["servers"] as { drives: { pool_index: number; set_index: number }[]; endpoint: string }[];
  assert.equal(info["mode"], "online");
  assert.equal(backend.totalSets.length, backend.totalDrivesPerSet.length);
  assert.ok(server?.drives.every((drive) => drive.pool_index < backend.totalSets.length));
  assert.equal(server?.drives.length, backend.totalDrivesPerSet[0]);
  assert.equal(((await admin.root.json<Json>(get("storageinfo")))["Disks"] as unknown[]).length, 1);
  const usage = await admin.root.json<Json>(get("datausageinfo", { capacity: "true" }));
  assert.ok("src" in (usage["bucketsUsageInfo"] as Json));
  assert.deepEqual(await admin.root.json(get("site-replication/info", { "api-version": "1" })), { enabled: false });
  assert.equal((await admin.root.json<Json>(get("site-replication/status")))["Enabled"], false);
  const account = await admin.root.json<Json>(get("accountinfo"));
  assert.deepEqual(
    (account["Buckets"] as Json[]).map((bucket) => [bucket["name"], bucket["access"]]),
    [["src", { read: true, write: true }]],
  );
  const nothing = await (await addUser(admin, "blind")).json<Json>(get("accountinfo"));
  assert.deepEqual(nothing["Buckets"], []);
});

test("service: acts after its answer, in both forms, never on a dry run", async () => {
  admin.calls.splice(0);
  const service = (query: Record<string, string>): AdminCall => ({ method: "POST", path: "service", query });
  const answer = await admin.root.json<Json>(service({ action: "restart", type: "2", "dry-run": "true" }));
  assert.deepEqual(answer, { action: "restart", dryRun: true, results: [{ host: "n:9000" }] });
  await admin.root.call(service({ action: "freeze", type: "2" }));
  assert.equal((await admin.root.call(service({ action: "unfreeze" }))).length, 0);
  assert.deepEqual(admin.calls.splice(0), [
    ["control", "freeze"],
    ["control", "unfreeze"],
  ]);
  await refused(admin.root, service({ action: "explode" }), 400, "MalformedPOSTRequest");
  await admin.iam.policies.put("stopper", policyOf("admin:ServiceStop"));
  await refused(await addUser(admin, "stopper", "stopper"), service({ action: "restart" }), 403, "AccessDenied");
});

test("health needs no name and says what peers and probes look for", async () => {
  const look = async (path: string, method = "GET") => fetch(`${admin.url}/minio/health/${path}`, { method });
  const live = await look("live");
  assert.deepEqual([live.status, live.headers.get("x-resilver"), await live.text()], [200, "1", ""]);
  const cluster = await look("cluster", "HEAD");
  assert.deepEqual([cluster.status, cluster.headers.get("x-minio-write-quorum")], [200, "1"]);
  assert.equal((await look("cluster/read")).headers.get("x-minio-read-quorum"), "1");
  assert.equal((await look("cluster?maintenance=true")).status, 412);
  admin.setReady(false);
  assert.deepEqual(
    [(await look("cluster")).status, (await look("ready")).headers.get("x-minio-server-status")],
    [503, "offline"],
  );
  admin.setReady(true);
  assert.equal((await look("other")).status, 404);
});

test("a site with its extensions switched off does not say what it is", async (t) => {
  const silent = await testAdmin({ peerProtocol: undefined });
  t.after(() => silent.close());
  const live = await fetch(`${silent.url}/minio/health/live`);
  assert.deepEqual([live.status, live.headers.get("x-resilver")], [200, null]);
});

function token(claims: Json, secret: string, alg = "HS512", digest = "sha512"): string {
  const part = (value: Json): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg, typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac(digest, secret).update(signed).digest("base64url")}`;
}

test("metrics: who may read them, and what each endpoint shows", async () => {
  const v3 = { path: "api/requests", name: "minio_api_requests_total" };
  admin.metrics.counter({ name: "minio_s3_requests_total", help: "h", v2: "node", v3 }).add({ api: "getobject" });
  const exp = 4_000_000_000;
  const look = (path: string, bearer?: string) =>
    fetch(`${admin.url}/minio${path}`, { headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` } });
  const root = token({ exp, sub: TEST_ROOT.accessKey, iss: "prometheus" }, TEST_ROOT.secretKey);
  const cluster = await look("/v2/metrics/cluster", root);
  assert.equal(cluster.status, 200);
  assert.match(await cluster.text(), /minio_cluster_health_status\{server="n:9000"\} 1/);
  assert.match(
    await (await look("/v2/metrics/bucket", root)).text(),
    /minio_bucket_usage_object_total\{server="n:9000",bucket="src"\} 0/,
  );
  assert.match(await (await look("/v2/metrics/node", root)).text(), /minio_s3_requests_total/);
  assert.match(await (await look("/metrics/v3/api/requests", root)).text(), /^# HELP minio_api_requests_total/);
  assert.match(await (await look("/metrics/v3/cluster?list", root)).text(), /\| `minio_cluster_health_status` \|/);
  assert.equal((await look("/metrics/v3/nothing", root)).status, 404);
  const replication = { rules: [], role: "" };
  await admin.site.objects.updateBucket(bucketName("src"), (bucket) => ({ ...bucket, replication }));
  const bucketText = await (await look("/metrics/v3/bucket/replication/src", root)).text();
  assert.match(
    bucketText,
    /minio_bucket_replication_sent_bytes\{server="n:9000",bucket="src",targetArn="arn:[^"]+"\} 30/,
  );
  assert.match(bucketText, /resilver_replication_pending_versions\{[^}]+\} 2/);
  assert.match(bucketText, /minio_bucket_replication_received_bytes\{server="n:9000",bucket="src"\} 7/);
  assert.match(bucketText, /resilver_replication_not_replicable_versions\{[^}]+\} 1/);
  assert.match(bucketText, /resilver_replication_unreachable\{[^}]+\} 0/);
  assert.match(bucketText, /resilver_replication_oldest_pending_seconds\{[^}]+\} [1-9]/);
  assert.match(bucketText, /minio_bucket_replication_credential_errors\{[^}]+\} 3/);
  assert.match(bucketText, /minio_bucket_replication_proxied_get_requests_total\{[^}]+\} 9/);
  const nodeText = await (await look("/metrics/v3/replication", root)).text();
  assert.match(nodeText, /minio_replication_max_queued_bytes\{[^}]+\} 20/);
  assert.match(nodeText, /minio_replication_recent_backlog_count\{[^}]+\} 2/);
  const bad = [
    undefined,
    "x.y.z",
    token({ exp, sub: TEST_ROOT.accessKey, iss: "prometheus" }, "wrong"),
    token({ exp: 1, sub: TEST_ROOT.accessKey, iss: "prometheus" }, TEST_ROOT.secretKey),
    token({ exp, sub: TEST_ROOT.accessKey, iss: "other" }, TEST_ROOT.secretKey),
    token({ exp, sub: TEST_ROOT.accessKey, iss: "prometheus" }, TEST_ROOT.secretKey, "none"),
    token({ exp, sub: "blind", iss: "prometheus" }, SECRET),
  ];
  for (const bearer of bad) assert.equal((await look("/v2/metrics/cluster", bearer)).status, 403, bearer ?? "none");
  await addUser(admin, "watcher", "diagnostics");
  const watcher = token({ exp, sub: "watcher", iss: "prometheus" }, SECRET, "HS256", "sha256");
  assert.equal((await look("/v2/metrics/node", watcher)).status, 200);
});

test("every call but those about oneself names the right it needs, and nobody else gets in", async () => {
  const nobody = await addUser(admin, "outsider");
  for (const route of ROUTES) {
    if (!Array.isArray(route.actions)) continue;
    const query = Object.fromEntries(route.query.map((name) => [name, "x"]));
    await refused(nobody, { method: route.method, path: route.path, query }, 403, "AccessDenied");
  }
});

test("quotas: both names of the limit, clearing, and what cannot be limited", async () => {
  const bucket = "src";
  const set = (value: object): AdminCall => put("set-bucket-quota", { bucket }, value);
  const none = { quota: 0, size: 0, rate: 0, requests: 0 };
  assert.deepEqual(await admin.root.json(get("get-bucket-quota", { bucket })), none);
  await admin.root.call(set({ quota: 1000, quotatype: "hard" }));
  const limited = { quota: 1000, size: 1000, rate: 0, requests: 0, quotatype: "hard" };
  assert.deepEqual(await admin.root.json(get("get-bucket-quota", { bucket: "src/" })), limited);
  const account = await admin.root.json<{ Buckets: { details: Json }[] }>(get("accountinfo"));
  assert.deepEqual(account.Buckets[0]?.details["quota"], limited);
  await admin.root.call(set({ quota: 1000, size: 2000, quotatype: "hard" }));
  assert.equal((await admin.site.objects.bucket(bucketName(bucket))).quota, 2000);
  await refused(admin.root, set({ quota: 5, quotatype: "fifo" }), 400, "InvalidRequest");
  await refused(admin.root, set({ quota: 5 }), 400, "InvalidRequest");
  await refused(admin.root, set({ size: 5, rate: 1 }), 400, "InvalidRequest");
  await refused(admin.root, set({ quota: -5, quotatype: "hard" }), 400, "InvalidRequest");
  await refused(admin.root, put("set-bucket-quota", { bucket: "absent" }, {}), 404, "NoSuchBucket");
  await admin.root.call(set({ quota: 0 }));
  assert.deepEqual(await admin.root.json(get("get-bucket-quota", { bucket })), none);
});
