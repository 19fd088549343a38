/** How many files and connections the system lets this process have open, and what that means for the listener. */
import { readFileSync } from "node:fs";
import { CONNECTIONS_MAX } from "../s3/limits.ts";

/** The index, its threads, the log, the scrub and what goes to peers. */
const DESCRIPTORS_KEPT = 64;
const CONNECTIONS_MIN = 8;
/** Fewer than that are worth a warning. */
const CONNECTIONS_FEW = 1_000;

/** The limit of this process as `/proc` tells it; undefined where nobody tells, or where there is none. */
export function descriptorLimit(path: string = "/proc/self/limits"): number | undefined {
  try {
    const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync(path, "utf8"))?.[1]);
    return Number.isSafeInteger(limit) ? limit : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Connections that may be open at once. Each needs a descriptor, and another for the file that it reads or writes: with
 * all of them gone to idle connections no request could be answered, and none would free one.
 */
export function connectionsMax(limit: number | undefined): number {
  if (limit === undefined) return CONNECTIONS_MAX;
  return Math.min(CONNECTIONS_MAX, Math.max(CONNECTIONS_MIN, Math.floor((limit - DESCRIPTORS_KEPT) / 2)));
}

/** What the operator is told when the system allows very few connections. */
export function descriptorWarning(limit: number | undefined): string | undefined {
  const most = connectionsMax(limit);
  if (most >= CONNECTIONS_FEW) return undefined;
  const wanted = 2 * CONNECTIONS_MAX + DESCRIPTORS_KEPT;
  return `the system allows ${limit} open files: at most ${most} connections at once; with "ulimit -n ${wanted}" ${CONNECTIONS_MAX}`;
}
