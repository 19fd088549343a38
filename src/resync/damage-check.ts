/**
 * The receiving side of a resync: before a damaged site trusts its index, it looks whether the bytes are there. Versions
 * whose bytes are missing or corrupt are marked damaged; from then on they count as absent. Bytes that are rows of the
 * index are there whenever the index is, so only files are looked at: the check costs nothing for small objects.
 */
import type { Bucket } from "../model/bucket.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import type { BlobRef, ObjectVersion } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import type { Clock } from "../runtime/clock.ts";
import type { BlobState, BlobStore } from "../storage/blobs/blobs.ts";
import { checkVersionRows, pagesOf } from "../storage/version-rows.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { blobRowKey, idRowKey, keyPrefixRange, objectKeyOfVersionRow, SPACE, splitIdRowKey } from "../storage/keys.ts";
import { DAMAGED_ROW } from "../storage/records.ts";
import { DAMAGE_CHECK_IN_FLIGHT_MAX, DAMAGE_CHECK_PROGRESS_MS } from "./limits.ts";
import { listHere } from "./local-listing.ts";
import { OrderedPool } from "./pool.ts";

export interface DamageCheckDeps {
  readonly objects: Objects;
  readonly index: OrderedIndex;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

export interface DamageOptions {
  /** Read every byte; otherwise presence, size and stamp are looked at, and bytes only where the stamp is another. */
  readonly deep: boolean;
  /** Look at bytes inside the index too, which cannot get lost without it; `deep` always does. */
  readonly inline?: boolean | undefined;
  /** Only keys that begin with it. */
  readonly prefix?: string | undefined;
  /** Nothing is recorded: what is found is only told. */
  readonly dryRun?: boolean | undefined;
  /** Called for each version that is found damaged, those known before included. */
  readonly onFound?: ((version: ObjectVersion, state: Exclude<BlobState, "ok">) => void) | undefined;
}

export interface DamageProgress {
  /** Versions to look at, as counted when the check began. */
  readonly total: number;
  /** Object versions looked at. */
  readonly examined: number;
  /** Versions whose bytes are not there, those known before included. */
  readonly missing: number;
  /** Versions whose bytes are not what was written. */
  readonly corrupt: number;
  readonly done: boolean;
}

/**
 * Examines the versions of a bucket whose bytes lie in files, and those known to be damaged: the others' bytes are rows
 * of the index itself. `deep` and `inline` examine every version. Yields progress now and then and once at the end.
 * Throws NoSuchBucket,
 * and with `deep` InternalError where the index itself is damaged.
 */
export async function* damageCheck(
  deps: DamageCheckDeps,
  bucketName: BucketName,
  options: DamageOptions,
): AsyncGenerator<DamageProgress> {
  const bucket = await deps.objects.bucket(bucketName);
  const all = options.deep || options.inline === true;
  if (options.deep) await refuseDamagedRows(deps, bucket, options.prefix);
  const total = all ? (await deps.objects.usage(bucket)).versions : await countExposed(deps, bucket, options.prefix);
  const counts = { total, examined: 0, missing: 0, corrupt: 0 };
  const pool = new OrderedPool<true>({ maxTasks: DAMAGE_CHECK_IN_FLIGHT_MAX, maxWeight: Infinity }, () => undefined);
  let shownMs = deps.clock.nowMs();
  try {
    for await (const wanted of all ? listed(deps, bucket, options.prefix) : exposed(deps, bucket, options.prefix)) {
      await pool.add(wanted.key, 0, async () => {
        const version = wanted.kind === "object" ? wanted : await objectAt(deps, bucket, wanted);
        // Gone since its row was read.
        if (version === undefined) return true;
        const state = await examineVersion(deps, bucket, version, options);
        counts.examined++;
        if (state === "ok") return true;
        counts[state]++;
        options.onFound?.(version, state);
        return true;
      });
      if (deps.clock.nowMs() - shownMs < DAMAGE_CHECK_PROGRESS_MS) continue;
      shownMs = deps.clock.nowMs();
      yield { ...counts, done: false };
    }
  } finally {
    await pool.drain();
  }
  yield { ...counts, done: true };
}

/** Digests are kept by commits: they say that all is well of a row whose bytes changed on the disk since. */
async function refuseDamagedRows({ index }: DamageCheckDeps, { id }: Bucket, prefix = ""): Promise<void> {
  for await (const { row } of checkVersionRows(index, keyPrefixRange(SPACE.version, id, prefix)))
    throw new StoreError("InternalError", { message: `${DAMAGED_ROW} (${objectKeyOfVersionRow(row)})` });
}

/** A version that has to be looked up yet. */
type At = Pick<ObjectVersion, "key" | "versionId"> & { readonly kind?: undefined };

async function* listed(deps: DamageCheckDeps, bucket: Bucket, prefix?: string): AsyncGenerator<ObjectVersion> {
  for await (const { versions } of listHere(deps.objects, bucket.name, "", prefix))
    for (const version of versions) if (version.kind === "object") yield version;
}

/** Versions whose bytes can be lost while the index is whole: those in files, and others known to be damaged. */
async function* exposed({ index }: DamageCheckDeps, { id }: Bucket, prefix = ""): AsyncGenerator<At> {
  for await (const page of pagesOf(index, keyPrefixRange(SPACE.file, id, prefix), true))
    for (const { key } of page) yield splitIdRowKey(key);
  for await (const page of pagesOf(index, keyPrefixRange(SPACE.damage, id, prefix), true)) {
    for (const { key } of page) {
      const at = splitIdRowKey(key);
      if ((await index.get(idRowKey(SPACE.file, id, at.key, at.versionId))) === undefined) yield at;
    }
  }
}

async function countExposed(deps: DamageCheckDeps, bucket: Bucket, prefix?: string): Promise<number> {
  let count = 0;
  for await (const _ of exposed(deps, bucket, prefix)) count++;
  return count;
}

async function objectAt({ objects }: DamageCheckDeps, bucket: Bucket, at: At): Promise<ObjectVersion | undefined> {
  const version = (await objects.version({ bucket: bucket.name, key: at.key, versionId: at.versionId }))?.version;
  return version?.kind === "object" ? version : undefined;
}

/** Looks at the bytes of one version and, unless it is a dry run, records what is wrong with them. */
export async function examineVersion(
  deps: Omit<DamageCheckDeps, "clock">,
  bucket: Bucket,
  version: ObjectVersion,
  options: Pick<DamageOptions, "deep" | "dryRun">,
): Promise<BlobState> {
  if (version.damaged !== undefined) return version.damaged === "corrupt" ? "corrupt" : "missing";
  for (const ref of await refsOf(deps, bucket, version)) {
    const row = ref.inline ? await deps.index.get(blobRowKey(SPACE.data, ref.id)) : undefined;
    const state = await deps.blobs.examine(ref, options.deep, row);
    if (state === "ok") continue;
    const selector = { bucket: bucket.name, key: version.key, versionId: version.versionId };
    if (options.dryRun === true) return (await isStill(deps, selector, version)) ? state : "ok";
    // Removed, replaced or healed since it was listed: then those bytes are gone rightly.
    return (await deps.objects.markDamaged(selector, state, ref.id)) ? state : "ok";
  }
  return "ok";
}

async function isStill(
  deps: Pick<DamageCheckDeps, "objects">,
  selector: { bucket: BucketName; key: ObjectVersion["key"]; versionId: ObjectVersion["versionId"] },
  version: ObjectVersion,
): Promise<boolean> {
  const now = (await deps.objects.version(selector))?.version;
  return now?.kind === "object" && now.mtime === version.mtime && now.etag === version.etag;
}

async function refsOf(
  deps: Pick<DamageCheckDeps, "objects">,
  bucket: Bucket,
  version: ObjectVersion,
): Promise<readonly BlobRef[]> {
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
 * Body of the answer to `POST /resilver/v1/damage-check?bucket=B[&deep=true][&prefix=P][&dry-run=true]`: one JSON object
 * a line, the last with `done: true`; in a dry run also one with `found` for each damaged version. After the first line
 * a failure is a line with `error`.
 */
export async function* damageCheckLines(
  deps: DamageCheckDeps,
  bucketName: BucketName,
  options: Omit<DamageOptions, "onFound">,
): AsyncGenerator<string> {
  const found: string[] = [];
  const onFound = ({ key, versionId }: ObjectVersion): void =>
    void found.push(`${JSON.stringify({ found: { key, versionId } })}\n`);
  try {
    const told = options.dryRun === true ? { ...options, onFound } : options;
    for await (const progress of damageCheck(deps, bucketName, told)) {
      if (found.length > 0) yield found.splice(0).join("");
      yield `${JSON.stringify(progress)}\n`;
    }
  } catch (error) {
    yield `${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`;
  }
}
