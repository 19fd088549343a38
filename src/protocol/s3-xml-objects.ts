/** Documents of single operations: multi-delete, multipart, copy, attributes. Both directions. */
import { StoreError } from "../model/errors.ts";
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from "../model/version.ts";
import { DEFAULT_OWNER, ownerXml, type Owner } from "./s3-xml-bucket.ts";
import { decodeListing, encodeListing } from "./uri.ts";
import { booleanOf, document, escapeXml, integerOf, optionalTag, tag, wrap } from "./xml.ts";
import { parseXml, parseXmlRoot, type XmlElement } from "./xml.ts";

function quoted(etag: string): string {
  return `<ETag>&#34;${escapeXml(etag)}&#34;</ETag>`;
}

function unquoted(element: XmlElement): string {
  return (element.value("ETag") ?? "").trim().replace(/^"|"$/g, "");
}

/** A checksum value by algorithm; composite values carry their `-N` here. */
export interface NamedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string;
}

/** `<ChecksumCRC32>...</ChecksumCRC32>`; nothing when undefined. */
function checksumXml(checksum: NamedChecksum | undefined): string {
  return checksum === undefined ? "" : tag(`Checksum${checksum.algorithm}`, checksum.value);
}

function checksumOf(element: XmlElement): NamedChecksum | undefined {
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = element.value(`Checksum${algorithm}`)?.trim();
    if (value) return { algorithm, value };
  }
  return undefined;
}

const DELETE_OBJECTS_MAX = 1000;

export interface ObjectToDelete {
  readonly key: string;
  /** As sent, not checked. */
  readonly versionId?: string | undefined;
  /** Without quotes: delete only this content. */
  readonly etag?: string | undefined;
  /** As sent: delete only what was modified then. */
  readonly lastModified?: string | undefined;
  /** As sent: delete only what is so large. */
  readonly size?: string | undefined;
}
export interface DeleteObjectsRequest {
  readonly quiet: boolean;
  readonly objects: readonly ObjectToDelete[];
}

/** Delete: 1 to 1000 objects, else MalformedXML. */
export function parseDeleteObjects(body: Buffer): DeleteObjectsRequest {
  const root = parseXmlRoot(body, "Delete");
  const objects = root.all("Object").map((element) => {
    const key = element.value("Key");
    if (key === undefined) throw new StoreError("MalformedXML", { message: "An Object to delete needs a Key." });
    const text = (name: string): string | undefined => element.value(name)?.trim() || undefined;
    return {
      key,
      versionId: text("VersionId"),
      etag: unquoted(element) || undefined,
      lastModified: text("LastModifiedTime"),
      size: text("Size"),
    };
  });
  if (objects.length === 0 || objects.length > DELETE_OBJECTS_MAX) {
    throw new StoreError("MalformedXML", { message: `One request deletes 1 to ${DELETE_OBJECTS_MAX} objects.` });
  }
  return { quiet: booleanOf(root, "Quiet", false), objects };
}

export function renderDeleteObjects(request: DeleteObjectsRequest): string {
  let inner = tag("Quiet", request.quiet);
  for (const { key, versionId } of request.objects) {
    inner += wrap("Object", tag("Key", key) + optionalTag("VersionId", versionId));
  }
  return wrap("Delete", inner);
}

export interface DeletedObject {
  readonly key: string;
  /** The version asked for. */
  readonly versionId?: string | undefined;
  readonly deleteMarker?: boolean | undefined;
  readonly deleteMarkerVersionId?: string | undefined;
}
export interface DeleteObjectsFault {
  readonly key: string;
  readonly versionId?: string | undefined;
  readonly code: string;
  readonly message: string;
}
export interface DeleteObjectsAnswer {
  readonly deleted: readonly DeletedObject[];
  readonly errors: readonly DeleteObjectsFault[];
}

/** DeleteResult; quiet requests give an empty `deleted`. */
export function renderDeleteResult(answer: DeleteObjectsAnswer): string {
  let inner = "";
  for (const one of answer.deleted) {
    const marker = one.deleteMarker ? tag("DeleteMarker", true) : "";
    const own = optionalTag("DeleteMarkerVersionId", one.deleteMarkerVersionId) + tag("Key", one.key);
    inner += wrap("Deleted", marker + own + optionalTag("VersionId", one.versionId));
  }
  for (const { key, versionId, code, message } of answer.errors) {
    const name = tag("Key", key) + optionalTag("VersionId", versionId);
    inner += wrap("Error", tag("Code", code) + tag("Message", message) + name);
  }
  return document("DeleteResult", inner);
}

export function parseDeleteResult(body: Buffer): DeleteObjectsAnswer {
  const root = parseXmlRoot(body, "DeleteResult", "DeleteObjectsOutput");
  return {
    deleted: root.all("Deleted").map((one) => ({
      key: one.value("Key") ?? "",
      versionId: one.value("VersionId") || undefined,
      deleteMarker: booleanOf(one, "DeleteMarker", false),
      deleteMarkerVersionId: one.value("DeleteMarkerVersionId") || undefined,
    })),
    errors: root.all("Error").map((one) => ({
      key: one.value("Key") ?? "",
      versionId: one.value("VersionId") || undefined,
      code: one.value("Code") ?? "",
      message: one.value("Message") ?? "",
    })),
  };
}

export interface PartToComplete {
  readonly number: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum?: NamedChecksum | undefined;
}

/** CompleteMultipartUpload in the order sent (the order is checked elsewhere); none is MalformedXML. */
export function parseCompleteUpload(body: Buffer): PartToComplete[] {
  const parts = parseXmlRoot(body, "CompleteMultipartUpload")
    .all("Part")
    .map((element) => {
      if (element.child("PartNumber") === undefined || element.child("ETag") === undefined) {
        throw new StoreError("MalformedXML", { message: "A Part needs PartNumber and ETag." });
      }
      return { number: integerOf(element, "PartNumber", 0), etag: unquoted(element), checksum: checksumOf(element) };
    });
  if (parts.length === 0) throw new StoreError("MalformedXML", { message: "At least one Part is needed." });
  return parts;
}

export function renderCompleteUpload(parts: readonly PartToComplete[]): string {
  let inner = "";
  for (const { number, etag, checksum } of parts) {
    inner += wrap("Part", tag("PartNumber", number) + tag("ETag", etag) + checksumXml(checksum));
  }
  return document("CompleteMultipartUpload", inner);
}

export function renderCreateUploadResult(bucket: string, key: string, uploadId: string): string {
  return document("InitiateMultipartUploadResult", tag("Bucket", bucket) + tag("Key", key) + tag("UploadId", uploadId));
}

/** The upload id. */
export function parseCreateUploadResult(body: Buffer): string {
  const uploadId = parseXmlRoot(body, "InitiateMultipartUploadResult").value("UploadId");
  if (!uploadId) throw new StoreError("MalformedXML", { message: "The answer names no UploadId." });
  return uploadId;
}

export interface CompleteUploadAnswer {
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum?: NamedChecksum | undefined;
  readonly checksumType?: string | undefined;
}

export function renderCompleteUploadResult(answer: CompleteUploadAnswer): string {
  return document(
    "CompleteMultipartUploadResult",
    tag("Location", answer.location) +
      tag("Bucket", answer.bucket) +
      tag("Key", answer.key) +
      quoted(answer.etag) +
      checksumXml(answer.checksum) +
      optionalTag("ChecksumType", answer.checksumType),
  );
}

/** An `Error` root in a 200 answer (AWS sends it after keep-alive blanks) is thrown with its own code. */
export function parseCompleteUploadResult(body: Buffer): CompleteUploadAnswer {
  const root = parseXml(body);
  throwIfError(root);
  return {
    location: root.value("Location") ?? "",
    bucket: root.value("Bucket") ?? "",
    key: root.value("Key") ?? "",
    etag: unquoted(root),
    checksum: checksumOf(root),
    checksumType: root.value("ChecksumType"),
  };
}

function throwIfError(root: XmlElement): void {
  if (root.name !== "Error") return;
  throw new StoreError(root.value("Code") ?? "InternalError", { message: root.value("Message") });
}

export interface CopyAnswer {
  /** `2026-11-23T00:42:11.130Z` */
  readonly lastModified: string;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum?: NamedChecksum | undefined;
  readonly checksumType?: string | undefined;
}

export function renderCopyResult(element: "CopyObjectResult" | "CopyPartResult", answer: CopyAnswer): string {
  return document(
    element,
    tag("LastModified", answer.lastModified) +
      quoted(answer.etag) +
      checksumXml(answer.checksum) +
      optionalTag("ChecksumType", answer.checksumType),
  );
}

/** CopyObjectResult or CopyPartResult; an `Error` root is thrown with its own code. */
export function parseCopyResult(body: Buffer): CopyAnswer {
  const root = parseXml(body);
  throwIfError(root);
  return {
    lastModified: root.value("LastModified") ?? "",
    etag: unquoted(root),
    checksum: checksumOf(root),
    checksumType: root.value("ChecksumType"),
  };
}

export interface PartEntry {
  readonly number: number;
  /** `2026-11-23T00:42:11.130Z` */
  readonly lastModified: string;
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
  readonly checksum?: NamedChecksum | undefined;
}
export interface PartsPage {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumberMarker: number;
  readonly nextPartNumberMarker: number;
  readonly maxParts: number;
  readonly truncated: boolean;
  readonly storageClass: string;
  readonly checksumAlgorithm?: string | undefined;
  readonly checksumType?: string | undefined;
  readonly parts: readonly PartEntry[];
}

export interface PageForm {
  readonly owner?: Owner | undefined;
  /** `encoding-type=url` was asked. */
  readonly urlEncoding?: boolean | undefined;
}

export function renderPartsPage(page: PartsPage, options: PageForm = {}): string {
  const owner = options.owner ?? { ...DEFAULT_OWNER, displayName: DEFAULT_OWNER.id };
  let parts = "";
  for (const part of page.parts) {
    const times = tag("PartNumber", part.number) + tag("LastModified", part.lastModified);
    parts += wrap("Part", times + quoted(part.etag) + tag("Size", part.size) + checksumXml(part.checksum));
  }
  return document(
    "ListPartsResult",
    tag("Bucket", page.bucket) +
      tag("Key", options.urlEncoding ? encodeListing(page.key) : page.key) +
      tag("UploadId", page.uploadId) +
      ownerXml(owner, "Initiator") +
      ownerXml(owner) +
      tag("StorageClass", page.storageClass) +
      tag("PartNumberMarker", page.partNumberMarker) +
      tag("NextPartNumberMarker", page.nextPartNumberMarker) +
      tag("MaxParts", page.maxParts) +
      tag("IsTruncated", page.truncated) +
      optionalTag("ChecksumAlgorithm", page.checksumAlgorithm) +
      optionalTag("ChecksumType", page.checksumType) +
      parts +
      (options.urlEncoding ? tag("EncodingType", "url") : ""),
  );
}

export function parsePartsPage(body: Buffer): PartsPage {
  const root = parseXmlRoot(body, "ListPartsResult");
  return {
    bucket: root.value("Bucket") ?? "",
    key: root.value("EncodingType") === "url" ? decodeListing(root.value("Key") ?? "") : (root.value("Key") ?? ""),
    uploadId: root.value("UploadId") ?? "",
    partNumberMarker: integerOf(root, "PartNumberMarker", 0),
    nextPartNumberMarker: integerOf(root, "NextPartNumberMarker", 0),
    maxParts: integerOf(root, "MaxParts", 0),
    truncated: booleanOf(root, "IsTruncated", false),
    storageClass: root.value("StorageClass") ?? "",
    checksumAlgorithm: root.value("ChecksumAlgorithm"),
    checksumType: root.value("ChecksumType"),
    parts: root.all("Part").map((one) => ({
      number: integerOf(one, "PartNumber", 0),
      lastModified: one.value("LastModified") ?? "",
      etag: unquoted(one),
      size: integerOf(one, "Size", 0),
      checksum: checksumOf(one),
    })),
  };
}

export interface UploadEntry {
  readonly key: string;
  readonly uploadId: string;
  /** `2026-11-23T00:42:11.130Z` */
  readonly initiated: string;
  readonly storageClass: string;
  readonly checksumAlgorithm?: string | undefined;
  readonly checksumType?: string | undefined;
}
export interface UploadsPage {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly nextKeyMarker: string;
  readonly nextUploadIdMarker: string;
  readonly maxUploads: number;
  readonly truncated: boolean;
  readonly uploads: readonly UploadEntry[];
  readonly commonPrefixes: readonly string[];
}

export function renderUploadsPage(page: UploadsPage, options: PageForm = {}): string {
  const encode = options.urlEncoding ? encodeListing : (text: string): string => text;
  const owner = options.owner ?? DEFAULT_OWNER;
  let uploads = "";
  for (const one of page.uploads) {
    uploads += wrap(
      "Upload",
      tag("Key", encode(one.key)) +
        tag("UploadId", one.uploadId) +
        ownerXml(owner, "Initiator") +
        ownerXml(owner) +
        tag("StorageClass", one.storageClass) +
        tag("Initiated", one.initiated) +
        optionalTag("ChecksumAlgorithm", one.checksumAlgorithm) +
        optionalTag("ChecksumType", one.checksumType),
    );
  }
  return document(
    "ListMultipartUploadsResult",
    tag("Bucket", page.bucket) +
      tag("KeyMarker", encode(page.keyMarker)) +
      tag("UploadIdMarker", page.uploadIdMarker) +
      tag("NextKeyMarker", encode(page.nextKeyMarker)) +
      tag("NextUploadIdMarker", page.nextUploadIdMarker) +
      optionalTag("Delimiter", encode(page.delimiter)) +
      tag("Prefix", encode(page.prefix)) +
      (options.urlEncoding ? tag("EncodingType", "url") : "") +
      tag("MaxUploads", page.maxUploads) +
      tag("IsTruncated", page.truncated) +
      uploads +
      page.commonPrefixes.map((prefix) => wrap("CommonPrefixes", tag("Prefix", encode(prefix)))).join(""),
  );
}

export function parseUploadsPage(body: Buffer): UploadsPage {
  const root = parseXmlRoot(body, "ListMultipartUploadsResult");
  const decode = root.value("EncodingType") === "url" ? decodeListing : (text: string): string => text;
  return {
    bucket: root.value("Bucket") ?? "",
    prefix: decode(root.value("Prefix") ?? ""),
    delimiter: decode(root.value("Delimiter") ?? ""),
    keyMarker: decode(root.value("KeyMarker") ?? ""),
    uploadIdMarker: root.value("UploadIdMarker") ?? "",
    nextKeyMarker: decode(root.value("NextKeyMarker") ?? ""),
    nextUploadIdMarker: root.value("NextUploadIdMarker") ?? "",
    maxUploads: integerOf(root, "MaxUploads", 0),
    truncated: booleanOf(root, "IsTruncated", false),
    uploads: root.all("Upload").map((one) => ({
      key: decode(one.value("Key") ?? ""),
      uploadId: one.value("UploadId") ?? "",
      initiated: one.value("Initiated") ?? "",
      storageClass: one.value("StorageClass") ?? "",
    })),
    commonPrefixes: root.all("CommonPrefixes").map((one) => decode(one.value("Prefix") ?? "")),
  };
}

export interface AttributesPart {
  readonly number: number;
  readonly size: number;
  readonly checksum?: NamedChecksum | undefined;
}
/** What was asked for; the rest is absent. */
export interface ObjectAttributes {
  /** Written without quotes. */
  readonly etag?: string | undefined;
  /** Value without `-N`. */
  readonly checksum?: (NamedChecksum & { readonly type: string }) | undefined;
  readonly parts?:
    | {
        readonly totalCount: number;
        readonly partNumberMarker: number;
        readonly nextPartNumberMarker: number;
        readonly maxParts: number;
        readonly truncated: boolean;
        readonly parts: readonly AttributesPart[];
      }
    | undefined;
  readonly storageClass?: string | undefined;
  readonly size?: number | undefined;
}

export function renderObjectAttributes(attributes: ObjectAttributes): string {
  const { checksum, parts } = attributes;
  let inner = optionalTag("ETag", attributes.etag);
  if (checksum !== undefined) inner += wrap("Checksum", checksumXml(checksum) + tag("ChecksumType", checksum.type));
  if (parts !== undefined) {
    let list =
      tag("PartsCount", parts.totalCount) +
      tag("PartNumberMarker", parts.partNumberMarker) +
      tag("NextPartNumberMarker", parts.nextPartNumberMarker) +
      tag("MaxParts", parts.maxParts) +
      tag("IsTruncated", parts.truncated);
    for (const part of parts.parts) {
      list += wrap("Part", tag("PartNumber", part.number) + tag("Size", part.size) + checksumXml(part.checksum));
    }
    inner += wrap("ObjectParts", list);
  }
  inner += optionalTag("StorageClass", attributes.storageClass) + optionalTag("ObjectSize", attributes.size);
  return document("GetObjectAttributesResponse", inner);
}
