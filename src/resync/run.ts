/**
 * One resync, from wherever its record says it stands to its end: the target examines its bytes, both listings are
 * walked side by side, what is lacking is recorded, then sent oldest first, and the same walk once more proves it.
 */
import type { Bucket } from "../model/bucket.ts";
import { hasCode } from "../model/errors.ts";
import type { ObjectKey } from "../model/names.ts";
import { backoffMs } from "../replication/backoff.ts";
import { bothLimits, tokenBucket } from "../replication/bandwidth.ts";
import type { Connection } from "../replication/connections.ts";
import * as limits from "./limits.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { askDamageCheck } from "./damage-client.ts";
import { ResyncFailed } from "./failed.ts";
import type { GroupLimits } from "../replication/send-together.ts";
import { groupsOf, runsOf } from "./groups.ts";
import { Intents, type Intent } from "./intents.ts";
import type { LocalKey } from "./local-listing.ts";
import { loadList } from "./named-versions.ts";
import type { JobLimits } from "./options.ts";
import { planKey, type KeyPlan, type PlannedVersion, type Turn } from "./plan.ts";
import { OrderedPool } from "./pool.ts";
import {
  NO_COUNTS,
  optionsOf,
  type Counters,
  type DamageReport,
  type ResyncPhase,
  type ResyncRecord,
  type Sample,
  type VerifyReport,
} from "./record.ts";
import { inPass, passesOf, scopeOf, type Scope } from "./scope.ts";
import { bytesToMove, Sending, sizeOf, type Done, type SendingDeps } from "./sending.ts";
import { ListingError } from "./target-listing.ts";
import { mayAskDigests, walk, type WalkStep } from "./walk.ts";
import type { DifferentStep, EqualCounts, EqualStep } from "./walk-digests.ts";

export interface RunDeps extends SendingDeps {
  readonly index: OrderedIndex;
}

export interface RunJob {
  readonly record: ResyncRecord;
  readonly connection: () => Promise<Connection>;
  readonly save: () => Promise<void>;
  /** Read on every use: they may be changed while it runs. */
  readonly limits: () => JobLimits;
  readonly signal: AbortSignal;
}

/** What a running resync tells its keeper; `save` is called after every change of phase, and the keeper saves now and then. */
export interface RunState {
  phase: ResyncPhase;
  pass: number;
  cursor: string;
  counters: Counters;
  /** Counted, but above the low-water mark: shown, not saved. */
  ahead: Counters;
  samples: Sample[];
  damage: DamageReport | undefined;
  verify: VerifyReport | undefined;
}

function stateOf(record: ResyncRecord): RunState {
  const { phase, cursor, counters, damage, verify } = record;
  const pass = record.pass ?? 0;
  return { phase, pass, cursor, counters, ahead: NO_COUNTS, samples: [...record.samples], damage, verify };
}

export function addCounters(a: Counters, b: Partial<Counters>): Counters {
  const sum: Record<string, number> = { ...a };
  for (const [name, value] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + value;
  return sum as unknown as Counters;
}

interface PlannedWork extends PlannedVersion {
  /** Bytes that an earlier run of this job meant to move for it. */
  readonly before?: number | undefined;
}

interface KeyWork extends Omit<KeyPlan, "versions">, Pick<LocalKey, "missing"> {
  readonly key: string;
  readonly versions: readonly PlannedWork[];
  /** Versions up to this key, its own included, that a sum told equal; `sentBefore`: by this job, before it was interrupted. */
  readonly equal?: (EqualCounts & { readonly sentBefore: readonly Intent[] }) | undefined;
  readonly weight: number;
}

/** To a target that takes nothing together, each key goes alone and each version of it. */
const ALONE: GroupLimits = { versions: 1, bytes: Infinity };

interface KeyResult {
  readonly counts: Counters;
  readonly samples: readonly Sample[];
}

export class ResyncRun {
  readonly state: RunState;
  readonly #deps: RunDeps;
  readonly #job: RunJob;
  readonly #record: ResyncRecord;
  readonly #sending: Sending;
  readonly #intents: Intents;
  readonly #connection: () => Promise<Connection>;
  readonly #metadata = { wanted: true };
  /** The comparison goes from its beginning to its end without a break, which may have been one of weeks. */
  #isUnbroken: boolean;

  constructor(deps: RunDeps, job: RunJob) {
    const { record } = job;
    this.#deps = deps;
    this.#job = job;
    this.#record = record;
    this.#connection = limitedConnection(deps, job);
    this.#sending = new Sending(deps, { record, connection: this.#connection, signal: job.signal });
    this.#intents = new Intents(deps.index, record);
    this.state = stateOf(record);
    const { phase, pass, cursor } = this.state;
    this.#isUnbroken = phase === "damage-check" || (phase === "compare" && pass === 0 && cursor === "");
  }

  /** Rows that are of no use once the state as it is now is saved: to be deleted in that very commit. */
  settled(): Buffer[] {
    return this.#intents.settled(this.state.cursor);
  }

  /** What `settled` told is deleted. */
  deleted(rows: readonly Buffer[]): void {
    this.#intents.deleted(rows);
  }

  /** Resolves when the state is final; rejects with ResyncFailed, or when the signal aborted. */
  async run(): Promise<void> {
    const { state } = this;
    if (state.phase === "damage-check") {
      state.damage = await this.#insist(() => this.#damageCheck());
      await this.#enter("compare");
    }
    if (state.phase === "compare") {
      for (const passes = passesOf(this.#record); state.pass < passes;) {
        await this.#insist(() => this.#compareAndSend());
        this.#intents.endPass();
        state.pass++;
        state.cursor = "";
        await this.#job.save();
      }
      this.#checkListed();
      await this.#enter("verify");
    }
    if (state.phase === "verify") {
      state.verify = this.#proved() ?? (await this.#insist(() => this.#verify()));
      await this.#enter("done");
    }
  }

  /** A list that is cut short, whatever by, is no smaller job done well. */
  #checkListed(): void {
    const { listed = 0 } = optionsOf(this.#record);
    const { compared, outOfScope } = this.state.counters;
    if (compared + outOfScope < listed)
      throw new ResyncFailed(`only ${compared + outOfScope} of the ${listed} versions it was given are still listed`);
  }

  /** Where nothing had to be sent, the comparison that found so is the proof, if nothing came between its parts. */
  #proved(): VerifyReport | undefined {
    const { compared, sent, failed, notReplicable } = this.state.counters;
    if (sent > 0 || failed > 0 || !this.#isUnbroken) return undefined;
    return this.#report({ compared, different: 0, exempt: notReplicable, samples: [] });
  }

  /** What a listing did not show was asked for, one by one; bytes were never read on both sides. */
  #report(report: Omit<VerifyReport, "level">): VerifyReport {
    return { level: "metadata", ...report };
  }

  async #enter(phase: ResyncPhase): Promise<void> {
    this.state.phase = phase;
    await this.#job.save();
  }

  /** Repeats a phase (it goes on at the low-water mark) while the target is away; gives up on refusals. */
  async #insist<T>(phase: () => Promise<T>): Promise<T> {
    const { signal } = this.#job;
    for (let attempts = 0; ;) {
      const before = this.state.cursor;
      try {
        return await phase();
      } catch (error) {
        signal.throwIfAborted();
        if (this.state.phase === "compare") this.#isUnbroken = false;
        if (error instanceof ResyncFailed) throw error;
        if (hasCode(error, "NoSuchBucket")) throw new ResyncFailed("the bucket is gone");
        if (error instanceof ListingError && error.permanent) throw new ResyncFailed(error.message);
        const { endpoint } = await this.#connection();
        const alive = await endpoint.confirm();
        // Progress, or a target that is simply away, is no reason to give up.
        if (!alive || this.state.cursor !== before) attempts = 0;
        else if (++attempts > limits.RESYNC_ATTEMPTS)
          throw new ResyncFailed(error instanceof Error ? error.message : String(error));
        await this.#deps.clock.sleep(backoffMs(attempts, this.#deps.random), signal);
        signal.throwIfAborted();
      }
    }
  }

  /** A target of ours looks at its bytes first: what is missing or corrupt there counts as lost from then on. */
  async #damageCheck(): Promise<DamageReport | undefined> {
    const { deep, prefix } = optionsOf(this.#record);
    const onProgress = (report: DamageReport): void => void (this.state.damage = report);
    const { signal } = this.#job;
    return askDamageCheck(await this.#connection(), { deep, prefix, dryRun: false, signal, onProgress });
  }

  async #bucket(): Promise<Bucket> {
    const bucket = await this.#deps.objects.bucket(this.#record.bucket);
    if (bucket.id !== this.#record.bucketId) throw new ResyncFailed("the bucket was deleted and made anew");
    return bucket;
  }

  /** Both sides' keys after `afterKey`; where versions were named, those alone. */
  async #walk(afterKey: string): Promise<AsyncGenerator<readonly WalkStep[]>> {
    const { objects, index } = this.#deps;
    const record = this.#record;
    const { client } = await this.#connection();
    const { signal } = this.#job;
    const digests = (await this.#mayAskDigests()) ? this.#deps : undefined;
    const listed = optionsOf(record).listed !== undefined;
    const named = listed ? (after: string) => loadList(index, record, after) : undefined;
    return walk({ objects, record, client, signal, metadata: this.#metadata, digests, named }, afterKey);
  }

  async #mayAskDigests(): Promise<boolean> {
    const { endpoint } = await this.#connection();
    if (endpoint.resilver === undefined) await endpoint.confirm();
    return mayAskDigests(this.#record, endpoint);
  }

  async #compareAndSend(): Promise<void> {
    const { state } = this;
    const bucket = await this.#bucket();
    state.ahead = NO_COUNTS;
    const together = (await this.#connection()).ingest?.isSpoken === true;
    const usual = together ? limits.RESYNC_IN_FLIGHT_INGEST_MAX : limits.RESYNC_IN_FLIGHT_MAX;
    await this.#intents.load(state.cursor);
    const most = this.#job.limits;
    const { clock } = this.#deps;
    const pool = new OrderedPool<KeyResult>(
      {
        get maxTasks() {
          return (
            most().inFlight || (together && clock.clientsAreServed?.() ? limits.RESYNC_IN_FLIGHT_CLIENTS_MAX : usual)
          );
        },
        maxWeight: limits.RESYNC_BYTES_IN_FLIGHT_MAX,
      },
      (key, result) => this.#reached(key, result),
    );
    try {
      for await (const batch of this.#batches(bucket)) {
        await this.#intend(batch);
        const room = together ? await this.#groupLimits(usual) : ALONE;
        for (const group of groupsOf(batch, room)) {
          const planned = group.flatMap(({ versions }) => versions);
          const runs = group.length === 1 ? [...runsOf(planned, room)] : [planned];
          const weight = group.reduce((sum, work) => sum + work.weight, 0);
          const tasks = runs.reduce((most, { length }) => Math.max(most, length), 1);
          const { key } = group.at(-1) as KeyWork;
          await pool.add(key, weight, () => this.#doGroup(bucket, group, runs), tasks);
        }
      }
    } finally {
      await pool.drain();
      state.ahead = NO_COUNTS;
    }
  }

  /** What a limit of bandwidth lets through at once, and of versions in flight, bounds what travels together. */
  async #groupLimits(usual: number): Promise<GroupLimits> {
    const { limiter } = await this.#connection();
    return { versions: this.#job.limits().inFlight || usual, bytes: limiter?.slice() ?? Infinity };
  }

  /** The work of this pass, so many keys at a time. */
  async *#batches(bucket: Bucket): AsyncGenerator<KeyWork[]> {
    const { signal } = this.#job;
    const scope = scopeOf(this.#record, bucket);
    const { pass, cursor } = this.state;
    const turn = passesOf(this.#record) === 1 ? undefined : inPass.bind(undefined, this.#record, pass);
    let batch: KeyWork[] = [];
    let count = 0;
    for await (const steps of await this.#walk(cursor)) {
      for (const step of steps) {
        signal.throwIfAborted();
        if (++count % limits.RESYNC_KEYS_PER_TURN === 0) await this.#deps.clock.sleep(0);
        const work = step.kind === "equal" ? this.#equalWork(step) : this.#keyWork(step, scope, turn);
        if (work !== undefined) batch.push(work);
        if (batch.length < limits.RESYNC_BATCH_KEYS) continue;
        yield batch;
        batch = [];
      }
    }
    yield batch;
  }

  #equalWork(step: EqualStep): KeyWork | undefined {
    if (this.state.pass > 0) return undefined;
    const { key } = step;
    return { key, versions: [], onlyAtTarget: [], outOfScope: 0, weight: 0, equal: this.#equal(key, step) };
  }

  #keyWork(step: DifferentStep, scope: Scope, turn: Turn | undefined): KeyWork {
    // What only the target has is looked at once.
    const isFirst = this.state.pass === 0;
    const key = step.kind === "right" ? step.right.key : step.left.key;
    const there = step.kind === "left" ? [] : step.right.versions;
    const here = step.kind === "right" ? [] : step.left.versions;
    const { versions, outOfScope, onlyAtTarget } = planKey(here, there, scope, turn);
    let weight = 0;
    for (const { version, verdict } of versions) if (verdict.kind === "send") weight += sizeOf(version);
    return {
      key,
      versions: versions.map((planned) => this.#withBefore(planned)),
      equal: step.equal === undefined || !isFirst ? undefined : this.#equal(key, step.equal),
      onlyAtTarget: isFirst ? onlyAtTarget : [],
      outOfScope,
      missing: step.kind === "left" ? step.left.missing : undefined,
      weight,
    };
  }

  /** What a sum told equal, and what this job meant to send of it before it was interrupted. */
  #equal(key: string, { count, bytes }: EqualCounts): KeyWork["equal"] {
    return { count, bytes, sentBefore: this.#intents.sentUpTo(key) };
  }

  /** Looked up while the walk is at the key: a sum told later counts what is left. */
  #withBefore(planned: PlannedVersion): PlannedWork {
    const { key, versionId } = planned.version;
    const before = this.#intents.sentBefore(key, versionId);
    return before === undefined ? planned : { ...planned, before };
  }

  /** On disk before the first byte moves: what a later run finds equal of it was sent by this job. */
  async #intend(batch: readonly KeyWork[]): Promise<void> {
    const intents: Intent[] = [];
    for (const { key, versions } of batch) {
      for (const planned of versions) {
        const { version, verdict } = planned;
        if (verdict.kind !== "send" || verdict.unsure === true) continue;
        intents.push({ key, versionId: version.versionId, bytes: bytesToMove(planned) });
      }
    }
    await this.#intents.add(batch.at(-1)?.key ?? "", intents);
  }

  #reached(key: string, result: KeyResult): void {
    const { state } = this;
    state.cursor = key;
    state.counters = addCounters(state.counters, result.counts);
    state.ahead = addCounters(state.ahead, negative(result.counts));
    for (const sample of result.samples) if (state.samples.length < limits.RESYNC_SAMPLES) state.samples.push(sample);
  }

  /** Keys that travel together, or one of any kind: of a key the oldest versions first, one run after another. */
  async #doGroup(bucket: Bucket, group: readonly KeyWork[], runs: readonly PlannedWork[][]): Promise<KeyResult> {
    let counts = NO_COUNTS;
    const samples: Sample[] = [];
    const add = (delta: Partial<Counters>): void => {
      counts = addCounters(counts, delta);
      this.state.ahead = addCounters(this.state.ahead, delta);
    };
    for (const { equal, outOfScope } of group) {
      if (equal !== undefined) add(await this.#countEqual(bucket, equal));
      if (outOfScope > 0) add({ outOfScope });
    }
    for (const run of runs) {
      const sum: Record<string, number> = {};
      for (const [at, { delta, reason }] of (await this.#send(bucket, run)).entries()) {
        for (const name in delta) sum[name] = (sum[name] ?? 0) + (delta[name as keyof Counters] ?? 0);
        const { key, versionId } = (run[at] as PlannedWork).version;
        if (reason !== undefined) samples.push({ key, versionId, reason });
      }
      add(sum);
    }
    for (const { key, missing, onlyAtTarget } of group) {
      for (const versionId of missing ?? []) {
        add({ compared: 1, notReplicable: 1 });
        samples.push({ key, versionId, reason: "there is no such version here" });
      }
      for (const version of onlyAtTarget)
        add((await this.#sending.purgeThere(bucket, key as ObjectKey, version)) ? { purged: 1 } : { onlyAtTarget: 1 });
    }
    return { counts, samples };
  }

  /** Several are plain ones (groups.ts): one request. */
  async #send(bucket: Bucket, run: readonly PlannedWork[]): Promise<Done[]> {
    const [first] = run;
    if (first === undefined) return [];
    if (run.length === 1) return [await this.#sending.version(bucket, first, first.before)];
    const done = await this.#sending.together(bucket, run);
    const { clock } = this.#deps;
    if (clock.clientsAreServed?.()) await clock.sleep(limits.RESYNC_CLIENTS_PAUSE_MS, this.#job.signal);
    return done;
  }

  /** Of what a sum told equal, that is sent which this job meant to send and which is still here to be equal. */
  async #countEqual(bucket: Bucket, equal: NonNullable<KeyWork["equal"]>): Promise<Partial<Counters>> {
    const { count, bytes, sentBefore } = equal;
    let sent = 0;
    let sentBytes = 0;
    for (const intent of sentBefore) {
      if (sent === count || !(await this.#sending.arrivedBefore(bucket, intent))) continue;
      sent++;
      sentBytes += intent.bytes;
    }
    return { compared: count, alreadyEqual: count - sent, sent, sentBytes, presentBytes: bytes };
  }

  /** The same comparison once more, over everything: what still differs is counted, and a few are named. */
  async #verify(): Promise<VerifyReport> {
    const bucket = await this.#bucket();
    const scope = scopeOf(this.#record, bucket);
    let compared = 0;
    let different = 0;
    let exempt = 0;
    const samples: Sample[] = [];
    for await (const steps of await this.#walk("")) {
      for (const step of steps) {
        this.#job.signal.throwIfAborted();
        compared += step.kind === "equal" ? step.count : (step.equal?.count ?? 0);
        if (step.kind === "equal" || step.kind === "right") continue;
        const plan = planKey(step.left.versions, step.kind === "both" ? step.right.versions : [], scope);
        for (const planned of plan.versions) {
          compared++;
          const proof = await this.#sending.prove(bucket, planned);
          if (proof.kind === "exempt") exempt++;
          if (proof.kind !== "different") continue;
          different++;
          const { key, versionId } = planned.version;
          if (samples.length < limits.RESYNC_SAMPLES) samples.push({ key, versionId, reason: proof.why });
        }
      }
    }
    return this.#report({ compared, different, exempt, samples });
  }
}

/** Connections that also keep to the job's own bandwidth; made anew only when the target's record changed. */
function limitedConnection(deps: RunDeps, job: RunJob): () => Promise<Connection> {
  const limiter = tokenBucket(deps.clock, () => job.limits().bytesPerSecond);
  let last: { from: Connection; limited: Connection } | undefined;
  return async () => {
    const from = await job.connection();
    if (last?.from !== from) last = { from, limited: { ...from, limiter: bothLimits(from.limiter, limiter) } };
    return last.limited;
  };
}

function negative(counts: Counters): Partial<Counters> {
  return Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, -value]));
}
