/** `admin top api|locks`, and the same as `support top`: what a server is busy with (admin-api.md 6.4, 6.8). */
import type { TraceRecord } from "../../../observe/trace.ts";
import { systemClock } from "../../../runtime/clock.ts";
import type { Command } from "../../command.ts";
import { formatSize } from "../../format.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand } from "./common.ts";
import { spanText, traceMatcher } from "./trace.ts";

const LOCKS_DEFAULT = 10;
const SHOW_EVERY_MS = 1000;

export const topCommand: Command = {
  name: "top",
  summary: "what a server is busy with right now",
  subcommands: [
    adminSubcommand({
      name: "api",
      summary: "calls a second, their times and errors, by kind; until it is interrupted",
      usage: "ALIAS [--name NAME] [--path PATTERN] [--errors]",
      examples: [{ what: "all S3 calls", line: "mc admin top api here" }],
      flags: [
        { name: "name", kind: "list", help: "names of calls: s3.GetObject, wildcards allowed" },
        { name: "path", kind: "list", help: "paths, wildcards allowed" },
        { name: "node", kind: "list", help: "servers" },
        { name: "errors", aliases: ["e"], kind: "bool", help: "failed calls only" },
      ],
      argCount: [0, 0],
      what: "Unable to follow the calls",
      work: topApi,
    }),
    adminSubcommand({
      name: "locks",
      summary: "the oldest locks on objects",
      usage: "ALIAS [--count N]",
      flags: [
        { name: "count", kind: "int", help: `most locks to show; default ${LOCKS_DEFAULT}` },
        { name: "stale", kind: "bool", help: "stale locks too" },
      ],
      argCount: [0, 0],
      what: "Unable to get the locks",
      work: topLocks,
    }),
  ],
};

interface Totals {
  calls: number;
  errors: number;
  sumNs: number;
  maxNs: number;
  rx: number;
  tx: number;
}

/** Sums by call since it was made. */
export class CallTable {
  readonly #totals = new Map<string, Totals>();
  readonly #startMs: number;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  add({ funcname, dur, error, http }: TraceRecord): void {
    const totals = this.#totals.get(funcname) ?? { calls: 0, errors: 0, sumNs: 0, maxNs: 0, rx: 0, tx: 0 };
    this.#totals.set(funcname, totals);
    totals.calls += 1;
    if (error !== undefined || (http?.response.statuscode ?? 0) >= 400) totals.errors += 1;
    totals.sumNs += dur;
    totals.maxNs = Math.max(totals.maxNs, dur);
    totals.rx += http?.stats.inputbytes ?? 0;
    totals.tx += http?.stats.outputbytes ?? 0;
  }

  /** Most calls first. Durations are nanoseconds. */
  rows(nowMs: number) {
    const seconds = Math.max((nowMs - this.#startMs) / 1000, 0.001);
    return [...this.#totals]
      .sort(([a, x], [b, y]) => y.calls - x.calls || (a < b ? -1 : 1))
      .map(([api, { calls, errors, sumNs, maxNs, rx, tx }]) => ({
        api,
        calls,
        perSecond: Math.round((calls / seconds) * 10) / 10,
        errors,
        avg: Math.round(sumNs / calls),
        max: maxNs,
        rx,
        tx,
      }));
  }
}

const COLUMNS = ["CALL", "COUNT", "/s", "ERRORS", "AVG", "MAX", "IN", "OUT"];

function tableText(rows: ReturnType<CallTable["rows"]>): string {
  const cells = rows.map((row) => [
    row.api,
    String(row.calls),
    String(row.perSecond),
    String(row.errors),
    spanText(row.avg),
    spanText(row.max),
    formatSize(row.rx),
    formatSize(row.tx),
  ]);
  const lines = [COLUMNS, ...cells];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const padded = (line: readonly string[]): string =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  return lines.map(padded).join("\n");
}

/** A table a second while there are calls, and a last one at the end. */
async function topApi({ ctx, client, flags }: AdminSite): Promise<void> {
  const clock = systemClock();
  const matches = traceMatcher({ list: (name) => flags.list(name === "funcname" ? "name" : name) });
  const table = new CallTable(clock.nowMs());
  const show = (): void => {
    const rows = table.rows(clock.nowMs());
    if (rows.length > 0) ctx.out.message(`${tableText(rows)}\n`, { status: "success", apis: rows });
  };
  const query = { s3: "true", err: String(flags.bool("errors")), threshold: "0s" };
  let shownMs = clock.nowMs();
  try {
    const call = { method: "GET", path: "trace", query, signal: ctx.signal };
    for await (const record of client.objects<TraceRecord>(call)) {
      if (!matches(record)) continue;
      table.add(record);
      if (clock.nowMs() - shownMs < SHOW_EVERY_MS) continue;
      show();
      shownMs = clock.nowMs();
    }
  } catch (error) {
    if (!ctx.signal.aborted) throw error;
  }
  show();
}

interface Lock {
  readonly time?: string;
  readonly type?: string;
  readonly resource?: string;
  readonly source?: string;
}

async function topLocks({ ctx, client, flags }: AdminSite): Promise<void> {
  const query = { count: String(flags.int("count") ?? LOCKS_DEFAULT), stale: String(flags.bool("stale")) };
  const call = { method: "GET", path: "top/locks", query, signal: ctx.signal };
  const locks = (await client.json<readonly Lock[] | null>(call)) ?? [];
  if (locks.length === 0 && !ctx.out.json) ctx.out.message("No locks are held.", {});
  for (const lock of locks) {
    const { time = "", type = "", resource = "", source = "" } = lock;
    ctx.out.message(`${time}  ${type.padEnd(5)}  ${resource}  ${source}`.trimEnd(), { status: "success", lock });
  }
}
