/**
 * What an additional checksum costs PUT and GET, against the same requests without one:
 *   node bench/checksums.ts [--sizes-mib 1,16] [--mib 256] [--rounds 5] [--connections 4]
 * The kinds take turns, in another order each round, so that what else the machine does hits all alike; shares are medians of rounds. The
 * checksum stands in a header, as computed before the clock starts; GET asks for it with x-amz-checksum-mode.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { checksumHeaderName, checksumOf } from "../src/model/checksum.ts";
import { CHECKSUM_ALGORITHMS } from "../src/model/version.ts";
import { load } from "./load.ts";
import { cpuMicros, signed, startSite, type BenchSite } from "./site.ts";

const { values } = parseArgs({
  options: {
    "sizes-mib": { type: "string", default: "1,16" },
    mib: { type: "string", default: "256" },
    rounds: { type: "string", default: "5" },
    connections: { type: "string", default: "4" },
  },
});
const MIB = 1024 * 1024;
const rounds = Number(values.rounds);
const connections = Number(values.connections);
const KINDS = ["none", ...CHECKSUM_ALGORITHMS] as const;
type Kind = (typeof KINDS)[number];

interface Sample {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] as number;

async function measured(site: BenchSite, requests: readonly (readonly Buffer[])[]): Promise<Sample> {
  const before = cpuMicros(site.pid);
  const { seconds, failed } = await load({ port: site.port, connections, requests });
  if (failed > 0) throw new Error(`${failed} requests failed`);
  return { seconds, cpuSeconds: (cpuMicros(site.pid) - before) / 1e6 };
}

/** PUT and GET of one kind; the same keys each time. */
async function turn(site: BenchSite, kind: Kind, body: Buffer): Promise<Record<"PUT" | "GET", Sample>> {
  const { port } = site;
  const keys = Array.from({ length: Math.max(1, Math.round((Number(values.mib) * MIB) / body.length)) }, (_, i) => i);
  const put: Record<string, string> = {};
  if (kind !== "none") put[checksumHeaderName(kind)] = checksumOf(kind, body);
  const get = kind === "none" ? {} : { "x-amz-checksum-mode": "ENABLED" };
  const path = (key: number): string => `/bench/${kind}-${body.length}-${key}`;
  return {
    PUT: await measured(
      site,
      keys.map((key) => signed(port, { method: "PUT", path: path(key), headers: put, body })),
    ),
    GET: await measured(
      site,
      keys.map((key) => signed(port, { method: "GET", path: path(key), headers: get })),
    ),
  };
}

async function compare(site: BenchSite, sizeMib: number): Promise<void> {
  const body = randomBytes(sizeMib * MIB);
  const samples = new Map<Kind, Record<"PUT" | "GET", Sample>[]>(KINDS.map((kind) => [kind, []]));
  await turn(site, "none", body);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < KINDS.length; i++) {
      const kind = KINDS[(i + round) % KINDS.length] as Kind;
      samples.get(kind)?.push(await turn(site, kind, body));
    }
  }
  for (const method of ["PUT", "GET"] as const) {
    const of = (kind: Kind, what: keyof Sample): number =>
      median((samples.get(kind) ?? []).map((sample) => sample[method][what]));
    for (const kind of KINDS) {
      const rate = Number(values.mib) / of(kind, "seconds");
      const cost = (what: keyof Sample): string => `${(100 * (of(kind, what) / of("none", what) - 1)).toFixed(0)} %`;
      const costs =
        kind === "none" ? "" : `  time ${cost("seconds").padStart(6)}, CPU ${cost("cpuSeconds").padStart(6)}`;
      process.stdout.write(
        `${method} ${sizeMib} MiB ${kind.padEnd(10)} ${rate.toFixed(0).padStart(5)} MiB/s${costs}\n`,
      );
    }
  }
}

const site = await startSite(1);
try {
  await load({ port: site.port, connections: 1, requests: [signed(site.port, { method: "PUT", path: "/bench" })] });
  for (const size of values["sizes-mib"].split(",")) await compare(site, Number(size));
} finally {
  await site.stop();
}
