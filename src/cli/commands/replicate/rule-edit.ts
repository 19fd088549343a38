/** Replication rules from the flags of `replicate add` and `replicate update` (mc-cli.md 6.1, 6.2). Pure. */
import type { ReplicationConfig, ReplicationRule } from "../../../model/replication-config.ts";
import { CommandError } from "../../command.ts";

/** The four kinds of `--replicate`, each with the switch of a rule that it turns on. */
const KINDS = {
  "delete-marker": "deleteMarkerReplication",
  delete: "deleteReplication",
  "existing-objects": "existingObjectReplication",
  "metadata-sync": "replicaModifications",
} as const satisfies Readonly<Record<string, keyof ReplicationRule>>;

/** Names that scripts have for them (replication.md 1.2). */
const ALIASES: Readonly<Record<string, keyof typeof KINDS>> = { "replica-metadata-sync": "metadata-sync" };

type Switches = Pick<ReplicationRule, (typeof KINDS)[keyof typeof KINDS]>;

export interface NewRule {
  readonly id: string;
  readonly arn: string;
  readonly prefix: string;
  readonly priority?: number | undefined;
  readonly replicate?: string | undefined;
  readonly tags?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly disabled: boolean;
}

export interface RuleChange {
  readonly state?: string | undefined;
  readonly priority?: number | undefined;
  readonly replicate?: string | undefined;
  readonly tags?: string | undefined;
  readonly storageClass?: string | undefined;
  /** undefined keeps the rule's prefix. */
  readonly prefix?: string | undefined;
  readonly arn?: string | undefined;
}

function readSwitches(list: string): Switches {
  const names = list
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "")
    .map((name) => ALIASES[name] ?? name);
  for (const name of names) {
    if (!Object.hasOwn(KINDS, name)) {
      throw new CommandError(
        "Invalid --replicate",
        new Error(`\`${name}\` is none of ${Object.keys(KINDS).join(", ")}`),
      );
    }
  }
  const on = (kind: keyof typeof KINDS): boolean => names.includes(kind);
  return {
    deleteMarkerReplication: on("delete-marker"),
    deleteReplication: on("delete"),
    existingObjectReplication: on("existing-objects"),
    replicaModifications: on("metadata-sync"),
  };
}

/** `k=v&k2=v2`; an empty text is no tag. */
export function parseRuleTags(text: string): { key: string; value: string }[] {
  if (text === "") return [];
  return text.split("&").map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new CommandError("Invalid --tags", new Error(`\`${pair}\` is not of the form key=value`));
    return { key: pair.slice(0, at), value: pair.slice(at + 1) };
  });
}

/** `And` also for a lone prefix: the client of MinIO shows a prefix only there (mc-cli.md 6.3). */
function filterForm(prefix: string, tags: readonly unknown[]): ReplicationRule["filterForm"] {
  return prefix === "" && tags.length === 0 ? "prefix" : "and";
}

/** One more than the highest priority in use, 1 for the first rule. */
export function nextPriority(rules: readonly ReplicationRule[]): number {
  return rules.reduce((highest, rule) => Math.max(highest, rule.priority), 0) + 1;
}

/**
 * A rule from the flags of `add`. Without --replicate all four kinds are on; with it metadata-sync stays on whatever is
 * listed, and an empty list is an error.
 */
export function newRule(flags: NewRule, rules: readonly ReplicationRule[]): ReplicationRule {
  if (flags.replicate !== undefined && flags.replicate.trim() === "") {
    throw new CommandError("Invalid --replicate", new Error(`name at least one of ${Object.keys(KINDS).join(", ")}`));
  }
  const priority = flags.priority ?? nextPriority(rules);
  const taken = rules.find((rule) => rule.id === flags.id || rule.priority === priority);
  if (taken?.id === flags.id) throw duplicate(`a rule with ID \`${flags.id}\` is there already`);
  if (taken !== undefined)
    throw duplicate(`priority ${priority} is taken; the next free one is ${nextPriority(rules)}`);
  const tags = parseRuleTags(flags.tags ?? "");
  return {
    id: flags.id,
    enabled: !flags.disabled,
    priority,
    prefix: flags.prefix,
    tags,
    filterForm: filterForm(flags.prefix, tags),
    ...readSwitches(flags.replicate ?? Object.keys(KINDS).join(",")),
    replicaModifications: true,
    destination: flags.arn,
    ...(flags.storageClass === undefined || flags.storageClass === "" ? {} : { storageClass: flags.storageClass }),
  };
}

function duplicate(why: string): CommandError {
  return new CommandError("Unable to add replication rule", new Error(why));
}

/** The configuration with the rule `id` changed. What a flag does not name stays, the prefix included. */
export function changeRule(config: ReplicationConfig, id: string, change: RuleChange): ReplicationConfig {
  const rule = config.rules.find((candidate) => candidate.id === id);
  if (rule === undefined) {
    throw new CommandError("Unable to update replication rule", new Error(`there is no rule with ID \`${id}\``));
  }
  const clash = config.rules.find((other) => other !== rule && other.priority === change.priority);
  if (clash !== undefined) {
    throw new CommandError("Unable to update replication rule", new Error(`priority ${clash.priority} is taken`));
  }
  const prefix = change.prefix ?? rule.prefix;
  const tags = change.tags === undefined ? rule.tags : parseRuleTags(change.tags);
  const filterKept = change.prefix === undefined && change.tags === undefined;
  const changed: ReplicationRule = {
    ...rule,
    enabled: change.state === undefined ? rule.enabled : readState(change.state),
    priority: change.priority ?? rule.priority,
    prefix,
    tags,
    filterForm: filterKept ? rule.filterForm : filterForm(prefix, tags),
    ...(change.replicate === undefined ? {} : readSwitches(change.replicate)),
    destination: change.arn ?? rule.destination,
    ...(change.storageClass === undefined ? {} : { storageClass: change.storageClass || undefined }),
  };
  return { ...config, rules: config.rules.map((candidate) => (candidate === rule ? changed : candidate)) };
}

function readState(text: string): boolean {
  return readSwitch("--state", text);
}

/** `enable` or `disable` (any case, `enabled` too). */
export function readSwitch(flag: string, text: string): boolean {
  const word = text.toLowerCase();
  if (word === "enable" || word === "enabled") return true;
  if (word === "disable" || word === "disabled") return false;
  throw new CommandError(`Invalid ${flag}`, new Error(`\`${text}\` is neither enable nor disable`));
}

const ID_ALPHABET = "0123456789abcdefghijklmnopqrstuv";
export const RULE_ID_LENGTH = 20;

/** A rule ID of the form MinIO's client makes: 20 characters of `0-9a-v`. `bytes` holds RULE_ID_LENGTH random bytes. */
export function ruleIdFrom(bytes: Buffer): string {
  return [...bytes.subarray(0, RULE_ID_LENGTH)].map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join("");
}
