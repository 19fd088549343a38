/**
 * Everything that speaks of what waits for a target says the same, to the version and the byte, whatever was killed a moment
 * ago: replication metrics 1 and 2, `mc replicate status` and `backlog`, Prometheus 2 and 3. Nothing is green that was not
 * looked at.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { mcRunner, type McRunner } from "./support/mc-run.ts";
import { cleanUp, temporaryFolder } from "./support/server.ts";
import { putTags, setRule, Site, until } from "./support/site.ts";

const BUCKET = "data";
const PROMETHEUS = ["/minio/v2/metrics/bucket", `/minio/metrics/v3/bucket/replication/${BUCKET}`];
const WAIT_MS = 60_000;
/** A file, not a row of the index. */
const LARGE = 2_000_000;

let here: Site;
let there: Site;
let arn: string;

before(async () => {
  const env = { RESILVER_PROMETHEUS_AUTH_TYPE: "public" };
  [here, there] = await Promise.all([Site.start({ env }), Site.start({ env })]);
  for (const site of [here, there]) await site.makeBucket(BUCKET);
  arn = await setRule(here, there, BUCKET);
});
after(async () => {
  for (const site of [here, there]) await site?.close();
  await cleanUp();
});

interface Numbers {
  readonly state: string;
  readonly versions: number;
  readonly bytes: number;
  readonly failing: number;
  readonly notReplicable: number;
  readonly oldest: string;
}

interface TargetStats {
  readonly state: string;
  readonly reason?: string;
  readonly pendingReplicationCount: number;
  readonly pendingReplicationSize: number;
  readonly failedReplicationCount: number;
  readonly notReplicableCount: number;
  readonly oldestPending: string;
}

interface Stats extends Omit<TargetStats, "state"> {
  readonly Stats: Readonly<Record<string, TargetStats>>;
}

function numbersOf(all: Stats): Numbers {
  const one = all.Stats[arn] as TargetStats;
  assert.equal(all.pendingReplicationCount, one.pendingReplicationCount, "one target: the sum is its number");
  assert.equal(all.pendingReplicationSize, one.pendingReplicationSize);
  return {
    state: one.state,
    versions: one.pendingReplicationCount,
    bytes: one.pendingReplicationSize,
    failing: one.failedReplicationCount,
    notReplicable: one.notReplicableCount,
    oldest: one.oldestPending,
  };
}

const metrics = async <T>(version: string): Promise<T> =>
  JSON.parse(await here.text("GET", BUCKET, { query: { "replication-metrics": version } })) as T;

/** What Prometheus is told of the target. */
async function scraped(path: string): Promise<Omit<Numbers, "oldest">> {
  const text = await (await fetch(here.server.url + path)).text();
  const value = (name: string): number => {
    const line = text.split("\n").find((one) => one.startsWith(`resilver_replication_${name}{`) && one.includes(arn));
    assert.ok(line !== undefined, `${path}: ${name}\n${text}`);
    return Number(line.slice(line.lastIndexOf(" ") + 1));
  };
  return {
    state: value("unreachable") === 1 ? "UNREACHABLE" : "reachable",
    versions: value("pending_versions"),
    bytes: value("pending_bytes"),
    failing: value("failing_versions"),
    notReplicable: value("not_replicable_versions"),
  };
}

function mcOf(site: Site): McRunner {
  return mcRunner({ here: site.server }, temporaryFolder());
}

/** Asks everybody; demands one answer. */
async function told(): Promise<Numbers> {
  const one = numbersOf(await metrics<Stats>(""));
  const two = numbersOf((await metrics<{ currStats: Stats }>("2")).currStats);
  assert.deepEqual(two, one, "version 2 says what version 1 says");
  const reachable = one.state === "UNREACHABLE" ? one.state : "reachable";
  const { oldest: _age, ...plain } = { ...one, state: reachable };
  for (const path of PROMETHEUS) assert.deepEqual(await scraped(path), plain, path);
  const shown = (await mcOf(here).mc(`replicate status here/${BUCKET} --json`)).stdout;
  assert.ok(shown.includes(one.state), `${one.state} in ${shown}`);
  assert.ok(shown.includes(`"pendingReplicationCount":${one.versions}`), shown);
  const backlog = (await mcOf(here).mc(`replicate backlog here/${BUCKET} --json`)).objects;
  const names = new Set(backlog.map((line) => JSON.stringify([line["object"], line["versionId"], line["arn"]])));
  assert.equal(names.size, backlog.length, "nothing is listed twice");
  return one;
}

async function put(key: string, size: number): Promise<string> {
  const answer = await here.call("PUT", BUCKET, { key, body: Buffer.alloc(size, key) });
  await answer.discard();
  assert.equal(answer.status, 200);
  return answer.headers["x-amz-version-id"] ?? "";
}

test("what waits is told exactly and alike, also right after kill -9, and is not green while nobody was asked", async () => {
  // Until it was asked for the first time nothing is known of the target.
  await until(
    async () => numbersOf(await metrics<Stats>("")).state === "CAUGHT_UP",
    WAIT_MS,
    () => here.text("GET", BUCKET, { query: { "replication-metrics": "" } }),
  );
  assert.equal((await told()).state, "CAUGHT_UP");
  await there.kill();
  const sizes = [0, 1, 1000, 40_000, LARGE];
  const ids: string[] = [];
  for (const [i, size] of sizes.entries()) ids.push(await put(`k${i}`, size));
  await putTags(here, BUCKET, { key: "k0", versionId: ids[0] ?? "" }, { t: "1" });
  await here.text("DELETE", BUCKET, { key: "k1" });
  await here.text("DELETE", BUCKET, { key: "k2", query: { versionId: ids[2] ?? "" } });
  const rows = sizes.length + 3;
  const bytes = sizes.reduce((sum, size) => sum + size);
  const before = await told();
  assert.deepEqual(
    [before.state, before.versions, before.bytes, before.notReplicable],
    ["UNREACHABLE", rows, bytes, 0],
  );
  for (let again = 0; again < 3; again++) {
    await here.kill();
    await here.restart();
    const now = await told();
    assert.deepEqual([now.versions, now.bytes, now.oldest, now.state], [rows, bytes, before.oldest, "UNREACHABLE"]);
  }
  await there.restart();
  await until(
    async () => (await metrics<Stats>("")).pendingReplicationCount === 0,
    WAIT_MS,
    () => here.text("GET", BUCKET, { query: { "replication-metrics": "" } }),
  );
  assert.deepEqual(await told(), {
    state: "CAUGHT_UP",
    versions: 0,
    bytes: 0,
    failing: 0,
    notReplicable: 0,
    oldest: "",
  });
});

test("a target that holds its breath is unreachable, and costs its source nothing but rows", async () => {
  there.server.process.kill("SIGSTOP");
  try {
    for (let i = 0; i < 20; i++) await put(`breath-${i}`, 10);
    await until(
      async () => (await metrics<Stats>("")).Stats[arn]?.state === "UNREACHABLE",
      WAIT_MS,
      () => here.text("GET", BUCKET, { query: { "replication-metrics": "" } }),
    );
    const { versions, bytes } = await told();
    assert.deepEqual([versions, bytes], [20, 200]);
    const { stdout } = await mcOf(here).mc(`replicate status here/${BUCKET}`);
    assert.match(stdout, /Reason: +away since \d{4}-\S+: ./);
  } finally {
    there.server.process.kill("SIGCONT");
  }
  await until(
    async () => (await metrics<Stats>("")).Stats[arn]?.state === "CAUGHT_UP",
    WAIT_MS,
    () => here.text("GET", BUCKET, { query: { "replication-metrics": "" } }),
  );
});

test("what can never go is told with its reason, does not hold up others, and stays told when the target is away", async () => {
  await there.kill();
  const id = await put("lost", LARGE);
  rmSync(join(here.server.dir, "blobs"), { recursive: true });
  await put("plain", 10);
  await there.restart();
  await until(
    async () => {
      const { notReplicableCount, pendingReplicationCount } = (await metrics<Stats>("")).Stats[arn] as TargetStats;
      return notReplicableCount === 1 && pendingReplicationCount === 1;
    },
    WAIT_MS,
    () => here.text("GET", BUCKET, { query: { "replication-metrics": "" } }),
  );
  const numbers = await told();
  assert.deepEqual(
    [numbers.state, numbers.versions, numbers.bytes, numbers.failing, numbers.notReplicable],
    ["NOT_REPLICABLE", 1, LARGE, 1, 1],
  );
  const { reason } = (await metrics<Stats>("")).Stats[arn] as TargetStats;
  assert.match(reason ?? "", /^XResilverObjectDamaged: .* \(lost\)$/);
  const [line, ...more] = (await mcOf(here).mc(`replicate backlog here/${BUCKET} --json`)).objects;
  assert.equal(more.length, 0);
  assert.ok(
    JSON.stringify(line).includes(id) && JSON.stringify(line).includes("XResilverObjectDamaged"),
    JSON.stringify(line),
  );
  await there.kill();
  await here.kill();
  await here.restart();
  assert.deepEqual(await told(), { ...numbers, state: "UNREACHABLE" });
});

test("whoever removes a target is told how many changes it never got", async () => {
  const { versions } = await told();
  assert.ok(versions > 0);
  const [line] = (await mcOf(here).mc(`replicate rm here/${BUCKET} --all --force --json`)).objects;
  assert.equal(line?.["dropped"], versions);
  assert.match(here.server.log(), new RegExp(`is removed.*${versions} changes had not reached it`));
});
