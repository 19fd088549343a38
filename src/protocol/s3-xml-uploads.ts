/** Documents of multipart uploads: begin, complete, their listing and that of parts. Both directions. */
import { StoreError } from "../model/errors.ts";
import { DEFAULT_OWNER, ownerXml, type Owner } from "./s3-xml-bucket.ts";
import { checksumOf, checksumXml, quoted, throwIfError, unquoted, type NamedChecksum } from "./s3-xml-objects.ts";
import { decodeListing, encodeListing } from "./uri.ts";
import { booleanOf, document, integerOf, optionalTag, tag, wrap } from "./xml.ts";
import { parseXml, parseXmlRoot } from "./xml.ts";

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
