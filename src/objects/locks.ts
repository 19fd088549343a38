/**
 * Object lock where it counts: inside the attempt of a commit, on the rows that the commit checks. A version's rows can
 * only leave with a `Removable`, and this file is the only maker of those, so no way of losing a version passes it by.
 */
import { StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import type { UnixNs } from "../model/names.ts";
import * as rules from "../model/object-lock.ts";
import type { Remover } from "../model/object-lock.ts";
import { newerRegister, type ObjectVersion, type Register, type Retention, type Version } from "../model/version.ts";
import type { Brand } from "../runtime/brand.ts";
import type { Context } from "./context.ts";
import type { ObjectAttributesInput, ReplicaSource, VersionRow } from "./types.ts";

/** A version whose rows may leave in this commit, which must hold its row unchanged. */
export type Removable = Brand<VersionRow, "Removable">;

/** A client without any privilege. */
export const CLIENT: Remover = { kind: "client", bypassGovernance: false };

/** Whoever a write comes from. A peer that tells no time speaks of now. */
export function removerOf(
  context: Context,
  request: { readonly source?: ReplicaSource | undefined; readonly bypassGovernance?: boolean | undefined },
): Remover {
  if (request.source !== undefined) return { kind: "peer", time: request.source.mtime ?? context.clock.nowNs() };
  return request.bypassGovernance === true ? { kind: "client", bypassGovernance: true } : CLIENT;
}

function locked(why: string, key: string): StoreError {
  return new StoreError("AccessDenied", {
    message: `Access Denied because object protected by object lock: ${why}`,
    key,
  });
}

/** AccessDenied while retention or a legal hold keeps the version from `by`. Delete markers are never locked. */
export function removable(context: Context, row: VersionRow, by: Remover): Removable {
  const { version } = row;
  // Most versions have no lock, and then no clock is read.
  if (version.kind === "object" && (version.retention !== undefined || version.legalHold !== undefined)) {
    const why = rules.removalRefusal(version, by, context.clock.nowMs());
    if (why !== undefined) throw locked(why, version.key);
  }
  return row as Removable;
}

/**
 * As `removable`, for a version that comes back in the same commit: the same bytes again (a repair, its exact time) lose
 * nothing, whatever its locks, which the new rows keep.
 */
export function replaceable(context: Context, row: VersionRow, next: ObjectVersion, by: Remover): Removable {
  return isSameContent(row.version, next) ? (row as Removable) : removable(context, row, by);
}

/**
 * The null id is used again and again: only the time tells whether it is the same version. An ETag is what the peer says;
 * a checksum was computed here over the bytes that came.
 */
function isSameContent(version: Version, next: ObjectVersion): boolean {
  if (version.kind !== "object" || version.etag !== next.etag || version.size !== next.size) return false;
  if (version.versionId === "null" && version.mtime !== next.mtime) return false;
  const [old, now] = [version.checksum, next.checksum];
  const comparable = old?.algorithm === now?.algorithm && old?.type === now?.type;
  return !comparable || old?.value === now?.value;
}

/**
 * InvalidRequest for a lock asked for in a bucket without: a promise that nobody would keep. A peer may say that there is
 * none: that a hold ended, or a retention was cleared.
 */
export function checkLockAllowed(
  bucket: Bucket,
  asked: { readonly retention?: Retention | null | undefined; readonly legalHold?: boolean | undefined },
  source: ReplicaSource | undefined,
): void {
  const { retention, legalHold } = asked;
  const ends = source !== undefined && legalHold === false;
  if ((retention !== undefined && retention !== null) || (legalHold !== undefined && !ends)) rules.requireLock(bucket);
}

/** The lock registers of a version. */
type LockRegisters = Pick<ObjectVersion, "retention" | "legalHold">;

/**
 * Locks of a new version: what the request says, else the bucket's default (never for replicas, which bring their own;
 * a peer's time without retention says that it was cleared there). `twin`: the same version as it is here, whose locks
 * are merged; they may have changed since the peer sent it.
 */
export function locksOfNew(
  context: Context,
  bucket: Bucket,
  attributes: ObjectAttributesInput,
  at: {
    readonly mtime: UnixNs;
    readonly source: ReplicaSource | undefined;
    readonly twin: ObjectVersion | undefined;
  },
): LockRegisters {
  const { mtime, source, twin } = at;
  const ours = source === undefined ? bucket.objectLock?.defaultRetention : undefined;
  const unsaid = ours === undefined ? undefined : rules.defaultRetention(ours, context.clock.nowMs());
  const cleared = source?.retentionTime === undefined ? undefined : null;
  const retention = register(attributes.retention ?? unsaid ?? cleared, source?.retentionTime ?? mtime);
  return {
    retention: twin === undefined ? retention : mergedRetention(context, twin, retention),
    legalHold: newerRegister(twin?.legalHold, register(attributes.legalHold, source?.legalHoldTime ?? mtime)),
  };
}

const register = <T>(value: T | undefined, time: UnixNs): Register<T> | undefined =>
  value === undefined ? undefined : { value, time };

/**
 * The retention of a version after a peer told its own. AccessDenied when that would cut short what is COMPLIANCE by this
 * site's clock: the peer asks again, until it has expired here too.
 */
export function mergedRetention(
  context: Context,
  ours: ObjectVersion,
  theirs: Register<Retention | null> | undefined,
): Register<Retention | null> | undefined {
  const merged = rules.newerRetention(ours.retention, theirs);
  if (merged === ours.retention) return merged;
  const why = rules.complianceCut(ours.retention?.value, merged?.value, context.clock.nowMs());
  if (why !== undefined) throw locked(why, ours.key);
  return merged;
}

/** AccessDenied when a client may not put `next` in the place of the version's retention. */
export function checkRetentionChange(
  context: Context,
  version: ObjectVersion,
  next: Retention | null,
  bypassGovernance: boolean,
): void {
  const why = rules.retentionChangeRefusal(version.retention?.value, next, {
    bypassGovernance,
    nowMs: context.clock.nowMs(),
  });
  if (why !== undefined) throw locked(why, version.key);
}

/**
 * InvalidBucketState for a bucket configuration in which a locked version could be lost: lock that goes again, or lock
 * without versions of every key.
 */
export function checkLockKept(before: Bucket, after: Bucket): void {
  if (before.objectLock === undefined && after.objectLock === undefined) return;
  if (after.objectLock === undefined) throw notWithLock(after, "Object lock cannot be disabled.");
  const { status, excludedPrefixes, excludeFolders } = after.versioning ?? {};
  if (status !== "Enabled") {
    const message =
      before.objectLock === undefined
        ? "Object lock needs a bucket with versioning enabled."
        : "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
    throw notWithLock(after, message);
  }
  if ((excludedPrefixes ?? []).length > 0 || excludeFolders === true) {
    throw notWithLock(after, "Object lock needs versions of every key: no prefix and no folder can be excluded.");
  }
}

const notWithLock = (bucket: Bucket, message: string): StoreError =>
  new StoreError("InvalidBucketState", { message, bucket: bucket.name });
