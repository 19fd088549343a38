/**
 * Bringing a site back:
 *   node bench/resync.ts [--objects 20000] [--size 1024] [--loss 0.001] [--workers 1]
 * Fills both sites, takes the given share of the versions from the target (1: its whole data directory), and times the
 * resync from the command to its verified end. Beside it the rates at which the target takes client PUTs, and the same
 * versions as the requests of a peer. The sites are
 * filled while they are down, through their indexes (see fill.ts), with what replication would have left on each side:
 * only so are millions of versions there in minutes.
 */
import { createHash, randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { S3Client } from "../src/client/s3-client.ts";
import { encodeIngestItem, INGEST_ITEMS_MAX, INGEST_PATH } from "../src/protocol/ingest.ts";
import { newObjectHeaders } from "../src/replication/headers.ts";
import { fillDirectory, keyOf, versionIdOf, versionOf } from "./fill.ts";
import { connectSites, endpoint, makeBucket } from "./link.ts";
import { load } from "./load.ts";
import { cpuByThread, memory, NO_CPU, signed, startSite, type BenchSite, type CpuByThread } from "./site.ts";

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "20000" },
    size: { type: "string", default: "1024" },
    loss: { type: "string", default: "0.001" },
    workers: { type: "string", default: "1" },
  },
});
const objects = Number(values.objects);
const loss = Number(values.loss);
const workers = Number(values.workers);
const body = randomBytes(Number(values.size));
const ALONE_MAX = 20_000;
/** The status is asked for this often, later every hundredth of the time so far: no finer time is told below. */
const ASK_MS = 10;

/** Client PUTs to a site; how many a second it takes. */
async function puts(site: BenchSite, bucket: string, count: number): Promise<number> {
  const requests = Array.from({ length: count }, (_, i) =>
    signed(site.port, { method: "PUT", path: `/${bucket}/${keyOf(i)}`, body }),
  );
  return (await load({ port: site.port, connections: 32, requests })).perSecond;
}

/** The same versions as a peer's requests of many, two at a time: the most that the target takes in durably. */
async function ingests(site: BenchSite, bucket: string, count: number): Promise<number> {
  const requests: (readonly Buffer[])[] = [];
  const etag = createHash("md5").update(body).digest("hex");
  for (let from = 0; from < count; from += INGEST_ITEMS_MAX) {
    const pieces: Buffer[] = [];
    for (let i = from; i < Math.min(count, from + INGEST_ITEMS_MAX); i++) {
      const headers = newObjectHeaders(versionOf(i, body, etag), { resyncId: "bench" }, { mtime: true, etag: true });
      pieces.push(...encodeIngestItem({ key: `ingest/${keyOf(i)}`, versionId: versionIdOf(i), headers, body }));
    }
    const query = `bucket=${bucket}`;
    requests.push(signed(site.port, { method: "POST", path: INGEST_PATH, query, body: [Buffer.concat(pieces)] }));
  }
  const { seconds } = await load({ port: site.port, connections: 2, requests });
  const last = `ingest/${keyOf(count - 1)}`;
  const answer = await new S3Client(endpoint(site)).send({ method: "HEAD", bucket, key: last });
  if (answer.status !== 200) throw new Error("the target did not take what it was sent");
  return count / seconds;
}

/** Purges every n-th version at the target, which replicates nothing itself: they are lost there alone. */
async function lose(site: BenchSite, share: number): Promise<number> {
  const requests: (readonly Buffer[])[] = [];
  for (let i = 0; i < objects; i += Math.round(1 / share)) {
    const query = `versionId=${versionIdOf(i)}`;
    requests.push(signed(site.port, { method: "DELETE", path: `/bench/${keyOf(i)}`, query }));
  }
  const { failed } = await load({ port: site.port, connections: 32, requests });
  if (failed > 0) throw new Error(`${failed} versions could not be purged`);
  return requests.length;
}

interface Report {
  readonly resyncStatus: string;
  readonly verified?: boolean;
  readonly sent: number;
  readonly compared: number;
}

async function resync(client: S3Client, arn: string): Promise<Report> {
  const start = { arn, "reset-id": crypto.randomUUID() };
  await client.send({ method: "PUT", bucket: "bench", query: { "replication-reset": "", ...start } });
  const started = performance.now();
  for (;;) {
    const answer = await client.send({
      method: "GET",
      bucket: "bench",
      query: { "replication-reset-status": "", arn },
    });
    const [report] = (JSON.parse((await answer.bytes()).toString()) as { target: Report[] }).target;
    if (report !== undefined && !["Pending", "Ongoing"].includes(report.resyncStatus)) return report;
    await pause(Math.max(ASK_MS, (performance.now() - started) / 100));
  }
}

let source = await startSite(workers);
let target = await startSite(workers);
try {
  await makeBucket(new S3Client(endpoint(source)), "bench");
  await makeBucket(new S3Client(endpoint(target)), "bench");
  await makeBucket(new S3Client(endpoint(target)), "alone");
  const alone = await puts(target, "alone", Math.min(objects, ALONE_MAX));
  const bulk = await ingests(target, "alone", Math.min(objects, ALONE_MAX));
  const arn = await connectSites(source, target);
  await Promise.all([source.pause(), target.pause()]);
  const filling = { bucket: "bench", count: objects, body };
  const sent = { targets: { [arn]: "COMPLETED" } } as const;
  const fillings = [fillDirectory({ ...filling, dir: join(source.dir, "site"), replication: sent })];
  const replication = { replica: true, targets: {} } as const;
  if (loss >= 1) rmSync(join(target.dir, "site"), { recursive: true });
  else fillings.push(fillDirectory({ ...filling, dir: join(target.dir, "site"), replication }));
  const filledFrom = performance.now();
  await Promise.all(fillings);
  process.stderr.write(`filled in ${((performance.now() - filledFrom) / 1000).toFixed(0)} s\n`);
  source = await startSite(workers, source);
  target = await startSite(workers, target);
  if (loss >= 1) await makeBucket(new S3Client(endpoint(target)), "bench");
  const lost = loss >= 1 ? objects : await lose(target, loss);
  const from = new S3Client(endpoint(source));
  const sites = [source, target];
  const cpu = sites.map(({ pid }) => cpuByThread(pid));
  const started = performance.now();
  const report = await resync(from, arn);
  const seconds = (performance.now() - started) / 1000;
  const used = sites.map(({ pid }, i) => {
    const [now, before] = [cpuByThread(pid), cpu[i] ?? NO_CPU];
    const each = (kind: keyof CpuByThread): string => ((now[kind] - before[kind]) / lost).toFixed(0);
    return `${each("all")} us (main thread ${each("main")}, index writer ${each("workers")})`;
  });
  process.stdout.write(
    `versions ${objects}, lost ${lost}: ${report.resyncStatus}, verified ${String(report.verified)}, sent ${report.sent} of ${report.compared}\n` +
      `from the command to its end:  ${seconds.toFixed(2)} s, ${(lost / seconds).toFixed(0)} versions/s\n` +
      `the target alone, PUT:        ${alone.toFixed(0)}/s\n` +
      `the target alone, ingest:     ${bulk.toFixed(0)}/s\n` +
      `CPU per lost version:         source ${used[0]}, target ${used[1]}\n` +
      `memory:                       source ${memory(source.pid).privateMiB} MiB, target ${memory(target.pid).privateMiB} MiB\n`,
  );
  process.exitCode = report.verified === true && report.sent === lost ? 0 : 1;
} finally {
  await Promise.all([source.stop(), target.stop()]);
}
