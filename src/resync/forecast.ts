/**
 * The plan of a resync: what would move, what would come back, what stays purged and why, and how long it would take.
 * Writes nothing on either side.
 */
import type { Bucket } from "../model/bucket.ts";
import type { ObjectKey, VersionId } from "../model/names.ts";
import type { ObjectVersion, Version } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import { DAMAGED_ETAG } from "../protocol/replication-headers.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Connection } from "../replication/connections.ts";
import { RESYNC_BATCH_KEYS, RESYNC_SAMPLES } from "./limits.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { askDamageCheck } from "./damage-client.ts";
import type { Listed } from "./named-versions.ts";
import { optionsOf, type DamageReport, type ResyncRecord, type Sample } from "./record.ts";
import { askPurges } from "./purges-client.ts";
import { planKey, type PlannedVersion } from "./plan.ts";
import { scopeOf, type Scope } from "./scope.ts";
import { sizeOf, type Sending } from "./sending.ts";
import { mayAskDigests, walk } from "./walk.ts";

export interface Forecast {
  readonly phase: "damage-check" | "compare" | "done";
  readonly done: boolean;
  readonly total: number;
  readonly compared: number;
  /** toSend + alreadyEqual + notReplicable = compared. */
  readonly toSend: number;
  readonly bytesToSend: number;
  readonly alreadyEqual: number;
  readonly notReplicable: number;
  /** Of `toSend`: why each of them has to move. */
  readonly restored: {
    /** Not in the target's index, and no purge of its own says why. */
    readonly absent: number;
    /** Purged there by that site alone: by mistake, or while rules were disabled. */
    readonly purgedThere: number;
    /** In its index, without the right bytes. */
    readonly damaged: number;
    /** There, with other bytes, tags or locks. */
    readonly different: number;
  };
  /** Of `notReplicable`: purged at the target for every site. */
  readonly staysPurged: number;
  /** Versions that only the target has and that were purged here for every site: they would be purged there. */
  readonly toPurge: number;
  /** Versions that only the target has; they stay. */
  readonly onlyAtTarget: number;
  readonly outOfScope: number;
  /** What the target would find wrong with its stored bytes; absent: it cannot tell. */
  readonly damage?: DamageReport | undefined;
  readonly samples: readonly Sample[];
  readonly rate?: Rate | undefined;
  /** At that rate. */
  readonly seconds?: number | undefined;
  /** Why a start would be refused without `force`. */
  readonly refusal?: string | undefined;
}

export interface Rate {
  readonly versionsPerSecond: number;
  /** 0: no body was ever moved. */
  readonly bytesPerSecond: number;
  /** Where it was measured: in the last resync of this target, or by a few round trips now. */
  readonly from: "last resync" | "round trips";
}

export interface ForecastJob {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly record: ResyncRecord;
  readonly connection: Connection;
  readonly sending: Sending;
  readonly bucket: Bucket;
  readonly named?: ((afterKey: string) => AsyncIterable<Listed>) | undefined;
  readonly rate: Rate | undefined;
  readonly refusal: string | undefined;
  readonly signal: AbortSignal;
}

type Draft = { -readonly [K in keyof Forecast]: Forecast[K] };
type Restored = { -readonly [K in keyof Forecast["restored"]]: number };

/** Progress after every batch of keys, and once the whole. Rejects with ResyncFailed, ListingError or a network error. */
export async function* forecast(job: ForecastJob): AsyncGenerator<Forecast> {
  const restored: Restored = { absent: 0, purgedThere: 0, damaged: 0, different: 0 };
  const samples: Sample[] = [];
  const draft: Draft = {
    phase: "damage-check",
    done: false,
    total: job.record.total,
    compared: 0,
    toSend: 0,
    bytesToSend: 0,
    alreadyEqual: 0,
    notReplicable: 0,
    restored,
    staysPurged: 0,
    toPurge: 0,
    onlyAtTarget: 0,
    outOfScope: 0,
    samples,
    rate: job.rate,
    refusal: job.refusal,
  };
  yield { ...draft };
  const plan = new Plan(job, draft, restored, samples);
  await plan.damage();
  draft.phase = "compare";
  for await (const _batch of plan.batches()) yield { ...draft };
  yield { ...draft, phase: "done", done: true, seconds: secondsFor(draft) };
}

/** Round trips and bytes overlap: the slower of the two decides. */
function secondsFor({ rate, toSend, bytesToSend }: Draft): number | undefined {
  if (rate === undefined || rate.versionsPerSecond <= 0) return undefined;
  const bytes = rate.bytesPerSecond > 0 ? bytesToSend / rate.bytesPerSecond : 0;
  return Math.ceil(Math.max(toSend / rate.versionsPerSecond, bytes));
}

class Plan {
  readonly #job: ForecastJob;
  readonly #draft: Draft;
  readonly #restored: Restored;
  readonly #samples: Sample[];
  readonly #scope: Scope;
  /** Versions whose bytes the target has not, with their sizes; each leaves when it is counted. */
  readonly #found = new Map<string, number>();

  constructor(job: ForecastJob, draft: Draft, restored: Restored, samples: Sample[]) {
    this.#job = job;
    this.#draft = draft;
    this.#restored = restored;
    this.#samples = samples;
    this.#scope = scopeOf(job.record, job.bucket);
  }

  /** What the target's check would mark is counted here; in the listing it still looks whole. */
  async damage(): Promise<void> {
    const { connection, record, signal } = this.#job;
    const { deep, prefix } = optionsOf(record);
    let work = Promise.resolve();
    this.#draft.damage = await askDamageCheck(connection, {
      deep,
      prefix,
      dryRun: true,
      signal,
      onProgress: (report) => void (this.#draft.damage = report),
      onFound: (key, versionId) => {
        work = work.then(() => this.#damaged(key as ObjectKey, versionId as VersionId));
      },
    });
    await work;
  }

  async #damaged(key: ObjectKey, versionId: VersionId): Promise<void> {
    const { objects, bucket } = this.#job;
    const found = (await objects.version({ bucket: bucket.name, key, versionId }))?.version;
    if (found?.kind !== "object" || found.damaged !== undefined) return;
    if (!this.#scope.wanted(found) || !this.#scope.eligible(found)) return;
    this.#found.set(`${versionId}/${key}`, found.size);
  }

  async *batches(): AsyncGenerator<void> {
    const { objects, record, connection, signal, named } = this.#job;
    const digests = mayAskDigests(record, connection.endpoint) ? this.#job : undefined;
    const at = { objects, record, client: connection.client, signal, metadata: { wanted: true }, digests, named };
    let absent: Version[] = [];
    let keys = 0;
    for await (const steps of walk(at, "")) {
      for (const step of steps) {
        signal.throwIfAborted();
        const equal = step.kind === "equal" ? step.count : (step.equal?.count ?? 0);
        this.#draft.compared += equal;
        this.#draft.alreadyEqual += equal;
        if (step.kind === "equal") continue;
        const here = step.kind === "right" ? [] : step.left.versions;
        const there = step.kind === "left" ? [] : step.right.versions;
        const { versions, onlyAtTarget, outOfScope } = planKey(here, there, this.#scope);
        this.#draft.outOfScope += outOfScope;
        if (step.kind === "left") this.#missing(step.left.key, step.left.missing ?? []);
        const damaged = there.filter((twin) => twin.kind === "object" && twin.etag === DAMAGED_ETAG);
        const key = step.kind === "right" ? step.right.key : step.left.key;
        for (const { versionId } of damaged) this.#found.set(`${versionId}/${key}`, 0);
        for (const planned of versions) {
          this.#draft.compared++;
          if (planned.verdict.kind === "send" && planned.verdict.why === "absent") absent.push(planned.version);
          else await this.#take(planned);
        }
        for (const version of onlyAtTarget) {
          const purged = await this.#job.sending.isPurgedHere(this.#job.bucket, key as ObjectKey, version);
          if (purged) this.#draft.toPurge++;
          else this.#draft.onlyAtTarget++;
        }
        // What is left of them is not to be sent.
        for (const { versionId } of damaged) this.#found.delete(`${versionId}/${key}`);
        if (++keys % RESYNC_BATCH_KEYS !== 0 && absent.length < RESYNC_BATCH_KEYS) continue;
        await this.#takeAbsent(absent);
        absent = [];
        yield;
      }
    }
    await this.#takeAbsent(absent);
    // A sum told them equal: the target's index does not know yet what its check has found.
    for (const size of this.#found.values()) {
      this.#draft.alreadyEqual--;
      this.#send(size, "damaged");
    }
  }

  #missing(key: string, ids: readonly VersionId[]): void {
    for (const versionId of ids) {
      this.#draft.compared++;
      this.#cannot({ key, versionId, reason: "there is no such version here" });
    }
  }

  async #take({ version, verdict }: PlannedVersion): Promise<void> {
    const { key, versionId } = version;
    if (verdict.kind === "notReplicable") return this.#cannot({ key, versionId, reason: verdict.why });
    if (this.#found.delete(`${versionId}/${key}`)) return this.#send(sizeOf(version), "damaged");
    if (verdict.kind === "equal") {
      this.#draft.alreadyEqual++;
      return;
    }
    if (verdict.unsure !== true) return this.#send(verdict.ask ? 0 : sizeOf(version), "different");
    const why = await this.#ask(version.kind === "object" ? version : undefined);
    if (why === undefined) this.#draft.alreadyEqual++;
    else this.#send(sizeOf(version), why === "absent" ? "absent" : "different");
  }

  /** One look at the target, where its listing does not tell. A marker is cheap: it counts as if it had to be sent. */
  #ask(version: ObjectVersion | undefined): Promise<string | undefined> {
    const { sending, bucket } = this.#job;
    return version === undefined ? Promise.resolve("absent") : sending.look(bucket, version);
  }

  async #takeAbsent(absent: readonly Version[]): Promise<void> {
    if (absent.length === 0) return;
    const wills = await askPurges(
      this.#job.connection,
      absent.map(({ key, versionId, mtime }) => ({ key, versionId, mtime })),
      this.#job.signal,
    );
    absent.forEach((version, i) => {
      const will = wills?.[i];
      const { key, versionId } = version;
      if (will !== "everywhere") return this.#send(sizeOf(version), will === "local" ? "purgedThere" : "absent");
      this.#draft.staysPurged++;
      this.#cannot({ key, versionId, reason: "it was purged there for every site" });
    });
  }

  #send(bytes: number, why: keyof Restored): void {
    this.#draft.toSend++;
    this.#draft.bytesToSend += bytes;
    this.#restored[why]++;
  }

  #cannot(sample: Sample): void {
    this.#draft.notReplicable++;
    if (this.#samples.length < RESYNC_SAMPLES) this.#samples.push(sample);
  }
}

const ROUND_TRIPS = 5;

/** From the last resync of the target where it moved enough to tell, else from a few round trips. */
export async function measuredRate(
  connection: Connection,
  clock: Clock,
  last: ResyncRecord | undefined,
  inFlight: number,
): Promise<Rate | undefined> {
  const ms = last?.activeMs ?? 0;
  if (last !== undefined && ms > 0 && last.counters.sent >= RESYNC_BATCH_KEYS) {
    const { sent, sentBytes } = last.counters;
    return { versionsPerSecond: (sent * 1000) / ms, bytesPerSecond: (sentBytes * 1000) / ms, from: "last resync" };
  }
  const startMs = clock.nowMs();
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const answer = await connection.client.request({ method: "HEAD", payload: "hashed" });
    if (answer.status >= 300) return undefined;
  }
  const tripMs = Math.max((clock.nowMs() - startMs) / ROUND_TRIPS, 0.5);
  return { versionsPerSecond: (inFlight * 1000) / tripMs, bytesPerSecond: 0, from: "round trips" };
}
