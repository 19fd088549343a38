/** Verifies a bucket of this site against its target: what the admin API starts, and the last result for the metrics. */
import { StoreError } from "../model/errors.ts";
import type { Arn, BucketName } from "../model/names.ts";
import type { Objects } from "../objects/objects.ts";
import { configArns } from "../replication/config.ts";
import type { Connection } from "../replication/connections.ts";
import { comparisonEnded, lookAtTarget } from "../replication/same-site.ts";
import type { Targets } from "../replication/targets.ts";
import type { Clock } from "../runtime/clock.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { PROGRESS_MS, RESULTS_MAX, SETTLE_MS } from "./limits.ts";
import { LocalBucket } from "./local.ts";
import { summaryJson } from "./report.ts";
import { isEqual, type VerifyResult } from "./result.ts";
import type { VerifyLevel } from "./seen.ts";
import { CannotLook, VerifySide } from "./side.ts";
import { verify, type VerifyProgress } from "./verify.ts";

export interface TargetVerifyDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly targets: Targets;
}

export interface VerifyRequest {
  /** Absent: the only target of the bucket. */
  readonly arn?: Arn | undefined;
  readonly level: VerifyLevel;
  readonly prefix: string;
}

/** What the last verification of a bucket and target found. */
export interface LastResult {
  readonly bucket: BucketName;
  readonly arn: Arn;
  readonly level: VerifyLevel;
  readonly endedMs: number;
  readonly isEqual: boolean;
  readonly compared: number;
  readonly different: number;
}

const ROWS = "verify/";

export class TargetVerifier {
  readonly #deps: TargetVerifyDeps;

  constructor(deps: TargetVerifyDeps) {
    this.#deps = deps;
  }

  /**
   * Lines of JSON: `progress` now and then, each `difference`, and `verify` with the numbers at the end, or `error`.
   * Rejects before the first: NoSuchBucket, ReplicationConfigurationNotFoundError, XMinioAdminRemoteTargetNotFoundError.
   */
  async start(bucketName: BucketName, request: VerifyRequest): Promise<AsyncIterable<object>> {
    const { objects, targets } = this.#deps;
    const bucket = await objects.bucket(bucketName);
    if (bucket.replication === undefined)
      throw new StoreError("ReplicationConfigurationNotFoundError", { bucket: bucketName });
    const arns = configArns(bucket.replication);
    const arn = request.arn ?? (arns.length === 1 ? arns[0] : undefined);
    if (arn === undefined || !arns.includes(arn))
      throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket: bucketName });
    const known = await targets.get(bucketName, arn);
    if (known.record.dialect === "s3") {
      const message = "This target gives versions ids of its own: there is nothing to compare them by.";
      throw new StoreError("NotImplemented", { bucket: bucketName, message });
    }
    const connection = targets.connect(known);
    const { client } = connection;
    const stop = new AbortController();
    const { prefix } = request;
    const source = new LocalBucket({ ...this.#deps, bucket: bucketName, bucketId: bucket.id, prefix });
    const name = `${arn} (${client.bucket})`;
    const target = new VerifySide({ name, client, prefix, clock: this.#deps.clock, signal: stop.signal });
    const key = namedRowKey(SPACE.job, `${ROWS}${bucket.id}/${arn}`);
    return this.#lines({ source, target, request, stop, bucket: bucketName, connection, key });
  }

  async *#lines(job: {
    source: LocalBucket;
    target: VerifySide;
    request: VerifyRequest;
    stop: AbortController;
    bucket: BucketName;
    connection: Connection;
    key: Buffer;
  }): AsyncGenerator<object> {
    const { clock } = this.#deps;
    const { stop, request } = job;
    let progress: VerifyProgress | undefined;
    const ended = new AbortController();
    const options = { level: request.level, settleMs: SETTLE_MS, clock, signal: stop.signal };
    let begunMs = 0;
    const look = async (): Promise<VerifyResult> => {
      await job.connection.endpoint.known();
      await lookAtTarget(this.#deps, job.connection, { made: true });
      begunMs = clock.nowMs();
      return verify(job.source, job.target, { ...options, onProgress: (now) => (progress = now) });
    };
    const running = look().finally(() => ended.abort());
    running.catch(() => undefined);
    try {
      while (!ended.signal.aborted) {
        await clock.sleep(PROGRESS_MS, ended.signal);
        if (!ended.signal.aborted && progress !== undefined) yield { type: "progress", ...progress };
      }
      const result = await running;
      // A part of a bucket says nothing of the bucket.
      if (request.prefix === "") await this.#keep({ ...job, arn: job.connection.arn, begunMs }, result);
      for (const difference of result.differences) yield { type: "difference", ...difference };
      yield { type: "verify", ...summaryJson(result) };
    } catch (error) {
      if (!(error instanceof CannotLook || error instanceof StoreError)) throw error;
      yield { type: "error", error: error.message };
    } finally {
      // The reader is gone, or all is told.
      stop.abort();
    }
  }

  async #keep(
    { bucket, arn, key, begunMs }: { bucket: BucketName; arn: Arn; key: Buffer; begunMs: number },
    result: VerifyResult,
  ): Promise<void> {
    const { level, endedMs, compared, different } = result;
    const last: LastResult = { bucket, arn, level, endedMs, isEqual: isEqual(result), compared, different };
    await this.#deps.index.commit(new CommitBuilder().put(key, encodeRow(last)));
    // Names, times and sizes alone are an older copy's too.
    await comparisonEnded(this.#deps.index, arn, last.isEqual && level !== "identity" ? begunMs : undefined);
  }

  /** Of buckets and targets that are there no more too: whoever shows them knows which are. */
  async results(): Promise<LastResult[]> {
    const rows = await this.#deps.index.scan(namedRange(SPACE.job, ROWS), { limit: RESULTS_MAX });
    return rows.map(({ value }) => decodeRow<LastResult>(value));
  }
}
