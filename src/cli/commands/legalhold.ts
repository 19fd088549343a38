/** `mc legalhold set|clear|info` (mc-cli.md 5.5). */
import { getLegalHold, putLegalHold } from "../../client/lock-calls.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { wireError } from "../error-report.ts";
import { boxed, forEachVersion, resourceOf, versionText } from "../list/locked.ts";
import { urlOf, VERSION_FLAGS, type SelectedVersion } from "../list/select.ts";
import { remoteTarget } from "../targets.ts";
import { countArgs } from "./attempt.ts";

const USAGE = "ALIAS/BUCKET/KEY";
const BOX_WIDTH = 10;

export const legalholdCommand: Command = {
  name: "legalhold",
  summary: "keep versions until they are released",
  subcommands: [
    {
      name: "set",
      summary: "hold",
      usage: USAGE,
      examples: [
        { what: "the current version of an object", line: "mc legalhold set here/b/key" },
        { what: "every version below a prefix", line: "mc legalhold set -r --versions here/b/case-17/" },
      ],
      flags: VERSION_FLAGS,
      run: (ctx, args, flags) => change(ctx, args, flags, true),
    },
    {
      name: "clear",
      summary: "release",
      usage: USAGE,
      examples: [
        { what: "one version", line: "mc legalhold clear --vid 3f17b0c6-4d4c-4ea6-9d3f-0f6b3c6a7c11 here/b/key" },
      ],
      flags: VERSION_FLAGS,
      run: (ctx, args, flags) => change(ctx, args, flags, false),
    },
    {
      name: "info",
      summary: "tell which versions are held",
      usage: USAGE,
      examples: [{ what: "all versions of an object", line: "mc legalhold info --versions here/b/key" }],
      flags: VERSION_FLAGS,
      run: info,
    },
  ],
};

type Word = "ON" | "OFF" | "";

function json(item: SelectedVersion, legalhold: Word, error?: unknown): Record<string, unknown> {
  return {
    legalhold,
    urlpath: urlOf(item),
    key: item.key,
    versionID: item.versionId ?? "",
    status: error === undefined ? "success" : "failure",
    ...(error === undefined ? {} : { error: wireError(error) }),
  };
}

function change(ctx: CommandContext, args: readonly string[], flags: ParsedFlags, on: boolean): Promise<number> {
  const target = remoteTarget(ctx, countArgs(args, 1, 1, USAGE)[0] ?? "");
  const word = on ? "ON" : "OFF";
  return forEachVersion(
    ctx,
    target,
    flags,
    async (item) => {
      await putLegalHold(item.client, resourceOf(ctx, item), on);
      const done = `Object legal hold successfully ${on ? "set" : "cleared"} for \`${item.key}\`${versionText(item)}.`;
      ctx.out.message(done, json(item, word));
    },
    (item, error) => report(ctx, item, word, error),
  );
}

function report(ctx: CommandContext, item: SelectedVersion, word: Word, error: unknown): void {
  if (ctx.out.json) ctx.out.message(undefined, json(item, word, error));
  else ctx.out.error(`Unable to handle the legal hold of \`${item.name}\`${versionText(item)}`, error);
}

function info(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const target = remoteTarget(ctx, countArgs(args, 1, 1, USAGE)[0] ?? "");
  return forEachVersion(
    ctx,
    target,
    flags,
    async (item) => {
      const held = await getLegalHold(item.client, resourceOf(ctx, item));
      const word = held === undefined ? "" : held ? "ON" : "OFF";
      ctx.out.message(`${boxed(word || "Not set", BOX_WIDTH)} ${item.versionId ?? ""} ${item.key}`, json(item, word));
    },
    (item, error) => report(ctx, item, "", error),
  );
}
