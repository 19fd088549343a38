/** Which keys of a resync go to the target together: those whose every version is small, absent there and to be sent as it is. */
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

const bytesOf = ({ versions }: Work): number =>
  versions.reduce((sum, { version }) => sum + ITEM_HEAD_BYTES + (version as ObjectVersion).size, 0);

/** The keys in their order, cut into groups that travel in one request; a key that cannot is a group of its own. */
export function* groupsOf<W extends Work>(keys: readonly W[], limits: GroupLimits): Generator<W[]> {
  const most = Math.min(limits.versions, INGEST_ITEMS_MAX);
  const room = Math.min(limits.bytes, INGEST_BYTES_MAX);
  let group: W[] = [];
  let [count, bytes] = [0, 0];
  for (const work of keys) {
    const isPlain = isPlainKey(work);
    const more = isPlain ? bytesOf(work) : 0;
    const fits = isPlain && count + work.versions.length <= most && bytes + more <= room;
    if (group.length > 0 && !fits) {
      yield group;
      group = [];
      [count, bytes] = [0, 0];
    }
    if (!isPlain) {
      yield [work];
      continue;
    }
    group.push(work);
    count += work.versions.length;
    bytes += more;
  }
  if (group.length > 0) yield group;
}
