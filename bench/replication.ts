/**
 * Replication between two sites on this machine:
 *   node bench/replication.ts [--objects 6000] [--singles 200] [--workers 1]
 * First the rate that the target alone reaches for client PUTs of 1 KiB, then the rate from the first PUT at the source
 * until the last version stands at the target, then the lag of single writes one after another.
 */
import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { parseArgs } from "node:util";
import { S3Client } from "../src/client/s3-client.ts";
import { load } from "./load.ts";
import { connectSites, drained, endpoint, makeBucket } from "./link.ts";
import { cpuMicros, signed, startSite, type BenchSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "6000" },
    singles: { type: "string", default: "200" },
    workers: { type: "string", default: "1" },
  },
});
const objects = Number(values.objects);
const singles = Number(values.singles);
const CONNECTIONS = 32;
const body = randomBytes(1024);
const put = (site: BenchSite, bucket: string, name: string): readonly Buffer[] =>
  signed(site.port, { method: "PUT", path: `/${bucket}/${name}`, body });

/** Asks without a pause until the object is there. */
async function appears(client: S3Client, name: string): Promise<void> {
  for (;;) {
    const answer = await client.request({ method: "HEAD", bucket: "bench", key: name });
    await answer.discard();
    if (answer.status === 200) return;
    await turn();
  }
}

const source = await startSite(Number(values.workers));
const target = await startSite(Number(values.workers));
try {
  const [from, to] = [new S3Client(endpoint(source)), new S3Client(endpoint(target))];
  await makeBucket(from, "bench");
  await makeBucket(to, "bench");
  await makeBucket(to, "alone");
  const before = cpuMicros(target.pid);
  const alone = await load({
    port: target.port,
    connections: CONNECTIONS,
    requests: Array.from({ length: objects }, (_, i) => put(target, "alone", `o${i}`)),
  });
  const aloneCpu = cpuMicros(target.pid) - before;
  await connectSites(source, target);
  await load({ port: source.port, connections: 1, requests: [put(source, "bench", "warm")] });
  await appears(to, "warm");
  const requests = Array.from({ length: objects }, (_, i) => put(source, "bench", `o${i}`));
  const cpu = [cpuMicros(source.pid), cpuMicros(target.pid)] as const;
  const started = performance.now();
  await load({ port: source.port, connections: CONNECTIONS, requests });
  const accepted = performance.now();
  await drained(from);
  const done = performance.now();
  const perObject = (micros: number): string => (micros / objects).toFixed(0);
  const [atSource, atTarget] = [cpuMicros(source.pid) - cpu[0], cpuMicros(target.pid) - cpu[1]];
  const lags: number[] = [];
  for (let i = 0; i < singles; i++) {
    await load({ port: source.port, connections: 1, requests: [put(source, "bench", `single-${i}`)] });
    const answered = performance.now();
    await appears(to, `single-${i}`);
    lags.push(performance.now() - answered);
  }
  lags.sort((a, b) => a - b);
  const rate = (objects / (done - started)) * 1000;
  const lag = (share: number): string => (lags[Math.floor(lags.length * share)] ?? 0).toFixed(1);
  process.stdout.write(
    `the target alone, PUT 1 KiB:        ${alone.perSecond.toFixed(0)}/s\n` +
      `source PUTs while replicating:      ${((objects / (accepted - started)) * 1000).toFixed(0)}/s\n` +
      `replicated, first PUT to last:      ${rate.toFixed(0)}/s  ${(rate / alone.perSecond).toFixed(2)} of the target alone\n` +
      `CPU per object:                     ${perObject(aloneCpu)} us of a PUT alone; source ${perObject(atSource)} us (its PUT among it), target ${perObject(atTarget)} us\n` +
      `backlog after the last PUT drained: ${(done - accepted).toFixed(0)} ms\n` +
      `lag of a single write:              median ${lag(0.5)} ms, p99 ${lag(0.99)} ms\n`,
  );
  await Promise.all([from.close(), to.close()]);
} finally {
  await Promise.all([source.stop(), target.stop()]);
}
