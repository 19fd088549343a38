/**
 * What encryption at rest costs: the same objects plain and with SSE-S3, SSE-KMS, in turns on one site:
 *   node bench/encryption.ts [--size-mib 1] [--count 200] [--connections 4] [--rounds 5] [--workers 1]
 * Each round does every way once; shares are of the medians. A range of 4 KiB shows what a small read of a large object costs.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { load } from "./load.ts";
import { signed, startSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    "size-mib": { type: "string", default: "1" },
    count: { type: "string", default: "200" },
    connections: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    workers: { type: "string", default: "1" },
  },
});
const size = Number(values["size-mib"]) * 1024 * 1024;
const count = Number(values.count);
const connections = Number(values.connections);
const rounds = Number(values.rounds);
const body = randomBytes(size);
const WAYS: Readonly<Record<string, Record<string, string>>> = {
  plain: {},
  "sse-s3": { "x-amz-server-side-encryption": "AES256" },
  "sse-kms": { "x-amz-server-side-encryption": "aws:kms" },
};

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;
const rates = new Map<string, number[]>();

async function measure(name: string, port: number, requests: (readonly Buffer[])[], unit: number): Promise<void> {
  const { seconds, failed } = await load({ port, connections, requests });
  if (failed > 0) throw new Error(`${name}: ${failed} failed`);
  const list = rates.get(name) ?? [];
  list.push((requests.length * unit) / seconds);
  rates.set(name, list);
}

const site = await startSite(Number(values.workers), undefined, {
  RESILVER_KMS_SECRET_KEY: `bench:${randomBytes(32).toString("base64")}`,
});
try {
  const { port } = site;
  await load({ port, connections: 1, requests: [signed(port, { method: "PUT", path: "/bench/" })] });
  const indexes = Array.from({ length: count }, (_, i) => i);
  // The first round warms up and does not count.
  for (let round = 0; round <= rounds; round++) {
    if (round === 1) rates.clear();
    for (const [way, headers] of Object.entries(WAYS)) {
      const path = (i: number): string => `/bench/${way}-${i}`;
      const put = indexes.map((i) => signed(port, { method: "PUT", path: path(i), headers, body: [body] }));
      await measure(`PUT ${way}`, port, put, size / 1024 / 1024);
    }
    for (const way of Object.keys(WAYS)) {
      const get = indexes.map((i) => signed(port, { method: "GET", path: `/bench/${way}-${i}` }));
      await measure(`GET ${way}`, port, get, size / 1024 / 1024);
    }
    for (const way of Object.keys(WAYS)) {
      const headers = { range: `bytes=${size >> 1}-${(size >> 1) + 4095}` };
      const get = indexes.map((i) => signed(port, { method: "GET", path: `/bench/${way}-${i}`, headers }));
      await measure(`4 KiB of it ${way}`, port, get, 1);
    }
  }
  for (const [name, list] of rates) {
    const plain = rates.get(name.replace(/ \S+$/, " plain")) ?? list;
    const unit = name.startsWith("4") ? "/s" : " MiB/s";
    const share = (median(list) / median(plain)).toFixed(2);
    process.stdout.write(
      `${name.padEnd(24)} ${median(list).toFixed(0).padStart(6)}${unit.padEnd(6)}  ${share} of plain\n`,
    );
  }
} finally {
  await site.stop();
}
