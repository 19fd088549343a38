/** `mc find` (mc-cli.md 5.1). */
import { spawn } from "node:child_process";
import { systemClock } from "../../runtime/clock.ts";
import { AGE_FLAGS, ageFilter } from "../age.ts";
import type { Command, CommandContext, ParsedFlags, Target } from "../command.ts";
import { CommandError } from "../command.ts";
import { formatSize, formatTime, parseSize } from "../format.ts";
import type { Entry } from "../list/entry.ts";
import { baseName } from "../list/entry.ts";
import { lsObject } from "../list/ls-line.ts";
import { globPattern, pairsMatch } from "../list/match.ts";
import type { Tree } from "../list/places.ts";
import { treeOf } from "../list/places.ts";
import { listBuckets } from "../list/remote.ts";
import { UsageError } from "../usage-error.ts";

interface Found {
  readonly entry: Entry;
  /** ALIAS/BUCKET/KEY or the path of a file. */
  readonly path: string;
  readonly url: string;
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length > 1) throw new UsageError("`mc find` takes one TARGET");
  if (flags.bool("watch")) throw new CommandError("--watch is not supported");
  const target = ctx.target(args[0] ?? ".");
  const wanted = filterOf(flags);
  const versions = flags.bool("versions");
  const needsMetadata = flags.list("metadata").length > 0 || flags.list("tags").length > 0;
  for await (const tree of trees(ctx, target)) {
    for await (const entry of tree.list({ versions, metadata: needsMetadata })) {
      const found = { entry, path: tree.place(entry.key).path, url: tree.url(entry.key) };
      if (!wanted(found)) continue;
      const code = await report(ctx, found, flags);
      if (code !== 0) return code;
    }
  }
  return 0;
}

async function* trees(ctx: CommandContext, target: Target): AsyncIterable<Tree> {
  if (target.kind === "local" || target.bucket !== "") return yield treeOf(ctx, target);
  for (const { key } of await listBuckets(ctx.s3(target.alias), ctx.signal)) {
    yield treeOf(ctx, { ...target, bucket: key.slice(0, -1), text: `${target.alias}/${key}` });
  }
}

function filterOf(flags: ParsedFlags): (found: Found) => boolean {
  const pattern = (name: string): RegExp | undefined => {
    const text = flags.string(name);
    return text === undefined ? undefined : globPattern(text);
  };
  const [name, path, ignore] = [pattern("name"), pattern("path"), pattern("ignore")];
  const regex = regexOf(flags.string("regex"));
  const age = ageFilter(flags, systemClock().nowMs());
  const larger = parseSize(flags.string("larger") ?? "0");
  const smaller = flags.given("smaller") ? parseSize(flags.string("smaller") ?? "") : Infinity;
  const maxDepth = flags.int("maxdepth") ?? 0;
  const metadata = flags.list("metadata").map(pairOf);
  const tags = flags.list("tags").map(pairOf);
  return ({ entry, path: whole }) =>
    (name?.test(baseName(entry.key)) ?? true) &&
    (path?.test(whole) ?? true) &&
    (regex?.test(whole) ?? true) &&
    ignore?.test(whole) !== true &&
    age(entry.modifiedMs) &&
    (larger === 0 || entry.size > larger) &&
    entry.size < smaller &&
    (maxDepth === 0 || entry.key.split("/").length <= maxDepth) &&
    pairsMatch(metadata, entry.metadata) &&
    pairsMatch(tags, entry.tags);
}

function regexOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    return new RegExp(text, "u");
  } catch (error) {
    throw new CommandError(`\`${text}\` is not a regular expression`, error);
  }
}

function pairOf(text: string): readonly [string, RegExp] {
  const at = text.indexOf("=");
  const pattern = at <= 0 ? undefined : regexOf(text.slice(at + 1));
  if (pattern === undefined) throw new UsageError(`\`${text}\` is not of the form KEY=REGEX`);
  return [text.slice(0, at), pattern];
}

async function report(ctx: CommandContext, found: Found, flags: ParsedFlags): Promise<number> {
  const command = flags.string("exec");
  if (command !== undefined) return execute(ctx, filled(command, found));
  const format = flags.string("print");
  const versionId = found.entry.versionId === undefined ? "" : ` (${found.entry.versionId})`;
  const text = format === undefined || format === "" ? `${found.path}${versionId}` : filled(format, found);
  const nowMs = systemClock().nowMs();
  ctx.out.message(text, { ...lsObject(found.entry, found.path, nowMs), url: found.url });
  return 0;
}

/** Placeholders of --print and --exec; `{"base"}` and the like are quoted. */
export function filled(format: string, { entry, path, url }: Found): string {
  const values: Readonly<Record<string, string>> = {
    "": path,
    base: baseName(path),
    dir: path.slice(0, Math.max(0, path.lastIndexOf("/"))),
    size: formatSize(entry.size),
    time: formatTime(new Date(entry.modifiedMs)),
    version: entry.versionId ?? "",
    url,
  };
  return format.replace(/\{("?)([a-z]*)\1\}/g, (whole, quote: string, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return quote === "" ? value : JSON.stringify(value);
  });
}

/** Runs one command line and waits; its output goes where ours goes. Returns the child's exit code. */
function execute(ctx: CommandContext, line: string): Promise<number> {
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double?.replace(/\\(.)/g, "$1") ?? single ?? bare ?? "",
  );
  const [program = "", ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit", signal: ctx.signal });
    child.on("error", (error) => reject(new CommandError(`Unable to run \`${program}\``, error)));
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

export const findCommand: Command = {
  name: "find",
  summary: "search objects and files",
  usage: "[TARGET]",
  examples: [
    { what: "by name", line: 'mc find home/photos --name "*.jpg"' },
    { what: "large and old", line: "mc find home/photos --larger 1GiB --older-than 90d" },
    { what: "a command for each", line: 'mc find home/photos --name "*.tmp" --exec "mc rm {}"' },
  ],
  flags: [
    { name: "name", kind: "string", help: "pattern of the last part of the name (* and ?)" },
    { name: "path", kind: "string", help: "pattern of the whole path" },
    { name: "regex", kind: "string", help: "regular expression for the whole path" },
    { name: "ignore", kind: "string", help: "leave out what matches this pattern" },
    ...AGE_FLAGS,
    { name: "larger", kind: "string", help: "larger than this size" },
    { name: "smaller", kind: "string", help: "smaller than this size" },
    { name: "maxdepth", kind: "int", help: "at most this many levels below the target" },
    { name: "versions", kind: "bool", help: "all versions" },
    { name: "metadata", kind: "list", help: "KEY=REGEX of user metadata; repeatable" },
    { name: "tags", kind: "list", help: "KEY=REGEX of tags; repeatable" },
    { name: "print", kind: "string", help: "format with {} {base} {dir} {size} {time} {version} {url}" },
    { name: "exec", kind: "string", help: "command for each, same placeholders; the first failure ends the search" },
    { name: "watch", kind: "bool", help: "not supported", hidden: true },
  ],
  run,
};
