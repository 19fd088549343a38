/** The lifecycle rules of a bucket, and what they say of a version. Pure; who removes what is due is objects/expire.ts. */
import type { ObjectVersion, Tags } from "./version.ts";

const DAY_MS = 86_400_000;

/** What a rule is about: everything that is named must fit. */
export interface LifecycleFilter {
  readonly prefix?: string | undefined;
  readonly tags?: Tags | undefined;
  /** Bytes. */
  readonly sizeGreaterThan?: number | undefined;
  readonly sizeLessThan?: number | undefined;
}

/** When the current version expires: exactly one of the three. */
export interface Expiration {
  readonly days?: number | undefined;
  /** A midnight, UTC, in ms. */
  readonly dateMs?: number | undefined;
  /** A delete marker without other versions goes. */
  readonly expiredObjectDeleteMarker?: boolean | undefined;
}

/** Versions that are not the newest any more: both conditions must hold. */
export interface NoncurrentExpiration {
  /** Since the version stopped being the newest. */
  readonly days?: number | undefined;
  /** So many newer ones that are not the newest stay. */
  readonly newerVersions?: number | undefined;
}

export interface LifecycleRule {
  readonly id: string;
  readonly enabled: boolean;
  /** The prefix stands in the rule itself, as rules were written before there were filters. */
  readonly oldForm: boolean;
  readonly filter: LifecycleFilter;
  readonly expiration?: Expiration | undefined;
  readonly noncurrent?: NoncurrentExpiration | undefined;
  /** Uploads that were begun so many days ago are aborted. */
  readonly abortUploadsDays?: number | undefined;
}

export interface Lifecycle {
  readonly updatedMs: number;
  readonly rules: readonly LifecycleRule[];
}

/** Whole days later, put off to the next midnight UTC (s3-api.md section 16). */
export function dueMs(fromMs: number, days: number): number {
  return Math.floor((fromMs + (days + 1) * DAY_MS) / DAY_MS) * DAY_MS;
}

/** The midnight that began the day: nothing becomes due between two of them. */
export function dayOf(nowMs: number): number {
  return Math.floor(nowMs / DAY_MS);
}

/** What a filter looks at. A delete marker has neither size nor tags. */
export interface Filtered {
  readonly key: string;
  readonly size?: number | undefined;
  readonly tags?: Tags | undefined;
}

export function matchesFilter(filter: LifecycleFilter, of: Filtered): boolean {
  const { prefix, tags, sizeGreaterThan, sizeLessThan } = filter;
  if (prefix !== undefined && !of.key.startsWith(prefix)) return false;
  if (sizeGreaterThan !== undefined && !(of.size !== undefined && of.size > sizeGreaterThan)) return false;
  if (sizeLessThan !== undefined && !(of.size !== undefined && of.size < sizeLessThan)) return false;
  for (const name in tags) if (of.tags?.[name] !== tags[name]) return false;
  return true;
}

/** As a filter sees an object. */
export function filteredObject({ key, size, tags }: Pick<ObjectVersion, "key" | "size" | "tags">): Filtered {
  return { key, size, tags: tags?.value };
}

export interface Expiry {
  readonly atMs: number;
  readonly ruleId: string;
}

/** When and by which rule the current object version expires: the earliest; undefined: never. */
export function expiryOf(
  rules: readonly LifecycleRule[],
  version: Pick<ObjectVersion, "key" | "size" | "tags" | "mtime">,
): Expiry | undefined {
  const of = filteredObject(version);
  const modifiedMs = Number(version.mtime / 1_000_000n);
  let first: Expiry | undefined;
  for (const { id, enabled, filter, expiration } of rules) {
    if (!enabled || expiration === undefined || !matchesFilter(filter, of)) continue;
    const atMs = expiration.dateMs ?? (expiration.days === undefined ? undefined : dueMs(modifiedMs, expiration.days));
    if (atMs !== undefined && (first === undefined || atMs < first.atMs)) first = { atMs, ruleId: id };
  }
  return first;
}

/** A delete marker that is all there is of its key goes: at once where a rule says so, else with the days of a rule. */
export function loneMarkerIsDue(
  rules: readonly LifecycleRule[],
  marker: { readonly key: string; readonly mtime: bigint },
  nowMs: number,
): boolean {
  const modifiedMs = Number(marker.mtime / 1_000_000n);
  return rules.some(({ enabled, filter, expiration }) => {
    if (!enabled || expiration === undefined || !matchesFilter(filter, { key: marker.key })) return false;
    if (expiration.expiredObjectDeleteMarker) return true;
    return expiration.days !== undefined && dueMs(modifiedMs, expiration.days) <= nowMs;
  });
}

/** Where a version stands that is not the newest of its key. */
export interface Noncurrent extends Filtered {
  /** When the next newer version was made. */
  readonly sinceMs: number;
  /** How many versions are newer, the newest left out. */
  readonly newerVersions: number;
}

export function noncurrentIsDue(rules: readonly LifecycleRule[], version: Noncurrent, nowMs: number): boolean {
  return rules.some(({ enabled, filter, noncurrent }) => {
    if (!enabled || noncurrent === undefined || !matchesFilter(filter, version)) return false;
    if (noncurrent.newerVersions !== undefined && version.newerVersions < noncurrent.newerVersions) return false;
    return noncurrent.days === undefined || dueMs(version.sinceMs, noncurrent.days) <= nowMs;
  });
}

export function uploadIsDue(
  rules: readonly LifecycleRule[],
  upload: { readonly key: string; readonly initiated: bigint },
  nowMs: number,
): boolean {
  const begunMs = Number(upload.initiated / 1_000_000n);
  return rules.some(
    ({ enabled, filter, abortUploadsDays }) =>
      enabled &&
      abortUploadsDays !== undefined &&
      matchesFilter(filter, { key: upload.key }) &&
      dueMs(begunMs, abortUploadsDays) <= nowMs,
  );
}
