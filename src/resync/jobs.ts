/**
 * Resyncs as durable jobs: started, shown, cancelled by any process, run by the one that does the background
 * work. A job found Pending or Ongoing (after a crash too) goes on at its low-water mark.
 */
import type { Objects } from "../objects/objects.ts";
import { StoreError } from "../model/errors.ts";
import type { Arn, BucketName } from "../model/names.ts";
import { ruleArn, type ReplicationConfig } from "../model/replication-config.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { configArns } from "../replication/config.ts";
import { FALLBACK_POLL_MS, RESYNC_CHECKPOINT_MS, RESYNC_JOBS_MAX } from "../replication/limits.ts";
import { checkAlive, checkBucketThere, checkVersioned } from "../replication/target-checks.ts";
import type { Targets } from "../replication/targets.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { isoMillis } from "../protocol/time.ts";
import { olderThanMs } from "./older-than.ts";
import { isRunning, loadRecords, NO_COUNTS, recordKey, resyncJson, startedJson, type ResyncRecord } from "./record.ts";
import { addCounters, ResyncFailed, ResyncRun } from "./run.ts";

export interface JobsDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly targets: Targets;
  readonly clock: Clock;
  readonly random: Random;
  readonly warn: (message: string, error: unknown) => void;
}

/** What a start asks for; empty text: absent (replication.md 7.1). */
export interface StartRequest {
  readonly arn: string;
  readonly resetId: string;
  readonly olderThan: string;
}

interface Running {
  readonly run: ResyncRun;
  readonly record: ResyncRecord;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** Another process changed the record: cancelled, or replaced by another job. */
class Superseded extends Error {
  override name = "Superseded";
}

export class ResyncJobs {
  readonly #deps: JobsDeps;
  readonly #running = new Map<string, Running>();
  #wake = new AbortController();

  constructor(deps: JobsDeps) {
    this.#deps = deps;
  }

  /** Checks first, stores after: a refused start leaves a running job alone. */
  async start(bucketName: BucketName, request: StartRequest): Promise<object> {
    const { index, objects, targets, clock, random } = this.#deps;
    const bucket = await objects.bucket(bucketName);
    if (bucket.replication === undefined)
      throw new StoreError("ReplicationConfigurationNotFoundError", { bucket: bucketName });
    const arn = chosenArn(bucketName, bucket.replication, request.arn);
    const ageMs = olderThanMs(request.olderThan);
    // Without an age everything counts, versions from a site whose clock is ahead included.
    const beforeMs = ageMs === 0 ? Number.MAX_SAFE_INTEGER : clock.nowMs() - ageMs;
    const key = recordKey(bucket.id, arn);
    const raw = await index.get(key);
    const refuseRunning = (): StoreError =>
      badRequest(bucketName, `Resync of bucket ${bucketName} is already in progress for remote bucket ${arn}`);
    if (raw !== undefined && isRunning(decodeRow<ResyncRecord>(raw))) throw refuseRunning();
    const { client } = targets.connect(await targets.get(bucketName, arn));
    await checkBucketThere(client, "XMinioAdminRemoteTargetNotFoundError");
    await checkVersioned(client);
    await checkAlive(client);
    const usage = await objects.usage(bucket);
    const record: ResyncRecord = {
      id: request.resetId === "" ? random.uuid() : request.resetId,
      arn,
      bucket: bucketName,
      bucketId: bucket.id,
      state: "Pending",
      phase: "damage-check",
      updated: clock.nowNs(),
      beforeMs,
      total: usage.versions + usage.deleteMarkers,
      cursor: "",
      counters: NO_COUNTS,
      samples: [],
    };
    const commit = new CommitBuilder().unchanged(key, raw).put(key, encodeRow(record));
    if ((await index.commit(commit)) === "conflict") throw refuseRunning();
    await targets.setReset(bucketName, arn, record.id, isoMillis(clock.nowMs() - ageMs));
    this.wake();
    return { target: [startedJson(record)] };
  }

  /** `{}` when none ran. What runs here is shown as it stands this moment. */
  async status(bucketName: BucketName, arn?: string): Promise<object> {
    const bucket = await this.#deps.objects.bucket(bucketName);
    if (bucket.replication === undefined)
      throw new StoreError("ReplicationConfigurationNotFoundError", { bucket: bucketName });
    const records = (await loadRecords(this.#deps.index, bucket.id)).filter(({ record }) => !arn || record.arn === arn);
    if (records.length === 0) return {};
    return { target: records.map(({ record }) => resyncJson(this.#current(record))) };
  }

  /** Returns the id of the job. BadRequest when none runs. */
  async cancel(bucketName: BucketName, arn: Arn): Promise<string> {
    const bucket = await this.#deps.objects.bucket(bucketName);
    const key = recordKey(bucket.id, arn);
    for (;;) {
      const raw = await this.#deps.index.get(key);
      const record = raw === undefined ? undefined : decodeRow<ResyncRecord>(raw);
      if (record === undefined || !isRunning(record))
        throw badRequest(bucketName, `No resync of bucket ${bucketName} is in progress for remote bucket ${arn}`);
      const canceled: ResyncRecord = { ...this.#current(record), state: "Canceled", updated: this.#deps.clock.nowNs() };
      if (
        (await this.#deps.index.commit(new CommitBuilder().unchanged(key, raw).put(key, encodeRow(canceled)))) ===
        "conflict"
      )
        continue;
      const running = this.#running.get(key.toString("latin1"));
      running?.abort.abort(new Superseded());
      await running?.ended;
      return record.id;
    }
  }

  /** A record with the numbers of the run in this process, those above the low-water mark included. */
  #current(record: ResyncRecord): ResyncRecord {
    const running = this.#running.get(recordKey(record.bucketId, record.arn).toString("latin1"));
    if (running === undefined || running.record.id !== record.id || !isRunning(record)) return record;
    const { phase, cursor, counters, ahead, damage, verify, samples } = running.run.state;
    return {
      ...record,
      phase,
      cursor,
      counters: addCounters(counters, ahead),
      damage,
      verify,
      samples,
      updated: this.#deps.clock.nowNs(),
    };
  }

  wake(): void {
    this.#wake.abort();
  }

  /** Runs open jobs until `signal` aborts; resolves when all of them have stopped and saved. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.#startOpen(signal);
      } catch (error) {
        this.#deps.warn("the resync jobs could not be read", error);
      }
      await this.#deps.clock.sleep(FALLBACK_POLL_MS, AbortSignal.any([signal, this.#wake.signal]));
    }
    const ends = [...this.#running.values()].map(({ ended }) => ended);
    await Promise.all(ends);
  }

  async #startOpen(signal: AbortSignal): Promise<void> {
    for (const { key, raw, record } of await loadRecords(this.#deps.index)) {
      const name = key.toString("latin1");
      if (!isRunning(record) || this.#running.has(name) || this.#running.size >= RESYNC_JOBS_MAX) continue;
      this.#launch({ name, key, raw, record }, signal);
    }
  }

  #launch(job: { name: string; key: Buffer; raw: Buffer; record: ResyncRecord }, signal: AbortSignal): void {
    const { targets } = this.#deps;
    const abort = new AbortController();
    const started: ResyncRecord = {
      ...job.record,
      state: "Ongoing",
      started: job.record.started ?? this.#deps.clock.nowNs(),
    };
    const keeper = new Keeper(this.#deps, { key: job.key, raw: job.raw, record: started });
    const run: ResyncRun = new ResyncRun(this.#deps, {
      record: started,
      connection: async () => targets.connect(await targets.get(started.bucket, started.arn)),
      save: () => keeper.save(run, "Ongoing"),
      signal: AbortSignal.any([signal, abort.signal]),
    });
    const ended = this.#drive(run, keeper, abort, signal).finally(() => {
      this.#running.delete(job.name);
      this.wake();
    });
    this.#running.set(job.name, { run, record: started, abort, ended });
  }

  /** Never rejects: the end of a run is a state of its record. */
  async #drive(run: ResyncRun, keeper: Keeper, abort: AbortController, signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const saving = this.#checkpoints(run, keeper, abort, done.signal);
    try {
      await keeper.save(run, "Ongoing");
      await run.run();
      done.abort();
      await saving;
      await keeper.save(run, "Completed");
    } catch (error) {
      done.abort();
      await saving;
      await this.#ended(run, keeper, { error, stopping: signal.aborted });
    }
  }

  async #ended(run: ResyncRun, keeper: Keeper, end: { error: unknown; stopping: boolean }): Promise<void> {
    const { error, stopping } = end;
    try {
      if (error instanceof Superseded) return;
      // The process stops: the record stays Ongoing, and whoever comes next goes on.
      if (stopping) await keeper.save(run, "Ongoing");
      else if (error instanceof ResyncFailed || error instanceof StoreError)
        await keeper.save(run, "Failed", error.message);
      else {
        this.#deps.warn("a resync ended unexpectedly", error);
        await keeper.save(run, "Failed", error instanceof Error ? error.message : String(error));
      }
    } catch (failure) {
      if (!(failure instanceof Superseded)) this.#deps.warn("the end of a resync could not be recorded", failure);
    }
  }

  async #checkpoints(run: ResyncRun, keeper: Keeper, abort: AbortController, done: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(RESYNC_CHECKPOINT_MS, done);
      if (done.aborted) return;
      try {
        await keeper.save(run, "Ongoing");
      } catch (error) {
        if (!(error instanceof Superseded)) {
          this.#deps.warn("a resync could not be saved", error);
          continue;
        }
        abort.abort(error);
        return;
      }
    }
  }
}

/** Writes the record of one run, each time over exactly what it wrote before: anything else there ends the run. */
class Keeper {
  readonly #deps: JobsDeps;
  readonly #key: Buffer;
  #raw: Buffer;
  readonly #record: ResyncRecord;
  #last: Promise<void> = Promise.resolve();

  constructor(deps: JobsDeps, job: { key: Buffer; raw: Buffer; record: ResyncRecord }) {
    this.#deps = deps;
    this.#key = job.key;
    this.#raw = job.raw;
    this.#record = job.record;
  }

  /** One after another; rejects with Superseded when someone else wrote the row. */
  save(run: ResyncRun, state: ResyncRecord["state"], error?: string): Promise<void> {
    const next = this.#last.catch(() => undefined).then(() => this.#write(run, state, error));
    this.#last = next;
    return next;
  }

  async #write(run: ResyncRun, state: ResyncRecord["state"], error: string | undefined): Promise<void> {
    const { phase, cursor, counters, samples, damage, verify } = run.state;
    const updated = this.#deps.clock.nowNs();
    const record: ResyncRecord = {
      ...this.#record,
      state,
      phase,
      cursor,
      counters,
      samples,
      damage,
      verify,
      updated,
      error,
    };
    const value = encodeRow(record);
    const commit = new CommitBuilder().unchanged(this.#key, this.#raw).put(this.#key, value);
    if ((await this.#deps.index.commit(commit)) === "conflict") throw new Superseded();
    this.#raw = value;
  }
}

/** Rendered as JSON by the S3 layer, as MinIO does for this call. */
function badRequest(bucket: BucketName, message: string): StoreError {
  return new StoreError("BadRequest", {
    bucket,
    message: `400 BadRequest (Invalid arguments provided for ${bucket}/: (${message}))`,
  });
}

/** The ARN to resync; may be left out when there is only one (7.1). */
function chosenArn(bucket: BucketName, config: ReplicationConfig, given: string): Arn {
  const enabled = config.rules.filter((rule) => rule.enabled);
  const arns = configArns({ ...config, rules: enabled });
  if (given === "") {
    const [only] = arns;
    if (arns.length !== 1 || only === undefined) throw badRequest(bucket, "target ARN specified for resync is empty");
    return checkExisting(bucket, config, only);
  }
  if (!configArns(config).includes(given as Arn))
    throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket });
  if (enabled.length === 0) throw badRequest(bucket, "no rule is enabled");
  return checkExisting(bucket, config, given as Arn);
}

function checkExisting(bucket: BucketName, config: ReplicationConfig, arn: Arn): Arn {
  const some = config.rules.some(
    (rule) => rule.enabled && rule.existingObjectReplication && ruleArn(config, rule) === arn,
  );
  if (!some) throw new StoreError("XMinioReplicationNoExistingObjects", { bucket });
  return arn;
}
