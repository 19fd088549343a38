/**
 * A data directory looked through while no server runs: are the bytes there that the index names, are the digests those of
 * the versions, do the counters count what is there. Repairs nothing.
 */
import type { Bucket } from "../model/bucket.ts";
import type { ObjectVersion } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import { damageCheck, type DamageProgress } from "../resync/damage-check.ts";
import type { Clock } from "../runtime/clock.ts";
import type { BlobStore } from "../storage/blobs/blobs.ts";
import { checkSums } from "../storage/digests.ts";
import { checkVersionRows, pagesOf } from "../storage/version-rows.ts";
import { checkFileRows } from "../storage/file-rows.ts";
import { bucketPlaces } from "../storage/index/digest/query.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { bucketIdOfRow, idRowKey, objectKeyOfVersionRow, SPACE, spaceRange, splitIdRowKey } from "../storage/keys.ts";
import { decodeRow, decodeVersion } from "../storage/records.ts";

export interface DirectoryDeps {
  readonly index: OrderedIndex;
  readonly blobs: BlobStore;
  readonly objects: Objects;
  readonly clock: Clock;
}

/** Something that is not as it has to be. Members that do not apply are left out. */
export interface Fault {
  readonly what:
    | "missing bytes"
    | "corrupt bytes"
    | "missing parts"
    | "damaged row"
    | "no lookup row"
    | "lookup row differs"
    | "lookup row without a version"
    | "digest differs"
    | "no file row"
    | "file row without a file"
    | "counter differs";
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  readonly versionId?: string | undefined;
  readonly detail?: string | undefined;
}

export interface DirectoryOptions {
  /** Every byte is read; otherwise presence, size and time of the files. */
  readonly deep: boolean;
  readonly onFault: (fault: Fault) => void;
  readonly onProgress: (bucket: string, progress: DamageProgress) => void;
}

export interface DirectoryResult {
  readonly buckets: number;
  /** Object versions whose bytes were looked at. */
  readonly examined: number;
  /** Versions and delete markers whose hashes were made anew. */
  readonly versions: number;
  readonly faults: number;
}

export async function checkDirectory(deps: DirectoryDeps, options: DirectoryOptions): Promise<DirectoryResult> {
  const result = { buckets: 0, examined: 0, versions: 0, faults: 0 };
  const told: DirectoryOptions = {
    ...options,
    onFault: (fault) => {
      result.faults++;
      options.onFault(fault);
    },
  };
  const buckets = await deps.objects.buckets();
  // Nothing that lists versions gets past a row that is none.
  if (!(await checkRows(deps, buckets, told))) return { ...result, buckets: buckets.length };
  for (const bucket of buckets) {
    result.buckets++;
    result.examined += await checkBytes(deps, bucket, told);
    result.versions += await checkCounters(deps, bucket, told);
  }
  await checkParts(deps, buckets, told);
  await checkDigests(deps, buckets, told);
  return result;
}

/** False: the index itself is damaged. */
async function checkRows(deps: DirectoryDeps, buckets: readonly Bucket[], options: DirectoryOptions): Promise<boolean> {
  const names = namesOf(buckets);
  let readable = true;
  for await (const { what, row, lookup } of checkVersionRows(deps.index, spaceRange(SPACE.version))) {
    if (lookup === undefined) readable = false;
    const bucket = names.get(bucketIdOfRow(row)) ?? bucketIdOfRow(row);
    const at =
      lookup === undefined
        ? { key: objectKeyOfVersionRow(row), detail: "bring it back from a peer" }
        : splitIdRowKey(lookup);
    options.onFault({ what, bucket, ...at });
  }
  return readable;
}

async function checkBytes(deps: DirectoryDeps, bucket: Bucket, options: DirectoryOptions): Promise<number> {
  const onFound = ({ key, versionId }: ObjectVersion, state: "missing" | "corrupt"): void =>
    options.onFault({ what: `${state} bytes`, bucket: bucket.name, key, versionId });
  let examined = 0;
  for await (const progress of damageCheck(deps, bucket.name, {
    deep: options.deep,
    inline: true,
    dryRun: true,
    onFound,
  })) {
    examined = progress.examined;
    options.onProgress(bucket.name, progress);
  }
  return examined;
}

/** Counters are changed by adding, so a fault would stay for ever. Returns how many versions there are. */
async function checkCounters(deps: DirectoryDeps, bucket: Bucket, options: DirectoryOptions): Promise<number> {
  const usage = await deps.objects.usage(bucket);
  const { count, bytes } = await deps.index.digest(bucketPlaces(bucket.id));
  const counted = usage.versions + usage.deleteMarkers;
  if (counted !== count || usage.bytes !== bytes) {
    const detail = `${counted} versions and ${usage.bytes} bytes counted, ${count} and ${bytes} are there`;
    options.onFault({ what: "counter differs", bucket: bucket.name, detail });
  }
  return count;
}

/** A multipart version names as many parts as it says it has. */
async function checkParts(deps: DirectoryDeps, buckets: readonly Bucket[], options: DirectoryOptions): Promise<void> {
  const names = namesOf(buckets);
  for await (const page of pagesOf(deps.index, spaceRange(SPACE.version))) {
    for (const row of page) {
      const version = decodeVersion(row.value);
      if (version.kind !== "object" || version.partCount === 0) continue;
      const { key, versionId, partCount } = version;
      const bucketId = bucketIdOfRow(row.key);
      const raw = await deps.index.get(idRowKey(SPACE.parts, bucketId, key, versionId));
      const found = raw === undefined ? 0 : decodeRow<{ parts: readonly unknown[] }>(raw).parts.length;
      if (found === partCount) continue;
      const detail = `${found} of ${partCount} parts are named`;
      options.onFault({ what: "missing parts", bucket: names.get(bucketId), key, versionId, detail });
    }
  }
}

async function checkDigests(deps: DirectoryDeps, buckets: readonly Bucket[], options: DirectoryOptions): Promise<void> {
  const names = namesOf(buckets);
  for await (const { what, place } of checkSums(deps.index)) {
    // As a row's key: a place lacks the byte of the space.
    const row = Buffer.concat([Buffer.from([SPACE.byId]), place]);
    const bucket = names.get(bucketIdOfRow(row)) ?? bucketIdOfRow(row);
    const at =
      what === "digest differs"
        ? { detail: `of the range that begins at ${JSON.stringify(textOf(row))}` }
        : splitIdRowKey(row);
    options.onFault({ what, bucket, ...at });
  }
  for await (const { what, row } of checkFileRows(deps.index)) {
    const bucket = names.get(bucketIdOfRow(row)) ?? bucketIdOfRow(row);
    options.onFault({ what, bucket, ...splitIdRowKey(row) });
  }
}

const namesOf = (buckets: readonly Bucket[]): Map<string, string> => new Map(buckets.map(({ id, name }) => [id, name]));

/** The key where a range begins; a bucket's first range begins at none. */
const textOf = (row: Buffer): string => (row.length < 27 ? "" : splitIdRowKey(row).key);
