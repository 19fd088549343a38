/** Rows of multipart uploads and their parts: found, and removed together. */
import { StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import type { UploadId } from "../model/names.ts";
import type { BlobRef, Checksum } from "../model/version.ts";
import type { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { decodeRow } from "../storage/records.ts";
import type { Context } from "./context.ts";
import type { Upload, UploadSelector } from "./types.ts";

const PARTS_PAGE = 1000;
const UPLOAD_ID = /^[0-9a-f]{32}$/;

export interface PartRow {
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  readonly checksum?: Checksum | undefined;
  readonly mtime: bigint;
  readonly blob: BlobRef;
}

export interface UploadRow {
  readonly bucket: Bucket;
  readonly key: Buffer;
  readonly raw: Buffer;
  readonly upload: Upload;
}

/** Throws NoSuchUpload. */
export async function uploadRow(context: Context, selector: UploadSelector): Promise<UploadRow> {
  const { bucket } = await context.bucketRow(selector.bucket);
  const missing = new StoreError("NoSuchUpload", { bucket: selector.bucket, key: selector.key });
  if (!UPLOAD_ID.test(selector.uploadId)) throw missing;
  const key = keys.uploadRowKey(bucket.id, selector.key, selector.uploadId);
  const raw = await context.index.get(key);
  if (raw === undefined) throw missing;
  return { bucket, key, raw, upload: decodeRow<Upload>(raw) };
}

/** Parts of an upload by number, ascending. */
export type StoredParts = Map<number, { key: Buffer; raw: Buffer; part: PartRow }>;

export async function allParts(context: Context, uploadId: UploadId): Promise<StoredParts> {
  const out: StoredParts = new Map();
  const range = keys.uploadPartRange(uploadId);
  let start = range.start;
  for (;;) {
    const page = await context.index.scan({ start, end: range.end }, { limit: PARTS_PAGE });
    for (const { key, value } of page) {
      const part = decodeRow<PartRow>(value);
      out.set(part.number, { key, raw: value, part });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PARTS_PAGE) return out;
    start = keys.keyAfter(last.key);
  }
}

/**
 * These parts and no other leave with the commit: one that arrives before it is a conflict, or its row and its bytes would
 * stay for ever.
 */
export function removeParts(commit: CommitBuilder, uploadId: UploadId, stored: StoredParts): void {
  const range = keys.uploadPartRange(uploadId);
  let { start } = range;
  let next = 1;
  for (const [number, { key, raw }] of stored) {
    if (number !== next) commit.first({ start, end: key }, undefined);
    commit.unchanged(key, raw).delete(key);
    start = keys.keyAfter(key);
    next = number + 1;
  }
  commit.first({ start, end: range.end }, undefined);
}
