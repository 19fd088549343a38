/** Both sides of a resync as one stream of keys in order: what its comparison, its proof and its plan go over. */
import type { Objects } from "../objects/objects.ts";
import type { TargetClient } from "../replication/wire.ts";
import { listHere } from "./local-listing.ts";
import { march } from "./march.ts";
import { lookUp, type Listed } from "./named-versions.ts";
import { optionsOf, type ResyncRecord } from "./record.ts";
import { listTarget } from "./target-listing.ts";
import { NoDigests, walkDigests, type DigestStep, type DigestWalk } from "./walk-digests.ts";

export interface Walk {
  readonly objects: Objects;
  readonly record: ResyncRecord;
  readonly client: TargetClient;
  readonly signal: AbortSignal;
  /** Set false once the target's listings turned out to carry no metadata. */
  readonly metadata: { wanted: boolean };
  /** The target may keep digests: then it is not listed. */
  readonly digests?: Pick<DigestWalk, "index" | "clock"> | undefined;
  /** The versions of a job that names them one by one, keys after `afterKey`. */
  readonly named?: ((afterKey: string) => AsyncIterable<Listed>) | undefined;
}

export type WalkStep = DigestStep;

/** Digests are of everything there is: what is left out by age or taken in turns by key is found in listings. */
export function mayAskDigests(record: ResyncRecord, endpoint: { readonly resilver: string | undefined }): boolean {
  const whole = record.beforeMs === Number.MAX_SAFE_INTEGER && optionsOf(record).order !== "current";
  return whole && endpoint.resilver !== undefined;
}

/** Keys after `afterKey` that the job is about, in order, some at a time. Where versions are named, the target is not listed: it is asked. */
export async function* walk(job: Walk, afterKey: string): AsyncGenerator<readonly WalkStep[]> {
  const { objects, record, named, client, signal, metadata } = job;
  if (named !== undefined) {
    for await (const left of lookUp(objects, record.bucket, named(afterKey))) yield [{ kind: "left", left }];
    return;
  }
  const { prefix } = optionsOf(record);
  if (job.digests !== undefined) {
    try {
      yield* walkDigests({ ...job.digests, bucketId: record.bucketId, client, prefix, signal }, afterKey);
      return;
    } catch (error) {
      if (!(error instanceof NoDigests)) throw error;
    }
  }
  const there = listTarget(client, { resyncId: record.id, prefix, afterKey, signal, metadata });
  for await (const step of march(listHere(objects, record.bucket, afterKey, prefix), there)) yield [step];
}
