/**
 * The receiving side of a resync: before a damaged site trusts its index, it looks whether the bytes are there. Versions
 * whose bytes are missing or corrupt are marked damaged; from then on they count as absent.
 */
import type { Bucket } from "../model/bucket.ts";
import { hasCode } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import type { BlobRef, ObjectVersion } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import type { Clock } from "../runtime/clock.ts";
import type { BlobState, BlobStore } from "../storage/blobs/blobs.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { blobRowKey, SPACE } from "../storage/keys.ts";
import { DAMAGE_CHECK_IN_FLIGHT_MAX, DAMAGE_CHECK_PROGRESS_MS } from "../replication/limits.ts";
import { listHere } from "./local-listing.ts";
import { OrderedPool } from "./pool.ts";

export interface DamageCheckDeps {
  readonly objects: Objects;
  readonly index: OrderedIndex;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

export interface DamageProgress {
  /** Object versions looked at. */
  readonly examined: number;
  /** Versions whose bytes are not there, those known before included. */
  readonly missing: number;
  /** Versions whose bytes are not what was written. */
  readonly corrupt: number;
  readonly done: boolean;
}

/**
 * Examines every object version of a bucket. `deep` reads all bytes; otherwise presence, size and stamp are looked at,
 * and bytes only where the stamp is not the one of staging. Yields progress now and then and once at the end. Throws
 * NoSuchBucket.
 */
export async function* damageCheck(
  deps: DamageCheckDeps,
  bucketName: BucketName,
  options: { deep: boolean },
): AsyncGenerator<DamageProgress> {
  const bucket = await deps.objects.bucket(bucketName);
  const counts = { examined: 0, missing: 0, corrupt: 0 };
  const pool = new OrderedPool<true>({ maxTasks: DAMAGE_CHECK_IN_FLIGHT_MAX, maxWeight: Infinity }, () => undefined);
  let shownMs = deps.clock.nowMs();
  try {
    for await (const { versions } of listHere(deps.objects, bucketName, "")) {
      for (const version of versions) {
        if (version.kind === "delete-marker") continue;
        await pool.add(version.key, 0, async () => {
          const state = await examine(deps, bucket, version, options.deep);
          counts.examined++;
          if (state !== "ok") counts[state]++;
          return true;
        });
      }
      if (deps.clock.nowMs() - shownMs < DAMAGE_CHECK_PROGRESS_MS) continue;
      shownMs = deps.clock.nowMs();
      yield { ...counts, done: false };
    }
  } finally {
    await pool.drain();
  }
  yield { ...counts, done: true };
}

async function examine(
  deps: DamageCheckDeps,
  bucket: Bucket,
  version: ObjectVersion,
  deep: boolean,
): Promise<BlobState> {
  if (version.damaged !== undefined) return version.damaged === "corrupt" ? "corrupt" : "missing";
  for (const ref of await refsOf(deps, bucket, version)) {
    const row = ref.inline ? await deps.index.get(blobRowKey(SPACE.data, ref.id)) : undefined;
    const state = await deps.blobs.examine(ref, deep, row);
    if (state === "ok") continue;
    const selector = { bucket: bucket.name, key: version.key, versionId: version.versionId };
    // Removed, replaced or healed since it was listed: then those bytes are gone rightly.
    return (await deps.objects.markDamaged(selector, state, ref.id)) ? state : "ok";
  }
  return "ok";
}

async function refsOf(deps: DamageCheckDeps, bucket: Bucket, version: ObjectVersion): Promise<readonly BlobRef[]> {
  if (version.partCount === 0) return version.blob === undefined ? [] : [version.blob];
  try {
    const found = await deps.objects.find({ bucket: bucket.name, key: version.key, versionId: version.versionId });
    return found.parts.map((part) => part.blob);
  } catch (error) {
    if (hasCode(error, "NoSuchKey", "NoSuchVersion", "MethodNotAllowed")) return [];
    throw error;
  }
}

/**
 * Body of the answer to `POST /resilver/v1/damage-check?bucket=B[&deep=true]`: one JSON object a line, the last with
 * `done: true`; after the first line a failure is a line with `error`.
 */
export async function* damageCheckLines(
  deps: DamageCheckDeps,
  bucketName: BucketName,
  options: { deep: boolean },
): AsyncGenerator<string> {
  try {
    for await (const progress of damageCheck(deps, bucketName, options)) yield `${JSON.stringify(progress)}\n`;
  } catch (error) {
    yield `${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`;
  }
}
