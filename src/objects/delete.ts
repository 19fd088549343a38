/** DELETE: a marker, or the purge of one version; and both as they arrive from a peer (replication.md 3.7, 3.8). */
import { StoreError } from "../model/errors.ts";
import { keepsVersions, type Bucket } from "../model/bucket.ts";
import { NULL_VERSION, type Arn, type UnixNs, type VersionId } from "../model/names.ts";
import type { Remover } from "../model/object-lock.ts";
import {
  purgedEverywhere,
  type DeleteMarker,
  type ReplicationState,
  type Tags,
  type Tombstone,
  type Version,
} from "../model/version.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { encodeTombstone } from "../storage/records.ts";
import { checkDelete } from "./conditions.ts";
import type { BucketRow, Context } from "./context.ts";
import { removable, removerOf } from "./locks.ts";
import { joined, liftPurge, purgedBefore } from "./purges.ts";
import { checkVersionIdAllowed } from "./put.ts";
import * as rows from "./rows.ts";
import type { DeleteRequest, DeleteResult, VersionRow } from "./types.ts";

type Attempt = {
  commit?: CommitBuilder;
  result: DeleteResult;
  poke?: readonly ReturnType<typeof rows.followers>[number][];
};

/** Absent versions are fine: the answer is the same as for one that was just removed. */
export async function remove(context: Context, request: DeleteRequest): Promise<DeleteResult> {
  return context.commit<DeleteResult>(async () => {
    const row = await context.bucketRow(request.bucket);
    const commit = new CommitBuilder().unchanged(row.key, row.raw);
    if (await nothingToMatch(context, commit, row, request))
      return { result: { bucket: row.bucket, deleteMarker: false } };
    if (request.versionId !== undefined) {
      return request.sourceDeleteMarker
        ? receiveMarker(context, commit, row, request, request.versionId)
        : purge(context, commit, row, request, request.versionId);
    }
    if (keepsVersions(row.bucket, request.key))
      return addMarker(context, commit, row, request, context.random.uuid() as VersionId);
    if (row.bucket.versioning?.status === "Suspended") return addMarker(context, commit, row, request, NULL_VERSION);
    const { result, ...rest } = await purge(context, commit, row, request, NULL_VERSION);
    return { ...rest, result: { bucket: result.bucket, deleteMarker: false } };
  });
}

/** Conditions of a delete: 412 when the object is another one; true when there is none, which is as if it were deleted. */
async function nothingToMatch(
  context: Context,
  commit: CommitBuilder,
  row: BucketRow,
  request: DeleteRequest,
): Promise<boolean> {
  const { conditions, key, versionId } = request;
  if (conditions === undefined) return false;
  const bucketId = row.bucket.id;
  let found: VersionRow | undefined;
  if (versionId === undefined) {
    found = await context.currentRow(bucketId, key);
    commit.first(keys.prefixRange(keys.objectPrefix(keys.SPACE.version, bucketId, key)), found?.key);
  } else {
    const byId = await context.rowById(bucketId, key, versionId);
    commit.unchanged(byId.idKey, byId.idRaw);
    found = byId.row;
    const { place } = conditions;
    if (found !== undefined && place !== undefined && !(await standsAt(context, commit, row, { found, place })))
      return true;
  }
  if (found === undefined) return true;
  checkDelete(conditions, found.version);
  // A marker is as good as no object, unless it is meant itself.
  return found.version.kind === "delete-marker" && conditions.mtime === undefined;
}

/** Does the version stand there? The commit holds what the answer is read from. */
async function standsAt(
  context: Context,
  commit: CommitBuilder,
  { bucket }: BucketRow,
  { found, place }: { readonly found: VersionRow; readonly place: "noncurrent" | "only" },
): Promise<boolean> {
  const range = keys.prefixRange(keys.objectPrefix(keys.SPACE.version, bucket.id, found.version.key));
  const newest = await context.currentRow(bucket.id, found.version.key);
  commit.first(range, newest?.key);
  const isNewest = newest?.key.equals(found.key) === true;
  if (place === "noncurrent") return !isNewest;
  const older = { start: keys.keyAfter(found.key), end: range.end };
  const [next] = await context.index.scan(older, { limit: 1, keysOnly: true });
  commit.first(older, next?.key);
  return isNewest && next === undefined;
}

/** A new delete marker made here; a null marker takes the place of the null version. */
async function addMarker(
  context: Context,
  commit: CommitBuilder,
  row: BucketRow,
  request: DeleteRequest,
  versionId: VersionId,
): Promise<Attempt> {
  const { bucket } = row;
  const current = await context.currentRow(bucket.id, request.key);
  const stone =
    versionId === NULL_VERSION ? await context.tombstoneRow(bucket.id, request.key, NULL_VERSION) : undefined;
  // What it replaces may have come after the newest was read: the commit holds only what it was when its time was told.
  const before = stone && (await context.rowById(bucket.id, request.key, NULL_VERSION));
  const earlier = [current?.version.mtime, stone?.tombstone?.time, before?.row?.version.mtime];
  const mtime = request.source?.mtime ?? rows.timeAfter(context, ...earlier);
  if (stone !== undefined && before !== undefined) {
    commit.unchanged(stone.key, stone.raw).unchanged(before.idKey, before.idRaw);
    const by = removerOf(context, request);
    if (before.row !== undefined) await replace(context, commit, bucket.id, { row: before.row, by });
  }
  const arns = followers(bucket, request, { operation: "delete-marker" });
  const replication = request.source?.replica ? { replica: true, targets: {} } : rows.pending(arns);
  const marker: DeleteMarker = { kind: "delete-marker", key: request.key, versionId, mtime, replication };
  if (stone !== undefined) liftPurge(commit, stone, marker);
  rows.putVersion(commit, bucket.id, marker);
  rows.putLogRows(commit, context, bucket, {
    arns,
    version: marker,
    operation: "delete-marker",
    size: 0,
    time: context.clock.nowNs(),
  });
  return { commit, result: { bucket, versionId, deleteMarker: true }, poke: arns };
}

/** The targets that must follow: none a lifecycle, whose work each site does by its own rules. */
function followers(
  bucket: Bucket,
  { key, source, byLifecycle }: DeleteRequest,
  change: { readonly operation: "delete-marker" | "purge"; readonly tags?: Tags | undefined },
): Arn[] {
  return byLifecycle ? [] : rows.followers(bucket, { ...change, key, fromPeer: source !== undefined });
}

async function replace(
  context: Context,
  commit: CommitBuilder,
  bucketId: string,
  old: { readonly row: VersionRow; readonly by: Remover },
): Promise<void> {
  const row = removable(context, old.row, old.by);
  commit.unchanged(row.key, row.raw);
  rows.removeVersion(commit, bucketId, row, await rows.partsOf(context, bucketId, row.version));
}

/**
 * A peer's delete marker D. Absent: it is made with its id and time. Present: MinIO sends the same request to remove it
 * again, then with the time of the purge; the same time is a repeat and changes nothing.
 */
async function receiveMarker(
  context: Context,
  commit: CommitBuilder,
  row: BucketRow,
  request: DeleteRequest,
  versionId: VersionId,
): Promise<Attempt> {
  const { bucket } = row;
  checkVersionIdAllowed(bucket, versionId);
  const before = await context.rowById(bucket.id, request.key, versionId);
  const done: DeleteResult = { bucket, versionId, deleteMarker: true };
  if (request.source === undefined) return { result: done };
  const { mtime } = request.source;
  if (before.row?.version.kind === "delete-marker") {
    if (mtime === undefined || mtime === before.row.version.mtime) return { result: done };
    if (versionId !== NULL_VERSION) return purge(context, commit, row, request, versionId);
    if (mtime <= before.row.version.mtime) return { result: done };
  } else if (before.row !== undefined) {
    // Only a null id can be both; the newer of the two stays.
    if (versionId !== NULL_VERSION) throw new StoreError("MethodNotAllowed", { key: request.key });
    if (mtime === undefined || mtime <= before.row.version.mtime) return { result: done };
  }
  const stone = await context.tombstoneRow(bucket.id, request.key, versionId);
  commit.unchanged(stone.key, stone.raw).unchanged(before.idKey, before.idRaw);
  if (purgedBefore(stone.tombstone, request.source) !== undefined) return { result: done };
  const by = removerOf(context, request);
  if (before.row !== undefined) await replace(context, commit, bucket.id, { row: before.row, by });
  const marker: DeleteMarker = {
    kind: "delete-marker",
    key: request.key,
    versionId,
    mtime: mtime ?? context.clock.nowNs(),
    replication: request.source.replica ? { replica: true, targets: {} } : { targets: {} },
  };
  liftPurge(commit, stone, marker);
  rows.putVersion(commit, bucket.id, marker);
  return { commit, result: done };
}

/** Whoever purges has seen the version and its locks: peers tell by the time what the purge passes over. */
function timesOf(old: Version | undefined): (UnixNs | undefined)[] {
  return old?.kind === "object" ? [old.mtime, old.retention?.time, old.legalHold?.time] : [old?.mtime];
}

/**
 * A client may purge a version that it saw through this site at a peer (active-active reads): it must not come here later
 * as if nobody had removed it. Where versions may be locked, only a site that has the version can tell: nothing happens.
 */
function mayArrive(
  bucket: Bucket,
  { key }: DeleteRequest,
  versionId: VersionId,
  known: Tombstone | undefined,
): boolean {
  // What a peer purged it has told its own targets; a client here means those of this site, too.
  if (known !== undefined && known.replication.replica !== true) return false;
  if (versionId === NULL_VERSION || bucket.objectLock !== undefined) return false;
  if (!keepsVersions(bucket, key)) return false;
  return rows.followers(bucket, { key, operation: "purge", fromPeer: false }).length > 0;
}

/** A peer may have it: it came from one, or was to be sent to one, even if the rules are gone since. */
function isElsewhere(old: Version | undefined): boolean {
  return old !== undefined && (old.replication.replica === true || Object.keys(old.replication.targets).length > 0);
}

/** Targets that an earlier purge of the null id still has to reach are not forgotten by a later one. */
function stateOf(known: Tombstone | undefined, fromPeer: boolean, arns: readonly Arn[]): ReplicationState {
  const before = known?.replication.targets ?? {};
  return fromPeer ? { replica: true, targets: before } : rows.pending(arns, { targets: before });
}

/**
 * Permanent removal of one version, with a tombstone that says whose will it was. A purge from a peer leaves one even
 * when the version is not here: it may still be on its way. So does a client's, where a rule carries it.
 */
async function purge(
  context: Context,
  commit: CommitBuilder,
  row: BucketRow,
  request: DeleteRequest,
  versionId: VersionId,
): Promise<Attempt> {
  const { bucket } = row;
  const before = await context.rowById(bucket.id, request.key, versionId);
  const fromPeer = request.source !== undefined;
  const old: Version | undefined = before.row?.version;
  const result: DeleteResult = { bucket, versionId, deleteMarker: old?.kind === "delete-marker" };
  const stone = await context.tombstoneRow(bucket.id, request.key, versionId);
  if (old === undefined && !fromPeer && !mayArrive(bucket, request, versionId, stone.tombstone)) return { result };
  commit.unchanged(before.idKey, before.idRaw).unchanged(stone.key, stone.raw);
  // A purge replaces what it removes as any other write does: after it, or older copies would count as newer.
  const time = request.source?.mtime ?? rows.timeAfter(context, stone.tombstone?.time, ...timesOf(old));
  // The null id is used again and again: what was written after the purge is not what was purged, but it is remembered.
  const stays = fromPeer && versionId === NULL_VERSION && old !== undefined && old.mtime > time;
  const known = stone.tombstone;
  const since = known === undefined ? undefined : purgedEverywhere(known);
  if (fromPeer && (old === undefined || stays) && since !== undefined && since >= time)
    return { result: stays ? { bucket, deleteMarker: false } : result };
  const tags = old?.kind === "object" ? old.tags?.value : undefined;
  const arns = followers(bucket, request, { operation: "purge", tags });
  if (fromPeer || bucket.replication !== undefined || isElsewhere(old)) {
    // Without rules and peers nothing can bring the version back, and no tombstone is needed.
    const purged: Tombstone = {
      key: request.key,
      versionId,
      time,
      will: fromPeer || arns.length > 0 ? "everywhere" : "local",
      wasMarker: old?.kind === "delete-marker",
      replication: stateOf(known, fromPeer, arns),
    };
    commit.put(stone.key, encodeTombstone(joined(known, purged)));
  }
  if (stays) return { commit, result: { bucket, deleteMarker: false } };
  const by = removerOf(context, request);
  if (before.row !== undefined) await replace(context, commit, bucket.id, { row: before.row, by });
  const told = fromPeer && old !== undefined && versionId !== NULL_VERSION ? sentTo(bucket, old) : arns;
  rows.putLogRows(commit, context, bucket, {
    arns: told,
    version: { key: request.key, versionId },
    operation: "purge",
    size: 0,
    time: context.clock.nowNs(),
  });
  return { commit, result, poke: told };
}

/**
 * Targets that had this version from here. A MinIO remembers no purges: what was on its way to it when it purged the version
 * brought it back there, so it is told once more.
 */
function sentTo(bucket: Bucket, old: Version): Arn[] {
  const tags = old.kind === "object" ? old.tags?.value : undefined;
  const had = old.replication.targets;
  const arns = rows.followers(bucket, { key: old.key, operation: "purge", tags, fromPeer: false });
  return arns.filter((arn) => had[arn] !== undefined);
}
