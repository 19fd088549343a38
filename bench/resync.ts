/**
 * Bringing a site back:
 *   node bench/resync.ts [--objects 20000] [--size 1024] [--loss 0.001] [--workers 1]
 * Fills a site, replicates it, takes the given share of the versions from the target (1: its whole data directory), and
 * times the resync from the command to its verified end. Beside it the rate at which the target takes client PUTs.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { S3Client } from "../src/client/s3-client.ts";
import { parseXml } from "../src/protocol/xml.ts";
import { connectSites, drained, endpoint, makeBucket } from "./link.ts";
import { load } from "./load.ts";
import { cpuMicros, memory, signed, startSite, type BenchSite } from "./site.ts";

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
const BATCH = 20_000;
/** The status is asked for this often: no finer time is told below. */
const ASK_MS = 10;

const key = (i: number): string => `${(i % 97).toString(16)}/object-${i}`;

async function fill(site: BenchSite, bucket: string, count: number): Promise<number> {
  let seconds = 0;
  for (let from = 0; from < count; from += BATCH) {
    const requests = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) =>
      signed(site.port, { method: "PUT", path: `/${bucket}/${key(from + i)}`, body }),
    );
    seconds += (await load({ port: site.port, connections: 32, requests })).seconds;
  }
  return count / seconds;
}

/** Purges every n-th version at the target, which replicates nothing itself: they are lost there alone. */
async function lose(client: S3Client, share: number): Promise<number> {
  const every = Math.round(1 / share);
  let lost = 0;
  for (let marker = "", seen = 0; ;) {
    const answer = await client.send({ method: "GET", bucket: "bench", query: { versions: "", "key-marker": marker } });
    const page = parseXml(await answer.bytes());
    for (const version of page.all("Version")) {
      if (seen++ % every !== 0) continue;
      const at = { bucket: "bench", key: version.value("Key"), query: { versionId: version.value("VersionId") ?? "" } };
      await (await client.send({ method: "DELETE", ...at })).discard();
      lost++;
    }
    marker = page.value("NextKeyMarker") ?? "";
    if (page.value("IsTruncated") !== "true") return lost;
  }
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
  for (;;) {
    const answer = await client.send({
      method: "GET",
      bucket: "bench",
      query: { "replication-reset-status": "", arn },
    });
    const [report] = (JSON.parse((await answer.bytes()).toString()) as { target: Report[] }).target;
    if (report !== undefined && !["Pending", "Ongoing"].includes(report.resyncStatus)) return report;
    await pause(ASK_MS);
  }
}

const source = await startSite(workers);
let target = await startSite(workers);
try {
  const from = new S3Client(endpoint(source));
  await makeBucket(from, "bench");
  await makeBucket(new S3Client(endpoint(target)), "bench");
  await makeBucket(new S3Client(endpoint(target)), "alone");
  const alone = await fill(target, "alone", Math.min(objects, BATCH));
  const arn = await connectSites(source, target);
  await fill(source, "bench", objects);
  await drained(from);
  let lost = objects;
  if (loss >= 1) {
    await target.pause();
    rmSync(join(target.dir, "site"), { recursive: true });
    target = await startSite(workers, target);
    await makeBucket(new S3Client(endpoint(target)), "bench");
  } else lost = await lose(new S3Client(endpoint(target)), loss);
  const cpu = [cpuMicros(source.pid), cpuMicros(target.pid)] as const;
  const started = performance.now();
  const report = await resync(from, arn);
  const seconds = (performance.now() - started) / 1000;
  const used = (micros: number): string => (micros / lost).toFixed(0);
  process.stdout.write(
    `versions ${objects}, lost ${lost}: ${report.resyncStatus}, verified ${String(report.verified)}, sent ${report.sent} of ${report.compared}\n` +
      `from the command to its end:  ${seconds.toFixed(2)} s, ${(lost / seconds).toFixed(0)} versions/s\n` +
      `the target alone, PUT:        ${alone.toFixed(0)}/s\n` +
      `CPU per lost version:         source ${used(cpuMicros(source.pid) - cpu[0])} us, target ${used(cpuMicros(target.pid) - cpu[1])} us\n` +
      `memory:                       source ${memory(source.pid).privateMiB} MiB, target ${memory(target.pid).privateMiB} MiB\n`,
  );
  process.exitCode = report.verified === true && report.sent === lost ? 0 : 1;
} finally {
  await Promise.all([source.stop(), target.stop()]);
}
