/** Following a resync until it ends (mc-cli.md 10 point 8). */
import { NetworkError, S3ResponseError } from "../../../client/errors.ts";
import type { ResyncAnswer, ResyncTarget } from "../../../client/resync-calls.ts";
import { resyncStatus } from "../../../client/resync-calls.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { CommandError } from "../../command.ts";
import { attempt } from "../attempt.ts";
import type { BucketSite } from "./common.ts";
import { named } from "./common.ts";
import { isClean, isFinal, resyncJson, resyncProgressLine, resyncStatusText } from "./resync-format.ts";

const POLL_INTERVAL_MS = 1000;
/** A server that restarts goes on with the resync: whoever waits for its end should not have to notice. */
const AWAY_MAX_MS = 300_000;

export interface ResyncWatch {
  readonly site: BucketSite;
  readonly clock: Clock;
  /** undefined: every target of the bucket. */
  readonly arn: string | undefined;
  /** Only the resync with this id; an older one of the same target is not taken for it. */
  readonly resetId: string | undefined;
  /** Progress on a terminal, a line for each change of state elsewhere. */
  readonly show: boolean;
}

/** Resolves when every watched resync has ended, with exit code 0 when all of them ended without a failed version. */
export async function watchResync(watch: ResyncWatch): Promise<number> {
  const { out, signal } = watch.site.ctx;
  let shown = "";
  const next = patientReader(watch);
  for (let seen = false; ;) {
    const info = await attempt("Unable to follow the replication resync", next());
    const targets = info.target ?? [];
    if (seen && targets.length === 0)
      throw new CommandError("The resync is gone: its target was removed, or another resync took its place");
    seen = targets.length > 0;
    const state = targets.map((target) => `${target.arn} ${target.resyncStatus ?? ""}`).join(", ");
    const ended = targets.length > 0 ? targets.every(isFinal) : watch.resetId === undefined;
    if (watch.show && !ended) showProgress(watch, info, state !== shown);
    shown = state;
    if (ended) {
      out.message(resyncStatusText(info), resyncJson("status", watch.site.url, info));
      return targets.every(isClean) ? 0 : 1;
    }
    await watch.clock.sleep(POLL_INTERVAL_MS, signal);
    if (signal.aborted) throw new CommandError("Stopped watching; the resync goes on at the server");
  }
}

/** Reads that outlast a restart of the server, once it has answered. */
function patientReader(watch: ResyncWatch): () => Promise<ResyncAnswer> {
  const { site, clock } = watch;
  const { out, signal } = site.ctx;
  let answered = false;
  return async () => {
    for (let sinceMs: number | undefined; ;) {
      try {
        const info = await readWatched(watch);
        answered = true;
        return info;
      } catch (error) {
        const now = clock.nowMs();
        if (!answered || !isAway(error) || now - (sinceMs ?? now) >= AWAY_MAX_MS) throw error;
        const text = `The server does not answer (${error.message}); the resync goes on when it is back`;
        if (watch.show && sinceMs === undefined) out.message(text, { op: "status", status: "waiting", url: site.url });
        sinceMs ??= now;
        await clock.sleep(POLL_INTERVAL_MS, signal);
        if (signal.aborted) throw error;
      }
    }
  };
}

/** `503`: it is starting, or overloaded. */
const isAway = (error: unknown): error is Error =>
  error instanceof NetworkError || (error instanceof S3ResponseError && error.status === 503);

async function readWatched(watch: ResyncWatch): Promise<ResyncAnswer> {
  const info = await resyncStatus(watch.site.s3, { ...named(watch.site), arn: watch.arn });
  const mine = (target: ResyncTarget): boolean => watch.resetId === undefined || target.resetid === watch.resetId;
  return { target: (info.target ?? []).filter(mine) };
}

function showProgress(watch: ResyncWatch, info: ResyncAnswer, changed: boolean): void {
  const { out } = watch.site.ctx;
  const lines = (info.target ?? []).map((target) => resyncProgressLine(target, watch.clock.nowMs()));
  if (out.interactive) out.progress(lines.join(" | "));
  else if (changed && lines.length > 0) out.message(lines.join("\n"), resyncJson("status", watch.site.url, info));
}
