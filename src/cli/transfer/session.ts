/** Many transfers as one command: bounded workers, a line or a bar, one summary, exit code. */
import type { Clock } from "../../runtime/clock.ts";
import type { CommandContext, CommandError } from "../command.ts";
import type { Place, Transfer } from "./transfer.ts";
import { transfer } from "./transfer.ts";
import type { TransferOptions } from "./options.ts";
import { forEachParallel } from "./pool.ts";
import { TransferProgress } from "./progress.ts";

export interface Item {
  readonly source: Place;
  readonly target: Place;
  readonly size: number;
  readonly conditions?: Transfer["conditions"];
  /** Why this one cannot be moved at all; the others can. */
  readonly fault?: CommandError | undefined;
}

export interface SessionOptions {
  readonly ctx: CommandContext;
  readonly options: TransferOptions;
  readonly clock: Clock;
  readonly workers: number;
  /** Ends at the first failed item. */
  readonly stopAtFirstError: boolean;
  /** Lists only. */
  readonly dryRun?: boolean | undefined;
  /** Called after each success, before the line (mv removes the source here). */
  readonly after?: ((item: Item) => Promise<void>) | undefined;
}

/** Objects of a command at a time; each may use several connections for its parts. */
export const WORKERS_DEFAULT = 8;
export const WORKERS_MAX = 128;

class ReportedFailure extends Error {}

/** Moves all items. Returns 1 when any failed; each failure was reported when it happened. */
export async function runSession(items: AsyncIterable<Item>, session: SessionOptions): Promise<number> {
  const { ctx, clock } = session;
  const progress = new TransferProgress(ctx.out, clock);
  let failed = false;
  const move = async (item: Item): Promise<void> => {
    try {
      await moveOne(item, session, progress);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      failed = true;
      ctx.out.error(`Failed to copy \`${item.source.path}\``, error);
      if (session.stopAtFirstError) throw new ReportedFailure();
    }
  };
  try {
    await forEachParallel(listed(items, progress), session.workers, ctx.signal, move);
  } catch (error) {
    if (!(error instanceof ReportedFailure)) throw error;
  } finally {
    if (progress.totalObjects > 0 && !ctx.signal.aborted) progress.summary();
  }
  return failed ? 1 : 0;
}

async function* listed(items: AsyncIterable<Item>, progress: TransferProgress): AsyncIterable<Item> {
  for await (const item of items) {
    progress.listed(item.size);
    yield item;
  }
  progress.listingDone();
}

async function moveOne(item: Item, session: SessionOptions, progress: TransferProgress): Promise<void> {
  const { ctx } = session;
  const { source, target, conditions } = item;
  let moved = 0;
  const onBytes = (count: number): void => {
    moved += count;
    progress.moved(count, target.path);
  };
  try {
    if (item.fault !== undefined) throw item.fault;
    if (session.dryRun !== true) await transfer({ source, target, options: session.options, conditions, onBytes });
    await session.after?.(item);
  } catch (error) {
    progress.moved(-moved, target.path);
    throw error;
  }
  // A bar takes the place of the lines.
  const text = ctx.out.interactive ? undefined : `\`${source.path}\` -> \`${target.path}\``;
  const { totalObjects, totalBytes } = progress;
  ctx.out.message(text, {
    status: "success",
    source: source.path,
    target: target.path,
    size: item.size,
    totalCount: totalObjects,
    totalSize: totalBytes,
  });
}
