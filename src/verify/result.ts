/** What a verification found, counted so that the numbers add up: equal + different + newer = compared. */
import { KINDS, levelOf, type Mismatch, type MismatchKind, type VerifyLevel } from "./seen.ts";

export interface Difference {
  readonly key: string;
  readonly versionId: string;
  readonly what: "version" | "delete-marker";
  readonly mismatches: readonly Mismatch[];
}

/** What one level looked at; absent in a result: it did not look. */
export interface LevelResult {
  readonly compared: number;
  readonly different: number;
}

export interface VerifyResult {
  readonly source: string;
  readonly target: string;
  readonly level: VerifyLevel;
  /** `digests`: sums of ranges were compared, and versions where they differ. */
  readonly how: "digests" | "listings";
  readonly startedMs: number;
  readonly endedMs: number;
  /** Versions and delete markers that either side has. */
  readonly compared: number;
  readonly equal: number;
  readonly different: number;
  /** Written or changed since the start: on their way, and not judged. */
  readonly newer: number;
  /** Objects whose bytes neither side would give without a key of the client: not compared at level bytes. */
  readonly unread: number;
  /** Bytes read on both sides together. */
  readonly bytesRead: number;
  readonly levels: Readonly<Partial<Record<VerifyLevel, LevelResult>>>;
  readonly byKind: Readonly<Partial<Record<MismatchKind, number>>>;
  /** In the order of keys; the first ones when there are very many. */
  readonly differences: readonly Difference[];
}

const LOOKED: Readonly<Record<VerifyLevel, string>> = {
  identity: "keys, version ids, kinds, times, sizes and ETags",
  metadata: "metadata, tags and locks",
  bytes: "all bytes read on both sides",
};
const LEVELS: readonly VerifyLevel[] = ["identity", "metadata", "bytes"];

const levelsUpTo = (level: VerifyLevel): readonly VerifyLevel[] => LEVELS.slice(0, LEVELS.indexOf(level) + 1);

/** How many of the differences each level found. */
export function countLevels(
  differences: readonly Difference[],
  compared: Readonly<Partial<Record<VerifyLevel, number>>>,
): VerifyResult["levels"] {
  const out: Partial<Record<VerifyLevel, LevelResult>> = {};
  for (const level of LEVELS) {
    const count = compared[level];
    if (count === undefined) continue;
    const different = differences.filter(({ mismatches }) => mismatches.some(({ kind }) => levelOf(kind) === level));
    out[level] = { compared: count, different: different.length };
  }
  return out;
}

export function countKinds(differences: readonly Difference[]): VerifyResult["byKind"] {
  const out: Partial<Record<MismatchKind, number>> = {};
  for (const kind of KINDS) {
    const count = differences.filter(({ mismatches }) => mismatches.some((each) => each.kind === kind)).length;
    if (count > 0) out[kind] = count;
  }
  return out;
}

/** Equal as far as was looked: not where something could not be read, and never without having looked at anything asked for. */
export const isEqual = (result: VerifyResult): boolean => result.different === 0 && result.unread === 0;

/** In one sentence: what was looked at, and what it showed. */
export function statementOf(result: VerifyResult): string {
  const { compared, different, newer, unread, level } = result;
  const looked = levelsUpTo(level).map((each) => `${each} (${LOOKED[each]})`);
  const what = `${compared} versions compared at level ${looked.join(", ")}`;
  const rest = [
    ...(newer > 0 ? [`${newer} written or changed meanwhile were not judged`] : []),
    ...(unread > 0 ? [`the bytes of ${unread} could not be read`] : []),
  ];
  if (level !== "bytes") rest.push("stored bytes were not read");
  const tail = rest.length > 0 ? `; ${rest.join("; ")}` : "";
  if (different > 0) return `Different: ${different} differ of ${what}${tail}.`;
  return unread > 0 ? `Not proved: ${what}${tail}.` : `Equal: ${what}${tail}.`;
}
