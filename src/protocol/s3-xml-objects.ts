/** Documents of single operations: multi-delete, copy, attributes; what they share with those of uploads. Both directions. */
import { StoreError } from "../model/errors.ts";
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from "../model/version.ts";
import { booleanOf, document, escapeXml, optionalTag, tag, wrap } from "./xml.ts";
import { parseXml, parseXmlRoot, type XmlElement } from "./xml.ts";

export function quoted(etag: string): string {
  return `<ETag>&#34;${escapeXml(etag)}&#34;</ETag>`;
}

export function unquoted(element: XmlElement): string {
  return (element.value("ETag") ?? "").trim().replace(/^"|"$/g, "");
}

/** A checksum value by algorithm; composite values carry their `-N` here. */
export interface NamedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string;
}

/** `<ChecksumCRC32>...</ChecksumCRC32>`; nothing when undefined. */
export function checksumXml(checksum: NamedChecksum | undefined): string {
  return checksum === undefined ? "" : tag(`Checksum${checksum.algorithm}`, checksum.value);
}

export function checksumOf(element: XmlElement): NamedChecksum | undefined {
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

export function throwIfError(root: XmlElement): void {
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
