/** `mc cat`, `mc head` and `mc pipe`: raw bytes to standard output and from standard input (mc-cli.md 5.2). */
import { createReadStream } from "node:fs";
import { systemClock } from "../../runtime/clock.ts";
import * as calls from "../../client/s3-calls.ts";
import { REWIND_FLAG, VERSION_ID_FLAG, ZIP_FLAG, rewindMoment } from "../age.ts";
import type { Command, CommandContext, FlagSpec, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { parseEncryption } from "../encryption.ts";
import { formatSize } from "../format.ts";
import { ENC_C_FLAGS, ENC_FLAGS } from "../global-flags.ts";
import { localEntry } from "../list/local.ts";
import { listVersions } from "../list/remote.ts";
import { currentAt } from "../list/rewind.ts";
import type { RemoteTarget } from "../targets.ts";
import { objectTarget } from "../targets.ts";
import { headObject, named } from "../transfer/calls.ts";
import { contentType } from "../transfer/content-type.ts";
import { ATTRIBUTE_FLAGS, WRITE_FLAGS } from "../transfer/options.ts";
import { uploadStream } from "../transfer/upload.ts";
import { UsageError } from "../usage-error.ts";
import { optionsFor } from "./cp.ts";

const READ_FLAGS: readonly FlagSpec[] = [VERSION_ID_FLAG, REWIND_FLAG, ...ENC_C_FLAGS, ZIP_FLAG];

/** The bytes of a target; standard input for `-` or no name. */
async function open(ctx: CommandContext, text: string, flags: ParsedFlags): Promise<AsyncIterable<Buffer>> {
  if (text === "-" || text === "") return ctx.stdin;
  const target = ctx.target(text);
  if (target.kind === "remote") return openObject(ctx, objectTarget(ctx, text), flags);
  if ((await localEntry(target.path, ""))?.type !== "file") {
    throw new CommandError(`\`${text}\`: no such file, and \`${text.split("/")[0]}\` is no alias`);
  }
  return createReadStream(target.path);
}

async function openObject(
  ctx: CommandContext,
  target: RemoteTarget,
  flags: ParsedFlags,
): Promise<AsyncIterable<Buffer>> {
  const client = ctx.s3(target.alias);
  const { bucket, key, text } = target;
  const headers = parseEncryption(flags).get(`${target.alias}/${bucket}/${key}`);
  const versionId = flags.string("version-id") ?? (await versionAt(ctx, target, flags));
  const address = { client, bucket, key, versionId };
  const range = await rangeFor(flags, async () => (await headObject(address, headers, ctx.signal)).size);
  if (range === "empty") return nothing();
  const part = flags.int("part-number");
  const query = part === undefined ? {} : { partNumber: String(part) };
  const name = named(
    address,
    { "accept-encoding": "identity", ...headers, ...(range === undefined ? {} : { range }) },
    ctx.signal,
  );
  try {
    if (part === undefined) return (await calls.getObject(client, name)).stream;
    const all = { ...query, ...(name.versionId === undefined ? {} : { versionId: name.versionId }) };
    return (await client.send({ method: "GET", bucket, key, headers: name.headers, query: all, signal: ctx.signal }))
      .stream;
  } catch (error) {
    throw new CommandError(`Unable to read from \`${text}\``, error);
  }
}

async function* nothing(): AsyncIterable<Buffer> {}

async function rangeFor(flags: ParsedFlags, size: () => Promise<number>): Promise<string | "empty" | undefined> {
  const offset = flags.int("offset");
  const tail = flags.int("tail");
  if (offset !== undefined && tail !== undefined) throw new UsageError("--offset and --tail do not go together");
  if ((offset ?? 0) < 0 || (tail ?? 0) < 0) throw new UsageError("--offset and --tail take no negative numbers");
  if (offset !== undefined && offset > 0) return `bytes=${offset}-`;
  if (tail === undefined) return undefined;
  const whole = await size();
  if (tail === 0 || whole === 0) return "empty";
  return `bytes=${Math.max(0, whole - tail)}-`;
}

async function versionAt(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<string | undefined> {
  const at = rewindMoment(flags, systemClock().nowMs());
  if (at === undefined) return undefined;
  const options = { bucket: target.bucket, prefix: target.key, shallow: true, signal: ctx.signal };
  for await (const entry of currentAt(listVersions(ctx.s3(target.alias), options), at)) {
    if (entry.key === target.key) return entry.versionId;
  }
  throw new CommandError(`Object \`${target.text}\` did not exist then`);
}

async function cat(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (flags.given("version-id") && args.length > 1) throw new UsageError("--version-id goes with one target");
  for (const text of args.length === 0 ? ["-"] : args) {
    for await (const chunk of await open(ctx, text, flags)) await ctx.out.raw(chunk);
  }
  return 0;
}

const LINES_DEFAULT = 10;
const LINE_FEED = 10;

async function head(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const lines = flags.int("lines") ?? LINES_DEFAULT;
  if (lines < 0) throw new UsageError("--lines takes no negative number");
  for (const text of args.length === 0 ? ["-"] : args) await headOne(ctx, await open(ctx, text, flags), lines);
  return 0;
}

async function headOne(ctx: CommandContext, source: AsyncIterable<Buffer>, lines: number): Promise<void> {
  let left = lines;
  if (left === 0) return;
  for await (const chunk of source) {
    let end = 0;
    while (left > 0 && end < chunk.length) {
      const at = chunk.indexOf(LINE_FEED, end);
      if (at >= 0) left -= 1;
      end = at < 0 ? chunk.length : at + 1;
    }
    await ctx.out.raw(chunk.subarray(0, end));
    if (left === 0) return;
  }
}

async function pipe(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length > 1) throw new UsageError("`mc pipe` takes one TARGET or none");
  const text = args[0];
  if (text === undefined) {
    for await (const chunk of ctx.stdin) await ctx.out.raw(chunk);
    return 0;
  }
  const target = objectTarget(ctx, text);
  const { bucket, key, alias } = target;
  const options = optionsFor(ctx, flags);
  const tags = flags.string("tags");
  const headers = {
    "content-type": contentType(key),
    ...options.attributes,
    ...(tags === undefined || tags === "" ? {} : { "x-amz-tagging": tags }),
  };
  const address = { client: ctx.s3(alias), bucket, key };
  const request = { target: address, path: `${alias}/${bucket}/${key}`, headers, options, onBytes: () => undefined };
  const { size } = await uploadStream(request, buffers(ctx.stdin)).catch((error: unknown) => {
    throw new CommandError(`Unable to write to \`${text}\``, error);
  });
  ctx.out.message(`${formatSize(size)} -> \`${text}\``, { status: "success", target: text, size });
  return 0;
}

/** Standard input may be a stream of strings when its encoding was set. */
async function* buffers(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  for await (const chunk of source) yield Buffer.from(chunk);
}

export const catCommand: Command = {
  name: "cat",
  summary: "print objects",
  usage: "TARGET...",
  examples: [
    { what: "an object", line: "mc cat home/notes/todo.txt" },
    { what: "the end of a large log", line: "mc cat --tail 4096 home/logs/server.log" },
  ],
  flags: [
    ...READ_FLAGS,
    { name: "offset", kind: "int", help: "begin at this byte" },
    { name: "tail", kind: "int", help: "only the last bytes" },
    { name: "part-number", kind: "int", help: "only this part" },
  ],
  run: cat,
};

export const headCommand: Command = {
  name: "head",
  summary: "print the first lines of objects",
  usage: "TARGET...",
  examples: [{ what: "three lines", line: "mc head -n 3 home/notes/todo.txt" }],
  flags: [
    ...READ_FLAGS,
    { name: "lines", aliases: ["n"], kind: "int", help: `number of lines (default ${LINES_DEFAULT})` },
  ],
  run: head,
};

export const pipeCommand: Command = {
  name: "pipe",
  summary: "write standard input into an object",
  usage: "[TARGET]",
  examples: [{ what: "a dump without a file in between", line: "pg_dump shop | mc pipe home/dumps/shop.sql" }],
  flags: [
    ...WRITE_FLAGS,
    ...ATTRIBUTE_FLAGS,
    ...ENC_FLAGS,
    { name: "concurrent", kind: "int", help: "parts at a time (default 4)" },
    { name: "part-size", aliases: ["s"], kind: "string", help: "size of a part (default 16MiB)" },
    { name: "pipe-max-size", kind: "int", help: "no effect", hidden: true },
  ],
  run: pipe,
};
