/** `mc cp`, `mc mv`, `mc put`, `mc get` (mc-cli.md 5.2). */
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../runtime/clock.ts";
import * as calls from "../../client/s3-calls.ts";
import { AGE_FLAGS, RECURSIVE_FLAG, REWIND_FLAG, VERSION_ID_FLAG, ZIP_FLAG, ageFilter, rewindMoment } from "../age.ts";
import type { Command, CommandContext, FlagSpec, ParsedFlags } from "../command.ts";
import { configDir } from "../config.ts";
import type { Encryption } from "../encryption.ts";
import { ENC_C_FLAGS, ENC_FLAGS } from "../global-flags.ts";
import { objectTarget, remoteTarget } from "../targets.ts";
import type { ExpandOptions } from "../transfer/expand.ts";
import { expand } from "../transfer/expand.ts";
import type { TransferOptions } from "../transfer/options.ts";
import { ATTRIBUTE_FLAGS, LOCK_FLAGS, PRESERVE_FLAG, WRITE_FLAGS, transferOptions } from "../transfer/options.ts";
import type { Item, SessionOptions } from "../transfer/session.ts";
import { WORKERS_DEFAULT, WORKERS_MAX, runSession } from "../transfer/session.ts";
import type { Place } from "../transfer/transfer.ts";
import { UsageError } from "../usage-error.ts";

/** Transfer options of this run, with resumable state in the configuration folder. */
export function optionsFor(ctx: CommandContext, flags: ParsedFlags): TransferOptions {
  const stateDir = join(configDir(ctx.global.string("config-dir"), process.env), "uploads");
  return transferOptions(ctx, flags, systemClock(), stateDir);
}

/** --max-workers. */
export function workersFor(flags: ParsedFlags): number {
  const count = flags.int("max-workers") ?? WORKERS_DEFAULT;
  if (count < 1 || count > WORKERS_MAX) throw new UsageError(`--max-workers takes 1 to ${WORKERS_MAX}`);
  return count;
}

function expandOptions(flags: ParsedFlags, transfer: TransferOptions): ExpandOptions {
  const nowMs = transfer.clock.nowMs();
  return {
    recursive: flags.bool("recursive"),
    versionId: flags.string("version-id"),
    rewindMs: rewindMoment(flags, nowMs),
    age: ageFilter(flags, nowMs),
    transfer,
  };
}

function split(args: readonly string[], what: string): { sources: readonly string[]; target: string } {
  const target = args.at(-1);
  if (args.length < 2 || target === undefined) throw new UsageError(`\`mc ${what}\` takes SOURCE... TARGET`);
  return { sources: args.slice(0, -1), target };
}

function sessionFor(ctx: CommandContext, flags: ParsedFlags, options: TransferOptions): SessionOptions {
  return { ctx, options, clock: options.clock, workers: workersFor(flags), stopAtFirstError: false };
}

async function copy(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const { sources, target } = split(args, "cp");
  const options = optionsFor(ctx, flags);
  const expanding = expandOptions(flags, options);
  if (expanding.versionId !== undefined && (sources.length > 1 || expanding.recursive)) {
    throw new UsageError("--version-id goes with one source and without --recursive");
  }
  return runSession(expand(ctx, sources, target, expanding), sessionFor(ctx, flags, options));
}

async function move(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const { sources, target } = split(args, "mv");
  const options = optionsFor(ctx, flags);
  const after = (item: Item): Promise<void> => removeSource(ctx, item, options.encryption);
  return runSession(expand(ctx, sources, target, expandOptions(flags, options)), {
    ...sessionFor(ctx, flags, options),
    after,
  });
}

async function removeSource(ctx: CommandContext, item: Item, encryption: Encryption): Promise<void> {
  // Moving a thing onto itself must not delete it.
  if (item.source.path === item.target.path || (await isOnePlace(ctx, item, encryption))) return;
  if (item.source.kind === "local") return rm(item.source.path);
  const { client, bucket, key } = item.source.address;
  await calls.deleteObject(client, { bucket, key, signal: ctx.signal });
}

type Remote = Extract<Place, { kind: "remote" }>;

/**
 * Whether source and target, which were written in two ways, are the same after the copy: a path through `.` or a link, or
 * two names of one server. When in doubt they are: what is not removed can still be removed.
 */
async function isOnePlace(ctx: CommandContext, { source, target }: Item, encryption: Encryption): Promise<boolean> {
  if (source.kind === "local" && target.kind === "local") {
    const [from, to] = await Promise.all([stat(source.path), stat(target.path)]);
    return from.dev === to.dev && from.ino === to.ino;
  }
  if (source.kind === "local" || target.kind === "local") return false;
  const [from, to] = [source.address, target.address];
  if (from.client === to.client || from.bucket !== to.bucket || from.key !== to.key) return false;
  if (new URL(from.client.endpoint.url).origin === new URL(to.client.endpoint.url).origin) return true;
  const headOf = ({ path, address: { client, bucket, key } }: Remote): Promise<Readonly<Record<string, string>>> =>
    calls.headObject(client, { bucket, key, headers: encryption.get(path), signal: ctx.signal });
  const [here, there] = await Promise.all([headOf(source), headOf(target)]);
  const same = (...names: string[]): boolean => names.every((name) => here[name] === there[name]);
  const says = (name: string): boolean => (here[name] ?? "null") !== "null";
  if (says("x-amz-version-id") && same("x-amz-version-id")) return true;
  return (says("x-amz-id-2") && same("x-amz-id-2")) || same("etag", "last-modified");
}

async function put(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const { sources, target } = split(args, "put");
  remoteTarget(ctx, target);
  const options = optionsFor(ctx, flags);
  const items = expand(ctx, sources, target, expandOptions(flags, options));
  const conditions = flags.bool("if-not-exists") ? { "if-none-match": "*" } : undefined;
  return runSession(withConditions(items, conditions), sessionFor(ctx, flags, options));
}

async function* withConditions(items: AsyncIterable<Item>, conditions: Item["conditions"]): AsyncIterable<Item> {
  for await (const item of items) yield { ...item, conditions };
}

async function get(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length !== 2) throw new UsageError("`mc get` takes SOURCE TARGET");
  const source = objectTarget(ctx, args[0] ?? "");
  const options = optionsFor(ctx, flags);
  const items = expand(ctx, [source.text], args[1] ?? "", expandOptions(flags, options));
  return runSession(items, sessionFor(ctx, flags, options));
}

const CONTINUE_FLAG: FlagSpec = {
  name: "continue",
  aliases: ["c"],
  kind: "bool",
  help: "go on with an interrupted transfer",
};
const WORKERS_FLAG: FlagSpec = {
  name: "max-workers",
  kind: "int",
  help: `objects at a time (default ${WORKERS_DEFAULT})`,
};

export const cpCommand: Command = {
  name: "cp",
  summary: "copy files and objects",
  usage: "SOURCE... TARGET",
  examples: [
    { what: "a file into a bucket", line: "mc cp report.pdf home/documents/" },
    { what: "a folder with everything below it", line: "mc cp -r photos/ home/photos/2025/" },
    {
      what: "one version back into place",
      line: "mc cp --vid 3f17b0c6-4d4c-4ea6-9d3f-0f6b3c6a7c11 home/photos/a.jpg home/photos/a.jpg",
    },
    { what: "go on after an interruption", line: "mc cp --continue disk.img home/images/" },
  ],
  flags: [
    RECURSIVE_FLAG,
    REWIND_FLAG,
    VERSION_ID_FLAG,
    ...AGE_FLAGS,
    ...WRITE_FLAGS,
    ...ATTRIBUTE_FLAGS,
    PRESERVE_FLAG,
    ...LOCK_FLAGS,
    ...ENC_FLAGS,
    CONTINUE_FLAG,
    WORKERS_FLAG,
    ZIP_FLAG,
  ],
  run: copy,
};

export const mvCommand: Command = {
  name: "mv",
  summary: "move files and objects: copy, then remove the source",
  usage: "SOURCE... TARGET",
  examples: [{ what: "a folder within a bucket", line: "mc mv -r home/photos/new/ home/photos/2025/" }],
  flags: [
    RECURSIVE_FLAG,
    ...AGE_FLAGS,
    ...WRITE_FLAGS,
    ...ATTRIBUTE_FLAGS,
    PRESERVE_FLAG,
    ...ENC_FLAGS,
    CONTINUE_FLAG,
    WORKERS_FLAG,
  ],
  run: move,
};

export const putCommand: Command = {
  name: "put",
  summary: "upload files",
  usage: "FILE... TARGET",
  examples: [
    {
      what: "large parts, eight at a time",
      line: "mc put --part-size 64MiB --parallel 8 disk.img home/images/disk.img",
    },
  ],
  flags: [
    ...WRITE_FLAGS,
    { name: "parallel", aliases: ["P"], kind: "int", help: "parts at a time (default 4)" },
    { name: "part-size", aliases: ["s"], kind: "string", help: "size of a part (default 16MiB)" },
    { name: "if-not-exists", kind: "bool", help: "refuse to replace an object" },
    CONTINUE_FLAG,
    ...ENC_FLAGS,
  ],
  run: put,
};

export const getCommand: Command = {
  name: "get",
  summary: "download an object",
  usage: "SOURCE TARGET",
  examples: [{ what: "into this folder", line: "mc get home/images/disk.img ." }],
  flags: [VERSION_ID_FLAG, CONTINUE_FLAG, ...ENC_C_FLAGS],
  run: get,
};
