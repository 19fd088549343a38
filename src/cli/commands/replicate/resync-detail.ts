/** What a Resilver server tells of a resync beyond MinIO's members: totals, time left, damage, the closing check. Pure. */
import { formatBinarySize, formatSpan, formatTime } from "../../format.ts";

interface Sample {
  readonly key: string;
  readonly versionId: string;
  readonly reason: string;
}

export interface ResyncDetail {
  /** `damage-check`, `compare`, `verify` or `done`. */
  readonly phase: string;
  /** Versions in the bucket at the start. */
  readonly total: number;
  readonly done: number;
  readonly sent: number;
  readonly alreadyEqual: number;
  readonly notReplicable: number;
  readonly onlyAtTarget: number;
  /** Not asked for: younger than `--older-than`, or not named. */
  readonly outOfScope?: number | undefined;
  /** Bytes moved. */
  readonly bytes: number;
  readonly versionsPerSecond: number;
  /** Seconds left, while it runs. */
  readonly eta?: number | undefined;
  readonly damage?:
    | { readonly total?: number; readonly examined: number; readonly missing: number; readonly corrupt: number }
    | undefined;
  readonly verify?:
    | {
        readonly level?: string;
        readonly compared: number;
        readonly different: number;
        /** Differ and cannot be replicated. */
        readonly exempt?: number;
        readonly samples?: readonly Sample[];
      }
    | undefined;
  readonly verified?: boolean | undefined;
  readonly samples?: readonly Sample[] | undefined;
  readonly error?: string | undefined;
  /** While it runs. */
  readonly paused?: boolean | undefined;
  readonly limits?: { readonly bytesPerSecond: number; readonly inFlight: number } | undefined;
  readonly hint?: string | undefined;
  /** While it runs and its target does not answer: since when (RFC 3339) and why. */
  readonly targetAway?: { readonly since: string; readonly reason: string } | undefined;
}

/** undefined for an answer of a server that does not know them. */
export function resyncDetail(target: object): ResyncDetail | undefined {
  const known = "phase" in target && "total" in target && "done" in target;
  return known ? (target as ResyncDetail) : undefined;
}

export function detailLines(detail: ResyncDetail | undefined): string[] {
  if (detail === undefined) return [];
  const { damage, verify } = detail;
  const left = detail.eta === undefined ? "" : `, ${formatSpan(detail.eta * 1000)} left`;
  const failed = detail.samples ?? [];
  // What failed differs too: the proof need not name it again.
  const isTold = ({ key, versionId }: Sample): boolean =>
    failed.some((other) => other.key === key && other.versionId === versionId);
  const samples = [...failed, ...(verify?.samples ?? []).filter((sample) => !isTold(sample))];
  return [
    ...(detail.paused === true ? ["Paused; `resync resume` lets it go on"] : []),
    ...(detail.targetAway === undefined ? [] : [`Waiting: ${awayText(detail.targetAway)}; it goes on by itself`]),
    `Progress: ${detail.done} of ${detail.total} versions, ${detail.versionsPerSecond} a second${left} (${detail.phase})`,
    `Moved: ${detail.sent} versions, ${formatBinarySize(detail.bytes)}; already equal: ${detail.alreadyEqual}; ` +
      `not replicable: ${detail.notReplicable}; only at the target: ${detail.onlyAtTarget}`,
    ...(damage === undefined
      ? []
      : [`Damage at the target: ${damage.missing} missing, ${damage.corrupt} corrupt of ${damage.examined} examined`]),
    ...(verify === undefined ? [] : [verifyLine(verify, detail.outOfScope ?? 0)]),
    ...limitLines(detail),
    ...samples.map((sample) => `${sample.key} (${sample.versionId}): ${sample.reason}`),
    ...(detail.error === undefined ? [] : [`Error: ${detail.error}`]),
    ...(detail.hint === undefined ? [] : [`Note: ${detail.hint}`]),
  ];
}

/** Why a running job does not move. */
export const awayText = ({ since, reason }: NonNullable<ResyncDetail["targetAway"]>): string =>
  `the target is away since ${formatTime(new Date(since))} (${reason})`;

function verifyLine(
  { level, compared, different, exempt = 0 }: NonNullable<ResyncDetail["verify"]>,
  leftOut: number,
): string {
  const others = leftOut === 0 ? "" : `; ${leftOut} were left out, as asked for`;
  if (compared === 0) return `Verified: there was nothing to compare${others}`;
  const at = (level === undefined ? "" : ` at level ${level}`) + others;
  const but = exempt === 0 ? "" : ` but for ${exempt} that cannot be replicated`;
  return different === 0
    ? `Verified: equal${but}, ${compared} versions compared${at}`
    : `Verified: ${different} of ${compared} versions differ${at}`;
}

function limitLines({ limits }: ResyncDetail): string[] {
  if (limits === undefined || (limits.bytesPerSecond === 0 && limits.inFlight === 0)) return [];
  const rate = limits.bytesPerSecond === 0 ? "any rate" : `at most ${formatBinarySize(limits.bytesPerSecond)}/s`;
  const count =
    limits.inFlight === 0 ? "" : `, ${limits.inFlight} ${limits.inFlight === 1 ? "version" : "versions"} at a time`;
  return [`Limits: ${rate}${count}`];
}
