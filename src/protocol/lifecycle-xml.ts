/** LifecycleConfiguration, both directions (s3-api.md section 16). What this server does not do is refused, never ignored. */
import { StoreError } from "../model/errors.ts";
import type { Expiration, LifecycleFilter, LifecycleRule, NoncurrentExpiration } from "../model/lifecycle.ts";
import { tagXml } from "./s3-xml-bucket.ts";
import { booleanOf, document, integerOf, optionalTag, parseXmlRoot, tag, wrap, type XmlElement } from "./xml.ts";

const RULES_MAX = 1000;
const ID_CHARS_MAX = 255;
const NEWER_VERSIONS_MAX = 100;

function malformed(message: string): StoreError {
  return new StoreError("MalformedXML", { message });
}

function invalid(message: string): StoreError {
  return new StoreError("InvalidArgument", { message });
}

const ELEMENTS = new Set([
  "ID",
  "Status",
  "Prefix",
  "Filter",
  "Expiration",
  "NoncurrentVersionExpiration",
  "AbortIncompleteMultipartUpload",
]);

/**
 * The rules in order; `newId` names those that have no ID. MalformedXML and InvalidArgument as AWS, NotImplemented for
 * transitions and MinIO's own actions: there is no other storage class to move to.
 */
export function parseLifecycle(body: Buffer, newId: () => string): LifecycleRule[] {
  const root = parseXmlRoot(body, "LifecycleConfiguration", "BucketLifecycleConfiguration");
  const rules = root.all("Rule").map((element) => ruleOf(element, newId));
  if (rules.length === 0 || rules.length > RULES_MAX) throw malformed(`A lifecycle has 1 to ${RULES_MAX} rules.`);
  if (new Set(rules.map((rule) => rule.id)).size !== rules.length)
    throw invalid("Rule ID must be unique. Found same ID for more than one rule.");
  return rules;
}

function ruleOf(element: XmlElement, newId: () => string): LifecycleRule {
  for (const child of element.children) {
    if (ELEMENTS.has(child.name)) continue;
    checkDates(child);
    throw new StoreError("NotImplemented", { message: `${child.name} in lifecycle rules is not implemented.` });
  }
  const id = element.value("ID") || newId();
  if (id.length > ID_CHARS_MAX) throw invalid(`ID length should not exceed allowed limit of ${ID_CHARS_MAX}`);
  const status = element.value("Status");
  if (status !== "Enabled" && status !== "Disabled") throw malformed("Status must be Enabled or Disabled.");
  const oldForm = element.child("Prefix") !== undefined;
  if (oldForm && element.child("Filter") !== undefined) throw malformed("Prefix and Filter exclude each other.");
  const filter = oldForm ? { prefix: element.value("Prefix") ?? "" } : filterOf(element.child("Filter"));
  const rule: LifecycleRule = {
    id,
    enabled: status === "Enabled",
    oldForm,
    filter,
    expiration: expirationOf(element.child("Expiration")),
    noncurrent: noncurrentOf(element.child("NoncurrentVersionExpiration")),
    abortUploadsDays: abortDaysOf(element.child("AbortIncompleteMultipartUpload")),
  };
  checkActions(rule);
  return rule;
}

function checkActions({ expiration, noncurrent, abortUploadsDays, filter }: LifecycleRule): void {
  if (expiration === undefined && noncurrent === undefined && abortUploadsDays === undefined)
    throw malformed("At least one action needs to be specified in a rule.");
  const narrow = filter.tags !== undefined || filter.sizeGreaterThan !== undefined || filter.sizeLessThan !== undefined;
  if (!narrow) return;
  const refuse = (action: string): never => {
    throw new StoreError("InvalidRequest", { message: `${action} cannot be specified with tags or sizes.` });
  };
  if (abortUploadsDays !== undefined) refuse("AbortIncompleteMultipartUpload");
  if (expiration?.expiredObjectDeleteMarker) refuse("ExpiredObjectDeleteMarker");
}

const PREDICATES = new Set(["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"]);

function filterOf(element: XmlElement | undefined): LifecycleFilter {
  if (element === undefined) return {};
  const and = element.child("And");
  if (and !== undefined && element.children.length > 1) throw malformed("And is the whole of its Filter.");
  const from = and ?? element;
  if (from.children.some((child) => !PREDICATES.has(child.name))) throw malformed("A Filter has an unknown element.");
  if (and === undefined && from.children.length > 1) throw malformed("Several predicates of a Filter need an And.");
  const tags = from.all("Tag").map((one) => [one.value("Key") ?? "", one.value("Value") ?? ""] as const);
  if (new Set(tags.map(([key]) => key)).size !== tags.length) throw invalid("Duplicate Tag Keys are not allowed.");
  const size = (name: string): number | undefined =>
    from.child(name) === undefined ? undefined : wholeNumber(from, name, 0);
  const prefix = from.value("Prefix");
  const [greater, less] = [size("ObjectSizeGreaterThan"), size("ObjectSizeLessThan")];
  if (greater !== undefined && less !== undefined && greater >= less)
    throw invalid("ObjectSizeGreaterThan must be less than ObjectSizeLessThan.");
  return {
    ...(prefix === undefined ? {} : { prefix }),
    ...(tags.length === 0 ? {} : { tags: Object.fromEntries(tags) }),
    ...(greater === undefined ? {} : { sizeGreaterThan: greater }),
    ...(less === undefined ? {} : { sizeLessThan: less }),
  };
}

function wholeNumber(element: XmlElement, name: string, least: number): number {
  const number = integerOf(element, name, -1);
  if (number < least) throw invalid(`'${name}' must be a whole number of at least ${least}.`);
  return number;
}

function expirationOf(element: XmlElement | undefined): Expiration | undefined {
  if (element === undefined) return undefined;
  if (element.child("ExpiredObjectAllVersions") !== undefined)
    throw new StoreError("NotImplemented", { message: "ExpiredObjectAllVersions is not implemented." });
  const [days, date, marker] = ["Days", "Date", "ExpiredObjectDeleteMarker"].map((name) => element.child(name));
  if ([days, date, marker].filter((one) => one !== undefined).length !== 1)
    throw malformed("Expiration has one of Days, Date and ExpiredObjectDeleteMarker.");
  if (days !== undefined) return { days: wholeNumber(element, "Days", 1) };
  if (date !== undefined) return { dateMs: midnight(date.text) };
  return { expiredObjectDeleteMarker: booleanOf(element, "ExpiredObjectDeleteMarker", false) };
}

function noncurrentOf(element: XmlElement | undefined): NoncurrentExpiration | undefined {
  if (element === undefined) return undefined;
  const newer = element.child("NewerNoncurrentVersions") ?? element.child("MaxNoncurrentVersions");
  const days = element.child("NoncurrentDays");
  if (newer === undefined && days === undefined)
    throw malformed("NoncurrentVersionExpiration needs NoncurrentDays or NewerNoncurrentVersions.");
  const kept = newer === undefined ? undefined : wholeNumber(element, newer.name, 1);
  if (kept !== undefined && kept > NEWER_VERSIONS_MAX)
    throw invalid(`NewerNoncurrentVersions is at most ${NEWER_VERSIONS_MAX}.`);
  return {
    ...(days === undefined ? {} : { days: wholeNumber(element, "NoncurrentDays", 1) }),
    ...(kept === undefined ? {} : { newerVersions: kept }),
  };
}

function abortDaysOf(element: XmlElement | undefined): number | undefined {
  return element === undefined ? undefined : wholeNumber(element, "DaysAfterInitiation", 1);
}

const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?$/;

function midnight(text: string): number {
  const ms = DATE.test(text.trim()) ? Date.parse(text.trim()) : NaN;
  if (Number.isNaN(ms)) throw malformed("The Date of a rule is not an ISO 8601 date.");
  if (ms % 86_400_000 !== 0) throw invalid("'Date' must be at midnight GMT");
  return ms;
}

/** A document that is wrong in itself is told so, whatever would come of it. */
function checkDates(element: XmlElement): void {
  for (const date of element.all("Date")) midnight(date.text);
}

export function renderLifecycle(rules: readonly LifecycleRule[]): string {
  return document("LifecycleConfiguration", rules.map((rule) => wrap("Rule", ruleXml(rule))).join(""));
}

function ruleXml(rule: LifecycleRule): string {
  const { expiration, noncurrent, abortUploadsDays } = rule;
  let out = tag("ID", rule.id) + tag("Status", rule.enabled ? "Enabled" : "Disabled");
  out += rule.oldForm ? tag("Prefix", rule.filter.prefix ?? "") : filterXml(rule.filter);
  if (expiration !== undefined) out += wrap("Expiration", expirationXml(expiration));
  if (noncurrent !== undefined) {
    const days = optionalTag("NoncurrentDays", noncurrent.days);
    out += wrap("NoncurrentVersionExpiration", days + optionalTag("NewerNoncurrentVersions", noncurrent.newerVersions));
  }
  if (abortUploadsDays !== undefined)
    out += wrap("AbortIncompleteMultipartUpload", tag("DaysAfterInitiation", abortUploadsDays));
  return out;
}

function expirationXml({ days, dateMs, expiredObjectDeleteMarker }: Expiration): string {
  if (days !== undefined) return tag("Days", days);
  if (dateMs !== undefined) return tag("Date", new Date(dateMs).toISOString());
  return tag("ExpiredObjectDeleteMarker", expiredObjectDeleteMarker ?? false);
}

function filterXml({ prefix, tags, sizeGreaterThan, sizeLessThan }: LifecycleFilter): string {
  const parts: string[] = [];
  if (prefix !== undefined) parts.push(tag("Prefix", prefix));
  for (const [key, value] of Object.entries(tags ?? {})) parts.push(tagXml(key, value));
  if (sizeGreaterThan !== undefined) parts.push(tag("ObjectSizeGreaterThan", sizeGreaterThan));
  if (sizeLessThan !== undefined) parts.push(tag("ObjectSizeLessThan", sizeLessThan));
  return wrap("Filter", parts.length > 1 ? wrap("And", parts.join("")) : parts.join(""));
}
