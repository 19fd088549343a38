/** What `replicate status` prints (captures.md 7, mc-cli.md 6.4). Pure. */
import { columns, formatBinarySize, formatRate, formatTime } from "../../format.ts";
import { formatElapsed } from "../units.ts";
import type { RemoteTarget } from "./remote-target.ts";

interface Amount {
  readonly count: number;
  readonly bytes: number;
}

/** `max` and `peak` are two names of one number: servers write either (replication.md 9.1). */
interface Spread<T> {
  readonly curr?: T | undefined;
  readonly avg?: T | undefined;
  readonly max?: T | undefined;
  readonly peak?: T | undefined;
}

interface Rate {
  readonly currRate?: number | undefined;
  readonly avgRate?: number | undefined;
  readonly peakRate?: number | undefined;
}

interface Failures {
  readonly lastMinute?: Amount | undefined;
  readonly lastHour?: Amount | undefined;
  readonly totals?: Amount | undefined;
}

export interface TargetMetrics {
  readonly completedReplicationSize?: number | undefined;
  readonly replicationCount?: number | undefined;
  readonly failed?: Failures | undefined;
  /** Bytes per second, whatever its name says. */
  readonly limitInBits?: number | undefined;
  readonly currentBandwidth?: number | undefined;
  readonly pendingReplicationCount?: number | undefined;
  readonly pendingReplicationSize?: number | undefined;
  /** UNREACHABLE, REPLACED, NOT_REPLICABLE, FAILING, PENDING or CAUGHT_UP. */
  readonly state?: string | undefined;
  /** Why versions do not arrive or are not there: the target is away, is another one, or what it says to the one that is tried next. */
  readonly reason?: string | undefined;
  /** How the target was last tried; `fault`: why versions will not arrive. */
  readonly probe?: { readonly time?: string | undefined; readonly fault?: string | undefined } | undefined;
  /** Of one target only a Resilver says it; MinIO tells that of the bucket. */
  readonly queued?: Spread<Amount> | undefined;
  /** RFC 3339; empty: nothing waits. */
  readonly oldestPending?: string | undefined;
  readonly failedReplicationCount?: number | undefined;
  readonly failedReplicationSize?: number | undefined;
  readonly notReplicableCount?: number | undefined;
  readonly notReplicableSize?: number | undefined;
}

export interface NodeMetrics {
  readonly nodeName?: string | undefined;
  readonly uptime?: number | undefined;
  readonly activeWorkers?: Spread<number> | undefined;
  readonly transferSummary?: Readonly<Record<string, Rate>> | undefined;
  readonly tgtTransferStats?: Readonly<Record<string, Readonly<Record<string, Rate>>>> | undefined;
}

export interface CurrentMetrics extends TargetMetrics {
  readonly Stats?: Readonly<Record<string, TargetMetrics>> | undefined;
  readonly replicaSize?: number | undefined;
  readonly replicaCount?: number | undefined;
  readonly [extra: string]: unknown;
}

export interface ReplicationMetrics {
  readonly uptime?: number | undefined;
  readonly currStats: CurrentMetrics;
  readonly queueStats?: { readonly nodes?: readonly NodeMetrics[] | null | undefined } | undefined;
  readonly [extra: string]: unknown;
}

/** An answer of version 1 is `currStats` alone: it becomes one of version 2. */
export function asVersion2(answer: Readonly<Record<string, unknown>>): ReplicationMetrics {
  const known = typeof answer["currStats"] === "object" && answer["currStats"] !== null;
  return known ? (answer as ReplicationMetrics) : { currStats: answer };
}

/** The text of one bucket: a title, then a block for each target, then a sum when there are several. */
export function statusText(metrics: ReplicationMetrics, targets: readonly RemoteTarget[]): string {
  const blocks = targets.map((target) => [`  ${target.endpoint}`, ...targetLines(metrics, target)]);
  const sum = targets.length === 1 ? [] : [["  Summary", ...summaryLines(metrics)]];
  const title = `  Replication status since ${formatElapsed(metrics.uptime ?? 0)}`;
  return [title, ...[...blocks, ...sum].map((block) => block.join("\n"))].join("\n");
}

const line = (name: string, value: string): string => `  ${`${name}:`.padEnd(30)}${value}`;
const amount = (value: Amount | undefined): string =>
  `${Math.round(value?.count ?? 0)} objects, ${formatBinarySize(value?.bytes ?? 0)}`;
const milliseconds = (ns: number): string => `${Math.round(ns / 1e6)}ms`;

function targetLines(metrics: ReplicationMetrics, target: RemoteTarget): string[] {
  const stats = metrics.currStats.Stats?.[target.arn ?? ""] ?? {};
  const { latency } = target;
  const limit = stats.limitInBits ?? target.bandwidthlimit ?? 0;
  const rates = (metrics.queueStats?.nodes ?? []).map(
    (node) => node.tgtTransferStats?.[target.arn ?? ""]?.["Total"] ?? {},
  );
  return [
    replicatedLine(stats),
    ...pendingLine(stats),
    queuedLine(stats.queued ?? metrics.currStats.queued),
    workersLine(metrics),
    rateLine(rates.some((rate) => rate.avgRate !== undefined) ? rates : nodeRates(metrics)),
    line(
      "Latency",
      `${milliseconds(latency?.curr ?? 0)} (avg: ${milliseconds(latency?.avg ?? 0)}; max: ${milliseconds(latency?.max ?? 0)})`,
    ),
    line("Link", linkText(target)),
    ...(stats.state === "UNREACHABLE" ? [line("State", "UNREACHABLE: nothing is sent until it answers")] : []),
    ...(stats.state === "REPLACED" ? [line("State", "REPLACED: what is there lacks what was sent before")] : []),
    ...(stats.reason === undefined ? [] : [line("Reason", stats.reason)]),
    ...(stats.probe?.fault === undefined ? [] : [line("Probe", stats.probe.fault)]),
    errorsLine(stats.failed),
    ...(limit === 0
      ? []
      : [line("Bandwidth", `${formatRate(stats.currentBandwidth ?? 0)} (limit: ${formatRate(limit)})`)]),
  ];
}

function summaryLines(metrics: ReplicationMetrics): string[] {
  const stats = metrics.currStats;
  const lines = [replicatedLine(stats), ...pendingLine(stats), queuedLine(stats.queued), workersLine(metrics)];
  const received = `${stats.replicaCount ?? 0} objects (${formatBinarySize(stats.replicaSize ?? 0)})`;
  return [...lines, line("Received", received), rateLine(nodeRates(metrics)), errorsLine(stats.failed)];
}

function replicatedLine(stats: TargetMetrics): string {
  const size = formatBinarySize(stats.completedReplicationSize ?? 0);
  return line("Replicated", `${stats.replicationCount ?? 0} objects (${size})`);
}

/** Only where the server counts what is still to do; MinIO always sends zero. */
function pendingLine(stats: TargetMetrics): string[] {
  const shown = (name: string, count: number | undefined, bytes: number | undefined, more = ""): string[] =>
    (count ?? 0) === 0 ? [] : [line(name, `${count} objects (${formatBinarySize(bytes ?? 0)})${more}`)];
  const since = stats.oldestPending ? `, oldest of ${formatTime(new Date(stats.oldestPending))}` : "";
  return [
    ...shown("Pending", stats.pendingReplicationCount, stats.pendingReplicationSize, since),
    ...shown("Failing", stats.failedReplicationCount, stats.failedReplicationSize),
    ...shown("Not replicable", stats.notReplicableCount, stats.notReplicableSize, ", see `mc replicate backlog`"),
  ];
}

function queuedLine(queued: Spread<Amount> | undefined): string {
  const most = queued?.max ?? queued?.peak;
  return line("Queued", `● ${amount(queued?.curr)} (avg: ${amount(queued?.avg)} ; max: ${amount(most)})`);
}

function workersLine(metrics: ReplicationMetrics): string {
  const workers = (metrics.queueStats?.nodes ?? []).map((node) => node.activeWorkers ?? {});
  const sum = (pick: (spread: Spread<number>) => number | undefined): number =>
    Math.round(workers.reduce((total, spread) => total + (pick(spread) ?? 0), 0));
  const most = sum((spread) => spread.max ?? spread.peak);
  return line("Workers", `${sum((spread) => spread.curr)} (avg: ${sum((spread) => spread.avg)}; max: ${most})`);
}

function nodeRates(metrics: ReplicationMetrics): Rate[] {
  return (metrics.queueStats?.nodes ?? []).map((node) => node.transferSummary?.["Total"] ?? {});
}

function rateLine(rates: readonly Rate[]): string {
  const sum = (pick: (rate: Rate) => number | undefined): string =>
    formatRate(rates.reduce((total, rate) => total + (pick(rate) ?? 0), 0));
  const text = `${sum((rate) => rate.currRate)} (avg: ${sum((rate) => rate.avgRate)}; max: ${sum((rate) => rate.peakRate)})`;
  return line("Transfer Rate", text);
}

function linkText(target: RemoteTarget): string {
  const downtimeMs = Math.round((target.totalDowntime ?? 0) / 1e6);
  const down = downtimeMs < 1000 ? `${downtimeMs} milliseconds` : formatElapsed(downtimeMs / 1000);
  return `● ${target.isOnline === false ? "offline" : "online"} (total downtime: ${down})`;
}

function errorsLine(failed: Failures | undefined): string {
  const { lastMinute, lastHour, totals } = failed ?? {};
  const text = `${lastMinute?.count ?? 0} in last 1 minute; ${lastHour?.count ?? 0} in last 1hr; ${totals?.count ?? 0} since uptime`;
  return line("Errors", text);
}

/** The table of `--nodes`. */
export function nodesText(metrics: ReplicationMetrics): string {
  const rows = (metrics.queueStats?.nodes ?? []).flatMap((node) =>
    ["Large", "Small"].map((label) => {
      const rate = node.transferSummary?.[label] ?? {};
      const rates = [rate.avgRate, rate.peakRate, rate.currRate].map((value) => formatRate(value ?? 0));
      const workers = String(Math.round(node.activeWorkers?.curr ?? 0));
      return [node.nodeName ?? "", formatElapsed(node.uptime ?? 0), `${label} Objects`, ...rates, workers];
    }),
  );
  return columns([["Node Name", "Uptime", "Label", "Avg", "Peak", "Current", "Workers"], ...rows]);
}

const FLAT = [
  "pendingReplicationSize",
  "failedReplicationSize",
  "completedReplicationSize",
  "replicaSize",
  "pendingReplicationCount",
  "failedReplicationCount",
] as const;

/**
 * The JSON of status. `replicationstats` carries the members of version 2 and, beside them, the flat ones that scripts of
 * 2022 read; `peak` repeats `max` for readers of the newer name.
 */
export function statusJson(
  url: string,
  metrics: ReplicationMetrics,
  remoteTargets: readonly RemoteTarget[],
): Record<string, unknown> {
  const { queued } = metrics.currStats;
  const withPeak = queued === undefined ? {} : { queued: { ...queued, peak: queued.peak ?? queued.max } };
  const flat = Object.fromEntries(FLAT.map((name) => [name, metrics.currStats[name] ?? 0]));
  const replicationstats = {
    ...metrics,
    currStats: { ...metrics.currStats, ...withPeak },
    downtimeInfo: metrics["downtimeInfo"] ?? null,
    ...flat,
    Stats: metrics.currStats.Stats ?? {},
  };
  return { op: "status", url, status: "success", replicationstats, remoteTargets };
}
