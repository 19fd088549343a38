/**
 * ReplicationConfiguration as XML and as the JSON of mc's export and import (replication.md 1.2 and 1.3, captures.md
 * sections 4 and 8). Both readers check the same rules: every violation is MalformedXML with its reason. ARNs, remote
 * buckets and versioning are checked by whoever can reach them.
 */
import { StoreError } from "../model/errors.ts";
import type { ReplicationConfig, ReplicationRule } from "../model/replication-config.ts";
import { parseXmlRoot, tag, wrap, type XmlElement } from "./xml.ts";

const RULES_MAX = 1000;
const ID_BYTES_MAX = 255;
const TAG_KEY_RUNES_MAX = 128;
const TAG_VALUE_RUNES_MAX = 256;

interface RawTag {
  readonly key: string;
  readonly value: string;
}

/** A rule as written, before any check. Undefined: the element is absent. */
interface RawRule {
  readonly id: string;
  readonly status: string | undefined;
  readonly priority: string;
  readonly deleteMarkers: string | undefined;
  readonly deletes: string | undefined;
  readonly existing: string | undefined;
  readonly replicaModifications: string | undefined;
  readonly destination: string | undefined;
  readonly storageClass: string;
  /** Prefix of the rule itself, the oldest form. */
  readonly rulePrefix: string;
  readonly prefix: string;
  readonly tag: RawTag | undefined;
  readonly and: { readonly prefix: string; readonly tags: readonly RawTag[] } | undefined;
}

function malformed(message: string): StoreError {
  return new StoreError("MalformedXML", { message });
}

function enabled(name: string, value: string | undefined, whenAbsent: boolean): boolean {
  if (value === undefined || value === "") return whenAbsent;
  if (value === "Enabled") return true;
  if (value === "Disabled") return false;
  throw malformed(`${name} Status must be Enabled or Disabled.`);
}

function checkTags(tags: readonly RawTag[]): void {
  const seen = new Set<string>();
  for (const { key, value } of tags) {
    const runes = [...key].length;
    if (runes === 0 || runes > TAG_KEY_RUNES_MAX)
      throw malformed(`A tag key has 1 to ${TAG_KEY_RUNES_MAX} characters.`);
    if ([...value].length > TAG_VALUE_RUNES_MAX) {
      throw malformed(`A tag value has at most ${TAG_VALUE_RUNES_MAX} characters.`);
    }
    if (seen.has(key)) throw malformed(`The filter names the tag ${key} twice.`);
    seen.add(key);
  }
}

type Filter = Pick<ReplicationRule, "prefix" | "tags" | "filterForm">;

/** mc sends all three forms at once with the unused ones empty: an empty one counts as absent. */
function checkFilter(raw: RawRule): Filter {
  const and = raw.and !== undefined && (raw.and.prefix !== "" || raw.and.tags.length > 0) ? raw.and : undefined;
  const single = raw.tag !== undefined && (raw.tag.key !== "" || raw.tag.value !== "") ? raw.tag : undefined;
  const prefix = raw.prefix !== "" ? raw.prefix : raw.rulePrefix;
  const forms = (and === undefined ? 0 : 1) + (single === undefined ? 0 : 1) + (prefix === "" ? 0 : 1);
  if (forms > 1) throw malformed("A Filter must have exactly one of Prefix, Tag, or And.");
  if (and !== undefined) {
    checkTags(and.tags);
    return { prefix: and.prefix, tags: and.tags, filterForm: "and" };
  }
  if (single !== undefined) {
    checkTags([single]);
    return { prefix: "", tags: [single], filterForm: "tag" };
  }
  return { prefix, tags: [], filterForm: "prefix" };
}

function checkRule(raw: RawRule): ReplicationRule {
  if (Buffer.byteLength(raw.id) > ID_BYTES_MAX) throw malformed(`The ID of a rule has at most ${ID_BYTES_MAX} bytes.`);
  if (raw.status !== "Enabled" && raw.status !== "Disabled")
    throw malformed("The Status of a rule must be Enabled or Disabled.");
  if (raw.priority !== "" && !/^[+-]?\d{1,9}$/.test(raw.priority))
    throw malformed("The Priority of a rule must be a whole number.");
  const priority = Number(raw.priority);
  if (priority < 0) throw malformed("The Priority of a rule must not be negative.");
  if (raw.deleteMarkers === undefined) throw malformed("Delete marker replication must be specified");
  if (raw.deleteMarkers === "") throw malformed("DeleteMarkerReplication Status must be Enabled or Disabled.");
  const deleteMarkerReplication = enabled("DeleteMarkerReplication", raw.deleteMarkers, false);
  const destination = raw.destination ?? "";
  if (!destination.startsWith("arn:minio:") && !destination.startsWith("arn:aws:s3:::")) {
    throw malformed("The Destination of a rule must be the ARN of a remote target.");
  }
  if (!["", "STANDARD", "REDUCED_REDUNDANCY"].includes(raw.storageClass)) {
    throw malformed("The StorageClass of a destination must be STANDARD or REDUCED_REDUNDANCY.");
  }
  const filter = checkFilter(raw);
  if (filter.filterForm === "tag" && deleteMarkerReplication) {
    throw malformed("Delete marker replication is not supported if any Tag filter is specified");
  }
  return {
    id: raw.id,
    enabled: raw.status === "Enabled",
    priority,
    ...filter,
    deleteMarkerReplication,
    deleteReplication: enabled("DeleteReplication", raw.deletes, false),
    existingObjectReplication: enabled("ExistingObjectReplication", raw.existing, false),
    replicaModifications: enabled("ReplicaModifications", raw.replicaModifications, true),
    destination,
    ...(raw.storageClass === "" ? {} : { storageClass: raw.storageClass }),
  };
}

function checkConfig(rules: readonly RawRule[], role: string): ReplicationConfig {
  if (rules.length === 0) throw malformed("Replication configuration should have at least one rule");
  if (rules.length > RULES_MAX) throw malformed(`Replication configuration allows a maximum of ${RULES_MAX} rules`);
  const checked = rules.map(checkRule);
  const priorities = new Set(checked.map((rule) => rule.priority));
  if (priorities.size !== checked.length) throw malformed("Replication configuration has duplicate priority");
  if (role !== "" && new Set(checked.map((rule) => rule.destination)).size > 1) {
    throw malformed("With a Role, all rules must have one and the same Destination.");
  }
  return { rules: checked, role };
}

function trimmed(element: XmlElement | undefined, name: string): string | undefined {
  return element?.value(name)?.trim();
}

/** The Status child; "" when the element is there without one, undefined when it is absent. */
function statusOf(element: XmlElement | undefined): string | undefined {
  return element === undefined ? undefined : (trimmed(element, "Status") ?? "");
}

function tagOf(element: XmlElement): RawTag {
  return { key: element.value("Key") ?? "", value: element.value("Value") ?? "" };
}

function rawRule(element: XmlElement): RawRule {
  const filter = element.child("Filter");
  const and = filter?.child("And");
  const single = filter?.child("Tag");
  const destination = element.child("Destination");
  return {
    id: trimmed(element, "ID") ?? "",
    status: trimmed(element, "Status"),
    priority: trimmed(element, "Priority") ?? "",
    deleteMarkers: statusOf(element.child("DeleteMarkerReplication")),
    deletes: statusOf(element.child("DeleteReplication")),
    existing: statusOf(element.child("ExistingObjectReplication")),
    replicaModifications: statusOf(element.child("SourceSelectionCriteria")?.child("ReplicaModifications")),
    destination: trimmed(destination, "Bucket"),
    storageClass: trimmed(destination, "StorageClass") ?? "",
    rulePrefix: element.value("Prefix") ?? "",
    prefix: filter?.value("Prefix") ?? "",
    tag: single && tagOf(single),
    and: and && { prefix: and.value("Prefix") ?? "", tags: and.all("Tag").map(tagOf) },
  };
}

/** Reads and checks a configuration document. */
export function parseReplicationXml(body: Buffer): ReplicationConfig {
  const root = parseXmlRoot(body, "ReplicationConfiguration");
  return checkConfig(root.all("Rule").map(rawRule), trimmed(root, "Role") ?? "");
}

function statusXml(name: string, on: boolean): string {
  return wrap(name, tag("Status", on ? "Enabled" : "Disabled"));
}

function filterXml(rule: ReplicationRule): string {
  const tags = rule.tags.map(({ key, value }) => wrap("Tag", tag("Key", key) + tag("Value", value))).join("");
  if (rule.filterForm === "and")
    return wrap("Filter", wrap("And", (rule.prefix === "" ? "" : tag("Prefix", rule.prefix)) + tags));
  return wrap("Filter", rule.filterForm === "tag" ? tags : tag("Prefix", rule.prefix));
}

function ruleXml(rule: ReplicationRule): string {
  const storageClass = rule.storageClass === undefined ? "" : tag("StorageClass", rule.storageClass);
  return wrap(
    "Rule",
    tag("ID", rule.id) +
      tag("Status", rule.enabled ? "Enabled" : "Disabled") +
      tag("Priority", rule.priority) +
      statusXml("DeleteMarkerReplication", rule.deleteMarkerReplication) +
      statusXml("DeleteReplication", rule.deleteReplication) +
      wrap("Destination", tag("Bucket", rule.destination) + storageClass) +
      wrap("SourceSelectionCriteria", statusXml("ReplicaModifications", rule.replicaModifications)) +
      filterXml(rule) +
      statusXml("ExistingObjectReplication", rule.existingObjectReplication),
  );
}

/** No prolog, no namespace, rules before the role, as MinIO answers. */
export function renderReplicationXml(config: ReplicationConfig): string {
  return wrap("ReplicationConfiguration", config.rules.map(ruleXml).join("") + tag("Role", config.role));
}

interface JsonStatus {
  readonly Status: "Enabled" | "Disabled";
}
interface JsonTag {
  readonly Key?: string;
  readonly Value?: string;
}
/** One rule as mc shows it. */
export interface ReplicationRuleJson {
  readonly ID: string;
  readonly Status: "Enabled" | "Disabled";
  readonly Priority: number;
  readonly DeleteMarkerReplication: JsonStatus;
  readonly DeleteReplication: JsonStatus;
  readonly Destination: { readonly Bucket: string; readonly StorageClass?: string };
  readonly Filter: {
    readonly Prefix?: string;
    readonly And: { readonly Prefix?: string; readonly Tag?: readonly JsonTag[] };
    readonly Tag: JsonTag;
  };
  readonly SourceSelectionCriteria: { readonly ReplicaModifications: JsonStatus };
  readonly ExistingObjectReplication: JsonStatus;
}
export interface ReplicationConfigJson {
  readonly Rules: readonly ReplicationRuleJson[];
  readonly Role: string;
}

function jsonStatus(on: boolean): JsonStatus {
  return { Status: on ? "Enabled" : "Disabled" };
}

function jsonTag(one: RawTag): JsonTag {
  return { Key: one.key, Value: one.value };
}

/** A rule in the JSON of `mc replicate ls --json`. */
export function ruleToJson(rule: ReplicationRule): ReplicationRuleJson {
  const [first] = rule.tags;
  const and = rule.filterForm === "and";
  return {
    ID: rule.id,
    Status: rule.enabled ? "Enabled" : "Disabled",
    Priority: rule.priority,
    DeleteMarkerReplication: jsonStatus(rule.deleteMarkerReplication),
    DeleteReplication: jsonStatus(rule.deleteReplication),
    Destination: {
      Bucket: rule.destination,
      ...(rule.storageClass === undefined ? {} : { StorageClass: rule.storageClass }),
    },
    Filter: {
      ...(!and && rule.prefix !== "" ? { Prefix: rule.prefix } : {}),
      And: {
        ...(and && rule.prefix !== "" ? { Prefix: rule.prefix } : {}),
        ...(and && rule.tags.length > 0 ? { Tag: rule.tags.map(jsonTag) } : {}),
      },
      Tag: rule.filterForm === "tag" && first !== undefined ? jsonTag(first) : {},
    },
    SourceSelectionCriteria: { ReplicaModifications: jsonStatus(rule.replicaModifications) },
    ExistingObjectReplication: jsonStatus(rule.existingObjectReplication),
  };
}

/** The whole configuration in the JSON of `mc replicate export`. */
export function replicationToJson(config: ReplicationConfig): ReplicationConfigJson {
  return { Rules: config.rules.map(ruleToJson), Role: config.role };
}

/** A member of an unknown value; undefined when there is none. */
function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown, name: string): string | undefined {
  const found = member(value, name);
  if (found === undefined || found === null) return undefined;
  if (typeof found !== "string" && typeof found !== "number") throw malformed(`${name} must be text.`);
  return String(found);
}

function list(value: unknown, name: string): readonly unknown[] {
  const found = member(value, name) ?? [];
  if (!Array.isArray(found)) throw malformed(`${name} must be a list.`);
  return found;
}

function rawRuleOfJson(value: unknown): RawRule {
  const filter = member(value, "Filter");
  const and = member(filter, "And");
  // Some exports say Tags where mc says Tag.
  const andTags = [...list(and, "Tag"), ...list(and, "Tags")];
  const single = member(filter, "Tag");
  const destination = member(value, "Destination");
  const status = (owner: unknown, name: string): string | undefined => {
    const element = member(owner, name);
    return element === undefined || element === null ? undefined : (text(element, "Status") ?? "");
  };
  const rawTag = (one: unknown): RawTag => ({ key: text(one, "Key") ?? "", value: text(one, "Value") ?? "" });
  return {
    id: text(value, "ID") ?? "",
    status: text(value, "Status"),
    priority: text(value, "Priority") ?? "",
    deleteMarkers: status(value, "DeleteMarkerReplication"),
    deletes: status(value, "DeleteReplication"),
    existing: status(value, "ExistingObjectReplication"),
    replicaModifications: status(member(value, "SourceSelectionCriteria"), "ReplicaModifications"),
    destination: text(destination, "Bucket"),
    storageClass: text(destination, "StorageClass") ?? "",
    rulePrefix: "",
    prefix: text(filter, "Prefix") ?? "",
    tag: single === undefined || single === null ? undefined : rawTag(single),
    and:
      and === undefined || and === null ? undefined : { prefix: text(and, "Prefix") ?? "", tags: andTags.map(rawTag) },
  };
}

/** Reads and checks the JSON of `mc replicate export`. Text that is no JSON is the caller's to refuse. */
export function replicationFromJson(value: unknown): ReplicationConfig {
  return checkConfig(list(value, "Rules").map(rawRuleOfJson), text(value, "Role") ?? "");
}
