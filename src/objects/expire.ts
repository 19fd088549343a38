/**
 * Carries out the lifecycle of buckets: walks all versions of a bucket that has rules, once a day and after each change of
 * the rules, since what is due becomes due at a midnight (s3-api.md section 16). Each removal is a delete of its own,
 * which checks in its commit that the version still stands where it stood. What a lifecycle removes is not replicated;
 * what still has to reach a target, or is locked, stays.
 */
import type { Bucket } from "../model/bucket.ts";
import { hasCode } from "../model/errors.ts";
import * as rules from "../model/lifecycle.ts";
import { replicationStatus, type Version } from "../model/version.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Objects } from "./objects.ts";
import type { DeleteRequest, ListedVersion, ListVersionsPage } from "./types.ts";

export interface ExpireOptions {
  readonly objects: Objects;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

export interface Expired {
  /** Versions and markers removed, and markers made. */
  readonly versions: number;
  readonly uploads: number;
}

/** Removals under way at one time: their commits share a sync. */
const PARALLEL = 32;
const PAGE = 1000;

/** One pass over a bucket. Ends early when the signal aborts. */
export async function expireBucket(options: ExpireOptions, bucket: Bucket): Promise<Expired> {
  const versions = await expireVersions(options, bucket);
  return { versions, uploads: await expireUploads(options, bucket) };
}

async function expireVersions(options: ExpireOptions, bucket: Bucket): Promise<number> {
  const { objects, clock, signal } = options;
  const walk = new KeyWalk(bucket, clock.nowMs());
  const list = (from?: ListVersionsPage): Promise<ListVersionsPage> =>
    objects.listVersions({
      bucket: bucket.name,
      prefix: "",
      delimiter: "",
      keyMarker: from?.nextKeyMarker ?? "",
      versionIdMarker: from?.nextVersionIdMarker,
      maxKeys: PAGE,
    });
  let removed = 0;
  let page: ListVersionsPage | undefined = await list();
  while (page !== undefined && signal?.aborted !== true) {
    // A bucket that was deleted and made anew meanwhile has other rules, or none.
    if (page.bucket.id !== bucket.id) return removed;
    const due = page.versions.flatMap((listed) => walk.next(listed));
    // The next page is found by the last version of this one, so it is read before that is removed.
    const following: ListVersionsPage | undefined = page.truncated ? await list(page) : undefined;
    if (following === undefined) due.push(...walk.end());
    removed += await removeAll(objects, due);
    page = following;
  }
  return removed;
}

async function removeAll(objects: Objects, due: readonly DeleteRequest[]): Promise<number> {
  let removed = 0;
  for (let at = 0; at < due.length; at += PARALLEL) {
    const done = await Promise.all(due.slice(at, at + PARALLEL).map((request) => removeOne(objects, request)));
    removed += done.filter(Boolean).length;
  }
  return removed;
}

/** False: it is locked, or not any more what it was when it was looked at. */
async function removeOne(objects: Objects, request: DeleteRequest): Promise<boolean> {
  try {
    const { versionId } = await objects.delete(request);
    return versionId !== undefined || request.versionId === undefined;
  } catch (error) {
    if (hasCode(error, "AccessDenied") || hasCode(error, "PreconditionFailed")) return false;
    throw error;
  }
}

/** Takes the versions of a bucket in listing order, and says which are due. */
class KeyWalk {
  readonly #bucket: Bucket;
  readonly #rules: readonly rules.LifecycleRule[];
  readonly #nowMs: number;
  /** The version before, of the same key. */
  #newer: Version | undefined;
  /** Versions of this key so far that are not the newest. */
  #noncurrent = 0;
  /** The newest version of the key is a marker, and none after it was seen yet. */
  #marker: Version | undefined;
  /** The key changed while it was listed: what is newer than what is not known for sure. */
  #unsure = false;

  constructor(bucket: Bucket, nowMs: number) {
    this.#bucket = bucket;
    this.#rules = bucket.lifecycle?.rules ?? [];
    this.#nowMs = nowMs;
  }

  next({ version }: ListedVersion): DeleteRequest[] {
    const newer = this.#newer?.key === version.key ? this.#newer : undefined;
    if (newer === undefined) return [...this.end(), ...this.#current(version)];
    this.#marker = undefined;
    if (version.mtime > newer.mtime || version.versionId === newer.versionId) this.#unsure = true;
    const place = { sinceMs: Number(newer.mtime / 1_000_000n), newerVersions: this.#noncurrent++ };
    this.#newer = version;
    const of = version.kind === "object" ? rules.filteredObject(version) : { key: version.key };
    if (this.#unsure || isOnItsWay(version)) return [];
    return rules.noncurrentIsDue(this.#rules, { ...of, ...place }, this.#nowMs)
      ? [this.#removal(version, "noncurrent")]
      : [];
  }

  /** The last version of a key was seen. */
  end(): DeleteRequest[] {
    const marker = this.#marker;
    this.#marker = undefined;
    if (marker === undefined || isOnItsWay(marker)) return [];
    return rules.loneMarkerIsDue(this.#rules, marker, this.#nowMs) ? [this.#removal(marker, "only")] : [];
  }

  #current(version: Version): DeleteRequest[] {
    this.#newer = version;
    this.#noncurrent = 0;
    this.#unsure = false;
    if (version.kind === "delete-marker") {
      this.#marker = version;
      return [];
    }
    const expiry = isOnItsWay(version) ? undefined : rules.expiryOf(this.#rules, version);
    if (expiry === undefined || expiry.atMs > this.#nowMs) return [];
    const conditions = { mtime: version.mtime };
    return [{ bucket: this.#bucket.name, key: version.key, conditions, byLifecycle: true }];
  }

  #removal(version: Version, place: "noncurrent" | "only"): DeleteRequest {
    const { key, versionId, mtime } = version;
    return { bucket: this.#bucket.name, key, versionId, conditions: { mtime, place }, byLifecycle: true };
  }
}

/** Some target does not have it yet. */
function isOnItsWay(version: Version): boolean {
  const status = replicationStatus(version.replication);
  return status === "PENDING" || status === "FAILED";
}

async function expireUploads({ objects, clock, signal }: ExpireOptions, bucket: Bucket): Promise<number> {
  const list = bucket.lifecycle?.rules ?? [];
  if (!list.some(({ enabled, abortUploadsDays }) => enabled && abortUploadsDays !== undefined)) return 0;
  let aborted = 0;
  let marker = { keyMarker: "", uploadIdMarker: "" };
  while (signal?.aborted !== true) {
    const page = await objects.listUploads({
      ...marker,
      bucket: bucket.name,
      prefix: "",
      delimiter: "",
      maxUploads: PAGE,
    });
    if (page.bucket.id !== bucket.id) break;
    for (const upload of page.uploads) {
      if (!rules.uploadIsDue(list, upload, clock.nowMs())) continue;
      if (await abort(objects, { bucket: bucket.name, key: upload.key, uploadId: upload.uploadId })) aborted++;
    }
    if (!page.truncated) break;
    marker = { keyMarker: page.nextKeyMarker ?? "", uploadIdMarker: page.nextUploadIdMarker ?? "" };
  }
  return aborted;
}

async function abort(objects: Objects, upload: Parameters<Objects["abortUpload"]>[0]): Promise<boolean> {
  try {
    await objects.abortUpload(upload);
    return true;
  } catch (error) {
    if (hasCode(error, "NoSuchUpload")) return false;
    throw error;
  }
}

export interface Lifecycles {
  /** Looks whether some bucket's day or rules are new, and walks those. `done` is told each bucket that was walked. */
  step(signal: AbortSignal): Promise<void>;
}

/** Remembers in this process which buckets had their pass: after a start each has one. */
export function lifecycles(
  { objects, clock }: Pick<ExpireOptions, "objects" | "clock">,
  done: (bucket: Bucket, expired: Expired | Error) => void,
): Lifecycles {
  const walked = new Map<string, string>();
  return {
    async step(signal) {
      for (const bucket of await objects.buckets()) {
        const { lifecycle, id } = bucket;
        if (lifecycle === undefined || !lifecycle.rules.some((rule) => rule.enabled)) continue;
        const pass = `${rules.dayOf(clock.nowMs())}/${lifecycle.updatedMs}`;
        if (signal.aborted || walked.get(id) === pass) continue;
        try {
          const expired = await expireBucket({ objects, clock, signal }, bucket);
          if (!signal.aborted) walked.set(id, pass);
          done(bucket, expired);
        } catch (error) {
          // Another bucket's fault is no reason to leave the rest: this one has its next turn at the next step.
          done(bucket, error as Error);
        }
      }
    },
  };
}
