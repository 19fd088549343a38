/** `mc find` (mc-cli.md 5.1). */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { systemClock } from "../../runtime/clock.ts";
import { AGE_FLAGS, ageFilter } from "../age.ts";
import type { Command, CommandContext, ParsedFlags, Target } from "../command.ts";
import { CommandError } from "../command.ts";
import { formatSize, formatTime, parseSize } from "../format.ts";
import type { Entry } from "../list/entry.ts";
import { baseName } from "../list/entry.ts";
import { lsObject } from "../list/ls-line.ts";
import { globPattern, namePattern, pairsMatch, regexPattern } from "../list/match.ts";
import type { Tree } from "../list/places.ts";
import { treeOf } from "../list/places.ts";
import { listBuckets, listObjects, listVersions } from "../list/remote.ts";
import type { RemoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";

/** An object, version or file that the search came to. */
export interface Found {
  readonly entry: Entry;
  /** ALIAS/BUCKET/KEY or the path of a file. */
  readonly path: string;
  /** The same below TARGET: what patterns are held against. */
  readonly below: string;
  readonly url: string;
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length > 1) throw new UsageError("`mc find` takes one TARGET");
  if (flags.bool("watch")) throw new CommandError("--watch is not supported");
  const target = ctx.target(args[0] ?? ".");
  const wanted = filterOf(flags, systemClock().nowMs());
  const versions = flags.bool("versions");
  const needsMetadata = flags.list("metadata").length > 0 || flags.list("tags").length > 0;
  let any = false;
  for await (const { tree, above } of trees(ctx, target)) {
    for await (const entry of tree.list({ versions, metadata: needsMetadata })) {
      any = true;
      // A delete marker is nothing that could be printed, read or copied.
      if (entry.isDeleteMarker === true) continue;
      const below = above + entry.key;
      const found = { entry, below, path: tree.place(entry.key).path, url: tree.url(entry.key) };
      if (!wanted(found)) continue;
      const code = await report(ctx, found, flags);
      if (code !== 0) return code;
    }
  }
  if (!any && target.kind === "remote" && target.key !== "" && !target.key.endsWith("/"))
    throw new CommandError(`There is neither an object nor a folder \`${target.text}\``);
  return 0;
}

interface Searched {
  readonly tree: Tree;
  /** What stands between TARGET and the tree's keys. */
  readonly above: string;
}

async function* trees(ctx: CommandContext, target: Target): AsyncIterable<Searched> {
  if (target.kind === "local") return yield { tree: treeOf(ctx, target), above: "" };
  const { alias, bucket, key } = target;
  if (bucket === "") {
    for (const { key: name } of await listBuckets(ctx.s3(alias), ctx.signal))
      yield { tree: treeOf(ctx, { ...target, bucket: name.slice(0, -1), text: `${alias}/${name}` }), above: name };
    return;
  }
  // TARGET may be an object, a folder, or both.
  const mayBeObject = key !== "" && !key.endsWith("/");
  if (mayBeObject) yield { tree: objectTree(ctx, target), above: "" };
  yield { tree: treeOf(ctx, target, { mayBeMissing: mayBeObject }), above: "" };
}

/** The one object that TARGET names, if there is one, in the folder that it lies in. */
function objectTree(ctx: CommandContext, target: RemoteTarget): Tree {
  const { bucket, key, alias } = target;
  const name = baseName(key);
  const folder = treeOf(ctx, { ...target, key: key.slice(0, -name.length) });
  const options = { bucket, prefix: key, shallow: true, signal: ctx.signal };
  const client = ctx.s3(alias);
  return {
    ...folder,
    async *list({ metadata, versions } = {}) {
      const page = { ...options, metadata };
      for await (const entry of versions === true ? listVersions(client, page) : listObjects(client, page)) {
        if (entry.key !== key) return;
        yield { ...entry, key: name };
      }
    },
  };
}

/** What the flags ask for, as one predicate. Throws CommandError or UsageError for a value that means nothing. */
export function filterOf(flags: ParsedFlags, nowMs: number): (found: Found) => boolean {
  const pattern = (name: string): RegExp | undefined => {
    const text = flags.string(name);
    return text === undefined ? undefined : globPattern(text);
  };
  const [path, ignore] = [pattern("path"), pattern("ignore")];
  const named = flags.string("name");
  const name = named === undefined ? undefined : namePattern(named);
  const expression = flags.string("regex");
  const regex = expression === undefined ? undefined : regexPattern(expression);
  const age = ageFilter(flags, nowMs);
  const larger = flags.given("larger") ? parseSize(flags.string("larger") ?? "") : -1;
  const smaller = flags.given("smaller") ? parseSize(flags.string("smaller") ?? "") : Infinity;
  const maxDepth = flags.int("maxdepth") ?? 0;
  const metadata = flags.list("metadata").map(pairOf);
  const tags = flags.list("tags").map(pairOf);
  const isNamed = (whole: string): boolean =>
    name === undefined || name.test(baseName(whole)) || whole.split("/").includes(named ?? "");
  return ({ entry, below: whole }) =>
    isNamed(whole) &&
    (path?.test(whole) ?? true) &&
    (regex?.test(whole) ?? true) &&
    ignore?.test(whole) !== true &&
    age(entry.modifiedMs) &&
    entry.size > larger &&
    entry.size < smaller &&
    (maxDepth <= 0 || entry.key.split("/").length <= maxDepth) &&
    pairsMatch(metadata, entry.metadata) &&
    pairsMatch(tags, entry.tags);
}

function pairOf(text: string): readonly [string, RegExp] {
  const at = text.indexOf("=");
  if (at <= 0) throw new UsageError(`\`${text}\` is not of the form KEY=REGEX`);
  return [text.slice(0, at), regexPattern(text.slice(at + 1))];
}

async function report(ctx: CommandContext, found: Found, flags: ParsedFlags): Promise<number> {
  const command = flags.string("exec");
  if (command !== undefined) return execute(ctx, commandWords(command, found));
  const format = flags.string("print");
  const versionId = found.entry.versionId === undefined ? "" : ` (${found.entry.versionId})`;
  const text = format === undefined || format === "" ? `${found.path}${versionId}` : filled(format, found);
  const nowMs = systemClock().nowMs();
  ctx.out.message(text, { ...lsObject(found.entry, found.path, nowMs), url: found.url });
  return 0;
}

/** Placeholders of --print; `{"base"}` and the like are quoted. */
export function filled(format: string, found: Found): string {
  return substituted(format, found, JSON.stringify);
}

function substituted(format: string, { entry, path, url }: Found, quote: (value: string) => string): string {
  const values: Readonly<Record<string, string>> = {
    "": path,
    base: baseName(path),
    dir: path.slice(0, Math.max(0, path.lastIndexOf("/"))),
    size: formatSize(entry.size),
    time: formatTime(new Date(entry.modifiedMs)),
    version: entry.versionId ?? "",
    url,
  };
  return format.replace(/\{("?)([a-z]*)\1\}/g, (whole, mark: string, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) return whole;
    return mark === "" ? value : quote(value);
  });
}

/**
 * The words of an --exec command for one object. The line is taken apart before names are put in, so that a name with
 * blanks or quotes stays one argument: `mc rm {}` must never remove something else.
 */
export function commandWords(line: string, found: Found): string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/(?:\{"[a-z]*"\}|"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+/gs)) {
    const parts = word.matchAll(/(\{"[a-z]*"\})|"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^"'\\{]+|\{)/gs);
    const bare = [...parts].map(([, placeholder, double, single, escaped, plain]) => {
      return (
        placeholder?.replaceAll('"', "") ?? double?.replace(/\\(["\\])/g, "$1") ?? single ?? escaped ?? plain ?? ""
      );
    });
    words.push(substituted(bare.join(""), found, (value) => value));
  }
  return words;
}

/** Runs one command and waits; what it prints goes where ours goes. Returns its exit code, 128 + N after signal N. */
async function execute(ctx: CommandContext, [program = "", ...args]: readonly string[]): Promise<number> {
  if (program === "") throw new UsageError("--exec needs a command");
  const child = spawn(program, args, { stdio: ["inherit", "pipe", "inherit"], signal: ctx.signal });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", (error) => reject(new CommandError(`Unable to run \`${program}\``, error)));
    child.on("close", (code, signal) =>
      resolve(code ?? (signal === null ? 1 : SIGNAL_EXIT + constants.signals[signal])),
    );
  });
  const printed = (async (): Promise<void> => {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) await ctx.out.raw(chunk);
  })();
  const [code] = await Promise.all([ended, printed]);
  return code;
}

/** What shells add to the number of the signal that ended a program. */
const SIGNAL_EXIT = 128;

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
    { name: "name", kind: "string", help: "pattern of the last part of the name (*, ?, [a-z])" },
    { name: "path", kind: "string", help: "pattern of the path below TARGET (* also stands for /)" },
    { name: "regex", kind: "string", help: "regular expression for the path below TARGET" },
    { name: "ignore", kind: "string", help: "leave out paths below TARGET that match this pattern" },
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
