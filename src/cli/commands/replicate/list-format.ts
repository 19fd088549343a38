/** What `replicate ls` prints for one rule (captures.md 8). Pure. */
import type { ReplicationRule } from "../../../model/replication-config.ts";
import { formatRate } from "../../format.ts";
import type { RemoteTarget } from "./remote-target.ts";

/**
 * The block of one rule. The first lines are the ones that scripts know; state, kinds and the target's settings follow,
 * because a list that hides a disabled rule misleads.
 */
export function ruleText(rule: ReplicationRule, arn: string, target: RemoteTarget | undefined): string {
  const remote = target === undefined ? "(no target with this ARN)" : `${target.endpoint}/${target.targetbucket}`;
  const tags = rule.tags.map((tag) => `${tag.key}=${tag.value}`).join("&");
  const lines = [
    `Remote Bucket: ${remote}`,
    `  Rule ID: ${rule.id}`,
    `  Priority: ${rule.priority}`,
    `  ARN: ${arn}`,
    ...(rule.prefix === "" ? [] : [`  Prefix: ${rule.prefix}`]),
    ...(tags === "" ? [] : [`  Tags: ${tags}`]),
    ...(rule.storageClass === undefined ? [] : [`  StorageClass: ${rule.storageClass}`]),
    `  Status: ${rule.enabled ? "Enabled" : "Disabled"}`,
    `  Replicates: ${ruleKinds(rule).join(", ")}`,
    ...(target === undefined ? [] : [`  Target: ${targetSettings(target).join(", ")}`]),
  ];
  return lines.join("\n");
}

function ruleKinds(rule: ReplicationRule): string[] {
  return [
    "objects",
    ...(rule.deleteMarkerReplication ? ["delete-marker"] : []),
    ...(rule.deleteReplication ? ["delete"] : []),
    ...(rule.existingObjectReplication ? ["existing-objects"] : []),
    ...(rule.replicaModifications ? ["metadata-sync"] : []),
  ];
}

function targetSettings(target: RemoteTarget): string[] {
  const limit = target.bandwidthlimit ?? 0;
  return [
    target.replicationSync ? "synchronous" : "asynchronous",
    target.disableProxy ? "no proxy" : "proxy",
    limit === 0 ? "no bandwidth limit" : `at most ${formatRate(limit)}`,
    ...(target.isOnline === undefined ? [] : [target.isOnline ? "online" : "offline"]),
  ];
}
