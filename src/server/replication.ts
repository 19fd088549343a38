/** Puts replication and resync together: what the S3 and admin layers call, and the background work. */
import type { BacklogApi } from "../admin/targets-api.ts";
import type { TraceSink } from "../observe/trace.ts";
import type { Objects } from "../objects/objects.ts";
import type { Bucket } from "../model/bucket.ts";
import type { Arn } from "../model/names.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { LocalSide } from "../reconcile/local.ts";
import { answerPeer } from "../reconcile/remote.ts";
import { targetClient, type TargetAddress } from "../replication/client-adapter.ts";
import { checkConfig, validateConfig } from "../replication/config.ts";
import { ExistingObjects } from "../replication/existing.ts";
import { ForgottenTargets } from "../replication/forget.ts";
import { tracingObserver } from "../replication/observer.ts";
import { Probes } from "../replication/probe.ts";
import { PeerReads } from "../replication/peer-reads.ts";
import { Scheduler } from "../replication/scheduler.ts";
import { failures, replicationDiff, replicationMetrics, type StatusDeps } from "../replication/status.ts";
import type { Sealer } from "../model/sealer.ts";
import { withSynchronousTargets } from "../replication/synchronous.ts";
import { Targets } from "../replication/targets.ts";
import type { TargetClient } from "../replication/wire.ts";
import type { BlobStore } from "../storage/blobs/blobs.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { Heals } from "../resync/heal.ts";
import { ResyncJobs } from "../resync/jobs.ts";
import { Scrub, type ScrubSettings } from "../resync/scrub.ts";
import type { ReplicationApi } from "../s3/replication-api.ts";

export interface ReplicationDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  /** `host:port` under which this server shows itself in metrics. */
  readonly nodeName: string;
  /** This site's x-amz-id-2, for the check that a target is not this very site. */
  readonly hostId: string;
  readonly userAgent: string;
  /** PEM roots trusted for targets. */
  readonly ca?: readonly string[] | (() => readonly string[]) | undefined;
  readonly warn: (message: string, error: unknown) => void;
  /** Follows every version that is sent; absent: nobody ever does. */
  readonly trace?: TraceSink | undefined;
  /** Set in processes that never `start`: reaches the one that does; no ARNs named: look at everything. */
  readonly tellOthers?: ((arns: readonly Arn[]) => void) | undefined;
  readonly blobs: BlobStore;
  /** What the scrub may do, asked all the time; absent: there is none. */
  readonly scrub?: (() => ScrubSettings) | undefined;
  /** Keeps the report of a resync as a file; it never rejects. */
  readonly saveReport?: ((name: string, text: string) => Promise<void>) | undefined;
  /** What is encrypted at rest may travel over plain HTTP. */
  readonly encryptedOverHttp?: boolean | undefined;
  /** Tests put another client in place. */
  readonly clientFor?: ((address: TargetAddress) => TargetClient) | undefined;
}

export interface Replication {
  /** The objects as clients use them: their writes wait for synchronous targets. */
  readonly clientObjects: Objects;
  readonly targets: Targets;
  readonly api: ReplicationApi;
  readonly backlog: BacklogApi;
  readonly heals: Heals;
  /** Begins the background work: sending, queueing existing objects, resyncs. */
  start(): void;
  /** Ends the background work and closes every connection; what was under way goes on after the next start. */
  stop(): Promise<void>;
  /** Rows were written for these targets; none named: look at everything. Harmless without background work. */
  poke(arns: readonly Arn[]): void;
}

export function createReplication(deps: ReplicationDeps): Replication {
  const { index, objects, clock, random, warn, hostId } = deps;
  const clientFor =
    deps.clientFor ?? ((address) => targetClient(address, { clock, userAgent: deps.userAgent, ca: deps.ca }));
  const observer = deps.trace === undefined ? undefined : tracingObserver(deps.trace, clock, deps.nodeName);
  const targets = new Targets({ ...deps, clientFor, observer });
  const scheduler = new Scheduler({ index, objects, clock, random, warn, targets });
  const existing = new ExistingObjects({ index, objects, clock, random, warn, poke: (arn) => scheduler.poke(arn) });
  const forgotten = new ForgottenTargets({ index, clock, warn });
  const peers = new PeerReads({ index, targets, clock, warn });
  const jobs = new ResyncJobs({ ...deps, targets, site: deps.nodeName });
  const bytes = {
    objects,
    index,
    blobs: deps.blobs,
    clock,
    warn,
    peersFor: (bucket: Bucket, key: string) => peers.peersFor(bucket, key),
  };
  const heals = new Heals({ ...bytes, random });
  const scrub = deps.scrub === undefined ? undefined : new Scrub({ ...bytes, settings: deps.scrub });
  const config = { objects, targets, clock, random, hostId };
  const status: StatusDeps = {
    index,
    objects,
    clock,
    targets,
    nodeName: deps.nodeName,
    startedMs: clock.nowMs(),
    activity: (arn) => scheduler.queue(arn)?.activity,
  };
  const probes = new Probes({ ...config, index, warn });
  const stopping = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  const work = async (held: AbortSignal): Promise<void> => {
    await Promise.all([
      scheduler.run(held),
      existing.run(held),
      forgotten.run(held),
      probes.run(held),
      jobs.run(held),
      scrub?.run(held),
    ]);
  };
  const lookAround = (): void => {
    scheduler.poke();
    existing.wake();
    forgotten.wake();
    jobs.wake();
  };
  const changed = (): void => (deps.tellOthers === undefined ? lookAround() : deps.tellOthers([]));
  return {
    clientObjects: withSynchronousTargets({ objects, targets, clock, warn }),
    targets,
    heals,
    api: {
      validateConfig: (bucket, replication) => validateConfig(config, bucket, replication),
      lockChange: (bucket, objectLock) => targets.lockChange(bucket, objectLock),
      async configChanged(bucket) {
        await existing.ensure(bucket);
        changed();
      },
      async removeAllTargets(bucket) {
        const dropped = await targets.removeAll(bucket);
        changed();
        return dropped;
      },
      check: (bucket) => checkConfig(config, bucket),
      metrics: (bucket, version) => replicationMetrics(status, bucket, version),
      async resyncStart(bucket, request) {
        const started = await jobs.start(bucket, request);
        changed();
        return started;
      },
      resyncStatus: (bucket, arn) => jobs.status(bucket, arn),
      resyncCancel: (bucket, arn) => jobs.cancel(bucket, arn),
      async reconcile(bucket, call, frame) {
        const { id } = await objects.bucket(bucket);
        return answerPeer(new LocalSide({ index, clock, bucketId: id }), call, frame);
      },
      peersFor: (bucket, key) => peers.peersFor(bucket, key),
      proxied: (bucketId, call, succeeded) => peers.count(bucketId, call, succeeded),
      resyncPlan: (bucket, request, signal) => jobs.plan(bucket, request, signal),
      async resyncControl(bucket, arn, request) {
        const now = await jobs.control(bucket, arn, request);
        changed();
        return now;
      },
      resyncReport: (bucket, arn) => jobs.report(bucket, arn),
    },
    backlog: {
      diff: (bucket, request) => replicationDiff(status, bucket, request),
      failures: (bucket) => failures(status, bucket),
    },
    start() {
      ended = work(stopping.signal);
    },
    async stop() {
      stopping.abort();
      await heals.close();
      await ended;
      await peers.close();
      await targets.connections.close();
    },
    poke(arns) {
      if (arns.length === 0) lookAround();
      for (const arn of arns) scheduler.poke(arn);
    },
  };
}
