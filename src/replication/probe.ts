/**
 * Tries a target before a rule sends to it, and again when it may have become another: is the bucket there, versioned
 * and locked as the rules need it, does the user have the rights, are version ids and times kept.
 */
import { StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import type { Arn } from "../model/names.ts";
import { ruleArn } from "../model/replication-config.ts";
import { RESILVER } from "../protocol/replication-headers.ts";
import type { Objects } from "../objects/objects.ts";
import { Waker } from "../runtime/waker.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import type { Link } from "./link.ts";
import { RECOGNISE_APART_MS, RECOGNISE_BUCKET_APART_MS, RECOGNISE_BUCKET_MS, PROBE_AGAIN_MS } from "./limits.ts";
import { isUnmarked, lookAtTarget } from "./same-site.ts";
import * as checks from "./target-checks.ts";
import type { KnownTarget, Targets } from "./targets.ts";

export interface ProbeDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly targets: Targets;
  readonly clock: Clock;
  readonly random: Random;
  readonly hostId: string;
}

/** How the last try of a target ended. */
export interface ProbeResult {
  /** RFC 3339. */
  readonly time: string;
  /** What the target says of itself; another word means another program. */
  readonly identity: string;
  /** Why versions will not arrive; absent: nothing was found wanting. */
  readonly fault?: string | undefined;
}

const rowKey = (arn: Arn): Buffer => namedRowKey(SPACE.job, `probe/${arn}`);

/** The last result; undefined: the target was not tried since it was made. */
export async function probeResult(index: OrderedIndex, arn: Arn): Promise<ProbeResult | undefined> {
  const raw = await index.get(rowKey(arn));
  return raw === undefined ? undefined : decodeRow<ProbeResult>(raw);
}

/** What the enabled rules of a bucket ask of a target; undefined: none sends there. */
export function needsOf(bucket: Pick<Bucket, "replication">, arn: Arn): checks.WriteNeeds | undefined {
  const config = bucket.replication;
  const rules = config?.rules.filter((rule) => rule.enabled && ruleArn(config, rule) === arn) ?? [];
  if (rules.length === 0) return undefined;
  return {
    markers: rules.some((rule) => rule.deleteMarkerReplication),
    purges: rules.some((rule) => rule.deleteReplication),
  };
}

/**
 * Throws what is wanting: RemoteDestinationNotFoundError, RemoteTargetNotVersionedError,
 * ReplicationDestinationMissingLockError, InvalidRequest (which names the right), or
 * XMinioAdminReplicationRemoteConnectionError when it could not be asked. `real`: writes and purges an object at targets
 * whose dry runs promise too much.
 */
export async function tryTarget(
  deps: Omit<ProbeDeps, "index" | "objects">,
  target: KnownTarget,
  wanted: { needs: checks.WriteNeeds; locked: boolean; real: boolean },
): Promise<void> {
  const { client, record } = deps.targets.connect(target);
  await checks.checkBucketThere(client, "RemoteDestinationNotFoundError");
  if (wanted.locked) await checks.checkLocked(client);
  await checks.checkVersioned(client);
  const object = {
    key: `minio/${deps.hostId || "node"}/deleteme`,
    versionId: deps.random.uuid(),
    nowNs: deps.clock.nowNs(),
  };
  const knowsDryRuns = await checks.checkWrites(client, object, wanted.needs);
  const ours = (await checks.checkAlive(client)).headers[RESILVER] !== undefined;
  const real = record.dialect === "s3" || wanted.needs.purges || !knowsDryRuns;
  // A version of its own: a MinIO with rules carries the purge of the first one to its peers and then repeats it.
  const another = { ...object, versionId: deps.random.uuid() };
  if (wanted.real && real && !ours) await checks.checkRealWrites(client, another);
}

/**
 * Tries targets again when they came back or say another name, and while they are found wanting. Only the process that
 * does the background work runs it.
 */
export class Probes {
  readonly #deps: ProbeDeps & { readonly warn: (message: string, error: unknown) => void };
  /** What was known of each endpoint when its target was tried last. */
  readonly #seen = new Map<Arn, string>();
  /** When each target was last looked at, whether it still is what versions were sent to. */
  readonly #looked = new Map<Arn, { readonly presence: string; readonly atMs: number; readonly madeMs: number }>();
  readonly #followed = new Map<Arn, { readonly link: Link; readonly stop: () => void }>();
  readonly #waker = new Waker();
  /** Targets of the last round. */
  #count = 0;
  /** Targets with a fault: somebody may mend it at any moment, and then it must not be told any longer. */
  readonly #wanting = new Set<Arn>();

  constructor(deps: ProbeDeps & { readonly warn: (message: string, error: unknown) => void }) {
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const failed = (error: unknown): void => this.#deps.warn("targets could not be tried again", error);
    const { clock, targets } = this.#deps;
    await this.#waker.repeat({
      clock,
      signal,
      idleMs: () => PROBE_AGAIN_MS,
      // All at once: one that takes its time to answer keeps nobody else's return from being noticed.
      round: async () => {
        const all = await targets.all();
        this.#count = all.length;
        this.#forgetAllBut(new Set(all.map(({ record }) => record.arn)));
        await Promise.all(all.map((target) => this.#look(target).catch(failed)));
      },
      failed,
    });
    for (const { stop } of this.#followed.values()) stop();
  }

  /** A target that comes back is looked at then, not some seconds later: it would be called caught up until then. */
  #follow(arn: Arn, link: Link): void {
    const followed = this.#followed.get(arn);
    if (followed?.link === link) return;
    followed?.stop();
    this.#followed.set(arn, { link, stop: link.onOnline(() => this.#waker.wake()) });
  }

  #forgetAllBut(arns: ReadonlySet<Arn>): void {
    for (const [arn, { stop }] of this.#followed) {
      if (arns.has(arn)) continue;
      stop();
      this.#followed.delete(arn);
      this.#looked.delete(arn);
      this.#seen.delete(arn);
      this.#wanting.delete(arn);
    }
  }

  async #look(known: KnownTarget): Promise<void> {
    const { arn } = known.record;
    const { endpoint } = this.#deps.targets.connect(known);
    this.#follow(arn, endpoint);
    if (endpoint.leadsHome)
      return this.#keep(known, "The remote target is this site itself: nothing is sent there", endpoint.identity);
    if (!endpoint.isOpenForWork || endpoint.identity === "") return;
    await this.#recognise(known);
    const seen = endpoint.presence;
    if (this.#seen.get(arn) === seen && !this.#wanting.has(arn)) return;
    // Its keys may be other ones since: connected to as it was, everybody would go back to the old ones.
    const target = await this.#deps.targets.get(known.bucket, arn);
    const bucket = await this.#deps.objects.bucket(target.bucket);
    const needs = needsOf(bucket, arn);
    if (needs === undefined) return;
    const first = !this.#seen.has(arn);
    this.#seen.set(arn, seen);
    // A start of this process says nothing about the target: what it said before counts.
    const before = first ? await probeResult(this.#deps.index, arn) : undefined;
    if (before?.identity === endpoint.identity && before.fault === undefined) return;
    await this.try(target, { needs, locked: bucket.objectLock !== undefined });
  }

  /** See same-site.ts: when it was away or became another, when something was sent, and now and then. */
  async #recognise(target: KnownTarget): Promise<void> {
    const { index, clock, targets, warn } = this.#deps;
    const connection = targets.connect(target);
    const { arn, dialect } = target.record;
    const { presence } = connection.endpoint;
    const last = this.#looked.get(arn);
    const nowMs = clock.nowMs();
    const isNew = last?.presence !== presence;
    const isDue =
      isNew || nowMs - last.atMs >= this.#count * RECOGNISE_APART_MS || (await isUnmarked(index, connection));
    if (dialect === "s3" || !isDue) return;
    const made = isNew || nowMs - last.madeMs >= Math.max(RECOGNISE_BUCKET_MS, this.#count * RECOGNISE_BUCKET_APART_MS);
    try {
      const replaced = await lookAtTarget({ index, clock }, connection, { made });
      this.#looked.set(arn, { presence, atMs: nowMs, madeMs: made ? nowMs : last.madeMs });
      if (replaced === undefined) return;
      const fault = new StoreError("InvalidRequest", { message: replaced.why });
      warn(`target ${arn} of bucket ${target.bucket} lacks what was sent: run a resync to it`, fault);
    } catch (error) {
      // Away again: asked once more when it is back.
      if (await connection.endpoint.confirm()) throw error;
    }
  }

  /** Tries a target and keeps the result. */
  async try(target: KnownTarget, wanted: { needs: checks.WriteNeeds; locked: boolean }): Promise<void> {
    let fault: string | undefined;
    const { endpoint } = this.#deps.targets.connect(target);
    try {
      await tryTarget(this.#deps, target, { ...wanted, real: false });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // It went away again: its return is another reason to try.
      if (error.code === "XMinioAdminReplicationRemoteConnectionError") return;
      fault = error.detail.message ?? error.code;
    }
    await this.#keep(target, fault, endpoint.identity);
  }

  async #keep(target: KnownTarget, fault: string | undefined, identity: string): Promise<void> {
    const { arn } = target.record;
    const before = await probeResult(this.#deps.index, arn);
    if (fault === undefined) this.#wanting.delete(arn);
    else this.#wanting.add(arn);
    if (fault !== undefined) {
      if (before?.identity === identity && before.fault === fault) return;
      const refusal = new StoreError("InvalidRequest", { message: fault });
      this.#deps.warn(`target ${arn} of bucket ${target.bucket} will not take what is sent`, refusal);
    }
    const time = new Date(this.#deps.clock.nowMs()).toISOString();
    const result: ProbeResult = { time, identity, ...(fault === undefined ? {} : { fault }) };
    await this.#deps.index.commit(new CommitBuilder().put(rowKey(arn), encodeRow(result)));
  }
}

/** Adds the end of a target's probe to the commit that removes the target. */
export const dropProbe = (commit: CommitBuilder, arn: Arn): void => void commit.delete(rowKey(arn));
