/** May this replication configuration be stored, and would its targets take what it sends? (replication.md 1.3, 2.5) */
import type { Objects } from "../objects/objects.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import { parseArn, type Arn, type BucketName, type VersionId } from "../model/names.ts";
import { ruleArn, type ReplicationConfig, type ReplicationRule } from "../model/replication-config.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { checkEncryption } from "./encryption.ts";
import { needsOf, tryTarget } from "./probe.ts";
import * as checks from "./target-checks.ts";
import type { KnownTarget, Targets } from "./targets.ts";

const RULES_MAX = 1000;
const RULE_ID_BYTES_MAX = 255;
const TAG_KEY_MAX = 128;
const TAG_VALUE_MAX = 256;

export interface ConfigDeps {
  readonly objects: Objects;
  readonly targets: Targets;
  readonly clock: Clock;
  readonly random: Random;
  readonly hostId: string;
}

/** Distinct ARNs that the configuration sends to. */
export function configArns(config: ReplicationConfig): Arn[] {
  return [...new Set(config.rules.map((rule) => ruleArn(config, rule)))];
}

const malformed = (message: string): StoreError => new StoreError("MalformedXML", { message });

/**
 * Rows 6 to 14 of replication.md 1.3, then every target that a rule begins to send to is tried. Others are not asked, so
 * that rules can be switched off while a target is away; one that is away is only refused a target that it never had.
 */
export async function validateConfig(
  deps: ConfigDeps,
  bucketName: BucketName,
  config: ReplicationConfig,
): Promise<void> {
  const arns = configArns(config);
  for (const arn of arns) {
    parseArn(arn);
    if (arn.split(":")[2] !== "replication")
      throw new StoreError("XMinioAdminRemoteARNTypeInvalid", { bucket: bucketName });
  }
  if (arns.length === 0) throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket: bucketName });
  const known = new Map((await deps.targets.ofBucket(bucketName)).map((target) => [target.record.arn, target]));
  for (const arn of arns) {
    if (!known.has(arn)) throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket: bucketName });
  }
  const bucket = await deps.objects.bucket(bucketName);
  const stored = new Set(bucket.replication === undefined ? [] : configArns(bucket.replication));
  for (const arn of arns) {
    if (stored.has(arn)) continue;
    const { client } = deps.targets.connect(known.get(arn) as KnownTarget);
    await checks.checkBucketThere(client, "RemoteDestinationNotFoundError");
    if (bucket.objectLock !== undefined) await checks.checkLocked(client);
  }
  validateRules(config);
  for (const arn of arns) {
    const [needs, before] = [needsOf({ replication: config }, arn), needsOf(bucket, arn)];
    const more = needs !== undefined && (before === undefined || asksMore(needs, before));
    if (!more) continue;
    try {
      const wanted = { needs, locked: bucket.objectLock !== undefined, real: true };
      await tryTarget(deps, known.get(arn) as KnownTarget, wanted);
    } catch (error) {
      if (!stored.has(arn) || !hasCode(error, "XMinioAdminReplicationRemoteConnectionError")) throw error;
    }
  }
}

const asksMore = (now: checks.WriteNeeds, before: checks.WriteNeeds): boolean =>
  (now.markers && !before.markers) || (now.purges && !before.purges);

function validateRules(config: ReplicationConfig): void {
  if (config.rules.length > RULES_MAX) throw malformed(`A replication configuration has at most ${RULES_MAX} rules`);
  const priorities = new Set<number>();
  for (const rule of config.rules) {
    if (priorities.has(rule.priority)) throw malformed(`Rule priority ${rule.priority} is used twice`);
    priorities.add(rule.priority);
    validateRule(rule);
  }
  const destinations = new Set(config.rules.map((rule) => rule.destination));
  if (config.role !== "" && destinations.size > 1)
    throw malformed("With Role, all rules must have the same destination");
}

function validateRule(rule: ReplicationRule): void {
  if (Buffer.byteLength(rule.id) > RULE_ID_BYTES_MAX)
    throw malformed(`A rule ID has at most ${RULE_ID_BYTES_MAX} bytes`);
  if (!Number.isInteger(rule.priority) || rule.priority < 0)
    throw malformed("A rule priority is a whole number from 0");
  const keys = new Set<string>();
  for (const { key, value } of rule.tags) {
    const sized = key.length > 0 && [...key].length <= TAG_KEY_MAX && [...value].length <= TAG_VALUE_MAX;
    if (!sized) throw malformed("A tag of a filter is too long or has no key");
    if (keys.has(key)) throw malformed(`The filter names the tag "${key}" twice`);
    keys.add(key);
  }
  if (rule.filterForm === "tag" && rule.deleteMarkerReplication) {
    throw malformed("Delete marker replication is not possible with a filter that is a single tag");
  }
}

/** `GET ?replication-check`: dry-run writes on the target of every enabled rule. */
export async function checkConfig(deps: ConfigDeps, bucketName: BucketName): Promise<void> {
  const { replication, objectLock } = await deps.objects.bucket(bucketName);
  if (replication === undefined) throw new StoreError("ReplicationConfigurationNotFoundError", { bucket: bucketName });
  const enabled = { ...replication, rules: replication.rules.filter((rule) => rule.enabled) };
  for (const arn of configArns(enabled)) {
    const connection = deps.targets.connect(await deps.targets.get(bucketName, arn));
    const { client } = connection;
    await checks.checkBucketThere(client, "RemoteDestinationNotFoundError");
    if (objectLock !== undefined) await checks.checkLocked(client);
    await checks.checkVersioned(client);
    if (client.bucket === bucketName && (await checks.isThisSite(client, deps.hostId))) {
      throw new StoreError("XMinioAdminRemoteIdenticalToSource", { bucket: bucketName });
    }
    const versionId = deps.random.uuid() as VersionId;
    await checks.checkWrites(client, {
      key: `minio/${deps.hostId || "node"}/deleteme`,
      versionId,
      nowNs: deps.clock.nowNs(),
    });
    await checkEncryption(deps.objects, bucketName, connection, deps.clock.nowNs());
  }
}
