/** Tags, retention, legal hold: the parts of a version that change, each with its own time; the newer wins. */
import { StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import { NULL_VERSION, type Arn, type BucketName, type UnixNs } from "../model/names.ts";
import { requireLock } from "../model/object-lock.ts";
import { newerRegister, type ObjectVersion, type Register, type Retention, type Tags } from "../model/version.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { encodeVersion } from "../storage/records.ts";
import type { BucketRow, Context } from "./context.ts";
import { checkLockAllowed, checkRetentionChange, mergedRetention } from "./locks.ts";
import * as rows from "./rows.ts";
import type { ReplicaMetadataRequest, ReplicaSource, VersionRow, VersionSelector } from "./types.ts";

async function objectRow(
  context: Context,
  bucket: Bucket,
  selector: VersionSelector,
): Promise<VersionRow & { version: ObjectVersion }> {
  const row =
    selector.versionId === undefined
      ? await context.currentRow(bucket.id, selector.key)
      : (await context.rowById(bucket.id, selector.key, selector.versionId)).row;
  const names = { bucket: bucket.name, key: selector.key };
  if (row === undefined) throw new StoreError(selector.versionId === undefined ? "NoSuchKey" : "NoSuchVersion", names);
  if (row.version.kind === "delete-marker") {
    const headers = { "x-amz-delete-marker": "true", "x-amz-version-id": row.version.versionId };
    throw new StoreError(selector.versionId === undefined ? "NoSuchKey" : "MethodNotAllowed", { ...names, headers });
  }
  return { ...row, version: row.version };
}

/** A register write by a client: now, but never behind the value that it replaces, nor behind the version. */
async function change(
  context: Context,
  selector: VersionSelector,
  edit: (version: ObjectVersion, time: (old: Register<unknown> | undefined) => UnixNs, bucket: Bucket) => ObjectVersion,
): Promise<ObjectVersion> {
  return context.commit<ObjectVersion>(async () => {
    const row: BucketRow = await context.bucketRow(selector.bucket);
    const { bucket } = row;
    const old = await objectRow(context, bucket, selector);
    const now = context.clock.nowNs();
    const after = (before: Register<unknown> | undefined): UnixNs => {
      const earlier = before?.time ?? old.version.mtime;
      return earlier >= now ? earlier + 1n : now;
    };
    const edited = edit(old.version, after, bucket);
    const arns = rows.followers(bucket, {
      key: selector.key,
      tags: edited.tags?.value,
      operation: "metadata",
      fromPeer: false,
      replica: old.version.replication.replica === true,
    });
    const version: ObjectVersion = { ...edited, replication: rows.changedState(arns, old.version.replication, now) };
    const commit = new CommitBuilder().unchanged(row.key, row.raw).unchanged(old.key, old.raw);
    rows.changeVersion(commit, bucket.id, version);
    rows.putLogRows(commit, context, bucket, { arns, version, operation: "metadata", size: 0, time: now });
    return { commit, result: version, poke: arns };
  });
}

/** Objects.setTags. No tags is a value too: it must win over older tags at the peers. */
export function setTags(context: Context, selector: VersionSelector, tags: Tags): Promise<ObjectVersion> {
  return change(context, selector, (version, time) => ({
    ...version,
    tags: { value: tags, time: time(version.tags) },
  }));
}

/** Objects.setRetention */
export function setRetention(
  context: Context,
  selector: VersionSelector,
  retention: Retention | null,
  bypassGovernance: boolean,
): Promise<ObjectVersion> {
  return change(context, selector, (version, time, bucket) => {
    requireLock(bucket);
    checkRetentionChange(context, version, retention, bypassGovernance);
    return { ...version, retention: { value: retention, time: time(version.retention) } };
  });
}

/** Objects.setLegalHold */
export function setLegalHold(context: Context, selector: VersionSelector, on: boolean): Promise<ObjectVersion> {
  return change(context, selector, (version, time, bucket) => {
    requireLock(bucket);
    return { ...version, legalHold: { value: on, time: time(version.legalHold) } };
  });
}

/** The peer means the null version that is here: its time, and of two of the same time its content. */
function isSame(source: ReplicaSource, here: ObjectVersion): boolean {
  if (source.mtime === undefined) return true;
  return source.mtime === here.mtime && (source.etag === undefined || source.etag === here.etag);
}

/** It lost against the one that is here, by the rule of `decideExisting`. */
function isOlder(source: ReplicaSource, here: ObjectVersion): boolean {
  if (source.mtime === undefined || source.mtime !== here.mtime) return (source.mtime ?? 0n) < here.mtime;
  return (source.etag ?? "") < here.etag;
}

/**
 * Objects.applyReplicaMetadata: each register only when the peer's is newer. A missing time means that the peer never
 * changed that register since the object was written, so it counts as old as the version itself. A null id may stand for
 * another version than the peer's: registers of an older one say nothing, those of one that is not here yet are refused.
 */
export async function applyReplicaMetadata(context: Context, request: ReplicaMetadataRequest): Promise<ObjectVersion> {
  return context.commit<ObjectVersion>(async () => {
    const row = await context.bucketRow(request.bucket);
    const { bucket } = row;
    checkLockAllowed(bucket, request, request.source);
    const old = await objectRow(context, bucket, request);
    const since = old.version.mtime;
    const { source } = request;
    if (request.versionId === NULL_VERSION && !isSame(source, old.version)) {
      if (isOlder(source, old.version)) return { result: old.version };
      throw new StoreError("NoSuchVersion", { bucket: bucket.name, key: request.key });
    }
    const theirs = <T>(value: T | undefined, time: UnixNs | undefined): Register<T> | undefined =>
      value === undefined ? undefined : { value, time: time ?? since };
    const none = Object.keys(request.tags).length === 0 && source.tagsTime === undefined;
    const version: ObjectVersion = {
      ...old.version,
      tags: newerRegister(old.version.tags, none ? undefined : theirs(request.tags, source.tagsTime)),
      retention: mergedRetention(context, old.version, theirs(request.retention, source.retentionTime)),
      legalHold: newerRegister(old.version.legalHold, theirs(request.legalHold, source.legalHoldTime)),
    };
    if (encodeVersion(version).equals(old.raw)) return { result: version };
    const arns = source.isMinio === true ? [] : resendTargets(bucket, version);
    const now = context.clock.nowNs();
    const commit = new CommitBuilder().unchanged(row.key, row.raw).unchanged(old.key, old.raw);
    const replication = arns.length > 0 ? rows.sentAnewState(arns, version.replication, now) : version.replication;
    rows.changeVersion(commit, bucket.id, { ...version, replication });
    rows.putLogRows(commit, context, bucket, { arns, version, operation: "metadata", size: 0, time: now });
    return { commit, result: version, poke: arns };
  });
}

/** Whom the peer's newer registers must reach from here, since older ones went there from here. */
function resendTargets(bucket: Bucket, { key, tags, replication }: ObjectVersion): Arn[] {
  const { resend } = replication;
  if (resend === undefined) return [];
  const arns = rows.followers(bucket, { key, tags: tags?.value, operation: "metadata", fromPeer: false });
  return arns.filter((arn) => resend.includes(arn));
}

const REGISTERS = ["tags", "retention", "legalHold"] as const;

/** Do both have the registers of the same times? */
export const sameRegisters = (a: ObjectVersion, b: ObjectVersion): boolean =>
  REGISTERS.every((name) => a[name]?.time === b[name]?.time);

/** Objects.markResend */
export async function markResend(
  context: Context,
  bucketName: BucketName,
  arn: Arn,
  sent: ObjectVersion,
): Promise<boolean> {
  return context.commit<boolean>(async () => {
    const { bucket } = await context.bucketRow(bucketName);
    const { row } = await context.rowById(bucket.id, sent.key, sent.versionId);
    const version = row?.version;
    if (row === undefined || version?.kind !== "object" || version.mtime !== sent.mtime) return { result: false };
    if (!sameRegisters(version, sent)) return { result: false };
    const { resend = [] } = version.replication;
    if (resend.includes(arn)) return { result: true };
    const replication = { ...version.replication, resend: [...resend, arn] };
    const commit = new CommitBuilder()
      .unchanged(row.key, row.raw)
      .put(row.key, encodeVersion({ ...version, replication }));
    return { commit, result: true };
  });
}
