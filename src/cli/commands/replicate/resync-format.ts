/** What `replicate resync` prints (captures.md 6, mc-cli.md 6.5). Pure. */
import type { ResyncAnswer, ResyncTarget } from "../../../client/resync-calls.ts";
import { formatBinarySize, formatRate, formatSpan, formatTime } from "../../format.ts";
import { awayText, detailLines, resyncDetail } from "./resync-detail.ts";

const FINAL = new Set(["Completed", "Failed", "Canceled"]);

/** True when the job will not change any more. */
export function isFinal(target: ResyncTarget): boolean {
  return FINAL.has(target.resyncStatus ?? "");
}

/** True when everything due was brought over, and the check at the end, where the server makes one, found no difference. */
export function isClean(target: ResyncTarget): boolean {
  const verified = resyncDetail(target)?.verified ?? true;
  return target.resyncStatus === "Completed" && (target.failedReplicationCount ?? 0) === 0 && verified;
}

/** The lines of `resync status`. */
export function resyncStatusText(info: ResyncAnswer): string {
  const targets = info.target ?? [];
  if (targets.length === 0) return "No replication resync status available.";
  return ["Resync status summary:", ...targets.flatMap(targetLines)].join("\n");
}

function targetLines(target: ResyncTarget): string[] {
  const row = (name: string, size: string, count: string): string =>
    `   ${name.padEnd(18)} | ${size.padEnd(15)} | ${count}`;
  return [
    `● ${target.arn}`,
    `   Status: ${target.resyncStatus ?? ""}`,
    row("Replication Status", "Size (Bytes)", "Count"),
    row("Replicated", formatBinarySize(target.completedReplicationSize ?? 0), String(target.replicationCount ?? 0)),
    row("Failed", formatBinarySize(target.failedReplicationSize ?? 0), String(target.failedReplicationCount ?? 0)),
    ...endedLine(target),
    ...detailLines(resyncDetail(target)).map((line) => `   ${line}`),
  ];
}

/** What a job found holds for the time of its end; only where a Resilver tells more than MinIO's lines. */
function endedLine(target: ResyncTarget): string[] {
  const endMs = timeMs(target.endTime);
  return isFinal(target) && resyncDetail(target) !== undefined && endMs > 0
    ? [`   Ended: ${formatTime(new Date(endMs))}`]
    : [];
}

/** One line for `--watch`: state, what is done of how much, rate, time left. */
export function resyncProgressLine(target: ResyncTarget, nowMs: number): string {
  const detail = resyncDetail(target);
  const bytes = target.completedReplicationSize ?? 0;
  const elapsedMs = Math.max(0, (isFinal(target) ? timeMs(target.endTime) : nowMs) - timeMs(target.startTime));
  const failed = target.failedReplicationCount ?? 0;
  const { damage, phase, total } = detail ?? {};
  const looking = phase === "damage-check" && damage !== undefined;
  const done =
    detail === undefined
      ? `${target.replicationCount ?? 0}`
      : looking
        ? `${damage.examined} of ${damage.total ?? total ?? 0} looked at`
        : `${detail.done} of ${detail.total}`;
  const parts = [
    `${target.resyncStatus ?? ""}${detail === undefined ? "" : ` (${detail.phase})`}: ${done} versions (${formatBinarySize(bytes)})`,
    `${failed} failed`,
    ...(detail?.targetAway === undefined ? [] : [awayText(detail.targetAway)]),
    ...(elapsedMs > 0 ? [formatRate((bytes * 1000) / elapsedMs), formatSpan(elapsedMs)] : []),
    ...(detail?.eta === undefined ? [] : [`${formatSpan(detail.eta * 1000)} left`]),
    ...(target.object === undefined || target.object === "" ? [] : [target.object]),
  ];
  return parts.join(", ");
}

function timeMs(text: string | undefined): number {
  const ms = Date.parse(text ?? "");
  return Number.isFinite(ms) ? ms : 0;
}

const COUNTERS: readonly string[] = [
  "completedReplicationSize",
  "failedReplicationSize",
  "failedReplicationCount",
  "replicationCount",
];

/** The JSON of start, status and cancel: zero counters and the ARN are left out, as programs have seen it so far. */
export function resyncJson(op: string, url: string, info: ResyncAnswer): Record<string, unknown> {
  const shown = ([name, value]: readonly [string, unknown]): boolean => value !== 0 || !COUNTERS.includes(name);
  const target = info.target?.map((entry) => Object.fromEntries(Object.entries(entry).filter(shown)));
  const resyncInfo = target === undefined || target.length === 0 ? {} : { target };
  return { op, url, resyncInfo, status: "success", targetArn: "" };
}

/** The line of `resync start`. */
export function resyncStartText(url: string, resetId: string): string {
  return `Replication reset started for ${url} with ID ${resetId}`;
}
