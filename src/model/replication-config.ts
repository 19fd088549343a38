/**
 * The replication configuration of a bucket and how a rule is chosen (replication.md 1.2 to 1.4).
 * Pure: XML lives in `protocol/`, sending in `replication/`.
 */
import type { Arn, ObjectKey } from "./names.ts";
import type { Tags, Version } from "./version.ts";

export interface ReplicationRule {
  readonly id: string;
  readonly enabled: boolean;
  readonly priority: number;
  readonly prefix: string;
  /** Empty: no tag filter. Several: MinIO matches when ANY is on the object. */
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  /** How the filter was written, so that a GET answers the same form. */
  readonly filterForm: "prefix" | "tag" | "and";
  readonly deleteMarkerReplication: boolean;
  readonly deleteReplication: boolean;
  readonly existingObjectReplication: boolean;
  readonly replicaModifications: boolean;
  /** `Destination/Bucket` as written: normally the ARN. */
  readonly destination: string;
  readonly storageClass?: string | undefined;
}

export interface ReplicationConfig {
  readonly rules: readonly ReplicationRule[];
  /** Legacy `Role`: when set, the only ARN. */
  readonly role: string;
}

/** What happened to a version, for the question "which targets must follow". */
export type ReplicatedOperation = "put" | "metadata" | "delete-marker" | "purge" | "existing";

export interface RuleQuestion {
  readonly key: ObjectKey;
  readonly tags: Tags | undefined;
  readonly operation: ReplicatedOperation;
  /** The version came from a peer: only metadata edits made here travel back, and only with ReplicaModifications. */
  readonly replica: boolean;
}

/** ARN a rule sends to. */
export function ruleArn(config: ReplicationConfig, rule: ReplicationRule): Arn {
  return (config.role !== "" ? config.role : rule.destination) as Arn;
}

function matches(rule: ReplicationRule, key: string, tags: Tags | undefined): boolean {
  if (!rule.enabled || !key.startsWith(rule.prefix)) return false;
  if (rule.tags.length === 0) return true;
  return tags !== undefined && rule.tags.some((tag) => tags[tag.key] === tag.value);
}

function allows(rule: ReplicationRule, question: RuleQuestion): boolean {
  switch (question.operation) {
    case "put":
      return !question.replica;
    case "metadata":
      return !question.replica || rule.replicaModifications;
    case "delete-marker":
      return rule.deleteMarkerReplication;
    case "purge":
      return rule.deleteReplication;
    case "existing":
      return rule.existingObjectReplication;
  }
}

/**
 * The ARNs that must receive what `question` describes: for each ARN the matching enabled rule with the highest
 * priority decides alone (replication.md 1.4).
 */
export function targetsFor(config: ReplicationConfig | undefined, question: RuleQuestion): Arn[] {
  if (config === undefined || config.rules.length === 0) return [];
  const deciding = new Map<Arn, ReplicationRule>();
  for (const rule of config.rules) {
    if (!matches(rule, question.key, question.tags)) continue;
    const arn = ruleArn(config, rule);
    const best = deciding.get(arn);
    if (best === undefined || rule.priority > best.priority) deciding.set(arn, rule);
  }
  const out: Arn[] = [];
  for (const [arn, rule] of deciding) if (allows(rule, question)) out.push(arn);
  return out;
}

/** True when `version` has to follow a rule for existing objects to `arn`: the deciding rule must allow its kind too. */
export function followsExisting(config: ReplicationConfig | undefined, arn: Arn, version: Version): boolean {
  const tags = version.kind === "object" ? version.tags?.value : undefined;
  const asked = (operation: ReplicatedOperation): boolean =>
    targetsFor(config, { key: version.key, tags, operation, replica: false }).includes(arn);
  if (!asked("existing")) return false;
  return version.kind === "object" || asked("delete-marker") || asked("purge");
}

/** Targets that may be asked for `key` when it is not here: enabled rules by prefix, none with tags (replication.md 8). */
export function readTargets(config: ReplicationConfig, key: string): Arn[] {
  const asked = new Set<Arn>();
  for (const rule of config.rules) {
    if (rule.enabled && rule.tags.length === 0 && key.startsWith(rule.prefix)) asked.add(ruleArn(config, rule));
  }
  return [...asked];
}
