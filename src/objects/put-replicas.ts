/**
 * Many small versions of a peer in one commit: one sync, one look at the bucket, and none of what only other writes need.
 * It takes what meets nothing here; whatever is less plain is left to `put`, which decides.
 */
import type { Bucket } from "../model/bucket.ts";
import { hasCode } from "../model/errors.ts";
import { NULL_VERSION, type BucketName } from "../model/names.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { VERSIONS_PER_TURN, type BucketRow, type Context } from "./context.ts";
import { encryptionFor } from "./encryption.ts";
import { build, checksumOf, claimFault } from "./put.ts";
import * as rows from "./rows.ts";
import type { PutRequest } from "./types.ts";

/** Objects.putReplicas */
export async function putReplicas(
  context: Context,
  bucketName: BucketName,
  requests: readonly PutRequest[],
): Promise<boolean[]> {
  const none = requests.map(() => false);
  const row = await context.bucketRow(bucketName);
  const { bucket } = row;
  if (bucket.versioning?.status !== "Enabled" || bucket.quota !== undefined) return none;
  if (!(await hasRoom(context, requests))) return none;
  const commit = new CommitBuilder().unchanged(row.key, row.raw);
  const taken = new Set<string>();
  const stored: boolean[] = [];
  for (const request of requests) {
    stored.push(await add(context, row, { request, commit, taken }));
    if (stored.length % VERSIONS_PER_TURN === 0) await context.clock.sleep(0);
  }
  if (taken.size === 0) return none;
  // A conflict: something of it was written meanwhile. Each is looked at anew, alone.
  return (await context.index.commit(commit)) === "committed" ? stored : none;
}

/** Where there is none, each is refused by `put`, in its words. */
async function hasRoom(context: Context, requests: readonly PutRequest[]): Promise<boolean> {
  try {
    await context.blobs.room(requests.reduce((sum, { body }) => sum + (body.bytes?.length ?? 0), 0));
    return true;
  } catch (error) {
    if (hasCode(error, "XMinioStorageFull")) return false;
    throw error;
  }
}

interface Adding {
  readonly request: PutRequest;
  readonly commit: CommitBuilder;
  /** Rows that this commit puts: of two items with one id the second meets the first. */
  readonly taken: Set<string>;
}

/** Adds the rows of one version. False: it is not plain. */
async function add(context: Context, row: BucketRow, { request, commit, taken }: Adding): Promise<boolean> {
  const { bucket } = row;
  const { body, key, versionId } = request;
  const etag = request.source?.etag;
  if (!isPlain(context, bucket, request) || versionId === undefined || etag === undefined) return false;
  const idKey = keys.idRowKey(keys.SPACE.byId, bucket.id, key, versionId);
  const name = idKey.toString("latin1");
  if (taken.has(name) || (await context.index.get(idKey)) !== undefined) return false;
  const stoneKey = keys.sameIdRowKey(keys.SPACE.tombstone, idKey);
  if ((await context.index.get(stoneKey)) !== undefined) return false;
  const sums = { md5: body.md5 !== undefined, sha256: body.sha256 !== undefined, checksum: body.checksumAlgorithm };
  const written = body.bytes && context.blobs.writeInline(body.bytes, sums);
  if (written?.inlineRow === undefined || claimFault(body, written) !== undefined) return false;
  const { ref: blob, size } = written;
  const object = { ...request, size, etag, checksum: checksumOf(body, written), blob, encryption: undefined };
  const version = build(context, object, { bucketRaw: row, bucket, versionId, versioned: true }, {});
  commit.unchanged(idKey, undefined).unchanged(stoneKey, undefined);
  rows.putVersion(commit, bucket.id, version);
  commit.put(keys.blobRowKey(keys.SPACE.data, blob.id), written.inlineRow);
  taken.add(name);
  return true;
}

/** A version of a peer with an id, a time and an ETag of its own, without locks, to be stored as it came. */
function isPlain(context: Context, bucket: Bucket, request: PutRequest): boolean {
  const { versionId, source, attributes } = request;
  if (versionId === undefined || versionId === NULL_VERSION || request.conditions !== undefined) return false;
  if (source?.mtime === undefined || source.etag === undefined || source.etag === "") return false;
  const isLocked = attributes.retention !== undefined || attributes.legalHold !== undefined;
  if (isLocked || source.retentionTime !== undefined || source.legalHoldTime !== undefined) return false;
  return encryptionFor(context, bucket, request.encryption) === undefined;
}
