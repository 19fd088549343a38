/** Which target a resync is about, and the refusals of replication.md 7.1. */
import { StoreError } from "../model/errors.ts";
import type { Arn, BucketName } from "../model/names.ts";
import { ruleArn, type ReplicationConfig } from "../model/replication-config.ts";
import { configArns } from "../replication/config.ts";

/** Rendered as JSON by the S3 layer, as MinIO does for this call. */
export function badRequest(bucket: BucketName, message: string): StoreError {
  return new StoreError("BadRequest", {
    bucket,
    message: `400 BadRequest (Invalid arguments provided for ${bucket}/: (${message}))`,
  });
}

/** The ARN to resync; may be left out when there is only one (7.1). */
export function chosenArn(bucket: BucketName, config: ReplicationConfig, given: string): Arn {
  const enabled = config.rules.filter((rule) => rule.enabled);
  const arns = configArns({ ...config, rules: enabled });
  if (given === "") {
    const [only] = arns;
    if (arns.length !== 1 || only === undefined) throw badRequest(bucket, "target ARN specified for resync is empty");
    return checkExisting(bucket, config, only);
  }
  if (!configArns(config).includes(given as Arn))
    throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket });
  if (enabled.length === 0) throw badRequest(bucket, "no rule is enabled");
  return checkExisting(bucket, config, given as Arn);
}

function checkExisting(bucket: BucketName, config: ReplicationConfig, arn: Arn): Arn {
  const some = config.rules.some(
    (rule) => rule.enabled && rule.existingObjectReplication && ruleArn(config, rule) === arn,
  );
  if (!some) throw new StoreError("XMinioReplicationNoExistingObjects", { bucket });
  return arn;
}
