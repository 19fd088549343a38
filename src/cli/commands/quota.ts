/** `mc quota set|info|clear`, and `admin bucket quota` of 2022 (mc-cli.md 7.3, 8; admin-api.md 6.5). */
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { formatSize, parseSize } from "../format.ts";
import type { RemoteTarget } from "../targets.ts";
import { bucketTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";
import { attempt, countArgs } from "./attempt.ts";

export const quotaCommand: Command = {
  name: "quota",
  summary: "limit how many bytes a bucket may hold",
  subcommands: [
    {
      name: "set",
      summary: "set the limit; all versions count",
      usage: "ALIAS/BUCKET --size SIZE",
      examples: [{ what: "at most 64 GiB", line: "mc quota set here/b --size 64GiB" }],
      flags: [{ name: "size", kind: "string", help: "bytes, or with a unit: 10MB, 64GiB" }],
      run: (ctx, args, flags) => set(ctx, oneBucket(ctx, args), flags.string("size")),
    },
    {
      name: "info",
      summary: "show the limit",
      usage: "ALIAS/BUCKET",
      run: (ctx, args) => info(ctx, oneBucket(ctx, args)),
    },
    {
      name: "clear",
      summary: "remove the limit",
      usage: "ALIAS/BUCKET",
      run: (ctx, args) => clear(ctx, oneBucket(ctx, args)),
    },
  ],
};

/** The form of 2022: `--hard SIZE` sets, `--clear` clears, neither shows. */
export const adminBucketQuotaCommand: Command = {
  name: "quota",
  summary: "limit of a bucket, in the form of 2022",
  usage: "ALIAS/BUCKET [--hard SIZE | --clear]",
  hidden: true,
  flags: [
    { name: "hard", kind: "string", help: "bytes, or with a unit" },
    { name: "clear", kind: "bool", help: "remove the limit" },
  ],
  run: async (ctx, args, flags: ParsedFlags) => {
    const target = oneBucket(ctx, args);
    const size = flags.string("hard");
    if (size !== undefined && flags.bool("clear")) throw new UsageError("Expected --hard SIZE or --clear, not both");
    if (size !== undefined) return set(ctx, target, size);
    return flags.bool("clear") ? clear(ctx, target) : info(ctx, target);
  },
};

function oneBucket(ctx: CommandContext, args: readonly string[]): RemoteTarget {
  const [text = ""] = countArgs(args, 1, 1, "one ALIAS/BUCKET");
  return bucketTarget(ctx, text);
}

async function set(ctx: CommandContext, target: RemoteTarget, size: string | undefined): Promise<number> {
  if (size === undefined || size === "") throw new UsageError("Expected --size SIZE");
  const quota = parseSize(size);
  if (quota === 0)
    throw new CommandError("A quota of 0 would refuse every write. Remove a limit with `mc quota clear`");
  await put(ctx, target, { quota, size: quota, rate: 0, requests: 0, quotatype: "hard" }, "Unable to set bucket quota");
  const text = `Set a hard quota of ${formatSize(quota)} on \`${target.bucket}\``;
  ctx.out.message(text, { status: "success", bucket: target.bucket, quota, type: "hard" });
  return 0;
}

async function clear(ctx: CommandContext, target: RemoteTarget): Promise<number> {
  await put(ctx, target, { quota: 0, size: 0, rate: 0, requests: 0 }, "Unable to clear bucket quota config");
  ctx.out.message(`Cleared the quota of \`${target.bucket}\``, { status: "success", bucket: target.bucket });
  return 0;
}

async function put(ctx: CommandContext, target: RemoteTarget, quota: object, what: string): Promise<void> {
  const body = Buffer.from(JSON.stringify(quota));
  const call = { method: "PUT", path: "set-bucket-quota", query: { bucket: target.bucket }, body, signal: ctx.signal };
  await attempt(what, ctx.admin(target.alias).call(call));
}

async function info(ctx: CommandContext, target: RemoteTarget): Promise<number> {
  const call = { method: "GET", path: "get-bucket-quota", query: { bucket: target.bucket }, signal: ctx.signal };
  const answer = ctx.admin(target.alias).json<{ quota?: number; size?: number } | null>(call);
  const config = await attempt("Unable to get bucket quota", answer);
  const quota = config?.size || config?.quota || 0;
  const base = { status: "success", bucket: target.bucket };
  if (quota === 0) ctx.out.message(`Bucket \`${target.bucket}\` has no quota`, base);
  else
    ctx.out.message(`Bucket \`${target.bucket}\` has a hard quota of ${formatSize(quota)}`, {
      ...base,
      quota,
      type: "hard",
    });
  return 0;
}
