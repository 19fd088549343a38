/**
 * Lifecycle rules in the JSON of MinIO's clients (`mc ilm rule export`): the names of S3's XML, lists in the plural, what
 * is not set left out.
 */
import { StoreError } from "../model/errors.ts";
import type { LifecycleFilter, LifecycleRule } from "../model/lifecycle.ts";
import { parseLifecycle } from "./lifecycle-xml.ts";
import { document, tag, wrap } from "./xml.ts";

/** `{Rules: [...]}`. */
export function lifecycleToJson(rules: readonly LifecycleRule[]): Record<string, unknown> {
  return { Rules: rules.map(ruleJson) };
}

function ruleJson(rule: LifecycleRule): Record<string, unknown> {
  const { expiration, noncurrent, abortUploadsDays } = rule;
  const filter = rule.oldForm ? undefined : filterJson(rule.filter);
  return {
    ...(abortUploadsDays !== undefined && {
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: abortUploadsDays },
    }),
    ...(expiration !== undefined && {
      Expiration: {
        ...(expiration.dateMs !== undefined && { Date: new Date(expiration.dateMs).toISOString() }),
        ...(expiration.days !== undefined && { Days: expiration.days }),
        ...(expiration.expiredObjectDeleteMarker && { ExpiredObjectDeleteMarker: true }),
      },
    }),
    ID: rule.id,
    ...(filter !== undefined && { Filter: filter }),
    ...(noncurrent !== undefined && {
      NoncurrentVersionExpiration: {
        ...(noncurrent.days !== undefined && { NoncurrentDays: noncurrent.days }),
        ...(noncurrent.newerVersions !== undefined && { NewerNoncurrentVersions: noncurrent.newerVersions }),
      },
    }),
    ...(rule.oldForm && { Prefix: rule.filter.prefix ?? "" }),
    Status: rule.enabled ? "Enabled" : "Disabled",
  };
}

/** Undefined: everything. Several conditions stand in an `And`. */
function filterJson({ prefix, tags, sizeGreaterThan, sizeLessThan }: LifecycleFilter): object | undefined {
  const pairs = Object.entries(tags ?? {}).map(([Key, Value]) => ({ Key, Value }));
  const rest = {
    ...(prefix !== undefined && prefix !== "" && { Prefix: prefix }),
    ...(sizeLessThan !== undefined && { ObjectSizeLessThan: sizeLessThan }),
    ...(sizeGreaterThan !== undefined && { ObjectSizeGreaterThan: sizeGreaterThan }),
  };
  const conditions = Object.keys(rest).length + pairs.length;
  if (conditions === 0) return undefined;
  if (conditions > 1) return { And: { ...rest, ...(pairs.length > 0 && { Tags: pairs }) } };
  return pairs.length > 0 ? { Tag: pairs[0] } : rest;
}

/** Deeper than any rule is. */
const DEPTH_MAX = 8;
const SINGULAR: Readonly<Record<string, string>> = { Rules: "Rule", Tags: "Tag" };

/**
 * The rules of such a document, by way of the XML that it stands for: what holds for one holds for the other. Throws the
 * StoreErrors of `parseLifecycle`; MalformedXML for what is no object.
 */
export function lifecycleFromJson(json: unknown, newId: () => string): LifecycleRule[] {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new StoreError("MalformedXML", { message: "A lifecycle is an object with Rules." });
  const inner = Object.entries(json).map(([name, value]) => element(name, value, 0));
  return parseLifecycle(Buffer.from(document("LifecycleConfiguration", inner.join(""))), newId);
}

/** Objects without members are how some writers say "not set". */
function element(name: string, value: unknown, depth: number): string {
  if (depth > DEPTH_MAX || !/^[A-Za-z]+$/.test(name))
    throw new StoreError("MalformedXML", { message: `A lifecycle has no member ${name}.` });
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map((item) => element(name, item, depth + 1)).join("");
  const xmlName = SINGULAR[name] ?? name;
  if (typeof value === "object") {
    const inner = Object.entries(value).map(([member, item]) => element(member, item, depth + 1));
    return inner.length === 0 ? "" : wrap(xmlName, inner.join(""));
  }
  return tag(xmlName, String(value));
}
