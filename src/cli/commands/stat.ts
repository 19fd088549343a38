/** `mc stat` (mc-cli.md 5.1). */
import { S3ResponseError } from "../../client/s3-client.ts";
import { systemClock } from "../../runtime/clock.ts";
import { REWIND_FLAG, RECURSIVE_FLAG, VERSION_ID_FLAG, rewindMoment } from "../age.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { parseEncryption } from "../encryption.ts";
import { ENC_C_FLAGS } from "../global-flags.ts";
import { bucketReport } from "../list/bucket-report.ts";
import type { Entry } from "../list/entry.ts";
import { baseName } from "../list/entry.ts";
import { localEntry, walkLocal } from "../list/local.ts";
import { listBuckets, listObjects, listVersions } from "../list/remote.ts";
import { currentAt, notAfter } from "../list/rewind.ts";
import type { StatSubject } from "../list/stat-report.ts";
import { statObject, statText } from "../list/stat-report.ts";
import type { RemoteTarget } from "../targets.ts";
import type { ObjectHead } from "../transfer/calls.ts";
import { headObject, isNotFound } from "../transfer/calls.ts";
import { UsageError } from "../usage-error.ts";

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length === 0) throw new UsageError("`mc stat` takes TARGET...");
  const wide = flags.bool("recursive") || flags.bool("versions");
  if (flags.given("version-id") && (wide || args.length > 1)) {
    throw new UsageError("--version-id goes with one target, without --recursive and --versions");
  }
  let code = 0;
  for (const text of args) {
    try {
      if (!(await statTarget(ctx, text, flags))) code = 1;
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      code = 1;
      ctx.out.error(`Unable to stat \`${text}\``, error);
    }
  }
  return code;
}

function print(ctx: CommandContext, subject: StatSubject): void {
  ctx.out.message(statText(subject), statObject(subject));
}

/** False when an item below the target failed. */
async function statTarget(ctx: CommandContext, text: string, flags: ParsedFlags): Promise<boolean> {
  const target = ctx.target(text);
  if (target.kind === "local") return statLocal(ctx, target.path, flags);
  if (target.bucket === "") return statBuckets(ctx, target);
  if (flags.bool("recursive") || flags.bool("versions") || flags.given("rewind")) return statBelow(ctx, target, flags);
  if (target.key === "") return statBucket(ctx, target);
  return statOne(ctx, target, flags);
}

async function statBuckets(ctx: CommandContext, target: RemoteTarget): Promise<boolean> {
  for (const { key } of await listBuckets(ctx.s3(target.alias), ctx.signal)) {
    await statBucket(ctx, { ...target, bucket: key.slice(0, -1) });
  }
  return true;
}

async function statBucket(ctx: CommandContext, target: RemoteTarget): Promise<boolean> {
  const { text, json } = await bucketReport(ctx, target.alias, target.bucket);
  ctx.out.message(text, json);
  return true;
}

async function statOne(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<boolean> {
  const { bucket, key, alias } = target;
  const client = ctx.s3(alias);
  const versionId = flags.string("version-id");
  const name = baseName(key);
  try {
    const head = await headOf(ctx, target, key, versionId, flags);
    print(ctx, { name: key.endsWith("/") ? `${name}/` : name, type: key.endsWith("/") ? "folder" : "file", ...head });
    return true;
  } catch (error) {
    if (!isNotFound(error) || versionId !== undefined || flags.bool("no-list")) throw notThere(error);
    const prefix = key.endsWith("/") ? key : `${key}/`;
    for await (const _ of listObjects(client, { bucket, prefix, shallow: false, limit: 1, signal: ctx.signal })) {
      print(ctx, { name: `${name}/`, type: "folder", head: noHead(), deleteMarker: false });
      return true;
    }
    throw notThere(error);
  }
}

function notThere(error: unknown): unknown {
  const missing = error instanceof S3ResponseError && error.status === 404 && error.code === "NoSuchKey";
  return missing ? new CommandError("Object does not exist") : error;
}

/** A version that is a delete marker answers 405: its headers say so. */
async function headOf(
  ctx: CommandContext,
  target: RemoteTarget,
  key: string,
  versionId: string | undefined,
  flags: ParsedFlags,
): Promise<Pick<StatSubject, "head" | "deleteMarker">> {
  const headers = parseEncryption(flags).get(`${target.alias}/${target.bucket}/${key}`);
  const address = { client: ctx.s3(target.alias), bucket: target.bucket, key, versionId };
  try {
    return { head: await headObject(address, headers, ctx.signal), deleteMarker: false };
  } catch (error) {
    const marker = versionId !== undefined && error instanceof S3ResponseError && error.status === 405;
    if (!marker) throw error;
    return { head: { ...noHead(), versionId }, deleteMarker: true };
  }
}

function noHead(): ObjectHead {
  return { size: 0, modifiedMs: 0, etag: "", versionId: undefined, headers: {} };
}

async function statBelow(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<boolean> {
  const { bucket, key, text, alias } = target;
  const recursive = flags.bool("recursive");
  const base = key.slice(0, key.lastIndexOf("/") + 1);
  let any = false;
  let fine = true;
  const options = { bucket, prefix: key, shallow: !recursive, signal: ctx.signal };
  for await (const entry of entries(ctx, alias, options, flags)) {
    if (!recursive && key !== "" && !key.endsWith("/") && entry.key !== key) continue;
    any = true;
    fine = (await statEntry(ctx, target, entry, entry.key.slice(base.length), flags)) && fine;
  }
  if (!any) throw new CommandError(key === "" ? `\`${text}\` is empty` : "Object does not exist");
  return fine;
}

function entries(
  ctx: CommandContext,
  alias: string,
  options: { bucket: string; prefix: string; shallow: boolean; signal: AbortSignal },
  flags: ParsedFlags,
): AsyncIterable<Entry> {
  const client = ctx.s3(alias);
  const at = rewindMoment(flags, systemClock().nowMs());
  if (flags.bool("versions"))
    return at === undefined ? listVersions(client, options) : notAfter(listVersions(client, options), at);
  return at === undefined ? listObjects(client, options) : currentAt(listVersions(client, options), at);
}

async function statEntry(
  ctx: CommandContext,
  target: RemoteTarget,
  entry: Entry,
  name: string,
  flags: ParsedFlags,
): Promise<boolean> {
  const { modifiedMs, versionId } = entry;
  if (entry.type === "folder" || entry.isDeleteMarker === true) {
    const head = { ...noHead(), modifiedMs, versionId };
    print(ctx, { name, type: entry.type, head, deleteMarker: entry.isDeleteMarker === true });
    return true;
  }
  try {
    print(ctx, { name, type: "file", ...(await headOf(ctx, target, entry.key, versionId, flags)) });
    return true;
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    ctx.out.error(`Unable to stat \`${target.alias}/${target.bucket}/${entry.key}\``, error);
    return false;
  }
}

async function statLocal(ctx: CommandContext, path: string, flags: ParsedFlags): Promise<boolean> {
  const entry = await localEntry(path, baseName(path));
  if (entry === undefined) throw new CommandError(`No such file or folder, and \`${path.split("/")[0]}\` is no alias`);
  const all: AsyncIterable<Entry> | Iterable<Entry> =
    entry.type === "folder" && flags.bool("recursive") ? walkLocal(path) : [entry];
  for await (const { key, type, size, modifiedMs } of all) {
    print(ctx, { name: key, type, head: { ...noHead(), size, modifiedMs }, deleteMarker: false });
  }
  return true;
}

export const statCommand: Command = {
  name: "stat",
  summary: "show metadata of objects and settings of buckets",
  usage: "TARGET...",
  examples: [
    { what: "an object, with its replication status", line: "mc stat home/photos/a.jpg" },
    { what: "the settings of a bucket", line: "mc stat home/photos" },
    { what: "all versions below a prefix, as JSON", line: "mc stat -r --versions --json home/photos/2025/" },
  ],
  flags: [
    RECURSIVE_FLAG,
    REWIND_FLAG,
    VERSION_ID_FLAG,
    { name: "versions", kind: "bool", help: "all versions and delete markers" },
    { name: "verbose", aliases: ["v"], kind: "bool", help: "no effect: everything is shown", hidden: true },
    { name: "no-list", kind: "bool", help: "one HEAD; does not look whether the target is a folder" },
    ...ENC_C_FLAGS,
  ],
  run,
};
