/**
 * Rotation: the data keys of versions under another key of the ring. Their object keys are sealed anew; not a byte of
 * the objects is read or written. It may be cut off at any moment and asked for again.
 */
import type { Bucket } from "../model/bucket.ts";
import type { ObjectEncryption } from "../model/encryption.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { decodeRow, decodeVersion, encodeRow, encodeVersion } from "../storage/records.ts";
import type { Context } from "./context.ts";
import { openSeal, sealFor, type Place } from "./encryption.ts";
import * as rows from "./rows.ts";
import type { RewrapCounts, Upload } from "./types.ts";

const ROWS_PER_STEP = 100;

/** The same object key under `to`; undefined: `from` has nothing to do with it. */
async function rewrapped(
  context: Context,
  place: Place,
  encryption: ObjectEncryption | undefined,
  move: { from: string; to: string },
): Promise<ObjectEncryption | undefined> {
  if (encryption === undefined || encryption.kind === "SSE-C" || encryption.keyId !== move.from) return undefined;
  const objectKey = await openSeal(context, place, encryption, undefined);
  const asked = { kind: "SSE-KMS", keyId: move.to, context: encryption.context } as const;
  const seal = await sealFor(context, place, asked, objectKey);
  return { ...seal.encryption, kind: encryption.kind };
}

/** Every version of a bucket, and the uploads under way; a row that changes meanwhile is read again. */
async function rewrapBucket(
  context: Context,
  bucket: Bucket,
  move: { from: string; to: string },
): Promise<RewrapCounts> {
  const counts = { rewrapped: 0, failed: 0, errors: new Map<string, number>() };
  const each = async (rowKey: Buffer, kind: "version" | "upload"): Promise<void> => {
    try {
      const changed = await context.commit<boolean>(async () => {
        const raw = await context.index.get(rowKey);
        if (raw === undefined) return { result: false };
        const commit = new CommitBuilder().unchanged(rowKey, raw);
        const found = kind === "version" ? decodeVersion(raw) : decodeRow<Upload>(raw);
        const before = "encryption" in found ? found.encryption : undefined;
        const encryption = await rewrapped(context, { bucket: bucket.name, key: found.key }, before, move);
        if (encryption === undefined || before === undefined) return { result: false };
        if ("uploadId" in found && "initiated" in found) commit.put(rowKey, encodeRow({ ...found, encryption }));
        else if ("kind" in found && found.kind === "object") {
          // No digest and no peer knows how the keys are sealed: the row alone changes.
          commit.put(rowKey, encodeVersion({ ...found, encryption }));
          commit.add(rows.encryptedCounter(bucket.id, before), -1n);
          commit.add(rows.encryptedCounter(bucket.id, encryption), 1n);
        }
        return { commit, result: true };
      });
      if (changed) counts.rewrapped++;
    } catch (error) {
      counts.failed++;
      const reason = error instanceof Error ? error.message : String(error);
      counts.errors.set(reason, (counts.errors.get(reason) ?? 0) + 1);
    }
  };
  for (const [space, kind] of [
    [keys.SPACE.version, "version"],
    [keys.SPACE.upload, "upload"],
  ] as const) {
    const range = keys.keyPrefixRange(space, bucket.id, "");
    for (let { start } = range; ;) {
      const page = await context.index.scan({ start, end: range.end }, { limit: ROWS_PER_STEP, keysOnly: true });
      for (const { key } of page) await each(key, kind);
      const last = page.at(-1);
      if (last === undefined || page.length < ROWS_PER_STEP) break;
      start = keys.keyAfter(last.key);
    }
  }
  const [error] = [...counts.errors.keys()];
  return { rewrapped: counts.rewrapped, failed: counts.failed, ...(error === undefined ? {} : { error }) };
}

/** Objects.rewrap */
export async function rewrap(
  context: Context,
  buckets: readonly Bucket[],
  from: string,
  to: string,
): Promise<RewrapCounts> {
  const sum = { rewrapped: 0, failed: 0 };
  let error: string | undefined;
  for (const bucket of buckets) {
    const one = await rewrapBucket(context, bucket, { from, to });
    sum.rewrapped += one.rewrapped;
    sum.failed += one.failed;
    error ??= one.error;
  }
  return { ...sum, ...(error === undefined ? {} : { error }) };
}
