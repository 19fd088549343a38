/** A resync as programs read it: MinIO's members first, then ours (replication.md 7.1 and 7.2). Pure. */
import type { UnixNs } from "../model/names.ts";
import type { Away } from "../replication/health.ts";
import { isoMillis, rfc3339Nano, ZERO_TIME } from "../protocol/time.ts";
import { isRunning, optionsOf, type Control, type ResyncRecord } from "./record.ts";

/**
 * One element of `target`. A paused job is `Pending` for programs that know MinIO's states, with `paused` beside it.
 * `away`: why its target is not to be had, if it is not.
 */
export function resyncJson(record: ResyncRecord, control?: Control, away?: Away): object {
  const { counters } = record;
  return {
    arn: record.arn,
    resetid: record.id,
    startTime: timeText(record.started),
    endTime: timeText(record.updated),
    resyncStatus: control?.paused === true && isRunning(record) ? "Pending" : record.state,
    completedReplicationSize: counters.presentBytes,
    failedReplicationSize: counters.failedBytes,
    failedReplicationCount: counters.failed,
    replicationCount: counters.sent + counters.alreadyEqual,
    bucket: record.bucket,
    ...(record.cursor === "" ? {} : { object: record.cursor }),
    ...progress(record),
    ...(control === undefined ? {} : controlJson(record, control)),
    ...(away === undefined || control?.paused === true || !isRunning(record) ? {} : { targetAway: awayJson(away) }),
  };
}

/** The answer to a start has no state yet (7.1). */
export function startedJson(record: ResyncRecord): object {
  return {
    arn: record.arn,
    resetid: record.id,
    startTime: ZERO_TIME,
    endTime: ZERO_TIME,
    completedReplicationSize: 0,
    failedReplicationSize: 0,
    failedReplicationCount: 0,
    replicationCount: 0,
  };
}

const awayJson = ({ sinceMs, why }: Away): object => ({ since: isoMillis(sinceMs), reason: why });

const timeText = (time: UnixNs | undefined): string => (time === undefined ? ZERO_TIME : rfc3339Nano(time));

function controlJson(record: ResyncRecord, { paused, limits }: Control): object {
  if (!isRunning(record)) return {};
  return { paused, limits };
}

/** Seconds at work. */
function activeSeconds({ activeMs, started, updated }: ResyncRecord): number {
  if (activeMs !== undefined) return activeMs / 1000;
  return started === undefined || updated === undefined ? 0 : Number(updated - started) / 1e9;
}

function progress(record: ResyncRecord): object {
  const { counters, total } = record;
  const seconds = activeSeconds(record);
  const perSecond = seconds > 0 ? counters.compared / seconds : 0;
  const left = Math.max(total - counters.compared - counters.outOfScope, 0);
  return {
    phase: record.phase,
    total,
    done: counters.compared,
    compared: counters.compared,
    sent: counters.sent,
    alreadyEqual: counters.alreadyEqual,
    notReplicable: counters.notReplicable,
    failed: counters.failed,
    purged: counters.purged,
    onlyAtTarget: counters.onlyAtTarget,
    outOfScope: counters.outOfScope,
    bytes: counters.sentBytes,
    rate: seconds > 0 ? Math.round(counters.sentBytes / seconds) : 0,
    versionsPerSecond: Math.round(perSecond * 10) / 10,
    ...(isRunning(record) && perSecond > 0 ? { eta: Math.ceil(left / perSecond) } : {}),
    options: optionsOf(record),
    ...(record.damage === undefined ? {} : { damage: record.damage }),
    ...(record.verify === undefined ? {} : { verify: record.verify, verified: record.verify.different === 0 }),
    ...(record.samples.length === 0 ? {} : { samples: record.samples }),
    ...(record.error === undefined ? {} : { error: record.error }),
    ...hint(record),
  };
}

/** Nothing lacked at the target while much is lacking here: more likely the other direction was meant. */
function hint({ state, counters }: ResyncRecord): object {
  if (state !== "Completed" || counters.onlyAtTarget === 0 || counters.sent > 0) return {};
  const text = `${counters.onlyAtTarget} versions are only at the target; if they were lost here, resync from there`;
  return { hint: text };
}
