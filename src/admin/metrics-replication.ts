/** Replication in the metrics: per bucket and target from its own numbers, and per link to another site (admin-api.md 6.13). */
import { z } from "zod";
import type { Bucket } from "../model/bucket.ts";
import type { Family, FamilyOptions, Labels } from "../observe/metrics.ts";
import { family } from "../observe/metrics.ts";
import type { AdminDeps } from "./deps.ts";
import { orUndefined } from "./request.ts";

const amount = z.object({ count: z.number(), bytes: z.number() });
const targetNumbers = z.object({
  completedReplicationSize: z.number(),
  replicationCount: z.number(),
  pendingReplicationSize: z.number(),
  pendingReplicationCount: z.number(),
  failed: z.object({ lastMinute: amount, lastHour: amount, totals: amount }),
  lagMs: z.number().optional(),
});
const bucketNumbers = z.object({
  replicaSize: z.number(),
  replicaCount: z.number(),
  Stats: z.record(z.string(), targetNumbers).optional(),
});
type TargetNumbers = z.infer<typeof targetNumbers>;
type BucketNumbers = z.infer<typeof bucketNumbers>;

const link = z.object({
  endpoint: z.string(),
  isOnline: z.boolean(),
  totalDowntime: z.number(),
  latency: z.object({ curr: z.number(), avg: z.number(), max: z.number() }),
});

interface TargetMetric {
  readonly type: "counter" | "gauge";
  /** Below `minio_bucket_replication_`, or a whole name of our own. */
  readonly name: string;
  readonly help: string;
  readonly read: (numbers: TargetNumbers) => number;
}

const TARGET_METRICS: readonly TargetMetric[] = [
  {
    type: "counter",
    name: "sent_bytes",
    help: "Bytes that reached the target.",
    read: (n) => n.completedReplicationSize,
  },
  { type: "counter", name: "sent_count", help: "Versions that reached the target.", read: (n) => n.replicationCount },
  {
    type: "counter",
    name: "total_failed_bytes",
    help: "Bytes of failed attempts.",
    read: (n) => n.failed.totals.bytes,
  },
  { type: "counter", name: "total_failed_count", help: "Failed attempts.", read: (n) => n.failed.totals.count },
  {
    type: "gauge",
    name: "last_minute_failed_bytes",
    help: "Bytes of attempts that failed in the last minute.",
    read: (n) => n.failed.lastMinute.bytes,
  },
  {
    type: "gauge",
    name: "last_minute_failed_count",
    help: "Attempts that failed in the last minute.",
    read: (n) => n.failed.lastMinute.count,
  },
  {
    type: "gauge",
    name: "last_hour_failed_bytes",
    help: "Bytes of attempts that failed in the last hour.",
    read: (n) => n.failed.lastHour.bytes,
  },
  {
    type: "gauge",
    name: "last_hour_failed_count",
    help: "Attempts that failed in the last hour.",
    read: (n) => n.failed.lastHour.count,
  },
  {
    type: "gauge",
    name: "resilver_replication_pending_bytes",
    help: "Bytes that the target still has to receive.",
    read: (n) => n.pendingReplicationSize,
  },
  {
    type: "gauge",
    name: "resilver_replication_pending_count",
    help: "Versions that the target still has to receive.",
    read: (n) => n.pendingReplicationCount,
  },
  {
    type: "gauge",
    name: "resilver_replication_lag_seconds",
    help: "How far the target was behind at the last success.",
    read: (n) => (n.lagMs ?? 0) / 1000,
  },
];

function bucketOptions(name: string, help: string): FamilyOptions {
  const full = name.startsWith("resilver_") ? name : `minio_bucket_replication_${name}`;
  return { name: full, help, v2: "bucket", v3: { path: "bucket/replication", name: full } };
}

async function numbersOf(deps: AdminDeps, bucket: Bucket): Promise<BucketNumbers | undefined> {
  // The bucket or its rules may be gone since the list was read.
  const raw = await orUndefined(
    async () => deps.replication?.metrics(bucket.name, 1),
    "NoSuchBucket",
    "ReplicationConfigurationNotFoundError",
  );
  return raw === undefined ? undefined : bucketNumbers.parse(raw);
}

/** Per bucket and target; buckets without rules have none. */
export async function replicationFamilies(deps: AdminDeps, buckets: readonly Bucket[]): Promise<Family[]> {
  if (deps.replication === undefined) return [];
  const targets: { labels: Labels; numbers: TargetNumbers }[] = [];
  const received: { labels: Labels; numbers: BucketNumbers }[] = [];
  for (const bucket of buckets.filter(({ replication }) => replication !== undefined)) {
    const numbers = await numbersOf(deps, bucket);
    if (numbers === undefined) continue;
    received.push({ labels: { bucket: bucket.name }, numbers });
    for (const [targetArn, own] of Object.entries(numbers.Stats ?? {})) {
      targets.push({ labels: { bucket: bucket.name, targetArn }, numbers: own });
    }
  }
  const perTarget = TARGET_METRICS.map(({ type, name, help, read }) =>
    family(
      type,
      bucketOptions(name, help),
      targets.map(({ labels, numbers }) => [labels, read(numbers)] as const),
    ),
  );
  const perBucket = (name: string, help: string, read: (numbers: BucketNumbers) => number): Family =>
    family(
      "counter",
      bucketOptions(name, help),
      received.map(({ labels, numbers }) => [labels, read(numbers)] as const),
    );
  return [
    ...perTarget,
    perBucket("received_bytes", "Bytes received from peers.", (numbers) => numbers.replicaSize),
    perBucket("received_count", "Versions received from peers.", (numbers) => numbers.replicaCount),
  ];
}

/** Per endpoint: whether it answers, and how fast. Several targets on one endpoint share a link: online when one is. */
export async function linkFamilies(deps: AdminDeps): Promise<Family[]> {
  const links = new Map<string, z.infer<typeof link>>();
  for (const target of (await deps.targets.list("", "")) ?? []) {
    const parsed = link.safeParse(target).data;
    if (parsed === undefined || links.get(parsed.endpoint)?.isOnline === true) continue;
    links.set(parsed.endpoint, parsed);
  }
  const gauge = (name: string, help: string, read: (known: z.infer<typeof link>) => number): Family => {
    const full = `minio_node_replication_${name}`;
    const options: FamilyOptions = {
      name: full,
      help,
      v2: "node",
      v3: { path: "replication", name: `minio_replication_${name}` },
    };
    return family(
      "gauge",
      options,
      [...links.values()].map((known) => [{ endpoint: known.endpoint }, read(known)] as const),
    );
  };
  const ms = (ns: number): number => ns / 1e6;
  return [
    gauge("link_online", "1 when the other site answers.", (known) => (known.isOnline ? 1 : 0)),
    gauge(
      "link_downtime_duration_seconds",
      "Seconds without an answer since the start.",
      (known) => known.totalDowntime / 1e9,
    ),
    gauge("current_link_latency_ms", "Latest latency of the health call.", (known) => ms(known.latency.curr)),
    gauge("average_link_latency_ms", "Mean latency of the health call.", (known) => ms(known.latency.avg)),
    gauge("max_link_latency_ms", "Largest latency of the health call.", (known) => ms(known.latency.max)),
  ];
}
