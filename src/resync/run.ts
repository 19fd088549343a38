/**
 * One resync, from wherever its record says it stands to its end: the target examines its bytes, both listings are
 * walked side by side, what is lacking is sent oldest first, and the same walk once more proves it.
 */
import type { Objects } from "../objects/objects.ts";
import { hasCode } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import { NULL_VERSION, type ObjectKey, type VersionId } from "../model/names.ts";
import { targetsFor } from "../model/replication-config.ts";
import type { ObjectVersion, Version } from "../model/version.ts";
import { msOf } from "../protocol/time.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { backoffMs } from "../replication/backoff.ts";
import type { Connection } from "../replication/connections.ts";
import { followsExisting } from "../replication/existing.ts";
import * as limits from "../replication/limits.ts";
import { askAndCompare, sendVersion, type LocalState, type SendRequest, type Sent } from "../replication/sender.ts";
import { errorOf } from "../replication/wire.ts";
import { listHere, type LocalKey } from "./local-listing.ts";
import { march, type Step } from "./march.ts";
import { planKey, type KeyPlan, type PlannedVersion, type Scope } from "./plan.ts";
import { OrderedPool } from "./pool.ts";
import {
  NO_COUNTS,
  type Counters,
  type DamageReport,
  type ResyncPhase,
  type ResyncRecord,
  type Sample,
  type VerifyReport,
} from "./record.ts";
import { ListingError, listTarget, type RemoteKey, type RemoteVersion } from "./target-listing.ts";

export interface RunDeps {
  readonly objects: Objects;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a running resync tells its keeper; `save` is called after every change of phase, and the keeper saves now and then. */
export interface RunState {
  phase: ResyncPhase;
  cursor: string;
  counters: Counters;
  /** Counted, but above the low-water mark: shown, not saved. */
  ahead: Counters;
  total: number;
  samples: Sample[];
  damage: DamageReport | undefined;
  verify: VerifyReport | undefined;
}

function stateOf(record: ResyncRecord): RunState {
  const { phase, cursor, counters, total, damage, verify } = record;
  return { phase, cursor, counters, ahead: NO_COUNTS, total, samples: [...record.samples], damage, verify };
}

/** The run cannot go on: the record becomes Failed with this text. */
export class ResyncFailed extends Error {
  override name = "ResyncFailed";
}

export function addCounters(a: Counters, b: Partial<Counters>): Counters {
  const sum: Record<string, number> = { ...a };
  for (const [name, value] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + value;
  return sum as unknown as Counters;
}

interface KeyResult {
  readonly counts: Counters;
  readonly samples: readonly Sample[];
}

export class ResyncRun {
  readonly state: RunState;
  readonly #deps: RunDeps;
  readonly #record: ResyncRecord;
  /** Asked on every use: credentials and addresses may be edited while it runs. */
  readonly #connection: () => Promise<Connection>;
  readonly #save: () => Promise<void>;
  readonly #signal: AbortSignal;
  readonly #metadata = { wanted: true };

  constructor(
    deps: RunDeps,
    job: {
      record: ResyncRecord;
      connection: () => Promise<Connection>;
      save: () => Promise<void>;
      signal: AbortSignal;
    },
  ) {
    this.#deps = deps;
    this.#record = job.record;
    this.#connection = job.connection;
    this.#save = job.save;
    this.#signal = job.signal;
    this.state = stateOf(job.record);
  }

  /** Resolves when the state is final; rejects with ResyncFailed, or when the signal aborted. */
  async run(): Promise<void> {
    const { state } = this;
    if (state.phase === "damage-check") {
      state.damage = await this.#insist(() => this.#damageCheck());
      await this.#enter("compare");
    }
    if (state.phase === "compare") {
      await this.#insist(() => this.#compareAndSend());
      await this.#enter("verify");
    }
    if (state.phase === "verify") {
      state.verify = this.#proved() ?? (await this.#insist(() => this.#verify()));
      await this.#enter("done");
    }
  }

  /** Where nothing had to be sent, the comparison that found so is the proof. */
  #proved(): VerifyReport | undefined {
    const { compared, sent, failed } = this.state.counters;
    return sent === 0 && failed === 0 ? { compared, different: 0, samples: [] } : undefined;
  }

  async #enter(phase: ResyncPhase): Promise<void> {
    this.state.phase = phase;
    await this.#save();
  }

  /** Repeats a phase (it goes on at the low-water mark) while the target is away; gives up on refusals. */
  async #insist<T>(phase: () => Promise<T>): Promise<T> {
    for (let attempts = 0; ;) {
      const before = this.state.cursor;
      try {
        return await phase();
      } catch (error) {
        this.#signal.throwIfAborted();
        if (error instanceof ResyncFailed) throw error;
        if (hasCode(error, "NoSuchBucket")) throw new ResyncFailed("the bucket is gone");
        if (error instanceof ListingError && error.permanent) throw new ResyncFailed(error.message);
        const { endpoint } = await this.#connection();
        const alive = await endpoint.confirm();
        // Progress, or a target that is simply away, is no reason to give up.
        if (!alive || this.state.cursor !== before) attempts = 0;
        else if (++attempts > limits.RESYNC_ATTEMPTS)
          throw new ResyncFailed(error instanceof Error ? error.message : String(error));
        await this.#deps.clock.sleep(backoffMs(attempts, this.#deps.random), this.#signal);
        this.#signal.throwIfAborted();
      }
    }
  }

  /** A target of ours looks at its bytes first: what is missing or corrupt there counts as lost from then on. */
  async #damageCheck(): Promise<DamageReport | undefined> {
    const { client, endpoint } = await this.#connection();
    if (!(await endpoint.confirm())) throw new Error("the target does not answer");
    if (endpoint.resilver === undefined) return undefined;
    let report: DamageReport = { examined: 0, missing: 0, corrupt: 0 };
    let text = "";
    const onData = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) if (line.trim() !== "") report = damageOf(line);
      this.state.damage = report;
    };
    const answer = await client.request({
      method: "POST",
      path: "/resilver/v1/damage-check",
      query: { bucket: client.bucket },
      payload: "hashed",
      onData,
      idleTimeoutMs: limits.COMPLETE_TIMEOUT_MS,
      signal: this.#signal,
    });
    if (answer.status === 404) return undefined;
    if (answer.status >= 300)
      throw new ResyncFailed(
        `the target refused the damage check: ${errorOf(answer).code} (${errorOf(answer).message})`,
      );
    if (text.trim() !== "") report = damageOf(text);
    return report;
  }

  async #bucket(): Promise<Bucket> {
    const bucket = await this.#deps.objects.bucket(this.#record.bucket);
    if (bucket.id !== this.#record.bucketId) throw new ResyncFailed("the bucket was deleted and made anew");
    return bucket;
  }

  #scope(bucket: Bucket): Scope {
    const { arn, beforeMs } = this.#record;
    return { beforeMs, eligible: (version) => followsExisting(bucket.replication, arn, version) };
  }

  /** Both sides' keys after `afterKey`, side by side. */
  async #walk(afterKey: string): Promise<AsyncGenerator<Step<LocalKey, RemoteKey>>> {
    const { client } = await this.#connection();
    const options = { resyncId: this.#record.id, afterKey, signal: this.#signal, metadata: this.#metadata };
    return march(listHere(this.#deps.objects, this.#record.bucket, afterKey), listTarget(client, options));
  }

  async #compareAndSend(): Promise<void> {
    const { state } = this;
    const bucket = await this.#bucket();
    const scope = this.#scope(bucket);
    state.ahead = NO_COUNTS;
    const together = (await this.#connection()).ingest?.isSpoken === true;
    const maxTasks = together ? limits.RESYNC_IN_FLIGHT_INGEST_MAX : limits.RESYNC_IN_FLIGHT_MAX;
    const pool = new OrderedPool<KeyResult>({ maxTasks, maxWeight: limits.RESYNC_BYTES_IN_FLIGHT_MAX }, (key, result) =>
      this.#reached(key, result),
    );
    try {
      for await (const step of await this.#walk(state.cursor)) {
        this.#signal.throwIfAborted();
        const key = step.kind === "right" ? step.right.key : step.left.key;
        if (step.kind === "right") {
          await pool.add(key, 0, () =>
            this.#doKey(bucket, { key, versions: [], onlyAtTarget: step.right.versions, outOfScope: 0 }),
          );
          continue;
        }
        const plan = planKey(step.left.versions, step.kind === "both" ? step.right.versions : [], scope);
        const weight = plan.versions.reduce(
          (sum, { version, verdict }) => sum + (verdict.kind === "send" ? sizeOf(version) : 0),
          0,
        );
        await pool.add(key, weight, () => this.#doKey(bucket, { key, ...plan }));
      }
    } finally {
      await pool.drain();
      state.ahead = NO_COUNTS;
    }
  }

  #reached(key: string, result: KeyResult): void {
    const { state } = this;
    state.cursor = key;
    state.counters = addCounters(state.counters, result.counts);
    state.ahead = addCounters(state.ahead, negative(result.counts));
    for (const sample of result.samples) if (state.samples.length < limits.RESYNC_SAMPLES) state.samples.push(sample);
  }

  /** The versions of one key, oldest first, one after another. */
  async #doKey(bucket: Bucket, plan: KeyPlan & { readonly key: string }): Promise<KeyResult> {
    let counts: Counters = { ...NO_COUNTS, outOfScope: plan.outOfScope };
    const samples: Sample[] = [];
    for (const planned of plan.versions) {
      const { delta, reason } = await this.#doVersion(bucket, planned);
      counts = addCounters(counts, delta);
      this.state.ahead = addCounters(this.state.ahead, delta);
      if (reason !== undefined)
        samples.push({ key: planned.version.key, versionId: planned.version.versionId, reason });
    }
    for (const version of plan.onlyAtTarget) {
      const delta = (await this.#purgeThere(bucket, plan.key as ObjectKey, version))
        ? { purged: 1 }
        : { onlyAtTarget: 1 };
      counts = addCounters(counts, delta);
      this.state.ahead = addCounters(this.state.ahead, delta);
    }
    this.state.ahead = addCounters(this.state.ahead, { outOfScope: plan.outOfScope });
    return { counts, samples };
  }

  /** A purge that was meant for every site is carried to a target that has the version (an older copy was put back there). */
  async #purgeThere(bucket: Bucket, key: ObjectKey, version: RemoteVersion): Promise<boolean> {
    const versionId = version.versionId as VersionId;
    const tombstone = await this.#deps.objects.tombstone({ bucket: bucket.name, key, versionId });
    if (tombstone === undefined || tombstone.will !== "everywhere") return false;
    // The null id is used again and again: a null version that was written after the purge stays.
    if (versionId === NULL_VERSION && msOf(tombstone.time) < version.mtimeMs) return false;
    const question = { key, tags: undefined, operation: "purge", replica: false } as const;
    if (!targetsFor(bucket.replication, question).includes(this.#record.arn)) return false;
    const { outcome } = await this.#sendInsisting(bucket, { key, versionId }, false);
    return outcome.kind === "purged";
  }

  async #doVersion(
    bucket: Bucket,
    { version, verdict }: PlannedVersion,
  ): Promise<{ delta: Partial<Counters>; reason?: string }> {
    const size = sizeOf(version);
    const equal = { compared: 1, alreadyEqual: 1, presentBytes: size };
    if (verdict.kind === "equal") return { delta: equal };
    if (verdict.kind === "notReplicable") return { delta: { compared: 1, notReplicable: 1 }, reason: verdict.why };
    const { outcome, local } = await this.#sendInsisting(bucket, version, verdict.ask);
    switch (outcome.kind) {
      case "sent":
        await this.#completed(bucket, local);
        return { delta: { compared: 1, sent: 1, sentBytes: outcome.bytes, presentBytes: size } };
      case "alreadyEqual":
        if (outcome.fixed === undefined) return { delta: equal };
        return {
          delta: { compared: 1, notReplicable: 1 },
          reason: `${outcome.fixed} differs and cannot be changed there`,
        };
      case "purged":
      case "gone":
        // Removed here while the walk went on: nothing to hold the target to.
        return { delta: { compared: 1, alreadyEqual: 1 } };
      case "purgedThere":
        return { delta: { compared: 1, notReplicable: 1 }, reason: "it was purged there for every site" };
      case "retry":
        return { delta: { compared: 1, failed: 1, failedBytes: size }, reason: `${outcome.code}: ${outcome.reason}` };
      case "refused":
        return { delta: { compared: 1, notReplicable: 1 }, reason: outcome.reason };
    }
  }

  #request(bucket: Bucket, version: Pick<Version, "key" | "versionId">, compareFirst: boolean): SendRequest {
    const { key, versionId } = version;
    const marks = { resyncId: this.#record.id };
    return { bucket: bucket.name, bucketId: bucket.id, key, versionId, compareFirst, marks, signal: this.#signal };
  }

  /** Waits out a target that is away; a refusal is repeated a few times. */
  async #sendInsisting(bucket: Bucket, version: Pick<Version, "key" | "versionId">, ask: boolean): Promise<Sent> {
    for (let attempts = 0; ;) {
      const connection = await this.#connection();
      const sent = await sendVersion(
        this.#deps.objects,
        connection,
        this.#request(bucket, version, ask || attempts > 0),
      );
      const { outcome } = sent;
      this.#signal.throwIfAborted();
      if (outcome.kind !== "retry") return sent;
      const away = outcome.network && !(await connection.endpoint.confirm());
      if (!away && ++attempts >= limits.RESYNC_ATTEMPTS) return sent;
      await this.#deps.clock.sleep(
        outcome.afterMs ?? backoffMs(Math.max(attempts - 1, 0), this.#deps.random),
        this.#signal,
      );
      this.#signal.throwIfAborted();
    }
  }

  async #completed(bucket: Bucket, local: LocalState): Promise<void> {
    const { arn } = this.#record;
    if (local.kind !== "version" || local.version.replication.targets[arn] === "COMPLETED") return;
    const { key, versionId } = local.version;
    await this.#deps.objects.setTargetStatus({ bucket: bucket.name, key, versionId }, arn, "COMPLETED", local.version);
  }

  /** The same comparison once more, over everything: what still differs is counted, and a few are named. */
  async #verify(): Promise<VerifyReport> {
    const bucket = await this.#bucket();
    const scope = this.#scope(bucket);
    let compared = 0;
    let different = 0;
    const samples: Sample[] = [];
    for await (const step of await this.#walk("")) {
      this.#signal.throwIfAborted();
      if (step.kind === "right") continue;
      const plan = planKey(step.left.versions, step.kind === "both" ? step.right.versions : [], scope);
      for (const planned of plan.versions) {
        compared++;
        const why = await this.#stillDiffers(bucket, planned);
        if (why === undefined) continue;
        different++;
        const { key, versionId } = planned.version;
        if (samples.length < limits.RESYNC_SAMPLES) samples.push({ key, versionId, reason: why });
      }
    }
    return { compared, different, samples };
  }

  /**
   * Listings of two sites are never of one moment: a difference counts only if one more attempt to send that very
   * version, and a look at it, leave it there. Undefined: equal, gone here since, or known not to be replicable.
   */
  async #stillDiffers(bucket: Bucket, { version, verdict }: PlannedVersion): Promise<string | undefined> {
    if (verdict.kind !== "send") return undefined;
    const { key, versionId } = version;
    let why: string | undefined = verdict.why;
    for (let attempts = 0; attempts < limits.RESYNC_ATTEMPTS && why !== undefined; attempts++) {
      const connection = await this.#connection();
      const request = this.#request(bucket, version, verdict.ask || attempts > 0);
      const { outcome, local } = await sendVersion(this.#deps.objects, connection, request);
      if (outcome.kind === "retry") return `${outcome.code}: ${outcome.reason}`;
      if (outcome.kind === "sent") await this.#completed(bucket, local);
      // A marker's time cannot be changed at every target, and a null version there may win by its exact time.
      if (outcome.kind !== "alreadyEqual" || version.kind === "delete-marker" || versionId === NULL_VERSION)
        return undefined;
      const now = await this.#deps.objects.version({ bucket: bucket.name, key, versionId });
      if (now === undefined || now.version.kind !== "object") return undefined;
      why = await this.#look(bucket, now.version);
    }
    return why;
  }

  /** What the target answers for this one version. Undefined: the same as here. */
  async #look(bucket: Bucket, version: ObjectVersion): Promise<string | undefined> {
    const target = await this.#connection();
    const found = await askAndCompare({ target, request: this.#request(bucket, version, true) }, version);
    switch (found.kind) {
      case "equal":
      case "fixed":
      case "newerThere":
        return undefined;
      case "failed":
      case "busy":
        return found.outcome.kind === "retry"
          ? `${found.outcome.code}: ${found.outcome.reason}`
          : "it could not be asked for";
      case "absent":
        return "absent";
      default:
        return found.what;
    }
  }
}

const sizeOf = (version: Version): number => (version.kind === "object" ? version.size : 0);

function negative(counts: Counters): Partial<Counters> {
  return Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, -value]));
}

function damageOf(line: string): DamageReport {
  const {
    examined = 0,
    missing = 0,
    corrupt = 0,
    error,
  } = JSON.parse(line) as Partial<DamageReport> & { error?: string };
  if (error !== undefined) throw new ResyncFailed(`the target's damage check failed: ${error}`);
  return { examined, missing, corrupt };
}
