/** `admin heal` (admin-api.md 6.8): look at stored bytes and bring back what is damaged; without a bucket, how the scrub is. */
import { systemClock } from "../../../runtime/clock.ts";
import type { Command, CommandContext, FlagSpec, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { formatBinarySize } from "../../format.ts";
import { attempt, countArgs } from "../attempt.ts";
import { UsageError } from "../../usage-error.ts";
import { jsonBody } from "./common.ts";

const WHAT = "Unable to heal";
const POLL_INTERVAL_MS = 500;
const SCAN_MODES: Readonly<Record<string, number>> = { normal: 1, deep: 2 };

const FLAGS: readonly FlagSpec[] = [
  { name: "scan", kind: "string", help: "normal: presence, size and time; deep: every byte (default normal)" },
  { name: "recursive", aliases: ["r"], kind: "bool", help: "everything below the bucket or prefix" },
  { name: "dry-run", aliases: ["n"], kind: "bool", help: "only look" },
  { name: "force-start", aliases: ["f"], kind: "bool", help: "end a heal of the same keys and start anew" },
  { name: "force-stop", aliases: ["s"], kind: "bool", help: "end a running heal" },
  { name: "remove", kind: "bool", help: "accepted; nothing is ever removed", hidden: true },
  { name: "verbose", aliases: ["v"], kind: "bool", help: "one line for each version that was looked at" },
];

interface Item {
  readonly type: string;
  readonly bucket: string;
  readonly object: string;
  readonly versionId: string;
  readonly detail: string;
  readonly objectSize: number;
  readonly before: { readonly drives: readonly { readonly state: string }[] };
  readonly after: { readonly drives: readonly { readonly state: string }[] };
}

interface Status {
  readonly summary: string;
  readonly detail: string;
  readonly items?: readonly Item[];
}

interface Totals {
  versions: number;
  bytes: number;
  damaged: number;
  healed: number;
}

export const healCommand: Command = {
  name: "heal",
  summary: "look at stored bytes and bring back what is damaged",
  usage: "ALIAS[/BUCKET[/PREFIX]] [--recursive] [--scan deep] [--dry-run]",
  examples: [
    { what: "how the background scrub is", line: "mc admin heal here" },
    {
      what: "read every byte of a bucket and repair from its peers",
      line: "mc admin heal --recursive --scan deep here/b",
    },
    { what: "only look", line: "mc admin heal --recursive --dry-run here/b" },
  ],
  flags: FLAGS,
  run: heal,
};

async function heal(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS[/BUCKET[/PREFIX]]");
  const scanMode = SCAN_MODES[flags.string("scan") ?? "normal"];
  if (scanMode === undefined) throw new UsageError("--scan is normal or deep");
  const [alias = "", ...rest] = text.split("/");
  const place = rest.join("/");
  const stop = flags.bool("force-stop");
  if (place === "" && !stop && !flags.bool("recursive")) return backgroundStatus(ctx, alias);
  const admin = ctx.admin(alias);
  const { signal } = ctx;
  const path = `heal/${place}`;
  if (stop) {
    await attempt(WHAT, admin.call({ method: "POST", path, query: { forceStop: "true" }, signal }));
    ctx.out.message(`Heal of \`${text}\` stopped.`, { status: "success", path: text });
    return 0;
  }
  const options = { recursive: flags.bool("recursive"), dryRun: flags.bool("dry-run"), remove: false, recreate: false };
  const query: Record<string, string> = flags.bool("force-start") ? { forceStart: "true" } : {};
  const body = jsonBody({ ...options, scanMode });
  const started = await attempt(
    WHAT,
    admin.json<{ clientToken: string }>({ method: "POST", path, query, body, signal }),
  );
  return follow(ctx, { text, alias, path, token: started.clientToken, verbose: flags.bool("verbose") });
}

interface Followed {
  readonly text: string;
  readonly alias: string;
  readonly path: string;
  readonly token: string;
  readonly verbose: boolean;
}

/** Exit code 1 when something damaged is left. */
async function follow(ctx: CommandContext, { text, alias, path, token, verbose }: Followed): Promise<number> {
  const clock = systemClock();
  const totals: Totals = { versions: 0, bytes: 0, damaged: 0, healed: 0 };
  for (;;) {
    const call = { method: "POST", path, query: { clientToken: token }, signal: ctx.signal };
    const status = await attempt(WHAT, ctx.admin(alias).json<Status>(call));
    for (const item of status.items ?? []) show(ctx, item, totals, verbose);
    if (status.summary === "finished") break;
    if (status.summary === "stopped") throw new CommandError(WHAT, new Error(status.detail));
    ctx.out.progress(`${totals.versions} versions, ${totals.damaged} damaged, ${totals.healed} healed`);
    await clock.sleep(POLL_INTERVAL_MS, ctx.signal);
    if (ctx.signal.aborted) throw new CommandError("Stopped watching; the heal goes on at the server");
  }
  const line = `${totals.versions} versions, ${formatBinarySize(totals.bytes)} looked at; ${totals.damaged} damaged, ${totals.healed} healed`;
  ctx.out.message(`${text}: ${line}`, { status: "success", type: "summary", path: text, ...totals });
  return totals.damaged > totals.healed ? 1 : 0;
}

function show({ out }: CommandContext, item: Item, totals: Totals, verbose: boolean): void {
  if (item.type !== "object") return;
  const before = item.before.drives[0]?.state ?? "";
  const after = item.after.drives[0]?.state ?? "";
  totals.versions++;
  totals.bytes += item.objectSize;
  if (before !== "ok") totals.damaged++;
  if (before !== "ok" && after === "ok") totals.healed++;
  if (before === "ok" && !verbose && !out.json) return;
  const name = `${item.bucket}/${item.object} (${item.versionId})`;
  const words =
    before === "ok" ? "ok" : after === "ok" ? `${before}, healed` : `${before}: ${item.detail || "not healed"}`;
  out.message(`${name}: ${words}`, { status: "success", ...item });
}

interface Background {
  readonly ScannedItemsCount: number;
  readonly scrub?: {
    readonly running: boolean;
    readonly passes: number;
    readonly passStarted?: string;
    readonly passEnded?: string;
    readonly versions: number;
    readonly bytes: number;
    readonly missing: number;
    readonly corrupt: number;
    readonly repaired: number;
    readonly damagedNow: number;
  };
}

async function backgroundStatus(ctx: CommandContext, alias: string): Promise<number> {
  const call = { method: "POST", path: "background-heal/status", signal: ctx.signal };
  const status = await attempt("Unable to get background heal status", ctx.admin(alias).json<Background>(call));
  ctx.out.message(backgroundText(status), { status: "success", ...status });
  return 0;
}

/** Pure. */
function backgroundText({ ScannedItemsCount, scrub }: Background): string {
  if (scrub === undefined) return `Items scanned: ${ScannedItemsCount}`;
  const pass = scrub.running
    ? `a pass is under way since ${scrub.passStarted ?? "now"}`
    : scrub.passEnded === undefined
      ? "the first pass has not begun"
      : `the last pass ended ${scrub.passEnded}`;
  return [
    `Scrub: ${pass}; ${scrub.passes} passes`,
    `   Read:     ${scrub.versions} versions, ${formatBinarySize(scrub.bytes)}`,
    `   Found:    ${scrub.missing} missing, ${scrub.corrupt} corrupt`,
    `   Repaired: ${scrub.repaired} from peers`,
    `   Damaged:  ${scrub.damagedNow} now`,
  ].join("\n");
}
