/** `mc tree`: folders, and files when asked for, as a drawing (mc-cli.md 5.1). */
import { systemClock } from "../../runtime/clock.ts";
import { REWIND_FLAG, rewindMoment } from "../age.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import type { Entry } from "../list/entry.ts";
import { treeOf } from "../list/places.ts";
import { currentAt } from "../list/rewind.ts";
import { UsageError } from "../usage-error.ts";
import { countArgs } from "./attempt.ts";

export const treeCommand: Command = {
  name: "tree",
  summary: "draw folders as a tree",
  usage: "TARGET [--files] [--depth N]",
  examples: [{ what: "folders and objects, two levels", line: "mc tree --files --depth 2 here/b" }],
  flags: [
    { name: "files", aliases: ["f"], kind: "bool", help: "objects too" },
    { name: "depth", aliases: ["d"], kind: "int", help: "levels to show; default all" },
    REWIND_FLAG,
  ],
  run,
};

interface Node {
  readonly children: Map<string, Node>;
}

const node = (): Node => ({ children: new Map() });

/** `a/b/c` into the tree, no deeper than `depth` levels; without `files` only its folders. */
function add(root: Node, key: string, { files, depth }: { readonly files: boolean; readonly depth: number }): void {
  const parts = key.split("/");
  const last = parts.pop() ?? "";
  let at = root;
  for (const part of parts.slice(0, depth)) {
    const next = at.children.get(part) ?? node();
    at.children.set(part, next);
    at = next;
  }
  if (files && last !== "" && parts.length < depth && !at.children.has(last)) at.children.set(last, node());
}

function* lines({ children }: Node, indent: string): Iterable<string> {
  const names = [...children.keys()];
  for (const [index, name] of names.entries()) {
    const end = index === names.length - 1;
    yield `${indent}${end ? "└─" : "├─"} ${name}`;
    const child = children.get(name);
    if (child !== undefined) yield* lines(child, `${indent}${end ? "   " : "│  "}`);
  }
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const depth = flags.int("depth") ?? Number.POSITIVE_INFINITY;
  if (depth < 1) throw new UsageError("Expected --depth from 1 on");
  const files = flags.bool("files");
  const moment = rewindMoment(flags, systemClock().nowMs());
  for (const text of countArgs(args.length === 0 ? ["."] : args, 1, 1000, "TARGET...")) {
    const tree = treeOf(ctx, ctx.target(text));
    const root = node();
    const entries: AsyncIterable<Entry> =
      moment === undefined ? tree.list() : currentAt(tree.list({ versions: true }), moment);
    for await (const { key } of entries) add(root, key, { files, depth });
    ctx.out.message(text, { status: "success", key: text });
    for (const line of lines(root, "")) ctx.out.message(line, { status: "success", key: line });
  }
  return 0;
}
