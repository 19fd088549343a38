/**
 * What of a resync goes to the target together: keys whose every version is small, absent there and to be sent as it is,
 * and such versions of any other key.
 */
import type { ObjectVersion } from "../model/version.ts";
import { INGEST_BYTES_MAX, INGEST_ITEMS_MAX, INGEST_OBJECT_BYTES_MAX } from "../protocol/ingest.ts";
import type { PlannedVersion } from "./plan.ts";

/** Room for what an item says beside its bytes: keys, ETags and times; metadata may be 2 KiB, tags are bounded. */
const ITEM_HEAD_BYTES = 8 * 1024;

export interface GroupLimits {
  /** Versions of one group. */
  readonly versions: number;
  /** Bytes of its bodies. */
  readonly bytes: number;
}

/** A key and what has to be done for it. */
interface Work {
  readonly versions: readonly (PlannedVersion & { readonly before?: number | undefined })[];
  readonly onlyAtTarget: readonly unknown[];
  readonly outOfScope: number;
  readonly missing?: unknown;
  readonly equal?: unknown;
}

/** An object that travels in one request with others, and of which nothing is known but that the target lacks it. */
function isPlain({ version, verdict, before }: Work["versions"][number]): boolean {
  if (verdict.kind !== "send" || verdict.ask || verdict.unsure === true || before !== undefined) return false;
  if (version.kind !== "object" || version.damaged !== undefined || version.encryption !== undefined) return false;
  return version.blob?.inline === true && version.size <= INGEST_OBJECT_BYTES_MAX;
}

function isPlainKey(work: Work): boolean {
  const alone = work.equal !== undefined || work.missing !== undefined || work.onlyAtTarget.length > 0;
  return !alone && work.outOfScope === 0 && work.versions.length > 0 && work.versions.every(isPlain);
}

/** What something takes of a request; undefined: it cannot travel with others. */
type Room = { readonly count: number; readonly bytes: number } | undefined;

const roomOf = (planned: Work["versions"]): Room => ({
  count: planned.length,
  bytes: planned.reduce((sum, { version }) => sum + ITEM_HEAD_BYTES + (version as ObjectVersion).size, 0),
});

/** The keys in their order, cut into groups that travel in one request; a key that cannot is a group of its own. */
export const groupsOf = <W extends Work>(keys: readonly W[], limits: GroupLimits): Generator<W[]> =>
  cut(keys, (work) => (isPlainKey(work) ? roomOf(work.versions) : undefined), limits);

/** The same for the versions of one key: of ten thousand, each would wait for the answer to the one before. */
export const runsOf = <V extends Work["versions"][number]>(
  planned: readonly V[],
  limits: GroupLimits,
): Generator<V[]> => cut(planned, (one) => (isPlain(one) ? roomOf([one]) : undefined), limits);

function* cut<T>(all: readonly T[], measure: (one: T) => Room, limits: GroupLimits): Generator<T[]> {
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
