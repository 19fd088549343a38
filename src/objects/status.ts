/** What replication and checks record on a version: target status, damage; and the end of a change-log row. */
import type { Arn, BucketName, VersionId } from "../model/names.ts";
import type { ObjectVersion, ReplicationState, TargetStatus, Version } from "../model/version.ts";
import { followsExisting } from "../model/replication-config.ts";
import { CommitBuilder, SummingCommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { decodeTombstone, decodeVersion, encodeTimedRow, encodeTombstone, encodeVersion } from "../storage/records.ts";
import type { Context } from "./context.ts";
import { sameRegisters } from "./registers.ts";
import * as rows from "./rows.ts";
import type { FinishedLogRow, LogRow, VersionRow, VersionSelector } from "./types.ts";

const EMPTY = Buffer.alloc(0);

/**
 * Objects.setTargetStatus: on the version, or on its tombstone when it was purged; nothing when it is gone. What a resync
 * did not bring there (FAILED) is carried on by the change log, where the rules for existing objects send it.
 */
export async function setTargetStatus(
  context: Context,
  selector: VersionSelector & { versionId: VersionId },
  arn: Arn,
  status: TargetStatus,
  sent?: Version,
): Promise<void> {
  await context.commit<void>(async () => {
    const { bucket, key: bucketKey, raw: bucketRaw } = await context.bucketRow(selector.bucket);
    const commit = new CommitBuilder().unchanged(bucketKey, bucketRaw);
    const { key, versionId } = selector;
    const { name, id: bucketId } = bucket;
    const fails = status === "FAILED" && sent !== undefined && isNobodys(sent, arn);
    // Without a rule that carries on it would say so for ever, also of what arrives by another way.
    if (fails && !followsExisting(bucket.replication, arn, sent)) return { result: undefined };
    await addStatus(context, commit, { bucket: name, bucketId, key, versionId, arn, status, sent });
    if (commit.puts.length === 0) return { result: undefined };
    if (!fails) return { commit, result: undefined };
    const operation = sent.kind === "object" ? "metadata" : "delete-marker";
    const size = sent.kind === "object" ? sent.size : 0;
    rows.putLogRows(commit, context, bucket, {
      arns: [arn],
      version: sent,
      operation,
      size,
      time: context.clock.nowNs(),
    });
    return { commit, result: undefined, poke: [arn] };
  });
}

/** No row of the change log brings it to the target: nobody would try again what has failed. */
function isNobodys({ replication }: Version, arn: Arn): boolean {
  const status = replication.targets[arn];
  return status === undefined || status === "COMPLETED";
}

/** Objects.setTargetStatuses */
export async function setTargetStatuses(
  context: Context,
  bucketName: BucketName,
  arn: Arn,
  status: TargetStatus,
  sent: readonly Version[],
): Promise<void> {
  if (sent.length === 0) return;
  await context.commit<void>(async () => {
    const { bucket } = await context.bucketRow(bucketName);
    const commit = new CommitBuilder();
    for (const version of sent) {
      const { key, versionId } = version;
      const { name, id: bucketId } = bucket;
      await addStatus(context, commit, { bucket: name, bucketId, key, versionId, arn, status, sent: version });
    }
    return { commit: commit.puts.length > 0 ? commit : undefined, result: undefined };
  });
}

interface StatusChange {
  readonly bucket: BucketName;
  readonly bucketId: string;
  readonly key: Version["key"];
  readonly versionId: VersionId;
  readonly arn: Arn;
  readonly status: TargetStatus;
  /** What was sent: when registers changed here since, another row is on its way and the status stays PENDING. */
  readonly sent?: Version | "purge" | undefined;
  /** See FinishedLogRow. */
  readonly losesRegisters?: boolean | undefined;
  /** Leave versions alone that have no status for the target (any more). */
  readonly knownOnly?: boolean | undefined;
}

/** True: the version is sent once more. */
async function addStatus(context: Context, commit: CommitBuilder, change: StatusChange): Promise<boolean> {
  const { row } = await context.rowById(change.bucketId, change.key, change.versionId);
  if (row !== undefined && change.sent !== "purge") {
    if (
      change.status === "COMPLETED" &&
      change.sent !== undefined &&
      changedSince(change.sent, row.version, change.arn)
    )
      return false;
    const state = row.version.replication;
    if (change.knownOnly === true && state.targets[change.arn] === undefined) return false;
    if (change.losesRegisters === true && metByNewer(change.sent, row.version)) {
      await sendAnew(context, commit, change, row);
      return true;
    }
    const replication = withStatus(state, change.arn, change.status, change.losesRegisters);
    if (replication === undefined) return false;
    commit.unchanged(row.key, row.raw).put(row.key, encodeVersion({ ...row.version, replication }));
    return false;
  }
  // The version was sent and purged meanwhile: that says nothing of the purge, whose own row is on its way.
  if (change.sent !== undefined && change.sent !== "purge") return false;
  const stone = await context.tombstoneRow(change.bucketId, change.key, change.versionId);
  if (stone.tombstone === undefined) return false;
  const replication = withStatus(stone.tombstone.replication, change.arn, change.status);
  if (replication === undefined) return false;
  commit.unchanged(stone.key, stone.raw).put(stone.key, encodeTombstone({ ...stone.tombstone, replication }));
  return false;
}

/** A peer brought other registers while these were sent. */
const metByNewer = (sent: StatusChange["sent"], now: Version): boolean =>
  typeof sent === "object" && sent.kind === "object" && now.kind === "object" && !sameRegisters(sent, now);

/** What was sent may have taken those off that the peer has told the target itself: they go there from here too. */
async function sendAnew(
  context: Context,
  commit: CommitBuilder,
  { bucket: name, bucketId, arn }: StatusChange,
  { key, raw, version }: VersionRow,
): Promise<void> {
  const { bucket } = await context.bucketRow(name);
  if (bucket.id !== bucketId) return;
  const time = context.clock.nowNs();
  const replication = rows.sentAnewState([arn], version.replication, time);
  commit.unchanged(key, raw).put(key, encodeVersion({ ...version, replication }));
  rows.putLogRows(commit, context, bucket, { arns: [arn], version, operation: "metadata", size: 0, time });
}

function withStatus(
  state: ReplicationState,
  arn: Arn,
  status: TargetStatus,
  losesRegisters = false,
): ReplicationState | undefined {
  // Who has no other peer has nobody who could bring newer ones.
  const marks = losesRegisters && Object.keys(state.targets).length > 1 && state.resend?.includes(arn) !== true;
  if (state.targets[arn] === status && !marks) return undefined;
  const resend = marks ? { resend: [...(state.resend ?? []), arn] } : {};
  return { ...state, targets: { ...state.targets, [arn]: status }, ...resend };
}

/** Rows looked at by one step of `dropStatuses`. */
const DROP_BATCH = 500;

/**
 * One step of forgetting a target that is gone: what it still had to receive it never will, so versions and tombstones
 * of the bucket stop saying so; that it had received something stays true. Returns where the next step begins;
 * undefined: done.
 */
export async function dropStatuses(
  index: OrderedIndex,
  bucketId: string,
  arn: Arn,
  from: Buffer | undefined,
): Promise<Buffer | undefined> {
  const stones = keys.keyPrefixRange(keys.SPACE.tombstone, bucketId, "");
  const versions = keys.keyPrefixRange(keys.SPACE.version, bucketId, "");
  const start = from ?? stones.start;
  const inStones = start.compare(stones.end) < 0;
  const page = await index.scan({ start, end: inStones ? stones.end : versions.end }, { limit: DROP_BATCH });
  const commit = new CommitBuilder();
  for (const { key, value } of page) {
    const row = inStones ? decodeTombstone(value) : decodeVersion(value);
    const { [arn]: status, ...targets } = row.replication.targets;
    if (status === undefined || status === "COMPLETED") continue;
    const kept = { ...row, replication: { ...row.replication, targets } };
    commit.unchanged(key, value).put(key, "will" in kept ? encodeTombstone(kept) : encodeVersion(kept));
  }
  // A conflict: something changed meanwhile, and this page is looked at again.
  if (commit.puts.length > 0 && (await index.commit(commit)) === "conflict") return start;
  const last = page.at(-1);
  if (last !== undefined && page.length === DROP_BATCH) return keys.keyAfter(last.key);
  return inStones ? versions.start : undefined;
}

/** Another row to this target is on its way. */
function changedSince(sent: Version, now: Version, arn: Arn): boolean {
  // A null version may have been replaced by another of the same id.
  if (sent.mtime !== now.mtime || sent.kind !== now.kind) return true;
  if (sent.kind === "object" && now.kind === "object" && sent.etag !== now.etag) return true;
  // Registers that a peer changed have no row here: only what was changed here is still on its way.
  const [before, after] = [sent.replication, now.replication];
  return before.changed !== after.changed || before.anew?.[arn] !== after.anew?.[arn];
}

/** Takes a row out of the log or the retry queue, or moves it to a later place in the latter. */
export function endRow(commit: CommitBuilder, arn: Arn, { rowKey, row, retry }: FinishedLogRow): void {
  commit.delete(rowKey);
  const failing = row.attempts > 0;
  if (retry === undefined) addAmount(commit, (what) => rows.logCounter(arn, what), row.size, -1n);
  if (retry === undefined && !failing) return;
  const tie = keys.logRowTie(rowKey);
  const age = keys.logRowKey(keys.SPACE.age, arn, row.time, tie);
  if (retry === undefined) {
    commit.delete(age);
  } else {
    const moved: LogRow = { ...row, attempts: row.attempts + 1, error: retry.reason };
    const marked: LogRow = { ...moved, refused: retry.refused ? true : undefined };
    commit.put(keys.logRowKey(keys.SPACE.retry, arn, retry.due, tie), encodeTimedRow(marked));
    if (!failing) commit.put(age, EMPTY);
  }
  const stays = retry !== undefined;
  const step = (before: boolean, after: boolean): bigint => BigInt(Number(after) - Number(before));
  const failed = step(failing, stays);
  addAmount(commit, (what) => rows.failingCounter(arn, "retry", what), row.size, failed);
  const refused = step(row.refused === true, retry?.refused === true);
  addAmount(commit, (what) => rows.failingCounter(arn, "refused", what), row.size, refused);
}

function addAmount(
  commit: CommitBuilder,
  counter: (what: "count" | "bytes") => Buffer,
  bytes: number,
  times: bigint,
): void {
  if (times === 0n) return;
  commit.add(counter("count"), times).add(counter("bytes"), times * BigInt(bytes));
}

/**
 * Objects.finishLogRows: ends rows of the change log (or moves them to the retry queue), with the counters and the
 * versions' statuses, in one commit. Rows that another process ended meanwhile are skipped.
 */
export async function finishLogRows(context: Context, arn: Arn, finished: readonly FinishedLogRow[]): Promise<void> {
  const known: SentRow[] = [];
  const others: FinishedLogRow[] = [];
  for (const item of finished) {
    if (isSentRow(item)) known.push(item);
    else others.push(item);
  }
  // Both are handed over at once, and so share a transaction and its sync.
  await Promise.all([endAsRead(context, arn, known), endAnew(context, arn, others)]);
}

/** A version that arrived: all that its end takes was read when it was sent. */
interface SentRow extends FinishedLogRow {
  readonly raw: Buffer;
  readonly status: "COMPLETED";
  readonly sent: VersionRow;
}

function isSentRow(item: FinishedLogRow): item is SentRow {
  return item.raw !== undefined && item.status === "COMPLETED" && item.sent !== undefined && item.sent !== "purge";
}

/** The common end, without a read: the commit holds if nothing changed since. */
async function endAsRead(context: Context, arn: Arn, finished: readonly SentRow[]): Promise<void> {
  if (finished.length === 0) return;
  const commit = new SummingCommitBuilder();
  for (const item of finished) {
    commit.unchanged(item.rowKey, item.raw);
    endAndCount(commit, arn, item);
    const { version, key, raw } = item.sent;
    const state = version.replication;
    const known = state.targets[arn] !== undefined;
    const replication = known ? withStatus(state, arn, item.status, item.losesRegisters) : undefined;
    if (replication !== undefined) commit.unchanged(key, raw).put(key, encodeVersion({ ...version, replication }));
  }
  if ((await context.index.commit(commit)) === "conflict") await endAnew(context, arn, finished);
}

async function endAnew(context: Context, arn: Arn, finished: readonly FinishedLogRow[]): Promise<void> {
  if (finished.length === 0) return;
  await context.commit<void>(async () => {
    const commit = new SummingCommitBuilder();
    const last = new Map<string, FinishedLogRow>();
    const poke: Arn[] = [];
    for (const item of finished) {
      const raw = await context.index.get(item.rowKey);
      if (raw === undefined) continue;
      commit.unchanged(item.rowKey, raw);
      endAndCount(commit, arn, item);
      last.set(`${item.row.bucketId}/${item.row.versionId}/${item.row.key}`, item);
    }
    for (const { row, status, sent: stored, losesRegisters } of last.values()) {
      if (status === undefined) continue;
      const { bucket, bucketId, key, versionId } = row;
      const sent = stored === "purge" ? stored : stored?.version;
      const change = { bucket, bucketId, key, versionId, arn, status, sent, losesRegisters, knownOnly: true };
      if (await addStatus(context, commit, change)) poke.push(arn);
    }
    const isEmpty = commit.deletes.length + commit.puts.length === 0;
    return { commit: isEmpty ? undefined : commit, result: undefined, poke };
  });
}

function endAndCount(commit: CommitBuilder, arn: Arn, item: FinishedLogRow): void {
  endRow(commit, arn, item);
  if (item.counted === undefined) return;
  commit.add(keys.counterKey(`${item.counted.as}/${arn}/count`), 1n);
  commit.add(keys.counterKey(`${item.counted.as}/${arn}/bytes`), BigInt(item.counted.bytes));
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
