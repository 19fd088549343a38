/** Multipart uploads: create, part, list, complete, abort (s3-api.md section 12, replication.md 3.5). */
import { StoreError } from "../../model/errors.ts";
import type { UploadId } from "../../model/names.ts";
import type { Checksum, ChecksumAlgorithm, ChecksumType } from "../../model/version.ts";
import type { CompletedPart, PutResult, StoredPart, Upload, UploadSelector } from "../../objects/types.ts";
import type { NamedChecksum } from "../../protocol/s3-xml-objects.ts";
import * as xml from "../../protocol/s3-xml-uploads.ts";
import { isoMillis } from "../../protocol/time.ts";
import { encodeS3Path } from "../../protocol/uri.ts";
import { carriesAcl, checkAclHeaders } from "../acl.ts";
import { attributesOf } from "../attributes.ts";
import { authorize, authorizeWrite } from "../authorize.ts";
import * as body from "../body.ts";
import { askedMd5, encryptionHeaders, encryptionOf } from "../encryption.ts";
import { COMPLETE_BYTES_MAX, LIST_KEYS_MAX, PART_NUMBER_MAX, PARTS_PAGE_MAX } from "../limits.ts";
import { pageSize, urlEncoding } from "../listing-parameters.ts";
import { locksAsked, refuseLock } from "../lock-request.ts";
import { writeConditions } from "../read-conditions.ts";
import { givenVersionId, isReplication, purgedHere, replicaSource } from "../replica.ts";
import { NO_CONTENT, xmlReply } from "../reply.ts";
import { invalidArgument, type Operation, type S3Request } from "../request.ts";
import { storedHeaders } from "./put-object.ts";

export function uploadSelector(request: S3Request): UploadSelector {
  return { bucket: request.bucket, key: request.key, uploadId: (request.query.get("uploadId") ?? "") as UploadId };
}

/** `partNumber` of the query: InvalidPart when it is no positive number, InvalidArgument above 10000. */
export function partNumberOf(request: S3Request): number {
  const text = request.query.get("partNumber") ?? "";
  const number = Number(text);
  if (!/^\d{1,9}$/.test(text) || number < 1) throw new StoreError("InvalidPart");
  if (number > PART_NUMBER_MAX) throw invalidArgument("Part number must be an integer between 1 and 10000, inclusive");
  return number;
}

function checksumTypeOf(request: S3Request): ChecksumType | undefined {
  const text = request.header("x-amz-checksum-type")?.toUpperCase();
  if (text === undefined || text === "") return undefined;
  if (text !== "FULL_OBJECT" && text !== "COMPOSITE")
    throw invalidArgument("Value for x-amz-checksum-type header is invalid.");
  return text;
}

/** The kinds of multipart checksums that exist (s3-api.md section 5). */
function checkCombination(algorithm: ChecksumAlgorithm, type: ChecksumType): void {
  const crc64 = algorithm === "CRC64NVME";
  const sha = algorithm === "SHA1" || algorithm === "SHA256";
  if ((crc64 && type === "COMPOSITE") || (sha && type === "FULL_OBJECT")) {
    throw invalidArgument(`The ${type} checksum type cannot be used with the ${algorithm} checksum algorithm.`);
  }
}

interface UploadChecksum {
  readonly algorithm?: ChecksumAlgorithm | undefined;
  readonly type?: ChecksumType | undefined;
}

/**
 * The checksum an upload is created with. A peer sends the object's value instead of a type: without `-N` it is one of
 * the full object (MinIO takes it for composite, and then refuses such objects for ever).
 */
function uploadChecksum(request: S3Request): UploadChecksum {
  const claim = body.checksumHeader(request);
  const algorithm = body.wantedAlgorithm(request) ?? claim?.algorithm;
  const asked = checksumTypeOf(request);
  if (algorithm === undefined) {
    if (asked === undefined) return {};
    const message = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.";
    throw new StoreError("InvalidRequest", { message });
  }
  const composite = body.splitComposite(claim?.value ?? "").parts !== undefined;
  const fromValue =
    claim === undefined || !isReplication(request) ? undefined : composite ? "COMPOSITE" : "FULL_OBJECT";
  const type = asked ?? fromValue ?? (algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE");
  checkCombination(algorithm, type);
  return { algorithm, type };
}

export const createMultipartUpload: Operation = {
  name: "CreateMultipartUpload",
  async run(request) {
    const { bucket, key } = request;
    await authorizeWrite(request);
    const source = await replicaSource(request, "s3:ReplicateObject");
    const encryption = encryptionOf(request, request.secure);
    if (carriesAcl(request)) checkAclHeaders(request, await request.deps.objects.bucket(bucket));
    const locks = await locksAsked(request, request, { source });
    const checksum = uploadChecksum(request);
    const upload = await request.deps.objects.createUpload({
      bucket,
      key,
      attributes: { ...attributesOf(request), ...locks },
      checksumAlgorithm: checksum.algorithm,
      checksumType: checksum.type,
      versionId: givenVersionId(request, source),
      source,
      initiator: request.identity.accessKey,
      conditions: writeConditions(request),
      encryption,
    });
    const headers = encryptionHeaders(upload.encryption, askedMd5(request));
    if (checksum.algorithm !== undefined) {
      headers.push("X-Amz-Checksum-Algorithm", checksum.algorithm, "X-Amz-Checksum-Type", checksum.type ?? "");
    }
    return xmlReply(xml.renderCreateUploadResult(bucket, key, upload.uploadId), headers);
  },
};

export const uploadPart: Operation = {
  name: "UploadPart",
  takesObjectBody: true,
  async run(request) {
    const selector = uploadSelector(request);
    const number = partNumberOf(request);
    await authorize(request, "s3:PutObject");
    const encryption = encryptionOf(request, request.secure);
    const key = encryption?.kind === "SSE-C" ? encryption.customerKey : undefined;
    const part = await request.deps.objects.putPart(selector, number, body.objectBody(request), key);
    const headers = ["ETag", `"${part.etag}"`];
    if (part.encryption !== undefined) headers.push(...encryptionHeaders(part.encryption, key?.md5));
    if (part.checksum !== undefined)
      headers.push(`x-amz-checksum-${part.checksum.algorithm.toLowerCase()}`, part.checksum.value);
    return { status: 200, headers };
  },
};

export const listParts: Operation = {
  name: "ListParts",
  async run(request) {
    const selector = uploadSelector(request);
    await authorize(request, "s3:ListMultipartUploadParts");
    const limit = pageSize(request.query.get("max-parts"), "max-parts", LIST_KEYS_MAX);
    const after = pageSize(request.query.get("part-number-marker"), "part-number-marker", 0);
    const { upload, parts, truncated } = await request.deps.objects.listParts(selector, {
      after,
      limit: Math.min(limit, PARTS_PAGE_MAX),
    });
    const last = parts.at(-1)?.number ?? 0;
    const page: xml.PartsPage = {
      bucket: selector.bucket,
      key: selector.key,
      uploadId: selector.uploadId,
      partNumberMarker: after,
      nextPartNumberMarker: last,
      maxParts: limit,
      truncated,
      storageClass: upload.attributes.storageClass,
      checksumAlgorithm: upload.checksumAlgorithm,
      checksumType: upload.checksumAlgorithm === undefined ? undefined : upload.checksumType,
      parts: parts.map((part) => partEntry(upload, part)),
    };
    return xmlReply(xml.renderPartsPage(page, { urlEncoding: urlEncoding(request) }));
  },
};

function partEntry(upload: Upload, part: StoredPart): xml.PartEntry {
  const { checksum } = part;
  const shown = checksum !== undefined && checksum.algorithm === upload.checksumAlgorithm ? checksum : undefined;
  return {
    number: part.number,
    lastModified: isoMillis(part.mtime),
    etag: part.etag,
    size: part.size,
    checksum: shown,
  };
}

export const listMultipartUploads: Operation = {
  name: "ListMultipartUploads",
  async run(request) {
    const { bucket, query } = request;
    await authorize(request, "s3:ListBucketMultipartUploads");
    const asked = {
      bucket,
      prefix: query.get("prefix") ?? "",
      delimiter: query.get("delimiter") ?? "",
      keyMarker: query.get("key-marker") ?? "",
      uploadIdMarker: query.get("upload-id-marker") ?? "",
      maxUploads: pageSize(query.get("max-uploads"), "max-uploads", LIST_KEYS_MAX),
    };
    const found = await request.deps.objects.listUploads({
      ...asked,
      maxUploads: Math.min(asked.maxUploads, LIST_KEYS_MAX),
    });
    const page: xml.UploadsPage = {
      ...asked,
      nextKeyMarker: found.truncated ? (found.nextKeyMarker ?? "") : "",
      nextUploadIdMarker: found.truncated ? (found.nextUploadIdMarker ?? "") : "",
      truncated: found.truncated,
      commonPrefixes: found.commonPrefixes,
      uploads: found.uploads.map((upload) => ({
        key: upload.key,
        uploadId: upload.uploadId,
        initiated: isoMillis(upload.initiated),
        storageClass: upload.attributes.storageClass,
        checksumAlgorithm: upload.checksumAlgorithm,
        checksumType: upload.checksumAlgorithm === undefined ? undefined : upload.checksumType,
      })),
    };
    return xmlReply(xml.renderUploadsPage(page, { urlEncoding: urlEncoding(request) }));
  },
};

export const abortMultipartUpload: Operation = {
  name: "AbortMultipartUpload",
  async run(request) {
    const selector = uploadSelector(request);
    await authorize(request, "s3:AbortMultipartUpload");
    await request.deps.objects.abortUpload(selector);
    return NO_CONTENT;
  },
};

export const completeMultipartUpload: Operation = {
  name: "CompleteMultipartUpload",
  async run(request) {
    const selector = uploadSelector(request);
    await authorize(request, "s3:PutObject");
    const source = isReplication(request) ? await replicaSource(request, "s3:ReplicateObject") : undefined;
    refuseLock(request);
    const claim = body.checksumHeader(request);
    const bytes = await body.readDocument(request, COMPLETE_BYTES_MAX);
    const parts = xml.parseCompleteUpload(bytes).map(completedPart);
    request.longRunning();
    const result = await request.deps.objects.completeUpload({
      ...selector,
      parts,
      conditions: writeConditions(request),
      source,
      expectedChecksum: claim && { algorithm: claim.algorithm, value: body.splitComposite(claim.value ?? "").value },
      checksumType: checksumTypeOf(request),
      expectedSize: expectedSize(request),
    });
    if (result.purged !== undefined) throw purgedHere(result.purged);
    return xmlReply(renderCompleted(request, result), storedHeaders(result, request));
  },
};

function completedPart(part: xml.PartToComplete): CompletedPart {
  return { number: part.number, etag: part.etag, checksum: part.checksum };
}

function expectedSize(request: S3Request): number | undefined {
  const text = request.header("x-amz-mp-object-size");
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) throw invalidArgument("Value for x-amz-mp-object-size header is invalid.");
  return Number(text);
}

function renderCompleted(request: S3Request, result: PutResult): string {
  const { bucket, key } = request;
  const { version } = result;
  return xml.renderCompleteUploadResult({
    location: locationOf(request, key),
    bucket,
    key,
    etag: version.etag,
    checksum: shownChecksum(version.checksum, version.partCount),
    checksumType: version.checksum?.type,
  });
}

/** A checksum as documents show it: composite values carry the number of parts. */
export function shownChecksum(checksum: Checksum | undefined, partCount: number): NamedChecksum | undefined {
  if (checksum === undefined) return undefined;
  const value = checksum.type === "COMPOSITE" ? `${checksum.value}-${partCount}` : checksum.value;
  return { algorithm: checksum.algorithm, value };
}

/** The address of an object in the request's bucket, as its client would write it. */
export function locationOf(request: S3Request, key: string): string {
  const { serverUrl } = request.deps.settings;
  const path = encodeS3Path(key);
  if (serverUrl !== undefined && serverUrl !== "") return `${serverUrl.replace(/\/+$/, "")}/${request.bucket}/${path}`;
  const host = `${request.secure ? "https" : "http"}://${request.headers.host ?? ""}`;
  return request.target.inHost ? `${host}/${path}` : `${host}/${request.bucket}/${path}`;
}
