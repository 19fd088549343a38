/** Listings of objects and versions as the server writes them (s3-api.md section 8, captures.md section 9). */
import { DEFAULT_OWNER, ownerXml, type Owner } from "./s3-xml-bucket.ts";
import { encodeListing } from "./uri.ts";
import { document, escapeXml, optionalTag, tag, wrap } from "./xml.ts";

export interface ListingEntry {
  readonly key: string;
  /** `2026-11-23T00:40:05.472Z` */
  readonly lastModified: string;
  /** Without quotes; empty for delete markers. */
  readonly etag: string;
  readonly size: number;
  readonly storageClass: string;
  readonly checksumAlgorithm?: string | undefined;
  readonly checksumType?: string | undefined;
  /** metadata=true only: by header name; names that cannot be element names are left out. */
  readonly userMetadata?: Readonly<Record<string, string>> | undefined;
  /** metadata=true only: `k=v&k2=v2`. */
  readonly userTags?: string | undefined;
}

export interface VersionEntry extends ListingEntry {
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
}

interface ListingBase {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  /** As asked, even above 1000. */
  readonly maxKeys: number;
  readonly truncated: boolean;
  readonly commonPrefixes: readonly string[];
  /** `encoding-type=url` was asked. */
  readonly urlEncoding: boolean;
  readonly owner?: Owner | undefined;
  /** The metadata=true form. */
  readonly metadata?: boolean | undefined;
}

export interface ListV1Answer extends ListingBase {
  readonly objects: readonly ListingEntry[];
  readonly marker: string;
  readonly nextMarker?: string | undefined;
}

export interface ListV2Answer extends ListingBase {
  readonly objects: readonly ListingEntry[];
  readonly startAfter: string;
  readonly continuationToken?: string | undefined;
  readonly nextContinuationToken?: string | undefined;
  readonly fetchOwner: boolean;
}

export interface ListVersionsAnswer extends ListingBase {
  readonly versions: readonly VersionEntry[];
  readonly keyMarker: string;
  readonly versionIdMarker: string;
  readonly nextKeyMarker?: string | undefined;
  readonly nextVersionIdMarker?: string | undefined;
}

type Encode = (text: string) => string;
const plain: Encode = (text) => text;

const ELEMENT_NAME = /^[A-Za-z_][A-Za-z0-9._-]*$/;

function metadataXml(entry: ListingEntry): string {
  let inner = "";
  for (const [name, value] of Object.entries(entry.userMetadata ?? {}))
    if (ELEMENT_NAME.test(name)) inner += tag(name, value);
  return `${wrap("UserMetadata", inner)}${tag("UserTags", entry.userTags ?? "")}<Internal><K>1</K><M>0</M></Internal>`;
}

function entryXml(entry: ListingEntry, encode: Encode, owner: string, metadata: boolean): string {
  const etag = entry.etag === "" ? "<ETag></ETag>" : `<ETag>&#34;${escapeXml(entry.etag)}&#34;</ETag>`;
  let out =
    `<Key>${escapeXml(encode(entry.key))}</Key><LastModified>${entry.lastModified}</LastModified>${etag}` +
    `<Size>${entry.size}</Size>${owner}<StorageClass>${entry.storageClass}</StorageClass>`;
  if (entry.checksumAlgorithm !== undefined) out += tag("ChecksumAlgorithm", entry.checksumAlgorithm);
  if (entry.checksumType !== undefined) out += tag("ChecksumType", entry.checksumType);
  return metadata ? out + metadataXml(entry) : out;
}

function prefixesXml(listing: ListingBase, encode: Encode): string {
  let out = "";
  for (const prefix of listing.commonPrefixes) out += wrap("CommonPrefixes", tag("Prefix", encode(prefix)));
  return out;
}

function delimiterXml(listing: ListingBase, encode: Encode): string {
  return optionalTag("Delimiter", encode(listing.delimiter));
}

function encodingXml(listing: ListingBase): string {
  return listing.urlEncoding ? tag("EncodingType", "url") : "";
}

function contents(
  listing: ListingBase & { readonly objects: readonly ListingEntry[] },
  encode: Encode,
  owner: string,
): string {
  let out = "";
  for (const entry of listing.objects)
    out += wrap("Contents", entryXml(entry, encode, owner, listing.metadata ?? false));
  return out;
}

/**
 * ListBucketResult of ListObjects. NextMarker is written whenever it is given. The prefix is never URL-encoded: of this
 * document the SDKs of AWS and MinIO decode everything else, but not the prefix.
 */
export function renderListV1(listing: ListV1Answer): string {
  const encode = listing.urlEncoding ? encodeListing : plain;
  return document(
    "ListBucketResult",
    tag("Name", listing.bucket) +
      tag("Prefix", listing.prefix) +
      tag("Marker", encode(listing.marker)) +
      optionalTag("NextMarker", listing.nextMarker === undefined ? undefined : encode(listing.nextMarker)) +
      tag("MaxKeys", listing.maxKeys) +
      delimiterXml(listing, encode) +
      tag("IsTruncated", listing.truncated) +
      contents(listing, encode, ownerXml(listing.owner ?? DEFAULT_OWNER)) +
      prefixesXml(listing, encode) +
      encodingXml(listing),
  );
}

/** ListBucketResult of ListObjectsV2. */
export function renderListV2(listing: ListV2Answer): string {
  const encode = listing.urlEncoding ? encodeListing : plain;
  const owner = listing.fetchOwner ? ownerXml(listing.owner ?? DEFAULT_OWNER) : "";
  return document(
    "ListBucketResult",
    tag("Name", listing.bucket) +
      tag("Prefix", encode(listing.prefix)) +
      optionalTag("StartAfter", encode(listing.startAfter)) +
      (listing.continuationToken === undefined ? "" : tag("ContinuationToken", listing.continuationToken)) +
      optionalTag("NextContinuationToken", listing.nextContinuationToken) +
      tag("KeyCount", listing.objects.length + listing.commonPrefixes.length) +
      tag("MaxKeys", listing.maxKeys) +
      delimiterXml(listing, encode) +
      tag("IsTruncated", listing.truncated) +
      contents(listing, encode, owner) +
      prefixesXml(listing, encode) +
      encodingXml(listing),
  );
}

/** ListVersionsResult: versions and markers in one order. */
export function renderListVersions(listing: ListVersionsAnswer): string {
  const encode = listing.urlEncoding ? encodeListing : plain;
  const owner = ownerXml(listing.owner ?? DEFAULT_OWNER);
  let versions = "";
  for (const entry of listing.versions) {
    const metadata = (listing.metadata ?? false) && !entry.isDeleteMarker;
    const own = `<IsLatest>${entry.isLatest}</IsLatest><VersionId>${escapeXml(entry.versionId)}</VersionId>`;
    versions += wrap(entry.isDeleteMarker ? "DeleteMarker" : "Version", entryXml(entry, encode, owner, metadata) + own);
  }
  return document(
    "ListVersionsResult",
    tag("Name", listing.bucket) +
      tag("Prefix", encode(listing.prefix)) +
      tag("KeyMarker", encode(listing.keyMarker)) +
      optionalTag("NextKeyMarker", listing.nextKeyMarker === undefined ? undefined : encode(listing.nextKeyMarker)) +
      tag("NextVersionIdMarker", listing.nextVersionIdMarker ?? "") +
      tag("VersionIdMarker", listing.versionIdMarker) +
      tag("MaxKeys", listing.maxKeys) +
      delimiterXml(listing, encode) +
      tag("IsTruncated", listing.truncated) +
      versions +
      prefixesXml(listing, encode) +
      encodingXml(listing),
  );
}
