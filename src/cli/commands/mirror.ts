/** `mc mirror` (mc-cli.md 5.4): one pass; there is no --watch. */
import { rm } from "node:fs/promises";
import * as calls from "../../client/s3-calls.ts";
import { AGE_FLAGS, ageFilter } from "../age.ts";
import type { Command, CommandContext, ParsedFlags, Target } from "../command.ts";
import { CommandError } from "../command.ts";
import { ENC_FLAGS } from "../global-flags.ts";
import { globPattern } from "../list/match.ts";
import type { Pair, Tree } from "../list/places.ts";
import { pairs, treeOf } from "../list/places.ts";
import type { Entry } from "../list/entry.ts";
import { listBuckets } from "../list/remote.ts";
import { refuseUnknownAlias } from "../transfer/expand.ts";
import { ATTRIBUTE_FLAGS, PRESERVE_FLAG, WRITE_FLAGS } from "../transfer/options.ts";
import type { Item } from "../transfer/session.ts";
import { runSession } from "../transfer/session.ts";
import { UsageError } from "../usage-error.ts";
import { optionsFor, workersFor } from "./cp.ts";

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [from, to, ...rest] = args;
  if (from === undefined || to === undefined || rest.length > 0) throw new UsageError("`mc mirror` takes SOURCE TARGET");
  for (const name of ["watch", "active-active", "monitoring-address"]) {
    if (flags.given(name)) throw new CommandError(`--${name} is not supported. For continuous copies use \`mc replicate add\``);
  }
  const source = ctx.target(from);
  const target = ctx.target(to);
  if (source.kind === "local") await refuseUnknownAlias(target);
  if (source.kind === "local" || source.bucket !== "") return mirrorOne(ctx, source, target, flags);
  return mirrorBuckets(ctx, source, target, flags);
}

/** A whole server: bucket by bucket. */
async function mirrorBuckets(
  ctx: CommandContext,
  source: Extract<Target, { kind: "remote" }>,
  target: Target,
  flags: ParsedFlags,
): Promise<number> {
  const excluded = flags.list("exclude-bucket").map(globPattern);
  let code = 0;
  for (const { key } of await listBuckets(ctx.s3(source.alias), ctx.signal)) {
    const bucket = key.slice(0, -1);
    if (excluded.some((pattern) => pattern.test(bucket))) continue;
    const to = ctx.target(`${target.text.replace(/\/$/, "")}/${bucket}`);
    code = Math.max(code, await mirrorOne(ctx, { ...source, bucket, text: `${source.alias}/${bucket}` }, to, flags));
  }
  return code;
}

async function mirrorOne(ctx: CommandContext, source: Target, target: Target, flags: ParsedFlags): Promise<number> {
  if (target.kind === "remote") await ensureBucket(ctx, target, flags);
  const trees = { from: treeOf(ctx, source), to: treeOf(ctx, target) };
  const options = optionsFor(ctx, flags);
  const pass: Pass = { ctx, flags, trees, wanted: filterOf(flags, options.clock.nowMs()), failed: false };
  const code = await runSession(itemsToCopy(pass), {
    ctx,
    options,
    clock: options.clock,
    workers: workersFor(flags),
    stopAtFirstError: !flags.bool("skip-errors"),
    dryRun: flags.bool("dry-run"),
  });
  return pass.failed ? 1 : code;
}

interface Pass {
  readonly ctx: CommandContext;
  readonly flags: ParsedFlags;
  readonly trees: { readonly from: Tree; readonly to: Tree };
  readonly wanted: (entry: Entry) => boolean;
  failed: boolean;
}

async function ensureBucket(ctx: CommandContext, target: Extract<Target, { kind: "remote" }>, flags: ParsedFlags): Promise<void> {
  const client = ctx.s3(target.alias);
  const { bucket } = target;
  if (bucket === "") throw new CommandError(`\`${target.text}\` names no bucket. Write ALIAS/BUCKET[/PREFIX]`);
  if (flags.bool("dry-run") || (await calls.bucketExists(client, bucket, ctx.signal))) return;
  const region = flags.string("region");
  await calls.makeBucket(client, { bucket, region: region === "us-east-1" ? undefined : region, signal: ctx.signal });
}

function filterOf(flags: ParsedFlags, nowMs: number): (entry: Entry) => boolean {
  const excluded = flags.list("exclude").map(globPattern);
  const classes = flags.list("exclude-storageclass");
  const age = ageFilter(flags, nowMs);
  return ({ key, modifiedMs, storageClass }) =>
    age(modifiedMs) && !excluded.some((pattern) => pattern.test(key)) && !classes.includes(storageClass ?? "");
}

/** Walks both sides; removes what is too much at the target (--remove) and yields what has to be copied. */
async function* itemsToCopy(pass: Pass): AsyncIterable<Item> {
  const { from, to } = pass.trees;
  for await (const pair of pairs(from.list(), to.list())) {
    const { first, second } = pair;
    if (first === undefined) {
      if (second !== undefined && pass.flags.bool("remove")) await removeExtra(pass, second);
    } else if (pass.wanted(first) && mustCopy(pass, pair)) {
      yield { source: from.place(first.key), target: to.place(first.key), size: first.size };
    }
  }
}

function mustCopy(pass: Pass, { first, second }: Pair): boolean {
  if (first === undefined) return false;
  // A folder marker of a bucket is no file.
  if (first.key.endsWith("/") && pass.trees.to.place(first.key).kind === "local") return false;
  if (second === undefined) return true;
  if (first.size === second.size) return false;
  if (pass.flags.bool("overwrite")) return true;
  pass.failed = true;
  const target = pass.trees.to.place(first.key).path;
  pass.ctx.out.error(`Overwrite not allowed for \`${target}\`. Use \`--overwrite\` to override this behavior`, undefined);
  if (!pass.flags.bool("skip-errors")) throw new CommandError("Mirror stopped at the first difference in size. To go on: --skip-errors or --overwrite");
  return false;
}

async function removeExtra(pass: Pass, entry: Entry): Promise<void> {
  const { ctx, trees } = pass;
  if (!pass.wanted(entry)) return;
  const place = trees.to.place(entry.key);
  if (!pass.flags.bool("dry-run")) {
    if (place.kind === "local") await rm(place.path);
    else await calls.deleteObject(place.address.client, { ...place.address, signal: ctx.signal });
  }
  ctx.out.message(ctx.out.interactive ? undefined : `Removed \`${place.path}\`.`, {
    status: "success",
    key: place.path,
    deleteMarker: false,
    versionID: "",
    modTime: null,
    dryRun: pass.flags.bool("dry-run"),
  });
}

export const mirrorCommand: Command = {
  name: "mirror",
  summary: "make a bucket or folder hold what another one holds",
  usage: "SOURCE TARGET",
  examples: [
    { what: "what is missing", line: "mc mirror photos/ home/photos" },
    { what: "exactly the same names, replacing and removing", line: "mc mirror --overwrite --remove home/photos away/photos" },
    { what: "only say what would be done", line: "mc mirror --dry-run --remove home/photos away/photos" },
  ],
  flags: [
    { name: "overwrite", aliases: ["force"], kind: "bool", help: "replace objects of another size" },
    { name: "remove", kind: "bool", help: "remove what the source does not have" },
    { name: "dry-run", aliases: ["fake"], kind: "bool", help: "only say what would be done" },
    { name: "exclude", kind: "list", help: "leave out names that match (* and ?); repeatable" },
    { name: "exclude-bucket", kind: "list", help: "leave out buckets that match; repeatable" },
    { name: "exclude-storageclass", kind: "list", help: "leave out a storage class; repeatable" },
    ...AGE_FLAGS,
    ...WRITE_FLAGS,
    ...ATTRIBUTE_FLAGS,
    PRESERVE_FLAG,
    ...ENC_FLAGS,
    { name: "region", kind: "string", help: "region of a bucket that has to be made" },
    { name: "skip-errors", kind: "bool", help: "go on after a failure (the exit code stays 1)" },
    { name: "max-workers", kind: "int", help: "objects at a time (default 8)" },
    { name: "retry", kind: "bool", help: "no effect: calls are repeated anyway", hidden: true },
    { name: "summary", kind: "bool", help: "no effect: a summary is always shown", hidden: true },
    { name: "watch", aliases: ["w"], kind: "bool", help: "not supported", hidden: true },
    { name: "active-active", aliases: ["multi-master"], kind: "bool", help: "not supported", hidden: true },
    { name: "monitoring-address", kind: "string", help: "not supported", hidden: true },
  ],
  run,
};
