/**
 * Replication as metrics and lists see it (replication.md 9.1, 9.2). Totals come from counters in the index, so they are
 * exact after any restart; rates and recent failures are the running process's own.
 */
import type { Objects } from "../objects/objects.ts";
import { StoreError } from "../model/errors.ts";
import type { Arn, BucketName, VersionId } from "../model/names.ts";
import { replicationStatus, type ReplicationState, type Version } from "../model/version.ts";
import { isoMillis, rfc3339Nano } from "../protocol/time.ts";
import type { Clock } from "../runtime/clock.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import type { PendingWork } from "../objects/types.ts";
import { counterKey, keyAfter, keyPrefixRange, readCounter, SPACE } from "../storage/keys.ts";
import { decodeTombstone } from "../storage/records.ts";
import { Activity, type ActivityView, type CountBytes, type Rate } from "./activity.ts";
import { publishedActivity } from "./activity-rows.ts";
import { configArns } from "./config.ts";
import { isWalking } from "./existing.ts";
import type { Away } from "./health.ts";
import { STATUS_PAGE } from "./limits.ts";
import { pendingWork, readRows, retryRange } from "./log.ts";
import { PROXIED_CALLS, proxyStats } from "./peer-reads.ts";
import { probeResult, type ProbeResult } from "./probe.ts";
import { replacedTarget, replacedText, type Replaced } from "./same-site.ts";
import type { KnownTarget, Targets } from "./targets.ts";

export interface StatusDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly targets: Targets;
  /** `host:port` under which this server shows itself. */
  readonly nodeName: string;
  readonly startedMs: number;
  /** Activity of a target's queue when it runs in this process. */
  readonly activity: (arn: Arn) => Activity | undefined;
}

/**
 * How a target stands, the worst first. REPLACED: what answers there lacks what was sent (same-site.ts). CAUGHT_UP:
 * everything written was sent; that both sites are equal is what a resync or a verification says.
 */
type TargetState = "UNREACHABLE" | "REPLACED" | "NOT_REPLICABLE" | "FAILING" | "PENDING" | "CAUGHT_UP";

interface TargetNumbers {
  readonly arn: Arn;
  readonly state: TargetState;
  readonly probe: ProbeResult | undefined;
  readonly reason: string | undefined;
  readonly pending: PendingWork;
  readonly sent: CountBytes;
  readonly failed: CountBytes;
  readonly activity: ActivityView;
  readonly limit: number;
}

async function counters(index: OrderedIndex, name: string): Promise<CountBytes> {
  const [count, bytes] = await Promise.all([
    index.get(counterKey(`${name}/count`)),
    index.get(counterKey(`${name}/bytes`)),
  ]);
  return { count: Number(readCounter(count)), bytes: Number(readCounter(bytes)) };
}

interface Standing {
  readonly pending: PendingWork;
  readonly isOnline: boolean;
  readonly walking: boolean;
  readonly replaced: Replaced | undefined;
  readonly fault: string | undefined;
}

function stateOf({ pending, isOnline, walking, replaced, fault }: Standing): TargetState {
  if (!isOnline) return "UNREACHABLE";
  if (replaced !== undefined) return "REPLACED";
  if (pending.refused.count > 0) return "NOT_REPLICABLE";
  if (pending.failing.count > 0 || fault !== undefined) return "FAILING";
  return pending.count > 0 || walking ? "PENDING" : "CAUGHT_UP";
}

/**
 * Why versions do not arrive or are not there, if so: the target is away, it is another one, or what became of the failed
 * one that is next.
 */
async function reasonOf(
  index: OrderedIndex,
  arn: Arn,
  { pending, replaced, away }: Pick<Standing, "pending" | "replaced"> & { readonly away: Away | undefined },
): Promise<string | undefined> {
  if (away !== undefined) return `away since ${isoMillis(away.sinceMs)}: ${away.why}`;
  if (replaced !== undefined) return replacedText(replaced);
  if (pending.failing.count === 0) return undefined;
  const [next] = await readRows(index, retryRange(arn), 1);
  return next?.row.error && `${next.row.error} (${next.row.key})`;
}

async function numbersOf(deps: StatusDeps, { bucket, record, bucketId }: KnownTarget): Promise<TargetNumbers> {
  const { arn, bandwidth: limit } = record;
  // First: what a walk has put into the log by its end is counted after it.
  const walking = await isWalking(deps.index, bucketId, arn);
  const [pending, sent, failed, health, probe, replaced] = await Promise.all([
    pendingWork(deps.index, arn),
    counters(deps.index, `sent/${arn}`),
    counters(deps.index, `failed/${arn}`),
    deps.targets.connections.health({ bucket, record }),
    probeResult(deps.index, arn),
    replacedTarget(deps.index, arn),
  ]);
  // A row of an older program may lack members.
  const activity =
    deps.activity(arn)?.view() ??
    Object.assign(new Activity(deps.clock).view(), await publishedActivity(deps.index, arn));
  const reason = await reasonOf(deps.index, arn, { pending, replaced, away: health.away });
  return {
    arn,
    state: stateOf({ pending, isOnline: health.isOnline, walking, replaced, fault: probe?.fault }),
    probe,
    reason,
    pending,
    sent,
    failed,
    activity,
    limit,
  };
}

const add = (a: CountBytes, b: CountBytes): CountBytes => ({ count: a.count + b.count, bytes: a.bytes + b.bytes });
const NONE: CountBytes = { count: 0, bytes: 0 };

function failedOf(numbers: readonly TargetNumbers[]): object {
  const errCounts: Record<string, number> = {};
  for (const { activity } of numbers) {
    for (const [code, count] of Object.entries(activity.errCounts)) errCounts[code] = (errCounts[code] ?? 0) + count;
  }
  return {
    lastMinute: numbers.map((n) => n.activity.failed.lastMinute).reduce(add, NONE),
    lastHour: numbers.map((n) => n.activity.failed.lastHour).reduce(add, NONE),
    totals: numbers.map((n) => n.failed).reduce(add, NONE),
    ...(Object.keys(errCounts).length > 0 ? { errCounts } : {}),
  };
}

/** Both the names that servers send and those that SDKs read. */
function queued(numbers: readonly TargetNumbers[]): object {
  const sum = (pick: (one: TargetNumbers) => CountBytes): CountBytes => numbers.map(pick).reduce(add, NONE);
  const curr = sum((n) => n.pending);
  const sampled = sum((n) => n.activity.queued.max);
  const max = { count: Math.max(curr.count, sampled.count), bytes: Math.max(curr.bytes, sampled.bytes) };
  return { curr, avg: sum((n) => n.activity.queued.avg), max, peak: max };
}

function targetStats(numbers: TargetNumbers): object {
  const { state, probe, reason, sent, pending, limit, activity } = numbers;
  return {
    state,
    ...(probe === undefined ? {} : { probe }),
    ...(reason === undefined ? {} : { reason }),
    completedReplicationSize: sent.bytes,
    replicaSize: 0,
    failed: failedOf([numbers]),
    replicationCount: sent.count,
    replicationLatency: { UploadHistogram: [] },
    limitInBits: limit,
    currentBandwidth: activity.transfers.Total.currRate,
    pendingReplicationSize: pending.bytes,
    failedReplicationSize: pending.failing.bytes,
    pendingReplicationCount: pending.count,
    failedReplicationCount: pending.failing.count,
    notReplicableSize: pending.refused.bytes,
    notReplicableCount: pending.refused.count,
    queued: queued([numbers]),
    oldestPending: pending.oldest === undefined ? "" : rfc3339Nano(pending.oldest),
    lagMs: activity.lagMs.curr,
    lag: activity.lagMs,
  };
}

/** JSON of `?replication-metrics`: version 1 is `currStats` alone. */
export async function replicationMetrics(deps: StatusDeps, bucketName: BucketName, version: 1 | 2): Promise<object> {
  const bucket = await deps.objects.bucket(bucketName);
  if (bucket.replication === undefined)
    throw new StoreError("ReplicationConfigurationNotFoundError", { bucket: bucketName });
  const used = new Set(configArns(bucket.replication));
  const known = (await deps.targets.ofBucket(bucketName)).filter(({ record }) => used.has(record.arn));
  const all = await Promise.all(known.map((target) => numbersOf(deps, target)));
  const pending = all.map((n) => n.pending).reduce(add, NONE);
  const failing = all.map((n) => n.pending.failing).reduce(add, NONE);
  const sent = all.map((n) => n.sent).reduce(add, NONE);
  const replicas = await counters(deps.index, `replica/${bucket.id}`);
  const currStats = {
    ...(all.length > 0 ? { Stats: Object.fromEntries(all.map((n) => [n.arn, targetStats(n)])) } : {}),
    completedReplicationSize: sent.bytes,
    replicaSize: replicas.bytes,
    failed: failedOf(all),
    replicationCount: sent.count,
    replicaCount: replicas.count,
    queued: queued(all),
    pendingReplicationSize: pending.bytes,
    failedReplicationSize: failing.bytes,
    pendingReplicationCount: pending.count,
    failedReplicationCount: failing.count,
  };
  if (version === 1) return currStats;
  const proxied = await proxyNumbers(deps.index, bucket.id);
  return { ...fullMetrics(deps, all, currStats, queued(all)), proxyStats: proxied };
}

function fullMetrics(deps: StatusDeps, all: readonly TargetNumbers[], currStats: object, queueStats: object): object {
  const uptime = Math.floor((deps.clock.nowMs() - deps.startedMs) / 1000);
  const workers = { curr: 0, avg: 0, max: 0 };
  for (const { activity } of all) {
    workers.curr += activity.workers.curr;
    workers.avg += activity.workers.avg;
    workers.max += activity.workers.max;
  }
  const lastHour = all.map((n) => n.activity.failed.lastHour).reduce(add, NONE);
  const lastMinute = all.map((n) => n.activity.failed.lastMinute).reduce(add, NONE);
  const total = all.map((n) => n.failed).reduce(add, NONE);
  const node = {
    nodeName: deps.nodeName,
    uptime,
    activeWorkers: workers,
    workers,
    transferSummary: { Large: rateOf(all, "Large"), Small: rateOf(all, "Small"), Total: rateOf(all, "Total") },
    tgtTransferStats: Object.fromEntries(all.map((n) => [n.arn, n.activity.transfers])),
    queueStats,
    mrfStats: { failedCount_last5min: lastMinute.count, droppedCount_since_uptime: 0, droppedBytes_since_uptime: 0 },
    retries: { last1hr: 0, last1m: 0, total: all.reduce((sum, n) => sum + n.activity.retries, 0) },
    errors: { last1hr: lastHour.count, last1m: lastMinute.count, total: total.count },
  };
  return { uptime, currStats, queueStats: { nodes: [node], uptime } };
}

/** Targets are sent to at the same time: their rates add up. */
function rateOf(all: readonly TargetNumbers[], size: "Large" | "Small" | "Total"): Rate {
  const rates = all.map(({ activity }) => activity.transfers[size]);
  const sum = (pick: (rate: Rate) => number): number => rates.reduce((total, rate) => total + pick(rate), 0);
  return {
    currRate: sum((rate) => rate.currRate),
    avgRate: sum((rate) => rate.avgRate),
    peakRate: sum((rate) => rate.peakRate),
    n: sum((rate) => rate.n),
  };
}

/** The ten numbers of `proxyStats`, as servers name them. */
async function proxyNumbers(index: OrderedIndex, bucketId: string): Promise<object> {
  const stats = await proxyStats(index, bucketId);
  return Object.fromEntries(
    PROXIED_CALLS.flatMap((call) => [
      [`${call}ProxyTotal`, stats[call].total],
      [`${call}ProxyFailed`, stats[call].failed],
    ]),
  );
}

/** One line of `replication/mrf` (9.2): what waits after a failure. */
export interface FailureLine {
  readonly nodeName: string;
  readonly bucket: string;
  readonly object: string;
  readonly versionId: string;
  readonly retryCount: number;
  /** NOT_REPLICABLE: no repetition mends it. REPLACED: no version, but the target itself. */
  readonly state: "FAILED" | "NOT_REPLICABLE" | "REPLACED";
  readonly targetArn: Arn;
  /** Why the last attempt failed. */
  readonly reason?: string | undefined;
  /** Of the list itself: the original `mc` ends with it, and shows no further line. */
  readonly error?: string | undefined;
}

/** Of one bucket (throws NoSuchBucket) or of all. Reading changes nothing. */
export async function failures(
  deps: StatusDeps,
  bucketName: BucketName | undefined,
): Promise<AsyncIterable<FailureLine>> {
  const known = bucketName === undefined ? await deps.targets.all() : await deps.targets.ofBucket(bucketName);
  return failureLines(deps, known);
}

async function* failureLines(deps: StatusDeps, targets: readonly KnownTarget[]): AsyncIterable<FailureLine> {
  const { nodeName, index } = deps;
  for (const { record } of targets) yield* retryLines(deps, record.arn);
  for (const { bucket, record } of targets) {
    const { arn } = record;
    const replaced = await replacedTarget(index, arn);
    if (replaced === undefined) continue;
    // Nothing waits for what is missing there: without this line the list would be empty, as if all were well.
    const line = { object: "", versionId: "", retryCount: 0, state: "REPLACED", targetArn: arn } as const;
    yield { nodeName, bucket, ...line, error: replacedText(replaced) };
  }
}

async function* retryLines({ nodeName, index }: StatusDeps, arn: Arn): AsyncIterable<FailureLine> {
  const range = retryRange(arn);
  for (let start = range.start; ;) {
    const rows = await readRows(index, { start, end: range.end }, STATUS_PAGE);
    for (const { row } of rows) {
      const { bucket, key: object, versionId, attempts: retryCount, error: reason } = row;
      yield {
        nodeName,
        bucket,
        object,
        versionId,
        retryCount,
        state: row.refused ? "NOT_REPLICABLE" : "FAILED",
        targetArn: arn,
        ...(reason === undefined ? {} : { reason }),
      };
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < STATUS_PAGE) return;
    start = keyAfter(last.rowKey);
  }
}

export interface DiffRequest {
  /** Also what is replicated already. */
  readonly verbose: boolean;
  readonly arn?: string | undefined;
  readonly prefix: string;
}

/** One line of `replication/diff` (9.2). */
export interface DiffLine {
  readonly object: string;
  readonly versionId: string;
  readonly targets: Readonly<Record<string, { readonly rStatus?: string; readonly drStatus?: string }>>;
  readonly rStatus?: string | undefined;
  readonly dStatus?: string | undefined;
  readonly replTimestamp: string;
  readonly lastModified: string;
  readonly deletemarker: boolean;
}

/** Rejects before the first line: NoSuchBucket, 404 without configuration or targets, InvalidRequest for an unknown ARN. */
export async function replicationDiff(
  deps: StatusDeps,
  bucketName: BucketName,
  options: DiffRequest,
): Promise<AsyncIterable<DiffLine>> {
  const bucket = await deps.objects.bucket(bucketName);
  if (bucket.replication === undefined)
    throw new StoreError("ReplicationConfigurationNotFoundError", { bucket: bucketName });
  const known = (await deps.targets.ofBucket(bucketName)).map(({ record }) => record.arn);
  if (known.length === 0) throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket: bucketName });
  if (options.arn && !known.includes(options.arn as Arn)) {
    throw new StoreError("InvalidRequest", { message: "No target with this ARN", bucket: bucketName });
  }
  return diffLines(deps, { name: bucketName, id: bucket.id }, options);
}

async function* diffLines(
  deps: StatusDeps,
  bucket: { name: BucketName; id: string },
  options: DiffRequest,
): AsyncIterable<DiffLine> {
  yield* versionDiff(deps, bucket.name, options);
  yield* purgeDiff(deps, bucket.id, options);
}

function wantedState(state: ReplicationState, options: DiffRequest): boolean {
  const statuses = options.arn
    ? [state.targets[options.arn]].filter((status) => status !== undefined)
    : Object.values(state.targets);
  return statuses.length > 0 && (options.verbose || statuses.some((status) => status !== "COMPLETED"));
}

async function* versionDiff(deps: StatusDeps, bucket: BucketName, options: DiffRequest): AsyncIterable<DiffLine> {
  let marker: { keyMarker: string; versionIdMarker?: VersionId | undefined } = { keyMarker: "" };
  for (;;) {
    const page = await deps.objects.listVersions({
      bucket,
      prefix: options.prefix,
      delimiter: "",
      maxKeys: STATUS_PAGE,
      ...marker,
    });
    for (const { version } of page.versions) if (wantedState(version.replication, options)) yield diffRow(version);
    if (!page.truncated || page.nextKeyMarker === undefined) return;
    marker = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker };
  }
}

function diffRow(version: Version): DiffLine {
  const targets = Object.fromEntries(
    Object.entries(version.replication.targets).map(([arn, rStatus]) => [arn, { rStatus }]),
  );
  return {
    object: version.key,
    versionId: version.versionId,
    targets,
    rStatus: replicationStatus(version.replication),
    replTimestamp: rfc3339Nano(version.mtime),
    lastModified: rfc3339Nano(version.mtime),
    deletemarker: version.kind === "delete-marker",
  };
}

/** Purges that have not reached every target: their versions are gone here, the tombstones remember. */
async function* purgeDiff(deps: StatusDeps, bucketId: string, options: DiffRequest): AsyncIterable<DiffLine> {
  const range = keyPrefixRange(SPACE.tombstone, bucketId, options.prefix);
  for (let start = range.start; ;) {
    const entries = await deps.index.scan({ start, end: range.end }, { limit: STATUS_PAGE });
    for (const entry of entries) {
      const stone = decodeTombstone(entry.value);
      if (!wantedState(stone.replication, { ...options, verbose: false })) continue;
      const targets = Object.fromEntries(
        Object.entries(stone.replication.targets).map(([arn, drStatus]) => [arn, { drStatus }]),
      );
      const time = rfc3339Nano(stone.time);
      const dStatus = replicationStatus(stone.replication);
      yield {
        object: stone.key,
        versionId: stone.versionId,
        targets,
        dStatus,
        replTimestamp: time,
        lastModified: time,
        deletemarker: true,
      };
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < STATUS_PAGE) return;
    start = keyAfter(last.key);
  }
}
