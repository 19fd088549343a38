/**
 * What encryption at rest costs: the same objects plain and with SSE-S3, SSE-KMS, in turns on one site:
 *   node bench/encryption.ts [--size-mib 1] [--window-mib 128] [--connections 4] [--rounds 7] [--workers 1]
 * Each round does every way once, with objects of so many MiB together, whatever their size: what is replaced stays on the
 * disk for a while. A share is the median of the rounds' own shares, so that a machine that slows down slows both; CPU is
 * the server's. A range of 4 KiB shows what a small read of a large object costs.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { load } from "./load.ts";
import { cpuNanos, signed, startSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    "size-mib": { type: "string", default: "1" },
    "window-mib": { type: "string", default: "128" },
    connections: { type: "string", default: "4" },
    rounds: { type: "string", default: "7" },
    workers: { type: "string", default: "1" },
  },
});
const MIB = 1024 * 1024;
const size = Number(values["size-mib"]) * MIB;
const connections = Number(values.connections);
const count = Math.max(Math.ceil((Number(values["window-mib"]) * MIB) / size), connections);
const rounds = Number(values.rounds);
const body = randomBytes(size);
const WAYS: Readonly<Record<string, Record<string, string>>> = {
  plain: {},
  "sse-s3": { "x-amz-server-side-encryption": "AES256" },
  "sse-kms": { "x-amz-server-side-encryption": "aws:kms" },
};

interface Figures {
  readonly rate: number[];
  /** CPU of the server for each unit, microseconds. */
  readonly cpu: number[];
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;
const all = new Map<string, Figures>();

/** `units`: of which the rate is told, MiB or requests, in one request. */
async function measure(name: string, requests: (readonly Buffer[])[], units: number): Promise<void> {
  const before = cpuNanos(site.pid);
  const { seconds, failed } = await load({ port: site.port, connections, requests });
  const cpu = (cpuNanos(site.pid) - before) / 1000;
  if (failed > 0) throw new Error(`${name}: ${failed} failed`);
  const figures = all.get(name) ?? { rate: [], cpu: [] };
  all.set(name, figures);
  figures.rate.push((requests.length * units) / seconds);
  figures.cpu.push(cpu / (requests.length * units));
}

/** The median over all rounds of the share that a way had of plain in the same round. */
const share = (list: readonly number[], plain: readonly number[]): string =>
  median(list.map((value, round) => value / (plain[round] ?? value))).toFixed(2);

const site = await startSite(Number(values.workers), undefined, {
  RESILVER_KMS_SECRET_KEY: `bench:${randomBytes(32).toString("base64")}`,
});
try {
  const { port } = site;
  await load({ port, connections: 1, requests: [signed(port, { method: "PUT", path: "/bench/" })] });
  const indexes = Array.from({ length: count }, (_, i) => i);
  // The first round warms up and does not count.
  for (let round = 0; round <= rounds; round++) {
    if (round === 1) all.clear();
    // Who comes first finds the disk busy with the round before: each way has its turn at it.
    const ways = Object.entries(WAYS).map((_way, i, list) => list[(i + round) % list.length] as (typeof list)[number]);
    for (const [way, headers] of ways) {
      const path = (i: number): string => `/bench/${way}-${i}`;
      const put = indexes.map((i) => signed(port, { method: "PUT", path: path(i), headers, body: [body] }));
      await measure(`PUT ${way}`, put, size / MIB);
    }
    for (const [way] of ways) {
      const get = indexes.map((i) => signed(port, { method: "GET", path: `/bench/${way}-${i}` }));
      await measure(`GET ${way}`, get, size / MIB);
    }
    for (const [way] of ways) {
      const headers = { range: `bytes=${size >> 1}-${(size >> 1) + 4095}` };
      const get = indexes.map((i) => signed(port, { method: "GET", path: `/bench/${way}-${i}`, headers }));
      await measure(`4 KiB of it ${way}`, get, 1);
    }
  }
  for (const [name, { rate, cpu }] of [...all].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const plain = all.get(name.replace(/ \S+$/, " plain")) ?? { rate, cpu };
    const unit = name.startsWith("4") ? "/s" : " MiB/s";
    const figures = `${median(rate).toFixed(0).padStart(6)}${unit.padEnd(6)}  ${share(rate, plain.rate)} of plain`;
    const used = `${median(cpu).toFixed(0).padStart(6)} us CPU${unit === "/s" ? "    " : "/MiB"}  ${share(cpu, plain.cpu)}`;
    process.stdout.write(`${name.padEnd(22)} ${figures}  ${used}\n`);
  }
} finally {
  await site.stop();
}
