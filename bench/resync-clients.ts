/**
 * What a full resync costs the clients of its source:
 *   node bench/resync-clients.ts [--objects 400000] [--rounds 8] [--requests 2000] [--connections 4]
 * The target has lost everything. Windows of PUTs and of GETs of 4 KiB at the source, in a bucket of no rule, while the resync
 * runs with its default limits and while it is paused, in turns, so that whatever else the machine does falls on both.
 * Short windows (--requests 200) show mostly how a resync begins that nobody's requests have slowed down yet.
 * Told is the p99 of all windows together. The claim: at most twice the quiet one. The target and the generator of load share
 * the cores with the source, which no site of its own would have to bear.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { controlResync, resyncStatus, startResync } from "../src/client/resync-calls.ts";
import { S3Client } from "../src/client/s3-client.ts";
import { fillDirectory } from "./fill.ts";
import { connectSites, endpoint, makeBucket } from "./link.ts";
import { load } from "./load.ts";
import { signed, startSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "400000" },
    rounds: { type: "string", default: "8" },
    requests: { type: "string", default: "2000" },
    connections: { type: "string", default: "4" },
  },
});
const objects = Number(values.objects);
const rounds = Number(values.rounds);
const count = Number(values.requests);
const connections = Number(values.connections);
const body = randomBytes(4096);
const BUCKET = { bucket: "bench" as const };
/** Rounds that are not counted: code is compiled, connections are made. */
const WARM_UP = 3;

type Method = "PUT" | "GET";
type State = "quiet" | "resync";
const latencies = new Map<string, number[]>();

async function window(port: number, method: Method, state: State, isCounted: boolean): Promise<void> {
  const requests = Array.from({ length: count }, (_, i) =>
    signed(port, { method, path: `/clients/k${i}`, ...(method === "PUT" ? { body } : {}) }),
  );
  const result = await load({ port, connections, requests });
  if (result.failed > 0) throw new Error(`${result.failed} requests failed`);
  if (!isCounted) return;
  const name = `${method} ${state}`;
  const all = latencies.get(name) ?? [];
  all.push(...result.latencies);
  latencies.set(name, all);
}

function quantile(name: string, share: number): number {
  const all = (latencies.get(name) ?? []).toSorted((a, b) => a - b);
  return all[Math.floor(all.length * share)] ?? 0;
}

function tell(method: Method): void {
  const [quiet, during] = [`${method} quiet`, `${method} resync`];
  const ms = (share: number): string =>
    `${quantile(quiet, share).toFixed(2)} ms quiet, ${quantile(during, share).toFixed(2)} ms during the resync`;
  const ratio = (quantile(during, 0.99) / quantile(quiet, 0.99)).toFixed(2);
  process.stdout.write(`${method}  p50 ${ms(0.5)}\n     p99 ${ms(0.99)}: ${ratio} times\n`);
}

let source = await startSite(1);
let target = await startSite(1);
try {
  await makeBucket(new S3Client(endpoint(source)), "bench");
  await makeBucket(new S3Client(endpoint(source)), "clients");
  await makeBucket(new S3Client(endpoint(target)), "bench");
  const arn = await connectSites(source, target);
  await Promise.all([source.pause(), target.pause()]);
  const replication = { targets: { [arn]: "COMPLETED" } } as const;
  const filling = { bucket: "bench", count: objects, body: randomBytes(1024), replication };
  await fillDirectory({ ...filling, dir: join(source.dir, "site") });
  rmSync(join(target.dir, "site"), { recursive: true });
  source = await startSite(1, source);
  target = await startSite(1, target);
  await makeBucket(new S3Client(endpoint(target)), "bench");
  const client = new S3Client(endpoint(source));
  const sent = async (): Promise<number> => {
    const [status] = (await resyncStatus(client, { ...BUCKET, arn })).target ?? [];
    if (status?.resyncStatus === "Completed")
      throw new Error("the resync ended before the last window: more --objects");
    return status?.replicationCount ?? 0;
  };
  await startResync(client, { ...BUCKET, arn, resetId: crypto.randomUUID() });
  let moved = 0;
  const started = performance.now();
  let runningMs = 0;
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const method of ["PUT", "GET"] as const) {
      await controlResync(client, { ...BUCKET, arn }, "pause");
      await window(source.port, method, "quiet", round >= 0);
      await controlResync(client, { ...BUCKET, arn }, "resume");
      const before = await sent();
      // It begins where it was broken off; only while it moves versions is it at work.
      while ((await sent()) <= before);
      const from = performance.now();
      await window(source.port, method, "resync", round >= 0);
      runningMs += performance.now() - from;
      moved += (await sent()) - before;
    }
  }
  for (const method of ["PUT", "GET"] as const) tell(method);
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(
    `versions sent during ${(runningMs / 1000).toFixed(1)} s of windows: ${moved} (of ${seconds.toFixed(0)} s in all)\n`,
  );
} finally {
  await Promise.all([source.stop(), target.stop()]);
}
