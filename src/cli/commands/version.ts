/** `mc version enable|suspend|info` (mc-cli.md 4). */
import { getVersioning, putVersioning } from "../../client/s3-calls.ts";
import type { VersioningConfig } from "../../model/bucket.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import type { RemoteTarget } from "../targets.ts";
import { bucketTarget } from "../targets.ts";
import { attempt, countArgs } from "./attempt.ts";

export const versionCommand: Command = {
  name: "version",
  summary: "keep every version of a bucket's objects",
  subcommands: [
    {
      name: "enable",
      summary: "keep versions from now on",
      usage: "ALIAS/BUCKET [--excluded-prefixes LIST] [--exclude-folders]",
      examples: [{ what: "what replication needs on both sides", line: "mc version enable here/b" }],
      flags: [
        {
          name: "excluded-prefixes",
          kind: "string",
          help: "prefixes without versions, separated by commas; replaces the old list",
        },
        { name: "exclude-folders", kind: "bool", help: "no versions for keys that end in /" },
      ],
      run: enable,
    },
    {
      name: "suspend",
      summary: "make no new versions; the old ones stay",
      usage: "ALIAS/BUCKET",
      examples: [{ what: "stop keeping versions", line: "mc version suspend here/b" }],
      run: suspend,
    },
    {
      name: "info",
      summary: "tell whether versions are kept",
      usage: "ALIAS/BUCKET",
      examples: [{ what: "ask", line: "mc version info here/b" }],
      run: info,
    },
  ],
};

async function enable(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const excludedPrefixes = (flags.string("excluded-prefixes") ?? "").split(",").filter((prefix) => prefix !== "");
  const config: VersioningConfig = {
    status: "Enabled",
    ...(excludedPrefixes.length === 0 ? {} : { excludedPrefixes }),
    ...(flags.bool("exclude-folders") ? { excludeFolders: true } : {}),
  };
  return setVersioning(ctx, args, "enable", config);
}

async function suspend(ctx: CommandContext, args: readonly string[]): Promise<number> {
  return setVersioning(ctx, args, "suspend", { status: "Suspended" });
}

async function setVersioning(
  ctx: CommandContext,
  args: readonly string[],
  op: "enable" | "suspend",
  config: VersioningConfig,
): Promise<number> {
  const target = oneBucket(ctx, args);
  const name = { bucket: target.bucket, signal: ctx.signal };
  await attempt(`Unable to ${op} versioning`, putVersioning(ctx.s3(target.alias), name, config));
  const url = shownUrl(target);
  const word = op === "enable" ? "enabled" : "suspended";
  ctx.out.message(`${url} versioning is ${word}`, versionJson(op, url, undefined));
  return 0;
}

async function info(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const target = oneBucket(ctx, args);
  const name = { bucket: target.bucket, signal: ctx.signal };
  const config = await attempt("Unable to get versioning info", getVersioning(ctx.s3(target.alias), name));
  const url = shownUrl(target);
  ctx.out.message(versionText(url, config), versionJson("info", url, config ?? {}));
  return 0;
}

function oneBucket(ctx: CommandContext, args: readonly string[]): RemoteTarget {
  const [text = ""] = countArgs(args, 1, 1, "one ALIAS/BUCKET");
  return bucketTarget(ctx, text);
}

function shownUrl(target: RemoteTarget): string {
  return target.text.replace(/\/$/, "");
}

/** The line of `info`, and the exclusions, which the first line does not show. */
export function versionText(url: string, config: VersioningConfig | undefined): string {
  if (config === undefined) return `${url} is un-versioned`;
  const prefixes = config.excludedPrefixes ?? [];
  return [
    `${url} versioning is ${config.status.toLowerCase()}`,
    ...(prefixes.length === 0 ? [] : [`  Excluded prefixes: ${prefixes.join(", ")}`]),
    ...(config.excludeFolders === true ? ["  Folders are excluded"] : []),
  ].join("\n");
}

/** `Op` has a capital letter; enable and suspend carry empty values (captures.md 8). */
export function versionJson(
  op: string,
  url: string,
  config: Partial<VersioningConfig> | undefined,
): Record<string, unknown> {
  const versioning = {
    status: config?.status ?? "",
    MFADelete: "",
    ...(config?.excludedPrefixes === undefined ? {} : { ExcludedPrefixes: config.excludedPrefixes }),
    ...(config?.excludeFolders === true ? { ExcludeFolders: true } : {}),
  };
  return { Op: op, status: "success", url, versioning };
}
