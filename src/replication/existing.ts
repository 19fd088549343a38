/**
 * When a rule with ExistingObjectReplication appears, what was there before it follows too: a job that walks the bucket
 * once and writes change-log rows, with a durable cursor. Rows, not requests: sending is the queue's work.
 */
import { createHash } from "node:crypto";
import type { Bucket } from "../model/bucket.ts";
import { hasCode } from "../model/errors.ts";
import type { Arn, BucketName, VersionId } from "../model/names.ts";
import { followsExisting, ruleArn, type ReplicationConfig } from "../model/replication-config.ts";
import { enqueueVersions } from "../objects/enqueue.ts";
import type { Objects } from "../objects/objects.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { Waker } from "../runtime/waker.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { EXISTING_BATCH, FALLBACK_POLL_MS } from "./limits.ts";

export interface ExistingDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly random: Random;
  readonly poke: (arn: Arn) => void;
  readonly warn: (message: string, error: unknown) => void;
}

interface ExistingJob {
  readonly bucket: BucketName;
  readonly bucketId: string;
  readonly arn: Arn;
  /** Of the rules that the walk was made for: other rules mean another walk. */
  readonly rules: string;
  /** Everything up to this version is in the log. */
  readonly cursor?: { readonly key: string; readonly versionId: VersionId } | undefined;
  readonly done: boolean;
  readonly enqueued: number;
}

const PREFIX = "existing/";
const jobKey = (bucketId: string, arn: Arn): Buffer => namedRowKey(SPACE.job, `${PREFIX}${bucketId}/${arn}`);

/** Versions from before a rule are still being looked through: not all that has to follow is in the change log yet. */
export async function isWalking(index: OrderedIndex, bucketId: string, arn: Arn): Promise<boolean> {
  const raw = await index.get(jobKey(bucketId, arn));
  return raw !== undefined && !decodeRow<ExistingJob>(raw).done;
}

/** ARNs with an enabled rule for existing objects, each with a digest of its rules. */
function wanted(config: ReplicationConfig | undefined): Map<Arn, string> {
  const rules = new Map<Arn, object[]>();
  for (const rule of config?.rules ?? []) {
    if (!rule.enabled || !rule.existingObjectReplication) continue;
    const arn = ruleArn(config as ReplicationConfig, rule);
    const { prefix, tags, deleteMarkerReplication, deleteReplication } = rule;
    rules.set(arn, [...(rules.get(arn) ?? []), { prefix, tags, deleteMarkerReplication, deleteReplication }]);
  }
  return new Map(
    [...rules].map(([arn, list]) => [arn, createHash("sha256").update(JSON.stringify(list)).digest("hex")]),
  );
}

export class ExistingObjects {
  readonly #deps: ExistingDeps;
  readonly #waker = new Waker();

  constructor(deps: ExistingDeps) {
    this.#deps = deps;
  }

  /** Brings the jobs of a bucket in line with its rules: new rules get a walk, rules that went lose theirs. */
  async ensure(bucketName: BucketName): Promise<void> {
    const bucket = await this.#deps.objects.bucket(bucketName);
    const arns = wanted(bucket.replication);
    for (const { key, job } of await this.#jobs(bucket.id)) {
      if (!arns.has(job.arn)) await this.#deps.index.commit(new CommitBuilder().delete(key));
    }
    for (const [arn, rules] of arns) {
      const key = jobKey(bucket.id, arn);
      const raw = await this.#deps.index.get(key);
      if (raw !== undefined && decodeRow<ExistingJob>(raw).rules === rules) continue;
      const job: ExistingJob = { bucket: bucket.name, bucketId: bucket.id, arn, rules, done: false, enqueued: 0 };
      await this.#deps.index.commit(new CommitBuilder().unchanged(key, raw).put(key, encodeRow(job)));
    }
    this.wake();
  }

  wake(): void {
    this.#waker.wake();
  }

  async #jobs(bucketId: string): Promise<{ key: Buffer; raw: Buffer; job: ExistingJob }[]> {
    const entries = await this.#deps.index.scan(namedRange(SPACE.job, `${PREFIX}${bucketId}`), { limit: 100_000 });
    return entries.map(({ key, value }) => ({ key, raw: value, job: decodeRow<ExistingJob>(value) }));
  }

  /** Works off open jobs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, objects } = this.#deps;
    const failed = (error: unknown): void => this.#deps.warn("existing objects could not be queued", error);
    try {
      // A configuration stored just before a crash may have no job yet.
      for (const bucket of await objects.buckets())
        if (bucket.replication !== undefined) await this.ensure(bucket.name);
    } catch (error) {
      failed(error);
    }
    const round = async (): Promise<void> => {
      for (const { key, job } of await this.#jobs("")) if (!job.done) await this.#walk(key, signal);
    };
    await this.#waker.repeat({ clock, signal, idleMs: () => FALLBACK_POLL_MS * 4, round, failed });
  }

  async #walk(key: Buffer, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const raw = await this.#deps.index.get(key);
      if (raw === undefined) return;
      const job = decodeRow<ExistingJob>(raw);
      if (job.done) return;
      const next = await this.#step(job);
      const commit = new CommitBuilder().unchanged(key, raw);
      if (next === undefined) commit.delete(key);
      else commit.put(key, encodeRow(next));
      // A conflict: the rules changed meanwhile, the row is read again.
      await this.#deps.index.commit(commit);
      if (next === undefined || next.done) return;
    }
  }

  /** One page. Undefined: the bucket is gone. */
  async #step(job: ExistingJob): Promise<ExistingJob | undefined> {
    const bucket = await this.#bucket(job);
    if (bucket === undefined) return undefined;
    const page = await this.#deps.objects.listVersions({
      bucket: bucket.name,
      prefix: "",
      delimiter: "",
      keyMarker: job.cursor?.key ?? "",
      versionIdMarker: job.cursor?.versionId,
      maxKeys: EXISTING_BATCH,
    });
    const due = page.versions
      .map(({ version }) => version)
      .filter(
        (version) =>
          version.replication.targets[job.arn] === undefined && followsExisting(bucket.replication, job.arn, version),
      );
    // Newest first in a listing; the log wants what happened first, first.
    const enqueued = await enqueueVersions(this.#deps, bucket, job.arn, due.toReversed());
    if (enqueued > 0) this.#deps.poke(job.arn);
    const last = page.versions.at(-1)?.version;
    const cursor = last === undefined ? job.cursor : { key: last.key, versionId: last.versionId };
    return { ...job, cursor, enqueued: job.enqueued + enqueued, done: !page.truncated };
  }

  async #bucket(job: ExistingJob): Promise<Bucket | undefined> {
    try {
      const bucket = await this.#deps.objects.bucket(job.bucket);
      return bucket.id === job.bucketId ? bucket : undefined;
    } catch (error) {
      if (hasCode(error, "NoSuchBucket")) return undefined;
      throw error;
    }
  }
}
