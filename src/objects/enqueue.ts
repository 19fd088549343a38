/** Puts versions that exist already into a target's change log: status PENDING and a row, in one commit. */
import type { Bucket } from "../model/bucket.ts";
import type { Arn } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { SummingCommitBuilder, type CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import * as keys from "../storage/keys.ts";
import { decodeVersion, encodeTimedRow, encodeVersion } from "../storage/records.ts";
import { logCounter } from "./rows.ts";
import type { LogRow } from "./types.ts";

export interface EnqueueDeps {
  readonly index: OrderedIndex;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Versions that carry a status for `arn` by now, or are gone, are left out. Rows get the order of `versions`. A version
 * that came from a peer is compared before it is sent: the peer may be this very target. Returns how many were put.
 */
export async function enqueueVersions(
  deps: EnqueueDeps,
  bucket: Bucket,
  arn: Arn,
  versions: readonly Version[],
): Promise<number> {
  for (;;) {
    const commit = new SummingCommitBuilder();
    let count = 0;
    for (const listed of versions) {
      const rowKey = keys.versionRowKey(bucket.id, listed);
      const raw = await deps.index.get(rowKey);
      if (raw === undefined) continue;
      const version = decodeVersion(raw);
      if (version.replication.targets[arn] !== undefined) continue;
      const replication = {
        ...version.replication,
        targets: { ...version.replication.targets, [arn]: "PENDING" as const },
      };
      commit.unchanged(rowKey, raw).put(rowKey, encodeVersion({ ...version, replication }));
      putRow(commit, deps, { bucket, arn, version });
      count++;
    }
    if (count === 0 || (await deps.index.commit(commit)) === "committed") return count;
  }
}

function putRow(commit: CommitBuilder, deps: EnqueueDeps, entry: { bucket: Bucket; arn: Arn; version: Version }): void {
  const { bucket, arn, version } = entry;
  const time = deps.clock.nowNs();
  const object = version.kind === "object";
  const row: LogRow = {
    bucket: bucket.name,
    bucketId: bucket.id,
    key: version.key,
    versionId: version.versionId,
    size: object ? version.size : 0,
    operation: !object ? "delete-marker" : version.replication.replica ? "metadata" : "put",
    time,
    attempts: 0,
  };
  commit.put(keys.logRowKey(keys.SPACE.log, arn, time, deps.random.bytes(8)), encodeTimedRow(row));
  commit.add(logCounter(arn, "count"), 1n).add(logCounter(arn, "bytes"), BigInt(row.size));
}
