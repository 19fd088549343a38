/** `mc du` (mc-cli.md 5.1). */
import { systemClock } from "../../runtime/clock.ts";
import { RECURSIVE_FLAG, REWIND_FLAG, rewindMoment } from "../age.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { formatSize } from "../format.ts";
import type { Entry } from "../list/entry.ts";
import { localEntry, walkLocal } from "../list/local.ts";
import { notEmpty } from "../list/places.ts";
import { listBuckets, listObjects, listVersions } from "../list/remote.ts";
import { currentAt, notAfter } from "../list/rewind.ts";
import type { RemoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";

export interface FolderTotal {
  /** Relative to the root, ending in `/`; "" for the root itself. */
  readonly folder: string;
  readonly size: number;
  readonly objects: number;
}

/**
 * Totals of the folders of a sorted listing, each after its contents, the root last. Only folders fewer than `depth`
 * levels below the root are told (the root is level 0). Memory follows the depth, not the number of objects.
 */
export async function* folderTotals(entries: AsyncIterable<Entry>, depth: number): AsyncIterable<FolderTotal> {
  const open: { folder: string; size: number; objects: number }[] = [{ folder: "", size: 0, objects: 0 }];
  for await (const { key, size, isDeleteMarker } of entries) {
    while (open.length > 1 && !key.startsWith(open.at(-1)?.folder ?? "")) {
      const closed = open.pop();
      if (closed !== undefined) yield closed;
    }
    for (
      let slash = key.indexOf("/", open.at(-1)?.folder.length ?? 0);
      slash >= 0 && open.length < depth;
      slash = key.indexOf("/", slash + 1)
    ) {
      open.push({ folder: key.slice(0, slash + 1), size: 0, objects: 0 });
    }
    if (isDeleteMarker === true) continue;
    for (const level of open) {
      level.size += size;
      level.objects += 1;
    }
  }
  yield* open.reverse();
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length === 0) throw new UsageError("`mc du` takes TARGET...");
  let code = 0;
  for (const text of args) {
    try {
      await total(ctx, text, flags);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      code = 1;
      ctx.out.error(`Failed to find disk usage of \`${text}\``, error);
    }
  }
  return code;
}

async function total(ctx: CommandContext, text: string, flags: ParsedFlags): Promise<void> {
  const depth = flags.bool("recursive") ? Infinity : Math.max(1, flags.int("depth") ?? 1);
  const target = ctx.target(text);
  const root =
    target.kind === "local"
      ? target.path.replace(/\/$/, "")
      : [target.bucket, target.key.replace(/\/$/, "")].filter(Boolean).join("/");
  const entries = target.kind === "local" ? await localEntries(target.path) : await remoteEntries(ctx, target, flags);
  const versions = flags.bool("versions");
  const word = versions ? "version" : "object";
  for await (const { folder, size, objects } of folderTotals(entries, depth)) {
    const prefix = [root, folder.replace(/\/$/, "")].filter(Boolean).join("/");
    const line = `${formatSize(size)}\t${objects} ${word}${objects === 1 ? "" : "s"}\t${prefix}`;
    ctx.out.message(line, { prefix, size, objects, status: "success", isVersions: versions });
  }
}

async function localEntries(path: string): Promise<AsyncIterable<Entry>> {
  const entry = await localEntry(path, "");
  if (entry?.type === "folder") return walkLocal(path);
  if (entry === undefined) throw new CommandError(`No such folder, and \`${path.split("/")[0]}\` is no alias`);
  throw new CommandError("It is a file. `mc du` takes a folder");
}

async function remoteEntries(
  ctx: CommandContext,
  target: RemoteTarget,
  flags: ParsedFlags,
): Promise<AsyncIterable<Entry>> {
  const { bucket, key, alias } = target;
  if (bucket === "") return everyBucket(ctx, alias, flags);
  if (key === "" || key.endsWith("/")) return below(ctx, alias, bucket, key, flags);
  // By listing, not HEAD: who may list may not be allowed to read.
  for await (const entry of listObjects(ctx.s3(alias), {
    bucket,
    prefix: key,
    shallow: true,
    limit: 1,
    signal: ctx.signal,
  })) {
    if (entry.key === key) throw new CommandError("It is an object. `mc du` takes a bucket or a folder");
  }
  return notEmpty(below(ctx, alias, bucket, `${key}/`, flags), target.text);
}

async function* everyBucket(ctx: CommandContext, alias: string, flags: ParsedFlags): AsyncIterable<Entry> {
  for (const bucket of await listBuckets(ctx.s3(alias), ctx.signal)) {
    for await (const entry of below(ctx, alias, bucket.key.slice(0, -1), "", flags))
      yield { ...entry, key: bucket.key + entry.key };
  }
}

async function* below(
  ctx: CommandContext,
  alias: string,
  bucket: string,
  prefix: string,
  flags: ParsedFlags,
): AsyncIterable<Entry> {
  const client = ctx.s3(alias);
  const options = { bucket, prefix, shallow: false, signal: ctx.signal };
  const at = rewindMoment(flags, systemClock().nowMs());
  const all = flags.bool("versions");
  const plain = !all && at === undefined;
  const versions = plain ? undefined : listVersions(client, options);
  const chosen =
    versions === undefined
      ? listObjects(client, options)
      : at === undefined
        ? versions
        : all
          ? notAfter(versions, at)
          : currentAt(versions, at);
  for await (const entry of chosen) yield { ...entry, key: entry.key.slice(prefix.length) };
}

export const duCommand: Command = {
  name: "du",
  summary: "sum up sizes and numbers of objects",
  usage: "TARGET...",
  examples: [
    { what: "a bucket and the folders in it", line: "mc du --depth 2 home/photos" },
    { what: "with all versions", line: "mc du --versions home/photos" },
  ],
  flags: [
    {
      name: "depth",
      aliases: ["d"],
      kind: "int",
      help: "also folders fewer than this many levels below (default 1: only the total)",
    },
    RECURSIVE_FLAG,
    REWIND_FLAG,
    { name: "versions", kind: "bool", help: "count all versions" },
  ],
  run,
};
