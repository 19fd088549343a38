/** `mc ready` (mc-cli.md 9.4): waits until a cluster answers that it is healthy. */
import { systemClock } from "../../runtime/clock.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { parseDuration } from "../format.ts";
import { countArgs } from "./attempt.ts";

const INTERVAL_MS = 5000;
const HEALTHY = 200;
const STARTING = 503;
const NOT_IN_MAINTENANCE = 412;

export interface Readiness {
  readonly healthy: boolean;
  readonly writeQuorum: number;
  readonly healingDrives: number;
  /** undefined when the server answered. */
  readonly error?: string | undefined;
}

export const readyCommand: Command = {
  name: "ready",
  summary: "wait until a server is ready",
  usage: "ALIAS [--cluster-read] [--maintenance] [--timeout 2m]",
  examples: [
    { what: "wait, at most two minutes", line: "mc ready here --timeout 2m" },
    { what: "wait until it can serve reads", line: "mc ready here --cluster-read" },
  ],
  flags: [
    { name: "cluster-read", kind: "bool", help: "ready for reads is enough" },
    { name: "maintenance", kind: "bool", help: "ask whether one node may be taken down" },
    { name: "timeout", kind: "string", help: "give up after this time, exit code 1 (default: never)" },
  ],
  run: waitUntilReady,
};

async function waitUntilReady(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS");
  const alias = text.replace(/\/$/, "");
  const clock = systemClock();
  const limitMs = timeout(flags.string("timeout"));
  const startMs = clock.nowMs();
  const maintenance = flags.bool("maintenance");
  for (;;) {
    const state = await probe(ctx, alias, flags.bool("cluster-read"), maintenance);
    ctx.out.message(readyText(alias, state), readyJson(alias, state, maintenance));
    if (state.healthy) return 0;
    const leftMs = limitMs - (clock.nowMs() - startMs);
    if (leftMs <= 0) throw new CommandError(`\`${alias}\` was not ready in time`);
    await clock.sleep(Math.min(INTERVAL_MS, leftMs), ctx.signal);
    if (ctx.signal.aborted) throw new CommandError("Interrupted");
  }
}

function timeout(text: string | undefined): number {
  if (text === undefined || text === "") return Number.POSITIVE_INFINITY;
  const ms = parseDuration(text);
  if (ms === undefined) throw new CommandError(`\`${text}\` is no duration. Write for example 30s or 2m`);
  return ms;
}

async function probe(ctx: CommandContext, alias: string, read: boolean, maintenance: boolean): Promise<Readiness> {
  const admin = ctx.admin(alias);
  try {
    const answer = await admin.stream({
      method: "GET",
      path: read ? "/minio/health/cluster/read" : "/minio/health/cluster",
      query: maintenance ? { maintenance: "true" } : {},
      expect: [HEALTHY, STARTING, NOT_IN_MAINTENANCE],
      signal: ctx.signal,
    });
    await answer.discard();
    const quorum = answer.headers[read ? "x-minio-read-quorum" : "x-minio-write-quorum"];
    const healing = answer.headers["x-minio-healing-drives"];
    return {
      healthy: answer.status === HEALTHY,
      writeQuorum: Number(quorum ?? 0),
      healingDrives: Number(healing ?? 0),
    };
  } catch (error) {
    if (ctx.signal.aborted || !(error instanceof Error)) throw error;
    return { healthy: false, writeQuorum: 0, healingDrives: 0, error: error.message };
  }
}

export function readyText(alias: string, state: Readiness): string {
  if (state.healthy) return `The cluster '${alias}' is ready`;
  if (state.error !== undefined) return `The cluster '${alias}' is unreachable: ${state.error}`;
  return `The cluster '${alias}' is not ready`;
}

export function readyJson(alias: string, state: Readiness, maintenanceMode: boolean): Record<string, unknown> {
  const { healthy, writeQuorum, healingDrives } = state;
  return { status: "success", alias, healthy, maintenanceMode, writeQuorum, healingDrives, error: state.error ?? null };
}
