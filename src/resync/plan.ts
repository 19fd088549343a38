/** What has to happen to the versions of one key so that the target holds them: pure, from two listings. */
import { NULL_VERSION } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import { msOf } from "../protocol/time.ts";
import { compareObject } from "../replication/compare.ts";
import type { Scope } from "./scope.ts";
import type { RemoteVersion } from "./target-listing.ts";

export type Verdict =
  | { readonly kind: "equal" }
  /** Absent or different there. `ask`: the listing cannot tell for sure, one HEAD decides. */
  | {
      readonly kind: "send";
      readonly ask: boolean;
      readonly why: string;
      /** Nothing is known against its being equal already: what is found equal later was not brought there by us. */
      readonly unsure?: boolean;
    }
  | { readonly kind: "notReplicable"; readonly why: string };

export interface PlannedVersion {
  readonly version: Version;
  readonly verdict: Verdict;
}

export interface KeyPlan {
  /** Oldest first. */
  readonly versions: readonly PlannedVersion[];
  readonly onlyAtTarget: readonly RemoteVersion[];
  readonly outOfScope: number;
}

/** Whether it is a version's turn; `isLatest`: the newest of its key. */
export type Turn = (version: Version, isLatest: boolean) => boolean;

/** `here`: versions of the key, newest first; `there`: what the target lists, in any order. */
export function planKey(
  here: readonly Version[],
  there: readonly RemoteVersion[],
  scope: Scope,
  turn?: Turn | undefined,
): KeyPlan {
  const remote = there.length === 0 ? NONE : new Map(there.map((version) => [version.versionId, version]));
  let outOfScope = 0;
  const versions: PlannedVersion[] = [];
  for (const version of here.toReversed()) {
    const twin = remote.get(version.versionId);
    remote.delete(version.versionId);
    if (turn !== undefined && !turn(version, version === here[0])) continue;
    if (!scope.wanted(version)) outOfScope++;
    else versions.push({ version, verdict: judge(version, twin, scope) });
  }
  return { versions, onlyAtTarget: [...remote.values()], outOfScope };
}

const NONE = new Map<string, RemoteVersion>();
const ABSENT: Verdict = { kind: "send", ask: false, why: "absent" };
const UNSEEN: Verdict = { kind: "send", ask: true, why: "its metadata is not listed", unsure: true };
const UNLISTED: Verdict = { kind: "send", ask: true, why: "not listed", unsure: true };

function judge(version: Version, twin: RemoteVersion | undefined, scope: Scope): Verdict {
  const found = twin !== undefined ? compare(version, twin) : scope.unlisted === true ? UNLISTED : ABSENT;
  if (found.kind !== "send") return found;
  // Tags and locks need no bytes.
  if (version.kind === "object" && version.damaged !== undefined && !found.ask) {
    return { kind: "notReplicable", why: `its bytes are ${version.damaged} here` };
  }
  return scope.eligible(version) ? found : { kind: "notReplicable", why: "no rule for existing objects sends it" };
}

function compare(version: Version, twin: RemoteVersion): Verdict {
  if (version.kind === "delete-marker" || twin.kind === "delete-marker") return compareMarker(version, twin);
  const found = compareObject(version, twin);
  switch (found.kind) {
    case "equal":
      // A listing without metadata says nothing of tags and locks either: a HEAD does.
      return twin.metadata === undefined ? UNSEEN : found;
    case "newerThere":
      return { kind: "notReplicable", why: "the target holds a newer null version" };
    case "content":
      return { kind: "send", ask: false, why: found.what };
    case "registers":
    case "fixed":
      return { kind: "send", ask: true, why: found.what };
  }
}

/** Same id on both sides: a marker is a marker. Only the null id can be another's or both kinds; then the newer stays. */
function compareMarker(version: Version, twin: RemoteVersion): Verdict {
  const ours = msOf(version.mtime);
  if (version.kind === twin.kind && (version.versionId !== NULL_VERSION || twin.mtimeMs === ours))
    return { kind: "equal" };
  // In the same millisecond the target decides, by the exact time.
  if (twin.mtimeMs > ours) return { kind: "notReplicable", why: "the target holds a newer null version" };
  return { kind: "send", ask: false, why: version.kind === twin.kind ? "modification time" : "kind" };
}
