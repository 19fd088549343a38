/** The tree of `admin policy entities`. Pure. */

/** The answer of the server (admin-api.md 3.4); absent lists were not asked for. */
export interface PolicyEntities {
  readonly timestamp: string;
  readonly userMappings?: readonly UserMapping[] | null | undefined;
  readonly groupMappings?: readonly GroupMapping[] | null | undefined;
  readonly policyMappings?: readonly PolicyMapping[] | null | undefined;
}

interface GroupMapping {
  readonly group: string;
  readonly policies?: readonly string[] | null | undefined;
}

interface UserMapping {
  readonly user: string;
  readonly policies?: readonly string[] | null | undefined;
  readonly memberOfMappings?: readonly GroupMapping[] | null | undefined;
}

interface PolicyMapping {
  readonly policy: string;
  readonly users?: readonly string[] | null | undefined;
  readonly groups?: readonly string[] | null | undefined;
}

type Names = readonly string[] | null | undefined;

export function entitiesText(entities: PolicyEntities): string {
  const lines = [`Query time: ${entities.timestamp}`];
  const list = (title: string, names: Names, depth: number): string[] => {
    const indent = " ".repeat(depth);
    return names === null || names === undefined || names.length === 0
      ? []
      : [`${indent}${title}:`, ...names.map((name) => `${indent}  ${name}`)];
  };
  const users = entities.userMappings ?? [];
  if (users.length > 0) lines.push("User -> Policy Mappings:");
  for (const { user, policies, memberOfMappings } of users) {
    lines.push(`  User: ${user}`, ...list("Policies", policies, 4));
    for (const group of memberOfMappings ?? [])
      lines.push(`    Group: ${group.group}`, ...list("Policies", group.policies, 6));
  }
  const groups = entities.groupMappings ?? [];
  if (groups.length > 0) lines.push("Group -> Policy Mappings:");
  for (const { group, policies } of groups) lines.push(`  Group: ${group}`, ...list("Policies", policies, 4));
  const policies = entities.policyMappings ?? [];
  if (policies.length > 0) lines.push("Policy -> Entity Mappings:");
  for (const mapping of policies) {
    lines.push(`  Policy: ${mapping.policy}`, ...list("User Mappings", mapping.users, 4));
    lines.push(...list("Group Mappings", mapping.groups, 4));
  }
  return lines.join("\n");
}
