/** What the last verification of each bucket and target found. */
import type { Bucket } from "../model/bucket.ts";
import { configArns } from "../replication/config.ts";
import type { Family, FamilyOptions, Labels } from "../observe/metrics.ts";
import { family } from "../observe/metrics.ts";
import type { LastResult } from "../verify/target.ts";
import type { AdminDeps } from "./deps.ts";

const METRICS: readonly { name: string; help: string; read: (result: LastResult) => number }[] = [
  {
    name: "resilver_verify_equal",
    help: "1 when the last verification found bucket and target equal at its level.",
    read: ({ isEqual }) => (isEqual ? 1 : 0),
  },
  {
    name: "resilver_verify_compared_versions",
    help: "Versions that the last verification compared.",
    read: ({ compared }) => compared,
  },
  {
    name: "resilver_verify_different_versions",
    help: "Versions that the last verification found different.",
    read: ({ different }) => different,
  },
  {
    name: "resilver_verify_timestamp_seconds",
    help: "When the last verification ended, Unix time.",
    read: ({ endedMs }) => endedMs / 1000,
  },
];

const options = (name: string, help: string): FamilyOptions => ({
  name,
  help,
  v2: "bucket",
  v3: { path: "bucket/replication", name },
});

export async function verifyFamilies(deps: AdminDeps, buckets: readonly Bucket[]): Promise<Family[]> {
  if (deps.verifier === undefined) return [];
  const configured = new Set(
    buckets.flatMap(({ name, replication }) =>
      replication === undefined ? [] : configArns(replication).map((arn) => `${name} ${arn}`),
    ),
  );
  const results = (await deps.verifier.results()).filter(({ bucket, arn }) => configured.has(`${bucket} ${arn}`));
  return METRICS.map(({ name, help, read }) =>
    family(
      "gauge",
      options(name, help),
      results.map((result) => {
        const labels: Labels = { bucket: result.bucket, targetArn: result.arn, level: result.level };
        return [labels, read(result)] as const;
      }),
    ),
  );
}
