/** The end of a multipart upload: its parts are checked and become one object, by one commit that names them. */
import { createHash } from "node:crypto";
import { combineCrc, compositeChecksum } from "../model/checksum.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import { NULL_VERSION } from "../model/names.ts";
import type { Checksum, ChecksumType, Part } from "../model/version.ts";
import type { CommitBuilder } from "../storage/index/commit-builder.ts";
import * as keys from "../storage/keys.ts";
import { decodeVersion } from "../storage/records.ts";
import type { Context } from "./context.ts";
import { commitObject } from "./put.ts";
import * as rows from "./rows.ts";
import type { CompletedPart, CompleteUploadRequest, PutResult, ReplicaSource, Upload } from "./types.ts";
import { allParts, removeParts, uploadRow, type PartRow, type StoredParts, type UploadRow } from "./upload-rows.ts";

/** s3-api.md section 12. */
const PART_SIZE_MIN = 5 * 1024 * 1024;
/** Newest versions of a key among which the object of a repeated completion is looked for. */
const COMPLETED_LOOKED_AT = 100;
/** A completion that others overtake is looked at anew so often. */
const COMPLETION_TRIES_MAX = 16;

/** The parts that make the object, checked against what the client lists (s3-api.md sections 5 and 12). */
function chooseParts(wanted: readonly CompletedPart[], stored: StoredParts): PartRow[] {
  wanted.reduce((last, item) => {
    if (item.number < last) throw new StoreError("InvalidPartOrder");
    return item.number;
  }, 0);
  // A part that was sent again may be listed twice: the later entry is the one that counts.
  const distinct = wanted.filter((item, position) => item.number !== wanted[position + 1]?.number);
  const chosen = distinct.map((item, position) => {
    const part = stored.get(item.number)?.part;
    if (part === undefined || part.etag !== item.etag) throw new StoreError("InvalidPart");
    if (position < distinct.length - 1 && part.size < PART_SIZE_MIN) throw new StoreError("EntityTooSmall");
    if (
      item.checksum !== undefined &&
      (part.checksum?.algorithm !== item.checksum.algorithm || part.checksum.value !== item.checksum.value)
    ) {
      throw new StoreError("InvalidPart");
    }
    return part;
  });
  if (chosen.length === 0) throw new StoreError("MalformedXML", { message: "The list of parts is empty." });
  return chosen;
}

function typeOf(upload: Upload): ChecksumType {
  if (upload.checksumType !== undefined) return upload.checksumType;
  return upload.checksumAlgorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE";
}

function objectChecksum(upload: Upload, parts: readonly PartRow[]): Checksum | undefined {
  const algorithm = upload.checksumAlgorithm;
  if (algorithm === undefined || parts.some((part) => part.checksum?.algorithm !== algorithm)) return undefined;
  const type = typeOf(upload);
  const values = parts.map((part) => ({ checksum: (part.checksum as Checksum).value, size: part.size }));
  const value =
    type === "FULL_OBJECT"
      ? combineCrc(algorithm, values)
      : compositeChecksum(
          algorithm,
          values.map((v) => v.checksum),
        );
  return { algorithm, type, value };
}

function multipartEtag(parts: readonly PartRow[]): string {
  const hash = createHash("md5");
  for (const part of parts) hash.update(Buffer.from(part.etag, "hex"));
  return `${hash.digest("hex")}-${parts.length}`;
}

/** The upload, its parts, or what the object takes the place of changed before the commit. */
class Overtaken extends Error {
  override name = "Overtaken";
}

/** Objects.completeUpload */
export async function completeUpload(context: Context, request: CompleteUploadRequest): Promise<PutResult> {
  for (let tries = 0; tries < COMPLETION_TRIES_MAX; tries++) {
    try {
      return await complete(context, request, await uploadRow(context, request));
    } catch (error) {
      if (error instanceof Overtaken) continue;
      const before = hasCode(error, "NoSuchUpload") ? await completedBefore(context, request) : undefined;
      if (before === undefined) throw error;
      return before;
    }
  }
  throw new StoreError("SlowDownWrite", { message: "The upload changes all the time; try again." });
}

/** The answer to the first completion was lost and the client asks again: the object is among the newest of its key. */
async function completedBefore(context: Context, request: CompleteUploadRequest): Promise<PutResult | undefined> {
  const { bucket } = await context.bucketRow(request.bucket);
  const range = keys.prefixRange(keys.objectPrefix(keys.SPACE.version, bucket.id, request.key));
  for (const { value } of await context.index.scan(range, { limit: COMPLETED_LOOKED_AT })) {
    const version = decodeVersion(value);
    if (version.kind === "object" && version.uploadId === request.uploadId)
      return { bucket, version, versioned: version.versionId !== NULL_VERSION };
  }
  return undefined;
}

/** The registers came with the creation, so their times do too; the version's time comes with the completion. */
function sourceOf(upload: Upload, completion: ReplicaSource | undefined): ReplicaSource | undefined {
  const created = upload.replica;
  if (created === undefined) return undefined;
  return {
    ...created,
    mtime: completion?.mtime,
    etag: completion?.etag ?? created.etag,
    resyncId: completion?.resyncId ?? created.resyncId,
  };
}

function checkChecksumType({ checksumType }: CompleteUploadRequest, upload: Upload): void {
  if (checksumType === undefined || upload.checksumAlgorithm === undefined || checksumType === typeOf(upload)) return;
  throw new StoreError("InvalidArgument", {
    message: "The checksum type is not the one that the upload was created with.",
  });
}

/** The checksum of the object that the client expects against the one made of its parts. */
function checkChecksum({ expectedChecksum, source }: CompleteUploadRequest, found: Checksum | undefined): void {
  if (expectedChecksum === undefined) return;
  const { algorithm, value } = expectedChecksum;
  if (found?.algorithm === algorithm) {
    if (found.value === value) return;
    throw new StoreError("BadDigest", { message: "The checksum you specified did not match the object's." });
  }
  // Not looked at, its sender would believe the bytes checked. Peers have theirs checked part by part.
  if (source !== undefined) return;
  throw new StoreError("InvalidRequest", {
    message: `The upload was not created with the checksum algorithm ${algorithm}, so that of the object is not known.`,
  });
}

async function complete(context: Context, request: CompleteUploadRequest, row: UploadRow): Promise<PutResult> {
  const { upload } = row;
  const stored = await allParts(context, request.uploadId);
  checkChecksumType(request, upload);
  const chosen = chooseParts(request.parts, stored);
  const size = chosen.reduce((sum, part) => sum + part.size, 0);
  if (request.expectedSize !== undefined && request.expectedSize !== size) {
    throw new StoreError("InvalidRequest", {
      message: "The size of the object is not the one given in x-amz-mp-object-size.",
    });
  }
  const checksum = objectChecksum(upload, chosen);
  checkChecksum(request, checksum);
  const source = sourceOf(upload, request.source);
  let tried = false;
  return commitObject(context, {
    bucket: request.bucket,
    key: request.key,
    versionId: upload.versionId,
    source,
    conditions: request.conditions,
    attributes: upload.attributes,
    size,
    etag: source?.etag ?? multipartEtag(chosen),
    checksum,
    uploadId: request.uploadId,
    encryption: upload.encryption,
    parts: chosen.map((part): Part => ({
      number: part.number,
      size: part.size,
      etag: part.etag,
      checksum: part.checksum?.value,
      blob: part.blob,
    })),
    also(commit) {
      // What was read before a conflict is not what there is now.
      if (tried) throw new Overtaken();
      tried = true;
      removeUpload(commit, row, stored, new Set(chosen.map((part) => part.number)));
    },
  });
}

/** The upload and its parts leave in the commit that makes the object; a part that was replaced meanwhile is a conflict. */
function removeUpload(commit: CommitBuilder, row: UploadRow, stored: StoredParts, used: ReadonlySet<number>): void {
  commit.unchanged(row.key, row.raw).delete(row.key);
  removeParts(commit, row.upload.uploadId, stored);
  for (const [number, { part }] of stored) if (!used.has(number)) rows.dropBlob(commit, part.blob);
}
