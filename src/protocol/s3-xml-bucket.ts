/** Documents of bucket sub-resources: location, versioning, tags, and the list of buckets. Both directions. */
import type { VersioningConfig } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import type { Tags } from "../model/version.ts";
import {
  booleanOf,
  document,
  escapeXml,
  optionalTag,
  parseXml,
  parseXmlRoot,
  tag,
  wrap,
  type XmlElement,
} from "./xml.ts";

/** Owner of everything, as MinIO answers it; clients compare, none interprets it. */
export interface Owner {
  readonly id: string;
  readonly displayName: string;
}
export const DEFAULT_OWNER: Owner = {
  id: "02d6176db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4",
  displayName: "minio",
};

export function ownerXml(owner: Owner, element = "Owner"): string {
  return wrap(element, tag("ID", owner.id) + tag("DisplayName", owner.displayName));
}

/** What a CreateBucketConfiguration asks for; `region` is empty for an empty body or none. Tags as of `parseTagging`. */
export function parseCreateBucketConfiguration(body: Buffer): { region: string; tags?: Tags } {
  if (body.length === 0) return { region: "" };
  const root = parseXmlRoot(body, "CreateBucketConfiguration");
  const region = root.value("LocationConstraint")?.trim() ?? "";
  const tags = root.child("Tags")?.all("Tag") ?? [];
  return tags.length === 0 ? { region } : { region, tags: tagsOf(tags) };
}

export function renderCreateBucketConfiguration(region: string): string {
  return document("CreateBucketConfiguration", tag("LocationConstraint", region));
}

/** us-east-1 is written as empty, as it always was. */
export function renderLocation(region: string): string {
  const text = region === "us-east-1" ? "" : region;
  return document("LocationConstraint", escapeXml(text));
}

/** The region of a GetBucketLocation answer; empty means us-east-1. Some servers wrap it once more. */
export function parseLocation(body: Buffer): string {
  const root = parseXml(body);
  return (root.value("LocationConstraint") ?? root.text).trim();
}

const EXCLUDED_PREFIXES_MAX = 10;

function illegalVersioning(message: string): StoreError {
  return new StoreError("IllegalVersioningConfigurationException", { message });
}

/** VersioningConfiguration with MinIO's exclusions (s3-api.md section 9). */
export function parseVersioning(body: Buffer): VersioningConfig {
  const root = parseXmlRoot(body, "VersioningConfiguration");
  const status = root.value("Status")?.trim();
  if (status !== "Enabled" && status !== "Suspended") {
    throw illegalVersioning("The Status of a versioning configuration must be Enabled or Suspended.");
  }
  const excludedPrefixes = root
    .all("ExcludedPrefixes")
    .flatMap((element) => element.all("Prefix").map((one) => one.text));
  const excludeFolders = booleanOf(root, "ExcludeFolders", false);
  if (status !== "Enabled" && (excludedPrefixes.length > 0 || excludeFolders)) {
    throw illegalVersioning("Exclusions need versioning to be Enabled.");
  }
  if (excludedPrefixes.length > EXCLUDED_PREFIXES_MAX) {
    throw illegalVersioning(`At most ${EXCLUDED_PREFIXES_MAX} prefixes can be excluded.`);
  }
  return {
    status,
    ...(excludedPrefixes.length > 0 ? { excludedPrefixes } : {}),
    ...(excludeFolders ? { excludeFolders } : {}),
  };
}

/** No prolog and no namespace, as MinIO writes it; empty when never configured. */
export function renderVersioning(config: VersioningConfig | undefined): string {
  let inner = "";
  if (config !== undefined) {
    inner = tag("Status", config.status);
    for (const prefix of config.excludedPrefixes ?? []) inner += wrap("ExcludedPrefixes", tag("Prefix", prefix));
    if (config.excludeFolders) inner += tag("ExcludeFolders", true);
  }
  return wrap("VersioningConfiguration", inner);
}

/** A client's view of the answer: undefined when never configured. */
export function parseVersioningAnswer(body: Buffer): VersioningConfig | undefined {
  const status = parseXmlRoot(body, "VersioningConfiguration").value("Status")?.trim();
  return status === undefined || status === "" ? undefined : parseVersioning(body);
}

function tagOf(element: XmlElement): [string, string] {
  const key = element.value("Key");
  if (key === undefined) throw new StoreError("MalformedXML", { message: "A Tag needs a Key." });
  return [key, element.value("Value") ?? ""];
}

/** Tagging: the tags in the order sent. A key given twice is InvalidTag; lengths and characters are not checked here. */
export function parseTagging(body: Buffer): Tags {
  const set = parseXmlRoot(body, "Tagging").child("TagSet");
  if (set === undefined) throw new StoreError("MalformedXML", { message: "Tagging needs a TagSet." });
  return tagsOf(set.all("Tag"));
}

function tagsOf(elements: readonly XmlElement[]): Tags {
  const pairs = elements.map(tagOf);
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length) {
    throw new StoreError("InvalidTag", { message: "Cannot provide multiple Tags with the same key" });
  }
  return Object.fromEntries(pairs);
}

/** Sorted by key. */
export function renderTagging(tags: Tags): string {
  const keys = Object.keys(tags).sort();
  return document("Tagging", wrap("TagSet", keys.map((key) => tagXml(key, tags[key] as string)).join("")));
}

export function tagXml(key: string, value: string): string {
  return wrap("Tag", tag("Key", key) + tag("Value", value));
}

export interface ListedBucket {
  readonly name: string;
  /** `2026-11-23T00:40:05.472Z` */
  readonly created: string;
  readonly region?: string | undefined;
}

export interface BucketListForm {
  readonly owner?: Owner | undefined;
  readonly prefix?: string | undefined;
  readonly continuationToken?: string | undefined;
}

/** ListAllMyBucketsResult; `continuationToken` only when the page is not the last. */
export function renderBucketList(buckets: readonly ListedBucket[], options: BucketListForm = {}): string {
  let inner = "";
  for (const { name, created, region } of buckets) {
    inner += wrap("Bucket", tag("Name", name) + tag("CreationDate", created) + optionalTag("BucketRegion", region));
  }
  return document(
    "ListAllMyBucketsResult",
    ownerXml(options.owner ?? DEFAULT_OWNER) +
      wrap("Buckets", inner) +
      optionalTag("Prefix", options.prefix) +
      optionalTag("ContinuationToken", options.continuationToken),
  );
}

export interface BucketListPage {
  readonly buckets: readonly ListedBucket[];
  readonly continuationToken?: string | undefined;
}

export function parseBucketList(body: Buffer): BucketListPage {
  const root = parseXmlRoot(body, "ListAllMyBucketsResult");
  const buckets = root.child("Buckets")?.all("Bucket") ?? [];
  return {
    buckets: buckets.map((one) => ({
      name: one.value("Name") ?? "",
      created: one.value("CreationDate") ?? "",
      region: one.value("BucketRegion"),
    })),
    continuationToken: root.value("ContinuationToken") || undefined,
  };
}
