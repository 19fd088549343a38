/**
 * Resyncs as durable jobs: started, shown, paused, limited, cancelled by any process, run by the one that does the
 * background work. A job found Pending or Ongoing (after a crash too) goes on at its low-water mark.
 */
import { StoreError } from "../model/errors.ts";
import type { Arn, BucketName } from "../model/names.ts";
import type { Sealer } from "../model/sealer.ts";
import { isoMillis, msOf } from "../protocol/time.ts";
import type { Connection } from "../replication/connections.ts";
import type { Away } from "../replication/health.ts";
import { FALLBACK_POLL_MS } from "../replication/limits.ts";
import { RESYNC_CHECKPOINT_MS, RESYNC_IN_FLIGHT_MAX, RESYNC_JOBS_MAX } from "./limits.ts";
import { comparisonEnded, lookAtTarget } from "../replication/same-site.ts";
import type { KnownTarget } from "../replication/targets.ts";
import { Waker } from "../runtime/waker.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { badRequest } from "./chosen-arn.ts";
import { ResyncFailed } from "./failed.ts";
import { forecast, measuredRate, type Forecast } from "./forecast.ts";
import { clearEarlier, clearRows } from "./job-rows.ts";
import { Keeper, Superseded } from "./keeper.ts";
import { saveList, type Listed } from "./named-versions.ts";
import { DEFAULT_LIMITS, type JobLimits } from "./options.ts";
import { resyncJson, startedJson } from "./record-json.ts";
import {
  isRunning,
  loadControl,
  loadRecords,
  optionsOf,
  putControl,
  recordKey,
  type Control,
  type ResyncRecord,
} from "./record.ts";
import { Reports } from "./report.ts";
import { addCounters, ResyncRun } from "./run.ts";
import { Sending } from "./sending.ts";
import { directionFault, prepareJob, withListed, type PrepareDeps, type StartRequest } from "./prepare.ts";

export interface JobsDeps extends PrepareDeps {
  readonly sealer: Sealer;
  /** This site, as reports name it. */
  readonly site: string;
  /** Keeps a report as a file; it never rejects. */
  readonly saveReport?: ((name: string, text: string) => Promise<void>) | undefined;
  readonly warn: (message: string, error: unknown) => void;
}

/** What may be said about a running job. */
export interface ControlRequest {
  readonly paused?: boolean | undefined;
  readonly limits: Partial<JobLimits>;
}

interface Running {
  readonly run: ResyncRun;
  readonly keeper: Keeper;
  readonly record: ResyncRecord;
  control: Control;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

class Paused extends Error {
  override name = "Paused";
}

export class ResyncJobs {
  readonly #deps: JobsDeps;
  readonly #reports: Reports;
  readonly #running = new Map<string, Running>();
  readonly #waker = new Waker();

  constructor(deps: JobsDeps) {
    this.#deps = deps;
    const { index, sealer, random, site, saveReport } = deps;
    this.#reports = new Reports({ index, sealer, random, site, save: saveReport });
  }

  /** Checks first, stores after: a refused start leaves a running job alone. */
  async start(bucketName: BucketName, request: StartRequest): Promise<object> {
    const { index, targets, clock } = this.#deps;
    const prepared = await prepareJob(this.#deps, bucketName, request);
    const { bucket, record, raw, ageMs, named } = prepared;
    const key = recordKey(bucket.id, record.arn);
    const refuseRunning = (): StoreError =>
      badRequest(bucketName, `Resync of bucket ${bucketName} is already in progress for remote bucket ${record.arn}`);
    if (raw !== undefined && isRunning(decodeRow<ResyncRecord>(raw))) throw refuseRunning();
    const why = await directionFault(this.#deps, prepared);
    if (why !== undefined)
      throw badRequest(
        bucketName,
        `This looks like the wrong direction: ${why}. Start from the healthy side, or use --force`,
      );
    // What is found to be another site by now is what this job will prove; what is put in its place later is not.
    await this.#recognise(bucketName, record.arn);
    const begun = { ...record, created: clock.nowNs() };
    const job = named === undefined ? begun : withListed(begun, await this.#listed(begun, named()));
    const control: Control = { id: job.id, paused: false, limits: { ...DEFAULT_LIMITS, ...request.limits } };
    // One commit is the start. Where another came first, in whatever process, it changes nothing.
    const commit = putControl(new CommitBuilder().unchanged(key, raw).put(key, encodeRow(job)), job, control);
    if ((await index.commit(commit)) === "conflict") {
      await clearRows(index, job);
      throw refuseRunning();
    }
    await clearEarlier(index, clock, job, raw && decodeRow<ResyncRecord>(raw));
    await targets.setReset(bucketName, job.arn, job.id, isoMillis(clock.nowMs() - ageMs));
    this.wake();
    return { target: [startedJson(job)] };
  }

  /** See same-site.ts. What goes wrong here, goes wrong again in the job, which says so. */
  async #recognise(bucketName: BucketName, arn: Arn): Promise<void> {
    const { targets } = this.#deps;
    // A record that changes just now (new keys) closes the connection under the question.
    for (let attempts = 0; attempts < 2; attempts++) {
      try {
        const connection = targets.connect(await targets.get(bucketName, arn));
        await connection.endpoint.known();
        return void (await lookAtTarget(this.#deps, connection, { made: connection.record.dialect !== "s3" }));
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
      }
    }
  }

  /** Writes the list of a job that nobody sees yet; a disk that fills up on the way keeps nothing of it. */
  async #listed(record: ResyncRecord, list: AsyncIterable<Listed>): Promise<number> {
    const { index } = this.#deps;
    try {
      return await saveList(index, record, list);
    } catch (error) {
      await clearRows(index, record);
      throw error;
    }
  }

  /** What a start would do, as progress and at last the whole. Stores nothing on either side. */
  async plan(bucketName: BucketName, request: StartRequest, signal: AbortSignal): Promise<AsyncGenerator<Forecast>> {
    const { objects, clock, random, targets } = this.#deps;
    const prepared = await prepareJob(this.#deps, bucketName, request);
    const { bucket, record, raw, connection, named } = prepared;
    const last = raw === undefined ? undefined : decodeRow<ResyncRecord>(raw);
    const inFlight = request.limits?.inFlight || RESYNC_IN_FLIGHT_MAX;
    const current = async (): Promise<Connection> => targets.connect(await targets.get(bucketName, record.arn));
    return forecast({
      index: this.#deps.index,
      objects,
      clock,
      bucket,
      connection,
      signal,
      record: named === undefined ? record : withListed(record, request.named?.length ?? 0),
      named,
      sending: new Sending({ objects, clock, random }, { record, connection: current, signal }),
      rate: await measuredRate(connection, clock, last, inFlight),
      refusal: await directionFault(this.#deps, prepared),
    });
  }

  /** `{}` when none ran. What runs here is shown as it stands this moment. */
  async status(bucketName: BucketName, arn?: string): Promise<object> {
    const bucket = await this.#deps.objects.bucket(bucketName);
    if (bucket.replication === undefined)
      throw new StoreError("ReplicationConfigurationNotFoundError", { bucket: bucketName });
    // A job outlives its target; what it found of that one would be read as said of those that are there.
    const known = new Map((await this.#deps.targets.ofBucket(bucketName)).map((target) => [target.record.arn, target]));
    const isAsked = (of: Arn): boolean => (arn ? of === arn : known.has(of));
    const records = (await loadRecords(this.#deps.index, bucket.id)).filter(({ record }) => isAsked(record.arn));
    if (records.length === 0) return {};
    const target: object[] = [];
    for (const { record } of records) {
      const control = await loadControl(this.#deps.index, record);
      const away = isRunning(record) ? await this.#away(known.get(record.arn)) : undefined;
      target.push(resyncJson(this.#current(record), control, away));
    }
    return { target };
  }

  /** Why a running job waits for its target; undefined: the target is there. */
  async #away(target: KnownTarget | undefined): Promise<Away | undefined> {
    return target && (await this.#deps.targets.connections.health(target)).away;
  }

  /** The signed report of the last job. Throws NoSuchKey when there is none, BadRequest while it runs. */
  async report(bucketName: BucketName, arnText: string): Promise<string> {
    const { record } = await this.#find(bucketName, arnText);
    if (record === undefined)
      throw new StoreError("NoSuchKey", { bucket: bucketName, message: "No resync of this bucket has run." });
    const text = await this.#reports.load(record);
    if (text === undefined) throw badRequest(bucketName, "the resync has not ended; its report is made at its end");
    return text;
  }

  async #find(
    bucketName: BucketName,
    arnText: string,
  ): Promise<{ key: Buffer; raw: Buffer | undefined; record: ResyncRecord | undefined }> {
    const bucket = await this.#deps.objects.bucket(bucketName);
    const records = await loadRecords(this.#deps.index, bucket.id);
    const [only] = records;
    const arn = (arnText === "" && records.length === 1 ? only?.record.arn : arnText) as Arn;
    const key = recordKey(bucket.id, arn);
    const raw = await this.#deps.index.get(key);
    return { key, raw, record: raw === undefined ? undefined : decodeRow<ResyncRecord>(raw) };
  }

  /** Pauses, resumes, or changes limits; takes effect within a moment wherever it runs. BadRequest when none runs. */
  async control(bucketName: BucketName, arn: string, request: ControlRequest): Promise<object> {
    const { record } = await this.#find(bucketName, arn);
    if (record === undefined || !isRunning(record)) throw noneRuns(bucketName, arn);
    const before = await loadControl(this.#deps.index, record);
    const limits = { ...before.limits, ...request.limits };
    const control: Control = { id: record.id, paused: request.paused ?? before.paused, limits };
    await this.#deps.index.commit(putControl(new CommitBuilder(), record, control));
    const running = this.#running.get(nameOf(record));
    if (running !== undefined) this.#apply(running, control);
    await (control.paused ? running?.ended : undefined);
    this.wake();
    return { target: [resyncJson(this.#current((await this.#find(bucketName, arn)).record ?? record), control)] };
  }

  #apply(running: Running, control: Control): void {
    if (running.record.id !== control.id) return;
    running.control = control;
    if (control.paused) running.abort.abort(new Paused());
  }

  /** Returns the id of the job. BadRequest when none runs. */
  async cancel(bucketName: BucketName, arn: string): Promise<string> {
    for (;;) {
      const { key, raw, record } = await this.#find(bucketName, arn);
      if (record === undefined || !isRunning(record)) throw noneRuns(bucketName, arn);
      const canceled: ResyncRecord = { ...this.#current(record), state: "Canceled", updated: this.#deps.clock.nowNs() };
      const commit = new CommitBuilder().unchanged(key, raw).put(key, encodeRow(canceled));
      const text = await this.#reports.add(commit, canceled);
      if ((await this.#deps.index.commit(commit)) === "conflict") continue;
      const running = this.#running.get(nameOf(record));
      running?.abort.abort(new Superseded());
      await running?.ended;
      await this.#reports.keep(canceled, text);
      return record.id;
    }
  }

  /** A record with the numbers of the run in this process, those above the low-water mark included. */
  #current(record: ResyncRecord): ResyncRecord {
    const running = this.#running.get(nameOf(record));
    if (running === undefined || running.record.id !== record.id || !isRunning(record)) return record;
    const now = running.keeper.now(running.run, record.state);
    return { ...now, counters: addCounters(now.counters, running.run.state.ahead) };
  }

  wake(): void {
    this.#waker.wake();
  }

  /** Runs open jobs until `signal` aborts; resolves when all of them have stopped and saved. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, warn } = this.#deps;
    await this.#waker.repeat({
      clock,
      signal,
      idleMs: () => FALLBACK_POLL_MS,
      round: () => this.#startOpen(signal),
      failed: (error) => warn("the resync jobs could not be read", error),
    });
    const ends = [...this.#running.values()].map(({ ended }) => ended);
    await Promise.all(ends);
  }

  async #startOpen(signal: AbortSignal): Promise<void> {
    for (const { key, raw, record } of await loadRecords(this.#deps.index)) {
      if (!isRunning(record) || this.#running.has(nameOf(record)) || this.#running.size >= RESYNC_JOBS_MAX) continue;
      const control = await loadControl(this.#deps.index, record);
      if (!control.paused && !signal.aborted) this.#launch({ key, raw, record, control }, signal);
    }
  }

  #launch(job: { key: Buffer; raw: Buffer; record: ResyncRecord; control: Control }, signal: AbortSignal): void {
    const { targets, clock } = this.#deps;
    const abort = new AbortController();
    const record: ResyncRecord = { ...job.record, state: "Ongoing", started: job.record.started ?? clock.nowNs() };
    const keeper = new Keeper({ ...this.#deps, reports: this.#reports }, { key: job.key, raw: job.raw, record });
    const run: ResyncRun = new ResyncRun(this.#deps, {
      record,
      connection: async () => targets.connect(await targets.get(record.bucket, record.arn)),
      save: () => keeper.save(run, "Ongoing"),
      limits: () => running.control.limits,
      signal: AbortSignal.any([signal, abort.signal]),
    });
    const running: Running = { run, keeper, record, control: job.control, abort, ended: Promise.resolve() };
    const ended = this.#drive(running, signal).then((recorded) => {
      this.#running.delete(nameOf(record));
      // A full disk refuses the end of a job too: begun again at once, it would end so again, without a pause.
      if (recorded) this.wake();
    });
    this.#running.set(nameOf(record), Object.assign(running, { ended }));
  }

  /** Never rejects: the end of a run is a state of its record. False: the end could not be recorded. */
  async #drive(running: Running, signal: AbortSignal): Promise<boolean> {
    const { run, keeper, abort } = running;
    const done = new AbortController();
    const saving = this.#checkpoints(running, done.signal);
    try {
      await keeper.save(run, "Ongoing");
      await run.run();
      done.abort();
      await saving;
      await keeper.save(run, "Completed");
      const { index } = this.#deps;
      await comparisonEnded(index, running.record.arn, provedSinceMs(keeper.now(run, "Completed")));
      return true;
    } catch (error) {
      done.abort();
      await saving;
      return await this.#ended(running, {
        error: abort.signal.aborted ? abort.signal.reason : error,
        stopping: signal.aborted,
      });
    }
  }

  async #ended({ run, keeper }: Running, end: { error: unknown; stopping: boolean }): Promise<boolean> {
    const { error, stopping } = end;
    try {
      if (error instanceof Superseded) return true;
      if (error instanceof Paused) await keeper.save(run, "Pending");
      // The process stops: the record stays Ongoing, and whoever comes next goes on.
      else if (stopping) await keeper.save(run, "Ongoing");
      else if (error instanceof ResyncFailed || error instanceof StoreError)
        await keeper.save(run, "Failed", error.message);
      else {
        this.#deps.warn("a resync ended unexpectedly", error);
        await keeper.save(run, "Failed", error instanceof Error ? error.message : String(error));
      }
      return true;
    } catch (failure) {
      if (failure instanceof Superseded) return true;
      this.#deps.warn("the end of a resync could not be recorded", failure);
      return false;
    }
  }

  /** Saves now and then, and notices what was said to another process. */
  async #checkpoints(running: Running, done: AbortSignal): Promise<void> {
    const { run, keeper, abort, record } = running;
    for (;;) {
      await this.#deps.clock.sleep(RESYNC_CHECKPOINT_MS, done);
      if (done.aborted) return;
      try {
        await keeper.save(run, "Ongoing");
        this.#apply(running, await loadControl(this.#deps.index, record));
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

/** When a job began that has looked at everything the target should have, and found it there; undefined: no such job. */
function provedSinceMs(record: ResyncRecord): number | undefined {
  const { prefix, failedOnly, listed } = optionsOf(record);
  const isWhole = prefix === "" && !failedOnly && listed === undefined && record.beforeMs === Number.MAX_SAFE_INTEGER;
  const isProved = record.verify?.different === 0 && record.counters.failed === 0 && record.created !== undefined;
  return isWhole && isProved ? msOf(record.created ?? 0n) : undefined;
}

const nameOf = ({ bucketId, arn }: ResyncRecord): string => `${bucketId}/${arn}`;

const noneRuns = (bucket: BucketName, arn: string): StoreError =>
  badRequest(bucket, `No resync of bucket ${bucket} is in progress for remote bucket ${arn}`);
