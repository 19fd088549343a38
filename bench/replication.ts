/**
 * Replication of objects of 1 KiB between two sites on this machine, over MinIO's wire and with our own `ingest`:
 *   node bench/replication.ts [--wire minio|ingest|both] [--objects 8000] [--keys N] [--lag-seconds 6] [--workers 1]
 * For each wire a new pair of sites, and in turn: what the target alone does for client PUTs; replication while clients
 * write; replication alone, of what was written while the target was stopped; the lag of writes that come at 500 a
 * second. With `--keys` they are versions of so many keys, not objects of a key each. CPU is that of the server's
 * processes: other work on the machine hardly changes it.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { S3Client } from "../src/client/s3-client.ts";
import { Connection, load } from "./load.ts";
import { connectSites, drained, endpoint, makeBucket, pendingCount } from "./link.ts";
import { cpuMicros, processesOf, signed, startSite, type BenchSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    wire: { type: "string", default: "both" },
    objects: { type: "string", default: "8000" },
    keys: { type: "string" },
    "lag-seconds": { type: "string", default: "6" },
    workers: { type: "string", default: "1" },
  },
});
const objects = Number(values.objects);
const keys = Number(values.keys ?? objects);
const CONNECTIONS = 32;
const WARM_OBJECTS = 6000;
const WRITES_PER_SECOND = 500;
/** Every so many writes one is looked for at the target. */
const LAG_EVERY = 10;
/** Enough for lags of two seconds; were there none left, the worst would be left out. */
const LOOKERS = 100;
const body = randomBytes(1024);
const put = (site: BenchSite, bucket: string, name: string): readonly Buffer[] =>
  signed(site.port, { method: "PUT", path: `/${bucket}/${name}`, body });

async function putMany(site: BenchSite, bucket: string, name: string, count: number): Promise<number> {
  const requests = Array.from({ length: count }, (_, i) => put(site, bucket, `${name}-${i % keys}`));
  const { perSecond, failed } = await load({ port: site.port, connections: CONNECTIONS, requests });
  if (failed > 0) throw new Error(`${failed} PUTs failed`);
  return perSecond;
}

interface Cost {
  readonly ms: number;
  /** Microseconds of CPU. */
  readonly source: number;
  readonly target: number;
}

function meter(source: BenchSite, target: BenchSite): () => Cost {
  const [atSource, atTarget, started] = [cpuMicros(source.pid), cpuMicros(target.pid), performance.now()];
  return () => ({
    ms: performance.now() - started,
    source: cpuMicros(source.pid) - atSource,
    target: cpuMicros(target.pid) - atTarget,
  });
}

/** How fast what was written while the target was stopped reaches it, from its first tenth to its end. */
async function drain(from: S3Client, source: BenchSite, target: BenchSite): Promise<Cost & { objects: number }> {
  const processes = processesOf(target.pid);
  for (const pid of processes) process.kill(pid, "SIGSTOP");
  try {
    await putMany(source, "bench", "later", objects);
  } finally {
    for (const pid of processes) process.kill(pid, "SIGCONT");
  }
  // Until the source has noticed that the target is back.
  let left = await pendingCount(from);
  for (; left > objects * 0.9; left = await pendingCount(from)) await sleep(2);
  const read = meter(source, target);
  await drained(from);
  return { ...read(), objects: left };
}

/**
 * Milliseconds from the answer of a write to the answer of a HEAD at the target that finds it; and what the writes took,
 * which says how busy the machine is. Sorted.
 */
async function lags(source: BenchSite, target: BenchSite): Promise<{ lag: number[]; took: number[] }> {
  const writes = WRITES_PER_SECOND * Number(values["lag-seconds"]);
  const requests = Array.from({ length: writes }, (_, i) => put(source, "bench", `lag-${i}`));
  const looks = requests.map((_, i) =>
    i % LAG_EVERY === 0 ? signed(target.port, { method: "HEAD", path: `/bench/lag-${i}` }) : [],
  );
  const open = (site: BenchSite, count: number): Promise<Connection[]> =>
    Promise.all(Array.from({ length: count }, () => Connection.open(site.port, "127.0.0.1")));
  const [writers, lookers] = [await open(source, CONNECTIONS), await open(target, LOOKERS)];
  for (const looker of lookers) looker.head = true;
  const [lag, took]: [number[], number[]] = [[], []];
  const write = async (i: number, writer: Connection): Promise<void> => {
    const asked = performance.now();
    const { status } = await writer.send(requests[i] as readonly Buffer[]);
    if (status !== 200) throw new Error(`a PUT was answered ${status}`);
    writers.push(writer);
    const looker = i % LAG_EVERY === 0 ? lookers.pop() : undefined;
    if (looker === undefined) {
      if (i % LAG_EVERY === 0) throw new Error("replication is more than two seconds behind");
      return;
    }
    const answered = performance.now();
    took.push(answered - asked);
    while ((await looker.send(looks[i] as readonly Buffer[])).status !== 200) await sleep(1);
    lag.push(performance.now() - answered);
    lookers.push(looker);
  };
  const running: Promise<void>[] = [];
  const started = performance.now();
  for (let i = 0; i < writes;) {
    const due = Math.min(writes, Math.floor(((performance.now() - started) / 1000) * WRITES_PER_SECOND) + 1);
    for (; i < due; i++) {
      const writer = writers.pop();
      if (writer === undefined) break;
      running.push(write(i, writer));
    }
    await sleep(1);
  }
  await Promise.all(running);
  for (const connection of [...writers, ...lookers]) connection.close();
  for (const times of [lag, took]) times.sort((a, b) => a - b);
  return { lag, took };
}

const each = (micros: number, count: number): string => `${(micros / count).toFixed(0)} us`;
const say = (what: string, figures: string): void => void process.stdout.write(`  ${what.padEnd(34)}${figures}\n`);

async function measure(wire: "minio" | "ingest", source: BenchSite, target: BenchSite): Promise<void> {
  const [from, to] = [new S3Client(endpoint(source)), new S3Client(endpoint(target))];
  for (const client of [from, to]) for (const bucket of ["alone", "bench"]) await makeBucket(client, bucket);
  process.stdout.write(wire === "minio" ? "MinIO's wire\n" : "ingest\n");
  // Code that has just started is not what serves a day: both sites run once unmeasured.
  for (const site of [source, target]) await putMany(site, "alone", "warm", WARM_OBJECTS);
  let read = meter(source, target);
  const alone = await putMany(target, "alone", "o", objects);
  const aloneCpu = read().target;
  say("client PUTs at the target alone", `${alone.toFixed(0)}/s, CPU of each ${each(aloneCpu, objects)}`);

  await connectSites(source, target);
  await putMany(source, "bench", "warm", WARM_OBJECTS);
  await drained(from);
  read = meter(source, target);
  const accepted = await putMany(source, "bench", "o", objects);
  await drained(from);
  const live = read();
  const liveRate = (objects / live.ms) * 1000;
  const extra = live.source + live.target - aloneCpu;
  say(
    "while clients write",
    `${liveRate.toFixed(0)}/s, ${(liveRate / alone).toFixed(2)} of that; source PUTs ${accepted.toFixed(0)}/s`,
  );
  say(
    "  CPU of each",
    `source ${each(live.source, objects)} with its PUT, target ${each(live.target, objects)}: ` +
      `beside the PUT ${(extra / aloneCpu).toFixed(2)} of a PUT's`,
  );

  const later = await drain(from, source, target);
  const rate = (later.objects / later.ms) * 1000;
  say("a backlog, no clients", `${rate.toFixed(0)}/s, ${(rate / alone).toFixed(2)} of that`);
  const both = (later.source + later.target) / later.objects / (aloneCpu / objects);
  say(
    "  CPU of each",
    `source ${each(later.source, later.objects)}, target ${each(later.target, later.objects)}: ${both.toFixed(2)} of a PUT's`,
  );

  const { lag, took } = await lags(source, target);
  const at = (times: readonly number[], share: number): string =>
    (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(1);
  say(
    `lag at ${WRITES_PER_SECOND} writes/s`,
    `median ${at(lag, 0.5)} ms, p99 ${at(lag, 0.99)} ms; the writes took ${at(took, 0.5)} and ${at(took, 0.99)} ms`,
  );
  await Promise.all([from.close(), to.close()]);
}

for (const wire of ["minio", "ingest"] as const) {
  if (values.wire !== "both" && values.wire !== wire) continue;
  const source = await startSite(Number(values.workers));
  const settings: Record<string, string> = wire === "minio" ? { RESILVER_PEER_EXTENSIONS: "off" } : {};
  const target = await startSite(Number(values.workers), undefined, settings);
  try {
    await measure(wire, source, target);
  } finally {
    await Promise.all([source.stop(), target.stop()]);
  }
}
