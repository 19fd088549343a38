/**
 * What of a resync goes to the target together: keys whose every version is small, absent there and to be sent as it is,
 * and such versions of any other key.
 */
import type { ObjectVersion } from "../model/version.ts";
import { cutForRequests, isPlain, ITEM_HEAD_BYTES, type GroupLimits, type Room } from "../replication/send-together.ts";
import type { PlannedVersion } from "./plan.ts";

/** A key and what has to be done for it. */
interface Work {
  readonly versions: readonly (PlannedVersion & { readonly before?: number | undefined })[];
  readonly onlyAtTarget: readonly unknown[];
  readonly outOfScope: number;
  readonly missing?: unknown;
  readonly equal?: unknown;
}

/** An object that travels in one request with others, and of which nothing is known but that the target lacks it. */
function isPlainSend({ version, verdict, before }: Work["versions"][number]): boolean {
  if (verdict.kind !== "send" || verdict.ask || verdict.unsure === true || before !== undefined) return false;
  return isPlain(version);
}

function isPlainKey(work: Work): boolean {
  const alone = work.equal !== undefined || work.missing !== undefined || work.onlyAtTarget.length > 0;
  return !alone && work.outOfScope === 0 && work.versions.length > 0 && work.versions.every(isPlainSend);
}

const roomOf = (planned: Work["versions"]): Room => ({
  count: planned.length,
  bytes: planned.reduce((sum, { version }) => sum + ITEM_HEAD_BYTES + (version as ObjectVersion).size, 0),
});

/** The keys in their order, cut into groups that travel in one request; a key that cannot is a group of its own. */
export const groupsOf = <W extends Work>(keys: readonly W[], limits: GroupLimits): Generator<W[]> =>
  cutForRequests(keys, (work) => (isPlainKey(work) ? roomOf(work.versions) : undefined), limits);

/** The same for the versions of one key: of ten thousand, each would wait for the answer to the one before. */
export const runsOf = <V extends Work["versions"][number]>(
  planned: readonly V[],
  limits: GroupLimits,
): Generator<V[]> => cutForRequests(planned, (one) => (isPlainSend(one) ? roomOf([one]) : undefined), limits);
