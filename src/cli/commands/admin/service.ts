/** `admin service` (admin-api.md 6.3 and 9). */
import { AdminError } from "../../../client/errors.ts";
import { systemClock } from "../../../runtime/clock.ts";
import type { Command } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { formatSpan } from "../../format.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand } from "./common.ts";

const POLL_INTERVAL_MS = 500;
const RESTART_LIMIT_MS = 5 * 60_000;
const NS_PER_MS = 1e6;
/** `state` of the restart message: the last of restarting, waiting, done. */
const STATE_DONE = 2;

export const serviceCommand: Command = {
  name: "service",
  summary: "restart, stop, freeze a server",
  subcommands: [
    adminSubcommand({
      name: "restart",
      summary: "restart a server and wait until it is back",
      usage: "ALIAS [--dry-run]",
      flags: [
        { name: "dry-run", kind: "bool", help: "only ask whether it would be done" },
        { name: "wait", aliases: ["w"], kind: "bool", help: "accepted; this client always waits" },
      ],
      argCount: [0, 0],
      what: "Unable to restart the server",
      work: restart,
    }),
    actionCommand("stop", "Stopped"),
    actionCommand("freeze", "Freeze command successfully sent to"),
    actionCommand("unfreeze", "Unfreeze command successfully sent to"),
  ],
};

function actionCommand(name: string, word: string): Command {
  return adminSubcommand({
    name,
    summary: `${name} a server`,
    usage: "ALIAS",
    argCount: [0, 0],
    what: `Unable to ${name} the server`,
    work: async (site) => {
      await serviceAction(site, name, false);
      const tail = name === "stop" ? " successfully." : ".";
      site.ctx.out.message(`${word} \`${site.alias}\`${tail}`, { status: "success", serverURL: site.alias });
    },
  });
}

interface ServiceResult {
  readonly action: string;
  readonly dryRun: boolean;
  readonly results?: readonly { readonly host: string; readonly err?: string }[] | null;
}

/** The current form; a server that does not know it is asked in the older one, which answers nothing. */
async function serviceAction(site: AdminSite, action: string, dryRun: boolean): Promise<ServiceResult> {
  const { signal } = site.ctx;
  const query = { action, type: "2", "dry-run": String(dryRun) };
  let result: ServiceResult;
  try {
    result = await site.client.json<ServiceResult>({ method: "POST", path: "service", query, signal });
  } catch (error) {
    const older = error instanceof AdminError && (error.status === 426 || error.status === 404) && !dryRun;
    if (!older) throw error;
    await site.client.call({ method: "POST", path: "service", query: { action }, signal });
    result = { action, dryRun, results: [] };
  }
  const failed = (result.results ?? []).find((one) => one.err !== undefined && one.err !== "");
  if (failed !== undefined) throw new CommandError(`\`${failed.host}\` refused`, new Error(failed.err));
  return result;
}

async function restart(site: AdminSite): Promise<void> {
  const clock = systemClock();
  const startMs = clock.nowMs();
  const dryRun = site.flags.bool("dry-run");
  const result = await serviceAction(site, "restart", dryRun);
  const base = { status: "success", serverURL: site.alias, result };
  if (dryRun) {
    site.ctx.out.message(`\`${site.alias}\` would restart.`, base);
    return;
  }
  if (!site.ctx.out.json) site.ctx.out.message(`Restart command successfully sent to \`${site.alias}\`.`, {});
  while (!(await isHealthy(site))) {
    if (clock.nowMs() - startMs > RESTART_LIMIT_MS) throw new CommandError(`\`${site.alias}\` did not come back`);
    await clock.sleep(POLL_INTERVAL_MS, site.ctx.signal);
    if (site.ctx.signal.aborted) throw new CommandError("Stopped waiting; the server restarts nevertheless");
  }
  const tookMs = clock.nowMs() - startMs;
  const times = {
    restartDuration: tookMs * NS_PER_MS,
    waitingDuration: 0,
    timeTaken: tookMs * NS_PER_MS,
    state: STATE_DONE,
  };
  site.ctx.out.message(`Restarted \`${site.alias}\` successfully in ${formatSpan(tookMs)}`, { ...base, ...times });
}

async function isHealthy(site: AdminSite): Promise<boolean> {
  try {
    const path = "/minio/health/cluster";
    await (await site.client.stream({ method: "GET", path, signal: site.ctx.signal })).discard();
    return true;
  } catch {
    // Refused, reset or 503: it is still on its way.
    return false;
  }
}
