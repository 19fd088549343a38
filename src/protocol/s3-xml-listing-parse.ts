/** Listings as a client reads them, whatever server wrote them. */
import { decodeListing } from "./uri.ts";
import { booleanOf, integerOf, parseXml, type XmlElement } from "./xml.ts";
import { StoreError } from "../model/errors.ts";

export interface ListedObject {
  readonly key: string;
  /** As written, RFC 3339. */
  readonly lastModified: string;
  /** Without quotes; empty for delete markers. */
  readonly etag: string;
  readonly size: number;
  readonly storageClass: string;
  /** By name as written; filled by metadata=true only. */
  readonly userMetadata: Readonly<Record<string, string>>;
  /** `k=v&k2=v2`; metadata=true only. */
  readonly userTags: string;
}

export interface ListedObjectVersion extends ListedObject {
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
}

export interface ObjectsPage {
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly nextContinuationToken?: string | undefined;
}

export interface VersionsPage {
  readonly versions: readonly ListedObjectVersion[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly nextKeyMarker?: string | undefined;
  readonly nextVersionIdMarker?: string | undefined;
}

/** A page of a thousand entries with 2 KiB of metadata each stays below this. */
const LISTING_BYTES_MAX = 64 * 1024 * 1024;

type Decode = (text: string) => string;

function openListing(body: Buffer, root: string): { element: XmlElement; decode: Decode } {
  const element = parseXml(body, { maxBytes: LISTING_BYTES_MAX });
  if (element.name !== root)
    throw new StoreError("MalformedXML", { message: `Expected <${root}> but found <${element.name}>` });
  const encoded = element.value("EncodingType")?.toLowerCase() === "url";
  return { element, decode: encoded ? decodeListing : (text) => text };
}

function unquote(etag: string): string {
  return etag.length >= 2 && etag.startsWith('"') && etag.endsWith('"') ? etag.slice(1, -1) : etag;
}

function objectOf(element: XmlElement, decode: Decode): ListedObject {
  const metadata = element.child("UserMetadata")?.children.map((child) => [child.name, child.text] as const) ?? [];
  return {
    key: decode(element.value("Key") ?? ""),
    lastModified: element.value("LastModified") ?? "",
    etag: unquote(element.value("ETag") ?? ""),
    size: integerOf(element, "Size", 0),
    storageClass: element.value("StorageClass") ?? "",
    userMetadata: Object.fromEntries(metadata),
    userTags: element.value("UserTags") ?? "",
  };
}

function commonPrefixes(element: XmlElement, decode: Decode): string[] {
  return element.all("CommonPrefixes").flatMap((one) => one.all("Prefix").map((prefix) => decode(prefix.text)));
}

/** ListBucketResult of either version; only V2 says where to go on. */
export function parseObjectsPage(body: Buffer): ObjectsPage {
  const { element, decode } = openListing(body, "ListBucketResult");
  return {
    objects: element.all("Contents").map((one) => objectOf(one, decode)),
    commonPrefixes: commonPrefixes(element, decode),
    truncated: booleanOf(element, "IsTruncated", false),
    nextContinuationToken: element.value("NextContinuationToken") || undefined,
  };
}

/** ListVersionsResult, also of metadata=true. */
export function parseVersionsPage(body: Buffer): VersionsPage {
  const { element, decode } = openListing(body, "ListVersionsResult");
  const versions: ListedObjectVersion[] = [];
  for (const child of element.children) {
    if (child.name !== "Version" && child.name !== "DeleteMarker") continue;
    versions.push({
      ...objectOf(child, decode),
      versionId: child.value("VersionId") || "null",
      isLatest: booleanOf(child, "IsLatest", false),
      isDeleteMarker: child.name === "DeleteMarker",
    });
  }
  const marker = element.value("NextKeyMarker");
  const truncated = booleanOf(element, "IsTruncated", false);
  return {
    versions,
    commonPrefixes: commonPrefixes(element, decode),
    truncated,
    nextKeyMarker: marker ? decode(marker) : truncated ? versions.at(-1)?.key : undefined,
    nextVersionIdMarker: element.value("NextVersionIdMarker") || undefined,
  };
}
