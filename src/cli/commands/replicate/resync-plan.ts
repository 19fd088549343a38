/** `replicate resync start --dry-run`: what a resync would do. */
import type { ResyncStart } from "../../../client/resync-calls.ts";
import { planResync } from "../../../client/resync-calls.ts";
import type { Forecast } from "../../../resync/forecast.ts";
import { CommandError } from "../../command.ts";
import { formatBinarySize, formatRate, formatSpan } from "../../format.ts";
import { attempt } from "../attempt.ts";
import type { BucketSite } from "./common.ts";

/** Shows progress, then the plan. Exit code 1 when a start would be refused. */
export async function showPlan(site: BucketSite, start: ResyncStart, what: string): Promise<number> {
  const plan = await attempt(what, wholePlan(site, start));
  if (plan === undefined) throw new CommandError(what, new Error("the server ended its answer early"));
  const json = { op: "plan", url: site.url, plan, status: "success", targetArn: start.arn };
  site.ctx.out.message(planText(site.url, start.arn, plan), json);
  return plan.refusal === undefined ? 0 : 1;
}

async function wholePlan(site: BucketSite, start: ResyncStart): Promise<Forecast | undefined> {
  for await (const line of planResync(site.s3, start)) {
    const plan = line as Forecast;
    if (plan.done) return plan;
    site.ctx.out.progress(`${plan.phase}: ${plan.compared} of ${plan.total} versions, ${plan.toSend} to send`);
  }
  return undefined;
}

/** Pure. */
function planText(url: string, arn: string, plan: Forecast): string {
  const { restored, damage } = plan;
  const row = (name: string, text: string): string => `   ${`${name}:`.padEnd(16)}${text}`;
  const more = (text: string): string => `${" ".repeat(19)}${text}`;
  const lines = [
    `Plan of a resync of ${url} to ${arn}; nothing was changed:`,
    row("To send", `${plan.toSend} versions, ${formatBinarySize(plan.bytesToSend)}`),
    more(`${restored.absent} absent there, ${restored.purgedThere} purged there by that site alone,`),
    more(`${restored.damaged} damaged there, ${restored.different} different there`),
    row("Already equal", String(plan.alreadyEqual)),
    row("Not replicable", `${plan.notReplicable}, of which ${plan.staysPurged} stay purged for every site`),
    row("To purge there", `${plan.toPurge} that were purged here for every site`),
    row("Only there", `${plan.onlyAtTarget}; they stay`),
  ];
  if (plan.outOfScope > 0) lines.push(row("Left out", `${plan.outOfScope}, as asked for`));
  if (damage !== undefined)
    lines.push(
      row("Damage there", `${damage.missing} missing, ${damage.corrupt} corrupt of ${damage.examined} examined`),
    );
  lines.push(row("Time", timeText(plan)));
  for (const { key, versionId, reason } of plan.samples) lines.push(`   ${key} (${versionId}): ${reason}`);
  if (plan.refusal !== undefined) lines.push(row("A start fails", `${plan.refusal} (see --force)`));
  return lines.join("\n");
}

function timeText({ rate, seconds }: Forecast): string {
  if (rate === undefined || seconds === undefined) return "unknown, no rate could be measured";
  const bytes = rate.bytesPerSecond > 0 ? ` and ${formatRate(rate.bytesPerSecond)}` : "";
  const from = rate.from === "last resync" ? "as in the last resync" : "as a few round trips suggest";
  return `about ${formatSpan(seconds * 1000)} at ${Math.round(rate.versionsPerSecond)} versions a second${bytes}, ${from}`;
}
