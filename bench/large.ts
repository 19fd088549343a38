/**
 * Large objects against the limit of the same machine in the same run:
 *   node bench/large.ts [--size-mib 64] [--count 16] [--connections 4] [--workers 2]
 * PUT is held against writing the same bytes to files with fsync and MD5; GET against reading them, and against a bare
 * node:http server that sends as many bytes from memory. Memory is sampled.
 */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { load } from "./load.ts";
import { benchDir, memory, signed, startBare, startSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    "size-mib": { type: "string", default: "64" },
    count: { type: "string", default: "16" },
    connections: { type: "string", default: "4" },
    workers: { type: "string", default: "2" },
  },
});
const MIB = 1024 * 1024;
const CHUNKED_MIB_MAX = 2048;
const size = Number(values["size-mib"]) * MIB;
const count = Number(values.count);
const connections = Number(values.connections);
const piece = randomBytes(Math.min(size, 64 * MIB));
/** The same bytes again and again: what is measured does not compress. */
const body = Array.from({ length: Math.ceil(size / piece.length) }, (_, i) =>
  piece.subarray(0, Math.min(piece.length, size - i * piece.length)),
);
const total = (size * count) / MIB;

function plainFiles(): { write: number; read: number } {
  const dir = benchDir();
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    const file = openSync(join(dir, `f${i}`), "w");
    const hash = createHash("md5");
    for (const whole of body) {
      for (let at = 0; at < whole.length; at += MIB) {
        const part = whole.subarray(at, at + MIB);
        hash.update(part);
        writeSync(file, part);
      }
    }
    hash.digest("hex");
    fsyncSync(file);
    closeSync(file);
  }
  const written = performance.now();
  const buffer = Buffer.alloc(MIB);
  for (let i = 0; i < count; i++) {
    const file = openSync(join(dir, `f${i}`), "r");
    while (readSync(file, buffer) > 0);
    closeSync(file);
  }
  const done = performance.now();
  rmSync(dir, { recursive: true });
  return { write: total / ((written - started) / 1000), read: total / ((done - written) / 1000) };
}

async function bareServer(): Promise<number> {
  const { port, stop } = await startBare("large", values["size-mib"]);
  const requests = Array.from({ length: count }, () => signed(port, { method: "GET", path: "/" }));
  const { seconds } = await load({ port, connections, requests });
  stop();
  return total / seconds;
}

const limit = plainFiles();
const served = await bareServer();
const site = await startSite(Number(values.workers));
try {
  const { port } = site;
  await load({ port, connections: 1, requests: [signed(port, { method: "PUT", path: "/bench/" })] });
  let top = 0;
  const sampler = setInterval(() => (top = Math.max(top, memory(site.pid).privateMiB)), 200);
  const indexes = Array.from({ length: count }, (_, i) => i);
  const put = await load({
    port,
    connections,
    requests: indexes.map((i) => signed(port, { method: "PUT", path: `/bench/large-${i}`, body })),
  });
  // Each of these requests has a body of its own: too much memory for more than so many bytes.
  const inChunks =
    total > CHUNKED_MIB_MAX
      ? undefined
      : await load({
          port,
          connections,
          requests: indexes.map((i) =>
            signed(port, { method: "PUT", path: `/bench/large-${i}`, body, sign: "chunks" }),
          ),
        });
  const gets = indexes.map((i) => signed(port, { method: "GET", path: `/bench/large-${i}` }));
  const first = await load({ port, connections, requests: gets });
  const get = await load({ port, connections, requests: gets });
  clearInterval(sampler);
  const line = (name: string, rate: number, of: number, failed: number): void =>
    void process.stdout.write(
      `${name.padEnd(30)} ${rate.toFixed(0).padStart(6)} MiB/s  ${(rate / of).toFixed(2)} of the limit${failed > 0 ? `  ${failed} FAILED` : ""}\n`,
    );
  process.stdout.write(
    `plain files: write + MD5 + fsync ${limit.write.toFixed(0)} MiB/s, read ${limit.read.toFixed(0)} MiB/s; bare node:http, GET ${served.toFixed(0)} MiB/s\n`,
  );
  line(`PUT ${values["size-mib"]} MiB`, total / put.seconds, limit.write, put.failed);
  if (inChunks !== undefined) line("  in signed chunks", total / inChunks.seconds, limit.write, inChunks.failed);
  line("GET for the first time", total / first.seconds, limit.read, first.failed);
  line(`GET ${values["size-mib"]} MiB again`, total / get.seconds, limit.read, get.failed);
  line("  against the bare server", total / get.seconds, served, 0);
  process.stdout.write(`most memory of all processes: ${top} MiB own\n`);
} finally {
  await site.stop();
}
