/**
 * What a target in trouble costs the clients of its source:
 *   node bench/isolation.ts [--rounds 100] [--requests 150] [--connections 4]
 * Sources on this machine: two without a rule, and one each for a target that is well, paused (SIGSTOP), dead, behind a
 * line that passes a few KiB a second, or refuses everything. A round is a short window of PUTs of 4 KiB at each of them, in an
 * order that is drawn anew, so that whatever else the machine does falls on all alike. Told is the p99 of all windows
 * together against that of the first source without a rule, and the CPU of the source for each PUT, both with the range
 * in which 95 of 100 samples of as many rounds lie (drawn from those that there were, pairs kept). The second source
 * without a rule shows what no difference looks like. The claim: at most 5 % at p99 for targets in trouble.
 */
import { randomBytes } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { S3Client } from "../src/client/s3-client.ts";
import { connectSites, drained, endpoint, makeBucket } from "./link.ts";
import { load } from "./load.ts";
import { cpuNanos, signed, startSite, type BenchSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "100" },
    requests: { type: "string", default: "150" },
    connections: { type: "string", default: "4" },
  },
});
const rounds = Number(values.rounds);
const connections = Number(values.connections);
const body = randomBytes(4096);
const KINDS = ["no rule", "no rule again", "well", "paused", "dead", "slow", "refusing"] as const;
type Kind = (typeof KINDS)[number];

/** Rounds that are not counted: code is compiled, connections are made. */
const WARM_UP = 5;
const SLOW_SLICE_BYTES = 512;
const SLOW_EVERY_MS = 100;

/** Passes bytes on to `port`, a few of them at a time. */
async function slowLine(port: number): Promise<{ port: number; server: Server }> {
  const trickle = async (from: Socket, to: Socket): Promise<void> => {
    try {
      for await (const piece of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < piece.length; at += SLOW_SLICE_BYTES) {
          to.write(piece.subarray(at, at + SLOW_SLICE_BYTES));
          await pause(SLOW_EVERY_MS);
        }
      }
      to.end();
    } catch {
      to.destroy();
    }
  };
  const server = createServer((socket) => {
    const out = connect(port, "127.0.0.1");
    for (const end of [socket, out]) end.on("error", () => end.destroy());
    void trickle(socket, out);
    void trickle(out, socket);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return { port: (server.address() as AddressInfo).port, server };
}

const stopped: (() => Promise<unknown>)[] = [];

async function start(): Promise<BenchSite> {
  const site = await startSite(1);
  let ended: Promise<void> | undefined;
  const stop = (): Promise<void> => (ended ??= site.stop());
  stopped.push(stop);
  const client = new S3Client(endpoint(site));
  await makeBucket(client, "bench");
  await client.close();
  return { ...site, stop };
}

/** A source whose target is in the state that `kind` says. */
async function sourceOf(kind: Kind): Promise<BenchSite> {
  const source = await start();
  if (kind.startsWith("no rule")) return source;
  const target = await start();
  if (kind === "slow") {
    const line = await slowLine(target.port);
    stopped.push(async () => void line.server.close());
    await connectSites(source, { ...target, port: line.port });
  } else await connectSites(source, target);
  if (kind === "dead" || kind === "refusing") await target.stop();
  if (kind === "refusing") stopped.unshift(await refuser(target.port));
  if (kind === "paused") {
    process.kill(target.pid, "SIGSTOP");
    stopped.unshift(async () => process.kill(target.pid, "SIGCONT"));
  }
  return source;
}

/** Answers its health call and refuses all else. Returns the way to stop it. */
async function refuser(port: number): Promise<() => Promise<void>> {
  const server = createHttpServer((request, response) => {
    request.resume();
    const well = request.url?.startsWith("/minio/health/") === true;
    response.writeHead(well ? 200 : 403, { "content-length": 0 }).end();
  });
  await new Promise<void>((ready) => server.listen(port, "127.0.0.1", ready));
  return async () => void server.close().closeAllConnections();
}

interface Window {
  readonly latencies: Float64Array;
  readonly cpuUs: number;
}

async function measure(kind: Kind, site: BenchSite, round: number): Promise<Window> {
  const { port, pid } = site;
  const count = Number(values.requests);
  const requests = Array.from({ length: count }, (_, i) =>
    signed(port, { method: "PUT", path: `/bench/r${round}-${i}`, body }),
  );
  const before = cpuNanos(pid);
  const { latencies, failed } = await load({ port, connections, requests });
  const cpuUs = (cpuNanos(pid) - before) / 1000 / count;
  if (failed > 0) throw new Error(`${failed} PUTs failed at the source whose target is ${kind}`);
  // What is still on its way would fall on the windows of the others.
  if (kind === "well") {
    const client = new S3Client(endpoint(site));
    await drained(client);
    await client.close();
  }
  return { latencies, cpuUs };
}

const P99 = 0.99;
const RESAMPLES = 1000;
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

/** Of all latencies of these rounds together. */
function quantile(windows: readonly Window[], rounds: readonly number[], share: number): number {
  const size = windows[0]?.latencies.length ?? 0;
  const all = new Float64Array(rounds.length * size);
  for (const [i, round] of rounds.entries()) all.set((windows[round] as Window).latencies, i * size);
  all.sort();
  return all[Math.floor(all.length * share)] ?? 0;
}

/** `of` the rounds, and the range of 95 % of what it is of rounds drawn from them. */
function withRange(
  count: number,
  of: (rounds: readonly number[]) => number,
): { is: number; low: number; high: number } {
  const drawn = Array.from({ length: RESAMPLES }, () =>
    of(Array.from({ length: count }, () => Math.floor(Math.random() * count))),
  ).toSorted((a, b) => a - b);
  const at = (share: number): number => drawn[Math.floor(RESAMPLES * share)] ?? 0;
  return { is: of(Array.from({ length: count }, (_, i) => i)), low: at(0.025), high: at(0.975) };
}

function tell(kind: Kind, windows: readonly Window[], base: readonly Window[]): void {
  const all = windows.map((_, i) => i);
  const cpu = (of: readonly Window[], chosen: readonly number[]): number => mean(chosen.map((i) => of[i]?.cpuUs ?? 0));
  const p99 = withRange(all.length, (chosen) => quantile(windows, chosen, P99) / quantile(base, chosen, P99));
  const work = withRange(all.length, (chosen) => cpu(windows, chosen) / cpu(base, chosen));
  const range = ({ is, low, high }: typeof p99): string => `${is.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
  process.stdout.write(
    `${kind.padEnd(14)} p50 ${quantile(windows, all, 0.5).toFixed(2)} ms  p99 ${quantile(windows, all, P99).toFixed(2)} ms, ` +
      `${range(p99)} of no rule  CPU ${Math.round(cpu(windows, all))} us a PUT, ${range(work)}\n`,
  );
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

try {
  const sources = new Map<Kind, BenchSite>();
  for (const kind of KINDS) sources.set(kind, await sourceOf(kind));
  const windows = new Map<Kind, Window[]>(KINDS.map((kind) => [kind, []]));
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const kind of shuffled(KINDS)) {
      const window = await measure(kind, sources.get(kind) as BenchSite, round);
      if (round >= 0) windows.get(kind)?.push(window);
    }
  }
  for (const kind of KINDS) tell(kind, windows.get(kind) ?? [], windows.get("no rule") ?? []);
} finally {
  for (const stop of stopped) await stop().catch(() => undefined);
}
process.exit(0);
