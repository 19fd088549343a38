/** `mc ls` (mc-cli.md 5.1). */
import { systemClock } from "../../runtime/clock.ts";
import { REWIND_FLAG, RECURSIVE_FLAG, ZIP_FLAG, rewindMoment } from "../age.ts";
import type { Command, CommandContext, ParsedFlags, Target } from "../command.ts";
import { CommandError } from "../command.ts";
import { formatSize } from "../format.ts";
import type { Entry } from "../list/entry.ts";
import { baseName } from "../list/entry.ts";
import { listLocal, localEntry, walkLocal } from "../list/local.ts";
import { lsLine, lsObject } from "../list/ls-line.ts";
import type { ListOptions } from "../list/remote.ts";
import { listBuckets, listObjects, listUploads, listVersions } from "../list/remote.ts";
import { currentAt, notAfter } from "../list/rewind.ts";
import type { RemoteTarget } from "../targets.ts";

interface Listing {
  readonly entries: AsyncIterable<Entry>;
  /** Cut off the keys that are shown. */
  readonly base: string;
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const totals = { objects: 0, bytes: 0 };
  let code = 0;
  for (const text of args.length === 0 ? ["."] : args) {
    try {
      await listOne(ctx, ctx.target(text), flags, totals);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      code = 1;
      ctx.out.error(`Unable to list \`${text}\``, error);
    }
  }
  if (flags.bool("summarize") && code === 0) {
    const text = `\nTotal Size: ${formatSize(totals.bytes)}\nTotal Objects: ${totals.objects}`;
    ctx.out.message(text, { status: "success", totalObjects: totals.objects, totalSize: totals.bytes });
  }
  return code;
}

async function listOne(
  ctx: CommandContext,
  target: Target,
  flags: ParsedFlags,
  totals: { objects: number; bytes: number },
): Promise<void> {
  const nowMs = systemClock().nowMs();
  const wanted = flags.string("storage-class");
  const listing =
    target.kind === "local" ? await localListing(target.path, flags) : await remoteListing(ctx, target, flags, nowMs);
  for await (const entry of listing.entries) {
    if (ctx.signal.aborted) throw new CommandError("Interrupted");
    if (wanted !== undefined && wanted !== "*" && entry.storageClass !== wanted) continue;
    totals.objects += 1;
    totals.bytes += entry.size;
    const key = entry.key.slice(listing.base.length);
    // The folder's URL, not the key's (mc-cli.md 5.1).
    const shown = target.kind === "local" ? entry : { ...entry, url: `${entry.url}${listing.base}` };
    ctx.out.message(lsLine(shown, key, nowMs), lsObject(shown, key, nowMs));
  }
}

async function localListing(path: string, flags: ParsedFlags): Promise<Listing> {
  const entry = await localEntry(path, baseName(path));
  if (entry === undefined) {
    const alias = path.split("/")[0] ?? path;
    throw new CommandError(`\`${path}\`: no such file or folder, and there is no alias \`${alias}\``);
  }
  if (entry.type === "file") return { entries: one(entry), base: "" };
  return { entries: flags.bool("recursive") ? walkLocal(path) : listLocal(path), base: "" };
}

async function* one(entry: Entry): AsyncIterable<Entry> {
  yield entry;
}

async function remoteListing(
  ctx: CommandContext,
  target: RemoteTarget,
  flags: ParsedFlags,
  nowMs: number,
): Promise<Listing> {
  if (target.bucket === "") return { entries: bucketsListing(ctx, target, flags, nowMs), base: "" };
  const recursive = flags.bool("recursive");
  const options = { bucket: target.bucket, prefix: target.key, shallow: !recursive, signal: ctx.signal };
  const base = target.key.slice(0, target.key.lastIndexOf("/") + 1);
  const wholePrefix = target.key === "" || target.key.endsWith("/");
  if (wholePrefix) return { entries: entriesOf(ctx, target.alias, options, flags, nowMs), base };
  // `ls A/B/dir` means the folder `dir/` when there is one, else all whose names begin so.
  const below = `${target.key}/`;
  for await (const _ of entriesOf(
    ctx,
    target.alias,
    { ...options, prefix: below, limit: 1, shallow: false },
    flags,
    nowMs,
  )) {
    return { entries: entriesOf(ctx, target.alias, { ...options, prefix: below }, flags, nowMs), base: below };
  }
  return { entries: entriesOf(ctx, target.alias, options, flags, nowMs), base };
}

/** Listing of one prefix as the flags want it. */
function entriesOf(
  ctx: CommandContext,
  alias: string,
  options: ListOptions,
  flags: ParsedFlags,
  nowMs: number,
): AsyncIterable<Entry> {
  const client = ctx.s3(alias);
  if (flags.bool("incomplete")) return listUploads(client, options);
  const at = rewindMoment(flags, nowMs);
  if (flags.bool("versions"))
    return at === undefined ? listVersions(client, options) : notAfter(listVersions(client, options), at);
  return at === undefined ? listObjects(client, options) : plain(currentAt(listVersions(client, options), at));
}

/** --rewind alone shows plain lines, without version columns. */
async function* plain(entries: AsyncIterable<Entry>): AsyncIterable<Entry> {
  for await (const entry of entries) yield { ...entry, versionOrdinal: undefined };
}

async function* bucketsListing(
  ctx: CommandContext,
  target: RemoteTarget,
  flags: ParsedFlags,
  nowMs: number,
): AsyncIterable<Entry> {
  for (const bucket of await listBuckets(ctx.s3(target.alias), ctx.signal)) {
    if (!flags.bool("recursive")) {
      yield bucket;
      continue;
    }
    const options = { bucket: bucket.key.slice(0, -1), prefix: "", shallow: false, signal: ctx.signal };
    for await (const entry of entriesOf(ctx, target.alias, options, flags, nowMs)) {
      yield { ...entry, key: `${bucket.key}${entry.key}` };
    }
  }
}

export const lsCommand: Command = {
  name: "ls",
  summary: "list buckets, objects and versions",
  usage: "[TARGET...]",
  examples: [
    { what: "buckets of a server", line: "mc ls home" },
    { what: "every version and delete marker, as JSON", line: "mc ls -r --versions --json home/photos" },
    { what: "as it was a week ago", line: "mc ls --rewind 7d home/photos/2025/" },
  ],
  flags: [
    RECURSIVE_FLAG,
    REWIND_FLAG,
    ZIP_FLAG,
    { name: "versions", kind: "bool", help: "all versions and delete markers" },
    { name: "incomplete", aliases: ["I"], kind: "bool", help: "unfinished uploads" },
    { name: "summarize", kind: "bool", help: "total size and number at the end" },
    { name: "storage-class", aliases: ["sc"], kind: "string", help: "only this storage class" },
  ],
  run,
};
