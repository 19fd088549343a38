/** `mc diff` (mc-cli.md 5.1): names, types and sizes of current versions; with --versions every version. */
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import type { Entry } from "../list/entry.ts";
import { compareUtf8 } from "../list/local.ts";
import type { Tree } from "../list/places.ts";
import { pairs, treeOf } from "../list/places.ts";
import { UsageError } from "../usage-error.ts";

/** Numbers that scripts know. */
export const DIFFERENCE = { none: 1, size: 2, metadata: 3, type: 4, onlyFirst: 5, onlySecond: 6 } as const;
type Difference = (typeof DIFFERENCE)[keyof typeof DIFFERENCE];

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [first, second, ...rest] = args;
  if (first === undefined || second === undefined || rest.length > 0) throw new UsageError("`mc diff` takes FIRST SECOND");
  const left = treeOf(ctx, ctx.target(first));
  const right = treeOf(ctx, ctx.target(second));
  try {
    return flags.bool("versions") ? await compareVersions(ctx, left, right) : await compareCurrent(ctx, left, right);
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    throw new CommandError(`Failed to compare \`${first}\` and \`${second}\``, error);
  }
}

function report(ctx: CommandContext, kind: Difference, firstUrl: string, secondUrl: string): void {
  const sign = kind === DIFFERENCE.onlyFirst ? "<" : kind === DIFFERENCE.onlySecond ? ">" : "!";
  const text = `${sign} ${kind === DIFFERENCE.onlyFirst ? firstUrl : secondUrl}`;
  ctx.out.message(text, { status: "success", first: firstUrl, second: secondUrl, diff: kind, error: null });
}

/** Exit code 0 whatever differs: scripts read the lines. */
async function compareCurrent(ctx: CommandContext, left: Tree, right: Tree): Promise<number> {
  for await (const { first, second } of pairs(left.list(), right.list())) {
    const kind = difference(first, second);
    if (kind === DIFFERENCE.none) continue;
    report(ctx, kind, first === undefined ? "" : left.url(first.key), second === undefined ? "" : right.url(second.key));
  }
  return 0;
}

function difference(first: Entry | undefined, second: Entry | undefined): Difference {
  if (first === undefined) return DIFFERENCE.onlySecond;
  if (second === undefined) return DIFFERENCE.onlyFirst;
  if (first.type !== second.type) return DIFFERENCE.type;
  return first.size === second.size ? DIFFERENCE.none : DIFFERENCE.size;
}

/** Versions, markers, ETags and tags too; exit code 1 when anything differs. */
async function compareVersions(ctx: CommandContext, left: Tree, right: Tree): Promise<number> {
  let code = 0;
  const options = { versions: true, metadata: true };
  for await (const { first, second } of pairs(byVersion(left.list(options)), byVersion(right.list(options)))) {
    const kind = versionDifference(first, second);
    if (kind === DIFFERENCE.none) continue;
    code = 1;
    const url = (tree: Tree, entry: Entry | undefined): string =>
      entry === undefined ? "" : `${tree.url(nameOf(entry.key))} (${entry.versionId ?? "null"})`;
    report(ctx, kind, url(left, first), url(right, second));
  }
  return code;
}

const SEPARATOR = "\u0000";
const nameOf = (key: string): string => key.slice(0, key.indexOf(SEPARATOR));

/** Versions of one key are sorted by id, so that two servers that list equal times differently still compare. */
async function* byVersion(entries: AsyncIterable<Entry>): AsyncIterable<Entry> {
  let group: Entry[] = [];
  const sorted = (): Entry[] =>
    group
      .map((entry) => ({ ...entry, key: `${entry.key}${SEPARATOR}${entry.versionId ?? ""}` }))
      .sort((a, b) => compareUtf8(a.key, b.key));
  for await (const entry of entries) {
    if (group.length > 0 && group[0]?.key !== entry.key) {
      yield* sorted();
      group = [];
    }
    group.push(entry);
  }
  yield* sorted();
}

function versionDifference(first: Entry | undefined, second: Entry | undefined): Difference {
  const plain = difference(first, second);
  if (plain !== DIFFERENCE.none || first === undefined || second === undefined) return plain;
  if (first.isDeleteMarker !== second.isDeleteMarker) return DIFFERENCE.type;
  const tags = (entry: Entry): string => JSON.stringify(Object.entries(entry.tags ?? {}).sort());
  return first.etag === second.etag && tags(first) === tags(second) ? DIFFERENCE.none : DIFFERENCE.metadata;
}

export const diffCommand: Command = {
  name: "diff",
  summary: "list differences in name and size between two folders or buckets",
  usage: "FIRST SECOND",
  examples: [
    { what: "two buckets", line: "mc diff home/photos away/photos" },
    { what: "every version and delete marker; exit code 1 when they differ", line: "mc diff --versions home/photos away/photos" },
  ],
  flags: [{ name: "versions", kind: "bool", help: "compare versions, delete markers, ETags and tags; exit 1 on a difference" }],
  run,
};
