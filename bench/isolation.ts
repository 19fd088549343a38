/**
 * What a target in trouble costs the clients of its source:
 *   node bench/isolation.ts [--rounds 20] [--requests 400] [--connections 8]
 * Five sources on this machine: one without a rule, and one each for a target that is well, paused (SIGSTOP), dead, or
 * behind a line that passes a few KiB a second. Each round measures PUTs of 4 KiB at all of them, one after another in an
 * order that changes, so that whatever else the machine does falls on all alike. The claim: the p99 of the last three is
 * within 5 % of that without a rule, in the middle one of the rounds.
 */
import { randomBytes } from "node:crypto";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { S3Client } from "../src/client/s3-client.ts";
import { connectSites, endpoint, makeBucket } from "./link.ts";
import { load } from "./load.ts";
import { signed, startSite, type BenchSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    requests: { type: "string", default: "400" },
    connections: { type: "string", default: "8" },
  },
});
const rounds = Number(values.rounds);
const connections = Number(values.connections);
const body = randomBytes(4096);
const KINDS = ["no rule", "well", "paused", "dead", "slow"] as const;
type Kind = (typeof KINDS)[number];

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
  if (kind === "no rule") return source;
  const target = await start();
  if (kind === "slow") {
    const line = await slowLine(target.port);
    stopped.push(async () => void line.server.close());
    await connectSites(source, { ...target, port: line.port });
  } else await connectSites(source, target);
  if (kind === "dead") await target.stop();
  if (kind === "paused") {
    process.kill(target.pid, "SIGSTOP");
    stopped.unshift(async () => process.kill(target.pid, "SIGCONT"));
  }
  return source;
}

const middle = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

try {
  const sources = new Map<Kind, BenchSite>();
  for (const kind of KINDS) sources.set(kind, await sourceOf(kind));
  const p50 = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  const p99 = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  for (let round = -1; round < rounds; round++) {
    const order = KINDS.map((_, i) => KINDS[(i + round + KINDS.length) % KINDS.length] as Kind);
    for (const kind of order) {
      const { port } = sources.get(kind) as BenchSite;
      const requests = Array.from({ length: Number(values.requests) }, (_, i) =>
        signed(port, { method: "PUT", path: `/bench/r${round}-${i}`, body }),
      );
      const result = await load({ port, connections, requests });
      if (result.failed > 0) throw new Error(`${result.failed} PUTs failed at the source whose target is ${kind}`);
      // The first round warms up.
      if (round < 0) continue;
      p50.get(kind)?.push(result.p50);
      p99.get(kind)?.push(result.p99);
    }
  }
  for (const kind of KINDS) {
    const ratios = (p99.get(kind) ?? []).map((value, i) => value / (p99.get("no rule")?.[i] ?? NaN));
    process.stdout.write(
      `${kind.padEnd(8)} p50 ${middle(p50.get(kind) ?? []).toFixed(2)} ms  p99 ${middle(p99.get(kind) ?? []).toFixed(2)} ms  ` +
        `p99 against no rule ${middle(ratios).toFixed(3)}\n`,
    );
  }
} finally {
  for (const stop of stopped) await stop().catch(() => undefined);
}
process.exit(0);
