/** CopyObject: a second name for the bytes where that is possible, else they are read, checked and written again. */
import { keepsVersions } from "../model/bucket.ts";
import { hidesMd5, type CustomerKey, type EncryptionRequest, type ObjectEncryption } from "../model/encryption.ts";
import type { BucketName } from "../model/names.ts";
import type { ChecksumAlgorithm, ObjectVersion } from "../model/version.ts";
import type { BlobRef, Checksum } from "../model/version.ts";
import { BlobDamagedError } from "../storage/blobs/blobs.ts";
import { checkCopySource } from "./conditions.ts";
import type { Context } from "./context.ts";
import { blobSeal, encryptionFor, notApplicable, openSeal, sealFor, type Place, type Seal } from "./encryption.ts";
import { checkQuota, checksumOf, commitOrDiscard, receive } from "./put.ts";
import { find } from "./read.ts";
import type { CopyRequest, FoundObject, PutResult } from "./types.ts";

interface CopiedBytes {
  readonly etag: string;
  readonly encryption?: ObjectEncryption | undefined;
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
  await found.unlock?.(request.fromKey);
  if (found.unlock === undefined && request.fromKey !== undefined) throw notApplicable(request.from);
  const bytes = await copyBytes(context, found, {
    from: request.from.bucket,
    fromKey: request.fromKey,
    place: request,
    algorithm: request.checksumAlgorithm,
    encryption: encryptionFor(context, bucket, request.encryption),
  });
  const from = found.version;
  const metadata = request.replaceMetadata ?? {
    headers: keptHeaders(from, request.redirect),
    userMetadata: from.userMetadata,
  };
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
    encryption: bytes.encryption,
    blob: bytes.blob,
    inlineRow: bytes.inlineRow,
  });
  return { ...result, from };
}

interface Wanted {
  /** Bucket of the source. */
  readonly from: BucketName;
  readonly place: Place;
  readonly algorithm: ChecksumAlgorithm | undefined;
  readonly encryption: EncryptionRequest | undefined;
  readonly fromKey: CustomerKey | undefined;
}

const REDIRECT = "x-amz-website-redirect-location";

/** A redirect belongs to its object: the copy has its own or none. */
function keptHeaders(from: ObjectVersion, redirect: string | undefined): ObjectVersion["headers"] {
  if (redirect === undefined && from.headers[REDIRECT] === undefined) return from.headers;
  const { [REDIRECT]: _left, ...kept } = from.headers;
  return redirect === undefined ? kept : { ...kept, [REDIRECT]: redirect };
}

/** A checksum that is already known is kept; else the one asked for, or CRC64NVME, is computed (s3-api.md section 5). */
async function copyBytes(context: Context, found: FoundObject, wanted: Wanted): Promise<CopiedBytes> {
  const { version } = found;
  const known = version.checksum?.type === "FULL_OBJECT" ? version.checksum : undefined;
  const algorithm = wanted.algorithm ?? version.checksum?.algorithm ?? "CRC64NVME";
  const seal = await sealOfCopy(context, version, wanted);
  if (known?.algorithm === algorithm && canLink(version, wanted) && version.blob !== undefined) {
    const blob = await linked(context, version.blob);
    const hidden = seal !== undefined && hidesMd5(seal.encryption.kind);
    const etag = hidden ? context.random.bytes(16).toString("hex") : version.etag;
    if (blob !== undefined) return { etag, checksum: known, blob, encryption: seal?.encryption };
  }
  const body = { stream: found.read(0, version.size), size: version.size, checksumAlgorithm: algorithm };
  const written = await receive(context, body, seal && blobSeal(context, seal, 0));
  return {
    etag: written.etag,
    checksum: checksumOf(body, written),
    blob: written.ref,
    inlineRow: written.inlineRow,
    encryption: seal?.encryption,
  };
}

/**
 * The bytes can have a second name: both are plain, or both are sealed, which takes the key under a new seal and no byte.
 * Where the ETag is to be the MD5, it must be known.
 */
function canLink(version: ObjectVersion, wanted: Wanted): boolean {
  if (version.blob === undefined || version.blob.inline || version.damaged !== undefined) return false;
  const { encryption } = version;
  if ((encryption === undefined) !== (wanted.encryption === undefined)) return false;
  if (wanted.encryption !== undefined && hidesMd5(wanted.encryption.kind)) return true;
  return /^[0-9a-f]{32}$/.test(version.etag) && (encryption === undefined || !hidesMd5(encryption.kind));
}

async function sealOfCopy(context: Context, version: ObjectVersion, wanted: Wanted): Promise<Seal | undefined> {
  if (wanted.encryption === undefined) return undefined;
  const { place, fromKey } = wanted;
  if (version.encryption === undefined || !canLink(version, wanted)) return sealFor(context, place, wanted.encryption);
  const from = { bucket: wanted.from, key: version.key };
  return sealFor(context, place, wanted.encryption, await openSeal(context, from, version.encryption, fromKey));
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
