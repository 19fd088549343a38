/** Replication configuration, metrics, check and resync of a bucket (replication.md 1, 2.5, 7, 9.1). */
import { StoreError } from "../../model/errors.ts";
import type { ReplicationConfig } from "../../model/replication-config.ts";
import { RESILVER_DROPPED } from "../../protocol/replication-headers.ts";
import { parseReplicationXml, renderReplicationXml } from "../../protocol/replication-xml.ts";
import { authorize } from "../authorize.ts";
import { readCheckedDocument } from "../body.ts";
import { REPLICATION_CONFIG_BYTES_MAX } from "../limits.ts";
import { EMPTY_OK, jsonReply, xmlReply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";

/** The stored configuration. Throws ReplicationConfigurationNotFoundError. */
async function configOf(request: S3Request): Promise<ReplicationConfig> {
  const { replication } = await request.deps.objects.bucket(request.bucket);
  if (replication === undefined) throw new StoreError("ReplicationConfigurationNotFoundError");
  return replication;
}

export const getBucketReplication: Operation = {
  name: "GetBucketReplication",
  async run(request) {
    await authorize(request, "s3:GetReplicationConfiguration");
    return xmlReply(renderReplicationXml(await configOf(request)));
  },
};

function needsVersioning(): StoreError {
  return new StoreError("InvalidRequest", {
    message: "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
  });
}

export const putBucketReplication: Operation = {
  name: "PutBucketReplication",
  async run(request) {
    const { bucket: name, deps } = request;
    await authorize(request, "s3:PutReplicationConfiguration");
    const { versioning, objectLock } = await deps.objects.bucket(name);
    if (versioning?.status !== "Enabled") throw needsVersioning();
    const replication = parseReplicationXml(await readCheckedDocument(request, REPLICATION_CONFIG_BYTES_MAX));
    await deps.replication.validateConfig(name, replication);
    await deps.objects.updateBucket(name, (bucket) => {
      // Asked again: it may have been suspended while the targets were looked at.
      if (bucket.versioning?.status !== "Enabled") throw needsVersioning();
      // Object lock came meanwhile, which the targets were not asked for.
      if (objectLock === undefined && bucket.objectLock !== undefined) throw new StoreError("OperationAborted");
      return { ...bucket, replication };
    });
    await deps.replication.configChanged(name);
    return EMPTY_OK;
  },
};

export const deleteBucketReplication: Operation = {
  name: "DeleteBucketReplication",
  async run(request) {
    const { bucket: name, deps } = request;
    await authorize(request, "s3:PutReplicationConfiguration");
    await deps.objects.updateBucket(name, ({ replication: _removed, ...bucket }) => bucket);
    await deps.replication.configChanged(name);
    const dropped = await deps.replication.removeAllTargets(name);
    return dropped === 0 ? EMPTY_OK : { ...EMPTY_OK, headers: [RESILVER_DROPPED, String(dropped)] };
  },
};

export const getReplicationMetrics: Operation = {
  name: "GetBucketReplicationMetrics",
  async run(request) {
    await authorize(request, "s3:GetReplicationConfiguration");
    await configOf(request);
    const version = request.query.get("replication-metrics") === "2" ? 2 : 1;
    return jsonReply(await request.deps.replication.metrics(request.bucket, version));
  },
};

export const checkBucketReplication: Operation = {
  name: "ValidateBucketReplicationCreds",
  async run(request) {
    await authorize(request, "s3:GetReplicationConfiguration");
    await configOf(request);
    request.longRunning();
    await request.deps.replication.check(request.bucket);
    return EMPTY_OK;
  },
};
