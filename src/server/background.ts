/** Housekeeping of the process that leads: garbage, orphans, expired uploads. Each is one step, then a wait. */
import type { Logger } from "../observe/log.ts";
import type { Clock } from "../runtime/clock.ts";
import { collectGarbage, emptyOldStaging, sweepOrphans, type CollectorOptions } from "../storage/collector.ts";

const COLLECT_EVERY_MS = 30_000;
/** While the disk is short of space: what a delete freed takes writes again soon. */
const COLLECT_LOW_MS = 2000;
const DISK_LOW =
  "the disk is nearly full: new objects, or large ones, are refused (XMinioStorageFull) until there is room; deletes work";
/** A sweep reads the names of all blob files: rarely, and only for what a crash left. */
const SWEEP_EVERY_MS = 24 * 3_600_000;
/** A server that is started anew each night sweeps too. */
const SWEEP_FIRST_MS = 3_600_000;
const SESSIONS_EVERY_MS = 600_000;
/** Only looks whether something became due, which it does at midnights and with new rules. */
const EXPIRE_EVERY_MS = 60_000;
/** Before an object fails for want of one. */
const KEYS_FIRST_MS = 1000;
const KEYS_EVERY_MS = 60_000;
const ORPHAN_AGE_MS = 24 * 3_600_000;

export interface Background {
  stop(): Promise<void>;
}

export interface BackgroundDeps extends CollectorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** When this start began, Unix ms, before any request was taken: what is staged later may be an upload under way. */
  readonly openedMs: number;
  /** Finishes deletes of buckets that a crash cut short. */
  readonly clearDeleted: () => Promise<unknown>;
  /** Removes the rows of temporary credentials that have ended. */
  readonly removeEndedSessions: () => Promise<void>;
  /** Carries out the lifecycle of buckets whose day or rules are new. */
  readonly expire: (signal: AbortSignal) => Promise<void>;
  /** Tells the log of encryption keys that do not work; absent: there are none. */
  readonly watchKeys?: (() => Promise<void>) | undefined;
}

/** The first time comes sooner than the others. */
function firstAfter(firstMs: number, everyMs: number): () => number {
  let next = firstMs;
  return () => {
    const now = next;
    next = everyMs;
    return now;
  };
}

interface Task {
  readonly name: string;
  readonly everyMs: () => number;
  readonly step: (signal: AbortSignal) => Promise<unknown>;
}

/** Runs each task for ever, one step after another; a step that fails is logged and tried again at its next time. */
export function startBackground(deps: BackgroundDeps): Background {
  const stopping = new AbortController();
  // The first look comes soon: a full disk may be why the site was started again.
  let low = true;
  let told = false;
  const collect = async (signal: AbortSignal): Promise<void> => {
    low = await deps.blobs.low();
    if (low !== told) deps.log.warn(low ? DISK_LOW : "the disk has room again: objects are taken");
    told = low;
    // Reads that had found a version before it was deleted end early then; a full disk would end more than them.
    await collectGarbage({ ...deps, signal, graceMs: low ? 0 : undefined });
  };
  const { watchKeys } = deps;
  const tasks: readonly Task[] = [
    { name: "garbage collection", everyMs: () => (low ? COLLECT_LOW_MS : COLLECT_EVERY_MS), step: collect },
    {
      name: "orphan sweep",
      everyMs: firstAfter(SWEEP_FIRST_MS, SWEEP_EVERY_MS),
      step: (signal) => sweepOrphans({ ...deps, minAgeMs: ORPHAN_AGE_MS, signal }),
    },
    {
      name: "clearing of deleted buckets",
      everyMs: firstAfter(SWEEP_FIRST_MS, SWEEP_EVERY_MS),
      step: () => deps.clearDeleted(),
    },
    { name: "removal of ended sessions", everyMs: () => SESSIONS_EVERY_MS, step: () => deps.removeEndedSessions() },
    { name: "lifecycle", everyMs: () => EXPIRE_EVERY_MS, step: (signal) => deps.expire(signal) },
    ...(watchKeys === undefined
      ? []
      : [{ name: "look at the keys", everyMs: firstAfter(KEYS_FIRST_MS, KEYS_EVERY_MS), step: watchKeys }]),
  ];
  const run = async (task: Task): Promise<void> => {
    while (!stopping.signal.aborted) {
      await deps.clock.sleep(task.everyMs(), stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        await task.step(stopping.signal);
      } catch (error) {
        deps.log.warn(`${task.name} failed and will be tried again`, { error: (error as Error).message });
      }
    }
  };
  // What a killed process had staged: nobody can name it any more, and it may be what filled the disk.
  const cleaned = emptyOldStaging(deps.blobs, deps.openedMs).catch((error: unknown) => {
    deps.log.warn("old staging files could not be removed", { error: (error as Error).message });
  });
  const running = [cleaned, ...tasks.map(run)];
  return {
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}
