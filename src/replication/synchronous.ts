/**
 * Synchronous targets (`replicationSync`, replication.md 2.7): while a bucket has one that must receive a write, the
 * write is answered when every target was tried. It is on disk before; whatever becomes of the wait, it is acknowledged.
 */
import type { Arn, BucketName } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import type { Clock } from "../runtime/clock.ts";
import { SYNC_LOOK_MAX_MS, SYNC_WAIT_MAX_MS } from "./limits.ts";
import type { KnownTarget, Targets } from "./targets.ts";

export interface SynchronousDeps {
  readonly objects: Objects;
  readonly targets: Targets;
  readonly clock: Clock;
  readonly warn: (message: string, error: unknown) => void;
}

const pendingOf = (version: Version): Arn[] => {
  const arns: Arn[] = [];
  for (const arn in version.replication.targets)
    if (version.replication.targets[arn] === "PENDING") arns.push(arn as Arn);
  return arns;
};

/** The same objects, whose writes wait for synchronous targets. A write that nothing follows costs nothing more. */
export function withSynchronousTargets(deps: SynchronousDeps): Objects {
  const { objects } = deps;
  const waited = async (bucket: BucketName, version: Version): Promise<void> => {
    const arns = pendingOf(version);
    if (arns.length === 0) return;
    try {
      await untilTried(deps, bucket, version, arns);
    } catch (error) {
      // The write stands and its rows are in the log: only the wait failed.
      deps.warn("a synchronous target could not be waited for", error);
    }
  };
  const stored =
    <Request extends { readonly bucket: BucketName }, Result extends { readonly version: Version }>(
      write: (request: Request) => Promise<Result>,
    ) =>
    async (request: Request): Promise<Result> => {
      const result = await write(request);
      await waited(request.bucket, result.version);
      return result;
    };
  const changed =
    <Value, Result extends Version>(
      write: (selector: Parameters<Objects["setTags"]>[0], value: Value) => Promise<Result>,
    ) =>
    async (selector: Parameters<Objects["setTags"]>[0], value: Value): Promise<Result> => {
      const version = await write(selector, value);
      await waited(selector.bucket, version);
      return version;
    };
  return {
    ...objects,
    put: stored(objects.put),
    copy: stored(objects.copy),
    completeUpload: stored(objects.completeUpload),
    setTags: changed(objects.setTags),
  };
}

async function untilTried(
  { objects, targets, clock }: SynchronousDeps,
  bucket: BucketName,
  { key, versionId }: Version,
  arns: readonly Arn[],
): Promise<void> {
  if (!(await targets.isSynchronous((await objects.bucket(bucket)).id))) return;
  const known = (await targets.ofBucket(bucket)).filter(({ record }) => arns.includes(record.arn));
  if (!known.some(({ record }) => record.sync)) return;
  // A target that is away is not waited for: its rows wait in the log.
  const reachable = (target: KnownTarget): boolean => targets.connect(target).endpoint.isOpenForWork;
  // By what was waited, not by the clock: a client must not wait for as long as that is set back.
  for (let waitMs = 1, waitedMs = 0; waitedMs < SYNC_WAIT_MAX_MS; waitMs = Math.min(waitMs * 2, SYNC_LOOK_MAX_MS)) {
    const found = await objects.version({ bucket, key, versionId });
    if (found === undefined) return;
    const still = pendingOf(found.version);
    if (!known.some((target) => still.includes(target.record.arn) && reachable(target))) return;
    await clock.sleep(waitMs);
    waitedMs += waitMs;
  }
}
