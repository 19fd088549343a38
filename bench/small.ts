/**
 * Small objects against the limit of the same machine in the same run:
 *   node bench/small.ts [--requests 20000] [--connections 32] [--workers 2]
 * PUT 4 KiB (durable) is held against a bare node:http server that puts each body into LMDB with group commit; GET and
 * HEAD against a bare node:http server that answers from memory. Prints a table.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { load, type LoadOptions, type LoadResult } from "./load.ts";
import { benchDir, cpuMicros, memory, signed, startBare, startSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "20000" },
    connections: { type: "string", default: "32" },
    workers: { type: "string", default: "2" },
  },
});
const requests = Number(values.requests);
const connections = Number(values.connections);
const workers = Number(values.workers);
const body = randomBytes(4096);
const WARM_REQUESTS = 8000;

/** A load, and what it cost the server in CPU: a figure that other work on the machine hardly changes. */
async function measured(pid: number, options: LoadOptions): Promise<LoadResult & { cpu: number }> {
  // Code that has just started is not what serves a day: it is run once unmeasured, here as for the bare servers.
  await load({ ...options, requests: options.requests.slice(0, WARM_REQUESTS) });
  const before = cpuMicros(pid);
  const result = await load(options);
  return { ...result, cpu: (cpuMicros(pid) - before) / result.requests };
}

function row(name: string, result: LoadResult & { cpu: number }, limit?: LoadResult): void {
  const share = limit === undefined ? "" : `${(result.perSecond / limit.perSecond).toFixed(2)} of the limit`;
  const failed = result.failed > 0 ? `  ${result.failed} FAILED` : "";
  process.stdout.write(
    `${name.padEnd(34)} ${result.perSecond.toFixed(0).padStart(7)}/s   p50 ${result.p50.toFixed(1)} ms  p99 ${result.p99.toFixed(1)} ms  ${result.cpu.toFixed(0)} us CPU  ${share}${failed}\n`,
  );
}

async function bare(mode: "empty" | "lmdb", make: (port: number) => (readonly Buffer[])[]) {
  const dir = benchDir();
  const { port, pid, stop } = await startBare(mode, dir);
  const result = await measured(pid, { port, connections, requests: make(port) });
  stop();
  rmSync(dir, { recursive: true, force: true });
  return result;
}

const key = (index: number): string => `/bench/${(index % 64).toString(16)}/object-${index}`;
const many = (count: number, make: (index: number) => readonly Buffer[]): (readonly Buffer[])[] =>
  Array.from({ length: count }, (_, i) => make(i));

const barePut = await bare("lmdb", (port) =>
  many(requests, (i) => signed(port, { method: "PUT", path: key(i), body })),
);
const bareGet = await bare("empty", (port) => many(requests, (i) => signed(port, { method: "GET", path: key(i) })));

const site = await startSite(workers);
try {
  const { port } = site;
  await load({ port, connections: 1, requests: [signed(port, { method: "PUT", path: "/bench/" })] });
  const put = await measured(site.pid, {
    port,
    connections,
    requests: many(requests, (i) => signed(port, { method: "PUT", path: key(i), body })),
  });
  const chunks = await measured(site.pid, {
    port,
    connections,
    requests: many(requests, (i) => signed(port, { method: "PUT", path: key(i), body, sign: "chunks" })),
  });
  const get = await measured(site.pid, {
    port,
    connections,
    requests: many(requests, (i) => signed(port, { method: "GET", path: key(i) })),
  });
  const head = await measured(site.pid, {
    port,
    connections,
    head: true,
    requests: many(requests, (i) => signed(port, { method: "HEAD", path: key(i) })),
  });
  const pages = Math.max(1, Math.floor(requests / 64));
  const list = await measured(site.pid, {
    port,
    connections: 8,
    requests: many(Math.min(pages, 320), (i) =>
      signed(port, { method: "GET", path: "/bench/", query: `list-type=2&prefix=${(i % 64).toString(16)}%2F` }),
    ),
  });
  const perPage = Math.min(1000, requests / 64);
  row("bare node:http + LMDB, PUT 4 KiB", barePut);
  row("PUT 4 KiB, durable", put, barePut);
  row("PUT 4 KiB in signed chunks", chunks, barePut);
  row("bare node:http, GET 4 KiB", bareGet);
  row("GET 4 KiB", get, bareGet);
  row("HEAD", head, bareGet);
  row(`list (${perPage.toFixed(0)} keys a page)`, list);
  process.stdout.write(`list keys: ${(list.perSecond * perPage).toFixed(0)}/s\n`);
  const { privateMiB, fileMiB } = memory(site.pid);
  process.stdout.write(`memory of all processes: ${privateMiB} MiB own, ${fileMiB} MiB of mapped files\n`);
} finally {
  await site.stop();
}
