/** Replication in the metrics: per bucket and target from its own numbers, and per link to another site (admin-api.md 6.13). */
import { z } from "zod";
import type { Bucket } from "../model/bucket.ts";
import type { Family, FamilyOptions, Labels } from "../observe/metrics.ts";
import { family } from "../observe/metrics.ts";
import type { AdminDeps } from "./deps.ts";
import { orUndefined } from "./request.ts";

const amount = z.object({ count: z.number(), bytes: z.number() });
const spread = z.object({ curr: z.number(), avg: z.number(), max: z.number() });
const targetNumbers = z.object({
  completedReplicationSize: z.number(),
  replicationCount: z.number(),
  pendingReplicationSize: z.number(),
  pendingReplicationCount: z.number(),
  failed: z.object({
    lastMinute: amount,
    lastHour: amount,
    totals: amount,
    errCounts: z.record(z.string(), z.number()).optional(),
  }),
  failedReplicationSize: z.number(),
  failedReplicationCount: z.number(),
  notReplicableSize: z.number(),
  notReplicableCount: z.number(),
  oldestPending: z.string(),
  state: z.string(),
  lagMs: z.number().optional(),
});
const bucketNumbers = z.object({
  replicaSize: z.number(),
  replicaCount: z.number(),
  Stats: z.record(z.string(), targetNumbers).optional(),
});
const metricsAnswer = z.object({
  currStats: bucketNumbers,
  queueStats: z.object({
    nodes: z.array(
      z.object({
        activeWorkers: spread,
        transferSummary: z.object({
          Total: z.object({ currRate: z.number(), avgRate: z.number(), peakRate: z.number() }),
        }),
        queueStats: z.object({ curr: amount, avg: amount, max: amount }),
      }),
    ),
  }),
  proxyStats: z.record(z.string(), z.number()),
});
type TargetNumbers = z.infer<typeof targetNumbers>;
type Numbers = z.infer<typeof metricsAnswer>;
type BucketNumbers = Numbers["currStats"];

const link = z.object({
  endpoint: z.string(),
  isOnline: z.boolean(),
  lastOnline: z.string(),
  totalDowntime: z.number(),
  latency: spread,
});

interface TargetMetric {
  readonly type: "counter" | "gauge";
  /** Below `minio_bucket_replication_`, or a whole name of our own. */
  readonly name: string;
  readonly help: string;
  readonly read: (numbers: TargetNumbers, nowMs: number) => number;
}

/** Codes that say the target did not accept who we are or what we may. */
const CREDENTIAL_ERRORS = ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidTokenId"];

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
    name: "resilver_replication_pending_versions",
    help: "Versions that the target still has to receive.",
    read: (n) => n.pendingReplicationCount,
  },
  {
    type: "gauge",
    name: "resilver_replication_failing_bytes",
    help: "Of these, bytes of versions whose last attempt failed.",
    read: (n) => n.failedReplicationSize,
  },
  {
    type: "gauge",
    name: "resilver_replication_failing_versions",
    help: "Of these, versions whose last attempt failed.",
    read: (n) => n.failedReplicationCount,
  },
  {
    type: "gauge",
    name: "resilver_replication_not_replicable_bytes",
    help: "Of those, bytes that no repetition brings to the target.",
    read: (n) => n.notReplicableSize,
  },
  {
    type: "gauge",
    name: "resilver_replication_not_replicable_versions",
    help: "Of those, versions that no repetition brings to the target.",
    read: (n) => n.notReplicableCount,
  },
  {
    type: "gauge",
    name: "resilver_replication_oldest_pending_seconds",
    help: "Age of the oldest change that the target still has to receive.",
    read: (n, nowMs) => (n.oldestPending === "" ? 0 : Math.max(0, (nowMs - Date.parse(n.oldestPending)) / 1000)),
  },
  {
    type: "gauge",
    name: "resilver_replication_unreachable",
    help: "1 while the target does not answer.",
    read: (n) => (n.state === "UNREACHABLE" ? 1 : 0),
  },
  {
    type: "gauge",
    name: "resilver_replication_replaced",
    help: "1 while what answers at the target's address lacks what was sent: a resync is due.",
    read: (n) => (n.state === "REPLACED" ? 1 : 0),
  },
  {
    type: "counter",
    name: "credential_errors",
    help: "Attempts that the target refused for want of rights, since the start.",
    read: (n) => CREDENTIAL_ERRORS.reduce((sum, code) => sum + (n.failed.errCounts?.[code] ?? 0), 0),
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

async function numbersOf(deps: AdminDeps, bucket: Bucket): Promise<Numbers | undefined> {
  // The bucket or its rules may be gone since the list was read.
  const raw = await orUndefined(
    async () => deps.replication?.metrics(bucket.name, 2),
    "NoSuchBucket",
    "ReplicationConfigurationNotFoundError",
  );
  return raw === undefined ? undefined : metricsAnswer.parse(raw);
}

interface Known {
  readonly bucket: string;
  readonly numbers: Numbers;
}

/** Per bucket and target; buckets without rules have none. And what all of them together make of this node. */
export async function replicationFamilies(deps: AdminDeps, buckets: readonly Bucket[]): Promise<Family[]> {
  if (deps.replication === undefined) return [];
  const known: Known[] = [];
  for (const bucket of buckets.filter(({ replication }) => replication !== undefined)) {
    const numbers = await numbersOf(deps, bucket);
    if (numbers !== undefined) known.push({ bucket: bucket.name, numbers });
  }
  return [...targetFamilies(known, deps.clock.nowMs()), ...bucketFamilies(known), ...nodeFamilies(known)];
}

function targetFamilies(known: readonly Known[], nowMs: number): Family[] {
  const targets = known.flatMap(({ bucket, numbers }) =>
    Object.entries(numbers.currStats.Stats ?? {}).map(([targetArn, own]) => ({
      labels: { bucket, targetArn } satisfies Labels,
      own,
    })),
  );
  return TARGET_METRICS.map(({ type, name, help, read }) =>
    family(
      type,
      bucketOptions(name, help),
      targets.map(({ labels, own }) => [labels, read(own, nowMs)] as const),
    ),
  );
}

/** Prometheus' word and the JSON's for each call that a peer may answer. */
const PROXIED = [
  ["get", "get"],
  ["head", "head"],
  ["put_tagging", "putTagging"],
  ["get_tagging", "getTagging"],
  ["delete_tagging", "removeTagging"],
] as const;

function bucketFamilies(known: readonly Known[]): Family[] {
  const counter = (name: string, help: string, read: (numbers: Numbers) => number): Family =>
    family(
      "counter",
      bucketOptions(name, help),
      known.map(({ bucket, numbers }) => [{ bucket }, read(numbers)] as const),
    );
  const received = (read: (stats: BucketNumbers) => number) => (numbers: Numbers) => read(numbers.currStats);
  return [
    counter(
      "received_bytes",
      "Bytes received from peers.",
      received((stats) => stats.replicaSize),
    ),
    counter(
      "received_count",
      "Versions received from peers.",
      received((stats) => stats.replicaCount),
    ),
    ...PROXIED.flatMap(([name, json]) => [
      counter(
        `proxied_${name}_requests_total`,
        "Client requests passed on to a peer.",
        ({ proxyStats }) => proxyStats[`${json}ProxyTotal`] ?? 0,
      ),
      counter(
        `proxied_${name}_requests_failures`,
        "Of these, those that no peer could answer.",
        ({ proxyStats }) => proxyStats[`${json}ProxyFailed`] ?? 0,
      ),
    ]),
  ];
}

type NodeNumbers = Numbers["queueStats"]["nodes"][number];

function nodeFamilies(known: readonly Known[]): Family[] {
  const nodes = known.flatMap(({ numbers }) => numbers.queueStats.nodes);
  const gauge = (name: string, help: string, read: (node: NodeNumbers) => number): Family => {
    const v3 = { path: "replication", name: `minio_replication_${name}` };
    const sum = nodes.reduce((total, node) => total + read(node), 0);
    return family("gauge", { name: `minio_node_replication_${name}`, help, v2: "node", v3 }, [[{}, sum]]);
  };
  const total = (node: NodeNumbers) => node.transferSummary.Total;
  const failing = known.reduce(
    (sum, { numbers }) =>
      sum + Object.values(numbers.currStats.Stats ?? {}).reduce((count, own) => count + own.failedReplicationCount, 0),
    0,
  );
  const backlog: FamilyOptions = {
    name: "minio_node_replication_recent_backlog_count",
    help: "Versions whose last attempt failed.",
    v2: "node",
    v3: { path: "replication", name: "minio_replication_recent_backlog_count" },
  };
  return [
    gauge("current_active_workers", "Requests to targets now.", (node) => node.activeWorkers.curr),
    gauge("average_active_workers", "Requests to targets, moving average.", (node) => node.activeWorkers.avg),
    gauge("max_active_workers", "Most requests to targets at once.", (node) => node.activeWorkers.max),
    gauge("last_minute_queued_count", "Versions that wait.", (node) => node.queueStats.curr.count),
    gauge("last_minute_queued_bytes", "Bytes that wait.", (node) => node.queueStats.curr.bytes),
    gauge("average_queued_count", "Versions that wait, moving average.", (node) => node.queueStats.avg.count),
    gauge("average_queued_bytes", "Bytes that wait, moving average.", (node) => node.queueStats.avg.bytes),
    gauge("max_queued_count", "Most versions that waited since the start.", (node) => node.queueStats.max.count),
    gauge("max_queued_bytes", "Most bytes that waited since the start.", (node) => node.queueStats.max.bytes),
    gauge("current_transfer_rate", "Bytes a second now.", (node) => total(node).currRate),
    gauge("average_transfer_rate", "Bytes a second, moving average.", (node) => total(node).avgRate),
    gauge("max_transfer_rate", "Most bytes a second since the start.", (node) => total(node).peakRate),
    family("gauge", backlog, [[{}, failing]]),
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
    gauge("link_offline_duration_seconds", "Seconds since the other site answered last; 0 while it does.", (known) =>
      known.isOnline
        ? 0
        : Math.max(0, (deps.clock.nowMs() - Math.max(Date.parse(known.lastOnline), deps.site.startedMs)) / 1000),
    ),
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
