/**
 * Many small versions to a target of our own in one request, for whoever has them all in hand: no promise, no lookup of the
 * bucket, no commit for each. It says which have arrived; every other is for `sendVersion` to bring there, or to tell why not.
 */
import type { Bucket } from "../model/bucket.ts";
import type { ObjectVersion, Version } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import {
  encodeIngestItem,
  INGEST_BYTES_MAX,
  INGEST_ITEMS_MAX,
  INGEST_OBJECT_BYTES_MAX,
  type IngestResult,
} from "../protocol/ingest.ts";
import { newObjectHeaders, type SendMarks } from "./headers.ts";
import type { SendTarget } from "./send-types.ts";

/**
 * `sent`: the target stored it, as `version` says. `again`: an attempt failed, or its end is not known. `alone`: nothing was
 * tried, or the target has something of that version already.
 */
export type TogetherOutcome =
  | { readonly kind: "sent"; readonly version: ObjectVersion }
  | { readonly kind: "again" }
  | { readonly kind: "alone" };

export interface TogetherRequest {
  readonly bucket: Bucket;
  /** Plain ones that fit into one request; as they were seen a moment ago. */
  readonly versions: readonly ObjectVersion[];
  readonly marks: SendMarks;
  readonly signal?: AbortSignal | undefined;
}

export interface GroupLimits {
  /** Versions of one group. */
  readonly versions: number;
  /** Bytes of its bodies. */
  readonly bytes: number;
}

/** What something takes of a request. */
export interface Room {
  readonly count: number;
  readonly bytes: number;
}

/** Room for what an item says beside its bytes: keys, ETags and times; metadata may be 2 KiB, tags are bounded. */
export const ITEM_HEAD_BYTES = 8 * 1024;
/** Versions that are made ready before others get their turn. */
const VERSIONS_PER_TURN = 64;

const AGAIN: TogetherOutcome = { kind: "again" };
const ALONE: TogetherOutcome = { kind: "alone" };

/** An object of a single small piece with its bytes in the index, as they are. */
export function isPlain(version: Version): version is ObjectVersion {
  if (version.kind !== "object" || version.damaged !== undefined || version.encryption !== undefined) return false;
  return version.blob?.inline === true && version.size <= INGEST_OBJECT_BYTES_MAX;
}

/** In their order, cut into groups that travel in one request; what has no room there is a group of its own. */
export function* cutForRequests<T>(
  all: readonly T[],
  measure: (one: T) => Room | undefined,
  limits: GroupLimits = { versions: INGEST_ITEMS_MAX, bytes: INGEST_BYTES_MAX },
): Generator<T[]> {
  const most = Math.min(limits.versions, INGEST_ITEMS_MAX);
  const roomiest = Math.min(limits.bytes, INGEST_BYTES_MAX);
  let group: T[] = [];
  let [count, bytes] = [0, 0];
  for (const one of all) {
    const room = measure(one);
    const fits = room !== undefined && count + room.count <= most && bytes + room.bytes <= roomiest;
    if (group.length > 0 && !fits) {
      yield group;
      group = [];
      [count, bytes] = [0, 0];
    }
    if (room === undefined) {
      yield [one];
      continue;
    }
    group.push(one);
    count += room.count;
    bytes += room.bytes;
  }
  if (group.length > 0) yield group;
}

/**
 * An outcome for each version, in their order. Tags and locks travel as they were seen: who changes them wins by the time
 * of the change, and a status COMPLETED is not given to a version that was changed since.
 * Rejects only when this site's index cannot be read.
 */
export function sendTogether(
  objects: Objects,
  target: SendTarget,
  request: TogetherRequest,
): Promise<TogetherOutcome[]> {
  const send = (): Promise<TogetherOutcome[]> => sendNow(objects, target, request);
  if (target.mutex === undefined) return send();
  const place = `${target.arn}/${request.bucket.id}/`;
  return target.mutex.runAll(
    request.versions.map(({ key }) => place + key),
    send,
  );
}

async function sendNow(objects: Objects, target: SendTarget, request: TogetherRequest): Promise<TogetherOutcome[]> {
  const { bucket, versions, marks, signal } = request;
  const out: TogetherOutcome[] = versions.map(() => ALONE);
  const { ingest } = target;
  if (ingest?.isSpoken !== true) return out;
  const bytes = versions.reduce((sum, { size }) => sum + size, 0);
  await target.limiter?.take(bytes, signal);
  if (signal?.aborted === true) return out;
  const startMs = target.observer?.begin();
  const bodies = await objects.smallBodies(versions);
  const pieces: Buffer[] = [];
  const sent: number[] = [];
  for (const [at, body] of bodies.entries()) {
    // Gone or replaced since it was seen: a sender of one version finds out by what.
    if (body === undefined) continue;
    const version = versions[at] as ObjectVersion;
    const { key, versionId } = version;
    const headers = newObjectHeaders(version, marks, { mtime: true, etag: true });
    pieces.push(...encodeIngestItem({ key, versionId, headers, body }));
    sent.push(at);
    if (sent.length % VERSIONS_PER_TURN === 0) await target.clock.sleep(0);
  }
  if (sent.length === 0) return out;
  const results = await ingest.putAll(pieces, sent.length);
  for (const [i, at] of sent.entries()) {
    const version = versions[at] as ObjectVersion;
    out[at] = outcomeOf(version, results === "not spoken" ? ALONE : results?.[i]);
    if (startMs !== undefined && out[at].kind === "sent") {
      const one = { bucket: bucket.name, bucketId: bucket.id, ...version, compareFirst: false, marks };
      target.observer?.end(startMs, target.arn, one, { kind: "sent", bytes: version.size, what: "object" });
    }
  }
  return out;
}

/** Undefined: no answer that says something of this item. */
function outcomeOf(version: ObjectVersion, result: IngestResult | TogetherOutcome | undefined): TogetherOutcome {
  if (result === undefined) return AGAIN;
  if ("kind" in result) return result;
  if (result.purged !== undefined || result.status === 412) return ALONE;
  return result.status < 300 ? { kind: "sent", version } : AGAIN;
}
