/** CopyObject: a second name for the bytes where that is possible, else they are read, checked and written again. */
import { keepsVersions } from "../model/bucket.ts";
import type { ChecksumAlgorithm, ObjectVersion } from "../model/version.ts";
import type { BlobRef, Checksum } from "../model/version.ts";
import { BlobDamagedError } from "../storage/blobs/blobs.ts";
import { checkCopySource } from "./conditions.ts";
import type { Context } from "./context.ts";
import { checkQuota, checksumOf, commitOrDiscard, receive } from "./put.ts";
import { find } from "./read.ts";
import type { CopyRequest, FoundObject, PutResult } from "./types.ts";

interface CopiedBytes {
  readonly etag: string;
  readonly checksum: Checksum | undefined;
  readonly blob: BlobRef;
  readonly inlineRow?: Buffer | undefined;
}

/** Objects.copy. Lock settings and replication state of the source are never kept (s3-api.md section 11). */
export async function copy(context: Context, request: CopyRequest): Promise<PutResult & { from: ObjectVersion }> {
  const found = await find(context, request.from);
  checkCopySource(request.fromConditions, found.version);
  const { bucket } = await context.bucketRow(request.bucket);
  if (keepsVersions(bucket, request.key)) await checkQuota(context, bucket, found.version.size);
  const bytes = await copyBytes(context, found, request.checksumAlgorithm);
  const from = found.version;
  const metadata = request.replaceMetadata ?? { headers: from.headers, userMetadata: from.userMetadata };
  const result = await commitOrDiscard(context, {
    bucket: request.bucket,
    key: request.key,
    conditions: request.conditions,
    attributes: {
      headers: metadata.headers,
      userMetadata: metadata.userMetadata,
      storageClass: request.storageClass ?? from.storageClass,
      tags: request.replaceTags ?? from.tags?.value,
      retention: request.retention,
      legalHold: request.legalHold,
    },
    size: from.size,
    etag: bytes.etag,
    checksum: bytes.checksum,
    blob: bytes.blob,
    inlineRow: bytes.inlineRow,
  });
  return { ...result, from };
}

/** A checksum that is already known is kept; else the one asked for, or CRC64NVME, is computed (s3-api.md section 5). */
async function copyBytes(
  context: Context,
  found: FoundObject,
  wanted: ChecksumAlgorithm | undefined,
): Promise<CopiedBytes> {
  const { version } = found;
  const known = version.checksum?.type === "FULL_OBJECT" ? version.checksum : undefined;
  const algorithm = wanted ?? version.checksum?.algorithm ?? "CRC64NVME";
  const plain = version.blob !== undefined && !version.blob.inline && /^[0-9a-f]{32}$/.test(version.etag);
  if (plain && known?.algorithm === algorithm && version.damaged === undefined && version.blob !== undefined) {
    const blob = await linked(context, version.blob);
    if (blob !== undefined) return { etag: version.etag, checksum: known, blob };
  }
  const body = { stream: found.read(0, version.size), size: version.size, checksumAlgorithm: algorithm };
  const written = await receive(context, body);
  return {
    etag: written.md5 as string,
    checksum: checksumOf(body, written),
    blob: written.ref,
    inlineRow: written.inlineRow,
  };
}

/** Undefined: the file is gone. Reading it says whether the version was replaced meanwhile or is damaged. */
async function linked(context: Context, ref: BlobRef): Promise<BlobRef | undefined> {
  try {
    return await context.blobs.link(ref);
  } catch (error) {
    if (error instanceof BlobDamagedError) return undefined;
    throw error;
  }
}
