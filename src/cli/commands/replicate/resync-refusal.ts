/** Why the rules of a bucket do not let a resync start, and what to type. */
import type { ReplicationConfig } from "../../../model/replication-config.ts";
import { ruleArn } from "../../../model/replication-config.ts";

/** Codes of refusals that the rules may be the reason of. */
export const NO_RULE_FITS = [
  "XMinioReplicationNoExistingObjects",
  "XMinioAdminRemoteTargetNotFoundError",
  "BadRequest",
];

/** What to change, when the rules are why a resync to `arn` was refused. */
export function whyNoRuleFits(config: ReplicationConfig, arn: string, url: string): string | undefined {
  const rules = config.rules.filter((rule) => ruleArn(config, rule) === arn);
  const [rule] = rules;
  if (rule === undefined) {
    const arns = [...new Set(config.rules.map((each) => ruleArn(config, each)))];
    return `no rule of ${url} has the target ${arn}; it has ${arns.join(", ")}`;
  }
  const change = `run mc replicate update ${url} --id ${rule.id}`;
  if (rules.every((each) => !each.enabled)) return `the rule for this target is disabled; ${change} --state enable`;
  if (rules.some((each) => each.enabled && each.existingObjectReplication)) return undefined;
  return `no rule for this target takes existing objects; ${change} --replicate ...,existing-objects`;
}
