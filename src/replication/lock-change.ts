/** Object lock that is turned on, or given another default, for a bucket that may already replicate. */
import { isDeepStrictEqual } from "node:util";
import { hasCode, StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import type { BucketName } from "../model/names.ts";
import type { ObjectLockConfig } from "../model/object-lock.ts";
import type { Objects } from "../objects/objects.ts";
import { needsOf } from "./probe.ts";
import { checkLocked } from "./target-checks.ts";
import type { Targets } from "./targets.ts";

interface Deps {
  readonly objects: Objects;
  readonly targets: Targets;
}

/**
 * The change that gives a bucket this object lock. Where it has none yet, every target of an enabled rule is asked first:
 * one without object lock could not keep what it is sent from then on. Throws ReplicationDestinationMissingLockError, and
 * XMinioAdminReplicationRemoteConnectionError for a target that cannot be asked; the change throws OperationAborted when
 * the rules became others meanwhile.
 */
export async function lockChange(
  deps: Deps,
  bucketName: BucketName,
  objectLock: ObjectLockConfig,
): Promise<(bucket: Bucket) => Bucket> {
  const asked = await deps.objects.bucket(bucketName);
  if (asked.objectLock === undefined && asked.replication !== undefined) {
    for (const target of await deps.targets.ofBucket(bucketName)) {
      if (needsOf(asked, target.record.arn) === undefined) continue;
      await checkLocked(deps.targets.connect(target).client).catch((error: unknown) => {
        if (!hasCode(error, "ReplicationDestinationMissingLockError")) throw error;
        throw new StoreError("ReplicationDestinationMissingLockError", {
          message:
            `Rules of this bucket send to "${target.record.targetBucket}", which has no object lock: disable them, ` +
            "turn object lock on here and there, enable them again.",
          cause: error,
        });
      });
    }
  }
  return (bucket) => {
    if (bucket.objectLock === undefined && !isDeepStrictEqual(bucket.replication, asked.replication)) {
      throw new StoreError("OperationAborted", { bucket: bucketName });
    }
    return { ...bucket, objectLock };
  };
}
