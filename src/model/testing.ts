/** Values of this layer for tests of those above. */
import type { ReplicationRule } from "./replication-config.ts";

/** A rule `r` for everything that replicates all there is to `arn`. */
export function testRule(arn: string, more: Partial<ReplicationRule> = {}): ReplicationRule {
  return {
    id: "r",
    enabled: true,
    priority: 1,
    prefix: "",
    tags: [],
    filterForm: "prefix",
    deleteMarkerReplication: true,
    deleteReplication: true,
    existingObjectReplication: true,
    replicaModifications: true,
    destination: arn,
    ...more,
  };
}
