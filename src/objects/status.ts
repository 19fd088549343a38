/** What replication and checks record on a version: target status, damage; and the end of a change-log row. */
import type { Arn, VersionId } from "../model/names.ts";
import type { ObjectVersion, ReplicationState, TargetStatus, Version } from "../model/version.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { encodeRow, encodeTombstone, encodeVersion } from "../storage/records.ts";
import type { Context } from "./context.ts";
import * as rows from "./rows.ts";
import type { FinishedLogRow, VersionSelector } from "./types.ts";

/** Objects.setTargetStatus: on the version, or on its tombstone when it was purged; nothing when it is gone. */
export async function setTargetStatus(
  context: Context,
  selector: VersionSelector & { versionId: VersionId },
  arn: Arn,
  status: TargetStatus,
  sent?: Version,
): Promise<void> {
  await context.commit<void>(async () => {
    const { bucket } = await context.bucketRow(selector.bucket);
    const commit = new CommitBuilder();
    await addStatus(context, commit, {
      bucketId: bucket.id,
      key: selector.key,
      versionId: selector.versionId,
      arn,
      status,
      sent,
    });
    return { commit: commit.puts.length > 0 ? commit : undefined, result: undefined };
  });
}

interface StatusChange {
  readonly bucketId: string;
  readonly key: Version["key"];
  readonly versionId: VersionId;
  readonly arn: Arn;
  readonly status: TargetStatus;
  /** What was sent: when registers changed here since, another row is on its way and the status stays PENDING. */
  readonly sent?: Version | "purge" | undefined;
  /** Leave versions alone that have no status for the target (any more). */
  readonly knownOnly?: boolean | undefined;
}

async function addStatus(context: Context, commit: CommitBuilder, change: StatusChange): Promise<void> {
  const { row } = await context.rowById(change.bucketId, change.key, change.versionId);
  if (row !== undefined) {
    if (change.sent === "purge") return;
    if (change.status === "COMPLETED" && change.sent !== undefined && changedSince(change.sent, row.version)) return;
    const state = row.version.replication;
    if (change.knownOnly === true && state.targets[change.arn] === undefined) return;
    const replication = withStatus(state, change.arn, change.status);
    if (replication === undefined) return;
    commit.unchanged(row.key, row.raw).put(row.key, encodeVersion({ ...row.version, replication }));
    return;
  }
  // The version was sent and purged meanwhile: that says nothing of the purge, whose own row is on its way.
  if (change.sent !== undefined && change.sent !== "purge") return;
  const stone = await context.tombstoneRow(change.bucketId, change.key, change.versionId);
  if (stone.tombstone === undefined) return;
  const replication = withStatus(stone.tombstone.replication, change.arn, change.status);
  if (replication === undefined) return;
  commit.unchanged(stone.key, stone.raw).put(stone.key, encodeTombstone({ ...stone.tombstone, replication }));
}

function withStatus(state: ReplicationState, arn: Arn, status: TargetStatus): ReplicationState | undefined {
  if (state.targets[arn] === status) return undefined;
  return { ...state, targets: { ...state.targets, [arn]: status } };
}

function changedSince(sent: Version, now: Version): boolean {
  // A null version may have been replaced by another of the same id.
  if (sent.mtime !== now.mtime || sent.kind !== now.kind) return true;
  if (sent.kind === "object" && now.kind === "object" && sent.etag !== now.etag) return true;
  // Registers that a peer changed have no row here: only what was changed here is still on its way.
  return sent.replication.changed !== now.replication.changed;
}

/**
 * Objects.finishLogRows: ends rows of the change log (or moves them to the retry queue), with the counters and the
 * versions' statuses, in one commit. Rows that another process ended meanwhile are skipped.
 */
export async function finishLogRows(context: Context, arn: Arn, finished: readonly FinishedLogRow[]): Promise<void> {
  await context.commit<void>(async () => {
    const commit = new CommitBuilder();
    const last = new Map<string, FinishedLogRow>();
    for (const item of finished) {
      const raw = await context.index.get(item.rowKey);
      if (raw === undefined) continue;
      commit.unchanged(item.rowKey, raw).delete(item.rowKey);
      if (item.retry !== undefined) {
        const moved = { ...item.row, attempts: item.row.attempts + 1, error: item.retry.reason };
        commit.put(keys.logRowKey(keys.SPACE.retry, arn, item.retry.due, context.random.bytes(8)), encodeRow(moved));
      } else {
        commit.add(rows.logCounter(arn, "count"), -1n).add(rows.logCounter(arn, "bytes"), -BigInt(item.row.size));
      }
      if (item.counted !== undefined) {
        commit.add(keys.counterKey(`${item.counted.as}/${arn}/count`), 1n);
        commit.add(keys.counterKey(`${item.counted.as}/${arn}/bytes`), BigInt(item.counted.bytes));
      }
      last.set(`${item.row.bucketId}/${item.row.versionId}/${item.row.key}`, item);
    }
    for (const item of last.values()) {
      if (item.status === undefined) continue;
      const { bucketId, key, versionId } = item.row;
      await addStatus(context, commit, {
        bucketId,
        key,
        versionId,
        arn,
        status: item.status,
        sent: item.sent,
        knownOnly: true,
      });
    }
    return { commit: commit.deletes.length + commit.puts.length > 0 ? commit : undefined, result: undefined };
  });
}

/** Objects.markDamaged */
export async function markDamaged(
  context: Context,
  selector: VersionSelector & { versionId: VersionId },
  reason: string,
  blobId?: string,
): Promise<boolean> {
  return context.commit<boolean>(async () => {
    const { bucket } = await context.bucketRow(selector.bucket);
    const { row } = await context.rowById(bucket.id, selector.key, selector.versionId);
    if (row?.version.kind !== "object") return { result: false };
    if (blobId !== undefined && !(await names(context, bucket.id, row.version, blobId))) return { result: false };
    if (row.version.damaged !== undefined) return { result: true };
    // Every change of what a version consists of writes its row again: the check covers the parts too.
    const commit = new CommitBuilder()
      .unchanged(row.key, row.raw)
      .put(keys.idRowKey(keys.SPACE.damage, bucket.id, selector.key, selector.versionId), Buffer.from(reason));
    rows.changeVersion(commit, bucket.id, { ...row.version, damaged: reason });
    return { commit, result: true };
  });
}

/** The version consists of this blob, now. */
async function names(context: Context, bucketId: string, version: ObjectVersion, blobId: string): Promise<boolean> {
  if (version.blob !== undefined) return version.blob.id === blobId;
  return (await rows.partsOf(context, bucketId, version)).some((part) => part.blob.id === blobId);
}
