/** `mc diff` (mc-cli.md 5.1): names, types and sizes of current versions; with --versions every version. */
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import type { Difference } from "../list/compare.ts";
import {
  DIFFERENCE,
  DIFFERENCE_NAMES,
  byVersion,
  difference,
  versionDifference,
  versionName,
} from "../list/compare.ts";
import type { Tree } from "../list/places.ts";
import { pairs, treeOf } from "../list/places.ts";
import { UsageError } from "../usage-error.ts";

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [first, second, ...rest] = args;
  if (first === undefined || second === undefined || rest.length > 0)
    throw new UsageError("`mc diff` takes FIRST SECOND");
  const targets = [ctx.target(first), ctx.target(second)] as const;
  const versions = flags.bool("versions");
  if (versions && targets.some((target) => target.kind === "local")) {
    throw new CommandError("--versions compares two buckets: files of this machine have no versions");
  }
  const [left, right] = [treeOf(ctx, targets[0]), treeOf(ctx, targets[1])];
  try {
    return versions ? await compareVersions(ctx, left, right) : await compareCurrent(ctx, left, right);
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    throw new CommandError(`Failed to compare \`${first}\` and \`${second}\``, error);
  }
}

interface Found {
  readonly kind: Difference;
  /** "" on the side that does not have it. */
  readonly first: string;
  readonly second: string;
  readonly versionId?: string | undefined;
}

function report(ctx: CommandContext, { kind, first, second, versionId }: Found): void {
  const onlyFirst = kind === DIFFERENCE.onlyFirst;
  const sign = onlyFirst ? "<" : kind === DIFFERENCE.onlySecond ? ">" : "!";
  const version = versionId === undefined ? "" : ` (${versionId})`;
  ctx.out.message(`${sign} ${onlyFirst ? first : second}${version}`, {
    status: "success",
    first,
    second,
    diff: kind,
    error: null,
    kind: DIFFERENCE_NAMES[kind],
    ...(versionId === undefined ? {} : { versionId }),
  });
}

/** Exit code 0 whatever differs: scripts read the lines. */
async function compareCurrent(ctx: CommandContext, left: Tree, right: Tree): Promise<number> {
  for await (const { first, second } of pairs(left.list(), right.list())) {
    const kind = difference(first, second);
    if (kind === DIFFERENCE.none) continue;
    report(ctx, {
      kind,
      first: first === undefined ? "" : left.url(first.key),
      second: second === undefined ? "" : right.url(second.key),
    });
  }
  return 0;
}

/** Exit code 1 when anything differs: it is what `cmp` does, and no old script knows the flag. */
async function compareVersions(ctx: CommandContext, left: Tree, right: Tree): Promise<number> {
  let code = 0;
  const options = { versions: true, metadata: true };
  for await (const { first, second } of pairs(byVersion(left.list(options)), byVersion(right.list(options)))) {
    const kind = versionDifference(first, second);
    if (kind === DIFFERENCE.none) continue;
    code = 1;
    report(ctx, {
      kind,
      first: first === undefined ? "" : left.url(versionName(first.key)),
      second: second === undefined ? "" : right.url(versionName(second.key)),
      versionId: (first ?? second)?.versionId ?? "null",
    });
  }
  return code;
}

export const diffCommand: Command = {
  name: "diff",
  summary: "list differences in name and size between two folders or buckets",
  usage: "FIRST SECOND",
  examples: [
    { what: "two buckets", line: "mc diff home/photos away/photos" },
    {
      what: "every version and delete marker; exit code 1 when they differ",
      line: "mc diff --versions home/photos away/photos",
    },
  ],
  flags: [
    {
      name: "versions",
      kind: "bool",
      help: "compare versions, delete markers, ETags, metadata and tags; exit 1 on a difference",
    },
  ],
  run,
};
