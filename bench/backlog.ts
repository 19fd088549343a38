/**
 * What a long change log costs:
 *   node bench/backlog.ts [--pending 1000000] [--size 128]
 * Fills the source's index while its target is away, all but HTTP. Then, as processes: how soon the source serves after
 * kill -9, what it takes to tell how much waits, what PUTs and memory are like meanwhile, and how fast all of it goes
 * when the target is back.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { AdminClient } from "../src/client/admin-client.ts";
import { S3Client } from "../src/client/s3-client.ts";
import type { BucketName, ObjectKey } from "../src/model/names.ts";
import { createObjects } from "../src/objects/create.ts";
import { bodyOf, PLAIN } from "../src/objects/testing.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { systemRandom } from "../src/runtime/random.ts";
import { openBlobStore } from "../src/storage/blobs/store.ts";
import { openLmdbIndex } from "../src/storage/index/lmdb/index.ts";
import { connectSites, endpoint, makeBucket } from "./link.ts";
import { load } from "./load.ts";
import { ACCESS, cpuMicros, memory, SECRET, signed, startSite, type BenchSite } from "./site.ts";

const { values } = parseArgs({
  options: { pending: { type: "string", default: "1000000" }, size: { type: "string", default: "128" } },
});
const PENDING = Number(values.pending);
const body = randomBytes(Number(values.size));
const FILL_IN_FLIGHT = 1024;
const PUTS = 2000;
const SHOW_MS = 10_000;
const LOOK_MS = 100;
const root = resolve(import.meta.dirname, "..");

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work();
  say(`${name}: ${(performance.now() - started).toFixed(0)} ms`);
  return result;
}

/** PENDING versions with their rows in the change log, written by the same code that serves PUTs. */
async function fill(dir: string): Promise<void> {
  const site = join(dir, "site");
  const index = await openLmdbIndex({ path: join(site, "index") });
  const blobs = await openBlobStore({ directory: site, random: systemRandom });
  const objects = createObjects({
    index,
    blobs,
    clock: systemClock(),
    random: systemRandom,
    poke: () => undefined,
  });
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < PENDING) {
      const key = `bench/${String(next++).padStart(9, "0")}` as ObjectKey;
      await objects.put({ bucket: "bench" as BucketName, key, attributes: PLAIN, body: bodyOf(body) });
    }
  };
  await Promise.all(Array.from({ length: FILL_IN_FLIGHT }, one));
  await blobs.close();
  await index.close();
}

interface Stats {
  readonly pendingReplicationCount: number;
  readonly pendingReplicationSize: number;
}

async function pendingOf(client: S3Client): Promise<Stats> {
  const answer = await client.send({ method: "GET", bucket: "bench", query: { "replication-metrics": "" } });
  return JSON.parse((await answer.bytes()).toString()) as Stats;
}

async function prometheus(site: BenchSite): Promise<string> {
  const admin = new AdminClient(endpoint(site));
  try {
    const path = `/minio/v2/metrics/bucket`;
    const answer = await fetch(`http://127.0.0.1:${site.port}${path}`);
    return await answer.text();
  } finally {
    await admin.close();
  }
}

function mc(site: BenchSite, args: readonly string[]): Promise<string> {
  const env = { ...process.env, MC_HOST_source: `http://${ACCESS}:${SECRET}@127.0.0.1:${site.port}` };
  const child = spawn(join(root, "bin", "mc"), args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  return new Promise((done) => child.on("close", () => done(out)));
}

async function puts(name: string, site: BenchSite): Promise<void> {
  const requests = Array.from({ length: PUTS }, (_, i) =>
    signed(site.port, { method: "PUT", path: `/bench/later/${name.length}-${i}`, body }),
  );
  const cpu = cpuMicros(site.pid);
  const result = await load({ port: site.port, connections: 8, requests });
  const each = Math.round((cpuMicros(site.pid) - cpu) / PUTS);
  say(
    `PUT, ${name}: ${Math.round(result.perSecond)}/s, p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms, ${each} us CPU`,
  );
}

/** Until nothing is pending. */
async function drain(source: BenchSite, target: BenchSite): Promise<void> {
  const client = new S3Client(endpoint(source));
  const started = performance.now();
  const before = (await pendingOf(client)).pendingReplicationCount;
  const cpu = { source: cpuMicros(source.pid), target: cpuMicros(target.pid) };
  let peakMiB = 0;
  let shown = started;
  for (let left = before; left > 0; left = (await pendingOf(client)).pendingReplicationCount) {
    peakMiB = Math.max(peakMiB, memory(source.pid).privateMiB);
    if (performance.now() - shown > SHOW_MS) {
      shown = performance.now();
      const rate = (before - left) / ((shown - started) / 1000);
      say(`  ${left} left, ${Math.round(rate)}/s, ${memory(source.pid).privateMiB} MiB`);
    }
    await pause(LOOK_MS);
  }
  const seconds = (performance.now() - started) / 1000;
  const each = (pid: number, from: number): number => Math.round((cpuMicros(pid) - from) / before);
  const cost = `${each(source.pid, cpu.source)} us at the source, ${each(target.pid, cpu.target)} us at the target`;
  const rate = `${seconds.toFixed(1)} s: ${Math.round(before / seconds)}/s`;
  say(`drained ${before} in ${rate}; CPU each ${cost}; memory at most ${peakMiB} MiB`);
  await client.close();
}

let source = await startSite(1, undefined, { RESILVER_PROMETHEUS_AUTH_TYPE: "public" });
let target = await startSite(1);
try {
  for (const site of [source, target]) {
    const client = new S3Client(endpoint(site));
    await makeBucket(client, "bench");
    await client.close();
  }
  await connectSites(source, target);
  await target.pause();
  await puts("empty log", source);
  await source.pause();
  const { dir, port } = source;
  await timed(`${PENDING} versions written`, () => fill(dir));
  const again = (): Promise<BenchSite> => startSite(1, { dir, port }, { RESILVER_PROMETHEUS_AUTH_TYPE: "public" });
  source = await timed("start", again);
  await source.kill();
  source = await timed("start after kill -9", again);
  const client = new S3Client(endpoint(source));
  const stats = await timed("?replication-metrics, the first", () => pendingOf(client));
  say(`pending: ${stats.pendingReplicationCount} versions, ${stats.pendingReplicationSize} bytes`);
  await timed("?replication-metrics", () => pendingOf(client));
  const text = await timed("/minio/v2/metrics/bucket", () => prometheus(source));
  say(
    text
      .split("\n")
      .filter((line) => line.startsWith("resilver_replication_pending_versions"))
      .join("\n"),
  );
  say(await timed("mc replicate status", () => mc(source, ["replicate", "status", "source/bench"])));
  await puts("with the log full", source);
  say(`memory of the source: ${memory(source.pid).privateMiB} MiB`);
  target = await startSite(1, { dir: target.dir, port: target.port });
  await drain(source, target);
  await client.close();
} finally {
  await source.stop();
  await target.stop();
}
process.exit(0);
