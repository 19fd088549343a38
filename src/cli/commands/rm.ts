/** `mc rm` (mc-cli.md 5.3). */
import { rm as removeFile } from "node:fs/promises";
import { join } from "node:path";
import * as calls from "../../client/s3-calls.ts";
import { systemClock } from "../../runtime/clock.ts";
import { AGE_FLAGS, RECURSIVE_FLAG, REWIND_FLAG, VERSION_ID_FLAG, ageFilter, rewindMoment } from "../age.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { formatRfc3339, formatTime } from "../format.ts";
import type { Entry } from "../list/entry.ts";
import { localEntry, walkLocal } from "../list/local.ts";
import { listBuckets, listObjects, listUploads, listVersions } from "../list/remote.ts";
import { currentAt, notAfter } from "../list/rewind.ts";
import { linesOf } from "../prompt.ts";
import type { RemoteTarget } from "../targets.ts";
import { remotePath } from "../targets.ts";
import { findObject, isNotFound } from "../transfer/calls.ts";
import type { Doomed, Removed } from "../transfer/remove.ts";
import { removeAll } from "../transfer/remove.ts";
import { UsageError } from "../usage-error.ts";

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  checkFlags(args, flags);
  let code = 0;
  const one = async (text: string): Promise<void> => {
    try {
      if (!(await removeTarget(ctx, text, flags))) code = 1;
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      code = 1;
      ctx.out.error(`Failed to remove \`${text}\``, error);
    }
  };
  for (const text of args) await one(text);
  if (flags.bool("stdin")) for await (const line of linesOf(ctx.stdin)) if (line !== "") await one(line);
  return code;
}

function checkFlags(args: readonly string[], flags: ParsedFlags): void {
  if (args.length === 0 && !flags.bool("stdin")) throw new UsageError("`mc rm` takes TARGET...");
  const many = flags.bool("recursive") || flags.bool("versions") || flags.bool("stdin");
  if (many && !flags.bool("force") && !flags.bool("dry-run")) {
    throw new CommandError(
      "Removal requires --force flag. This operation is *IRREVERSIBLE*. Please review carefully before running",
    );
  }
  if (flags.bool("non-current") && !(flags.bool("recursive") && flags.bool("versions"))) {
    throw new UsageError("--non-current goes with --recursive --versions");
  }
  const wide = flags.bool("recursive") || flags.bool("versions") || flags.given("rewind");
  if (flags.given("version-id") && wide)
    throw new UsageError("--version-id does not go with --recursive, --versions or --rewind");
}

/** False when an item failed; each failure was reported. */
async function removeTarget(ctx: CommandContext, text: string, flags: ParsedFlags): Promise<boolean> {
  const target = ctx.target(text);
  if (target.kind === "local") return removeLocal(ctx, target.path, flags);
  if (target.bucket === "") return removeEverywhere(ctx, target, flags);
  if (flags.bool("incomplete")) return removeUploads(ctx, target, flags);
  if (flags.bool("purge") && flags.bool("force")) return purge(ctx, target);
  const nowMs = systemClock().nowMs();
  const age = ageFilter(flags, nowMs);
  if (flags.bool("recursive")) return removeDoomed(ctx, target, doomedBelow(ctx, target, flags, nowMs), age, flags);
  if (target.key === "" || target.key.endsWith("/")) {
    throw new CommandError(`\`${text}\` is a folder. To remove all below it: mc rm --recursive --force ${text}`);
  }
  if (flags.bool("versions") || flags.given("rewind")) {
    return removeDoomed(ctx, target, exactly(target.key, doomedBelow(ctx, target, flags, nowMs)), age, flags);
  }
  return removeDoomed(ctx, target, await single(ctx, target, flags), age, flags);
}

async function removeEverywhere(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<boolean> {
  const meant = flags.bool("recursive") && flags.bool("force") && flags.bool("dangerous");
  if (!meant) {
    const line = `mc rm --recursive --force --dangerous ${target.text}`;
    throw new CommandError(`This would remove the objects of every bucket. If you mean it: ${line}`);
  }
  let fine = true;
  for (const { key } of await listBuckets(ctx.s3(target.alias), ctx.signal)) {
    fine = (await removeTarget(ctx, `${target.alias}/${key}`, flags)) && fine;
  }
  return fine;
}

/** One key must exist (mc-cli.md 5.3): removing what is not there is an error, also when its latest version is a marker. */
async function single(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<Doomed[]> {
  const { bucket, key, alias } = target;
  const versionId = flags.string("version-id");
  let modifiedMs: number | undefined;
  try {
    const head = await findObject({ client: ctx.s3(alias), bucket, key, versionId }, {}, ctx.signal);
    if (head === undefined) throw new CommandError("Object does not exist");
    modifiedMs = head.modifiedMs;
  } catch (error) {
    // A delete marker named by its version (405) and an object encrypted with the user's key (400) are there.
    if (error instanceof CommandError || isNotFound(error) || ctx.signal.aborted) throw error;
  }
  // What may not be looked at may be young: it must not go because its age is not known.
  if (modifiedMs === undefined && AGE_FLAGS.some(({ name }) => flags.given(name)))
    modifiedMs = await listedTime(ctx, target, versionId);
  return [{ key, versionId, modifiedMs }];
}

/** When the version, or without one the current one, was written, by a listing. Unix milliseconds. */
async function listedTime(ctx: CommandContext, target: RemoteTarget, versionId: string | undefined): Promise<number> {
  const { bucket, key, alias } = target;
  const options = { bucket, prefix: key, shallow: true, signal: ctx.signal };
  const client = ctx.s3(alias);
  for await (const entry of versionId === undefined ? listObjects(client, options) : listVersions(client, options)) {
    if (entry.key !== key) break;
    if (versionId === undefined || entry.versionId === versionId) return entry.modifiedMs;
  }
  throw new CommandError("How old it is cannot be found out, and --older-than or --newer-than asks for it");
}

/** What the flags select below the prefix. */
async function* doomedBelow(
  ctx: CommandContext,
  target: RemoteTarget,
  flags: ParsedFlags,
  nowMs: number,
): AsyncIterable<Doomed> {
  const client = ctx.s3(target.alias);
  const options = { bucket: target.bucket, prefix: target.key, shallow: false, signal: ctx.signal };
  const at = rewindMoment(flags, nowMs);
  if (!flags.bool("versions")) {
    const entries = at === undefined ? listObjects(client, options) : currentAt(listVersions(client, options), at);
    for await (const entry of entries) yield at === undefined ? { ...entry, versionId: undefined } : doom(entry);
    return;
  }
  const versions = listVersions(client, options);
  for await (const entry of at === undefined ? versions : notAfter(versions, at)) {
    if (!flags.bool("non-current") || entry.isLatest !== true) yield doom(entry);
  }
}

const doom = ({ key, versionId, modifiedMs }: Entry): Doomed => ({ key, versionId, modifiedMs });

async function* exactly(key: string, doomed: AsyncIterable<Doomed>): AsyncIterable<Doomed> {
  let any = false;
  for await (const item of doomed) {
    if (item.key !== key) continue;
    any = true;
    yield item;
  }
  if (!any) throw new CommandError("Object does not exist");
}

async function removeDoomed(
  ctx: CommandContext,
  target: RemoteTarget,
  doomed: AsyncIterable<Doomed> | Iterable<Doomed>,
  age: (modifiedMs: number) => boolean,
  flags: ParsedFlags,
): Promise<boolean> {
  const { alias, bucket } = target;
  const wanted = filtered(doomed, age);
  if (flags.bool("dry-run")) {
    for await (const item of wanted) print(ctx, remotePath(alias, bucket, item.key), item, undefined);
    return true;
  }
  let fine = true;
  const options = {
    client: ctx.s3(alias),
    bucket,
    bypass: flags.bool("bypass"),
    clock: systemClock(),
    signal: ctx.signal,
  };
  for await (const removed of removeAll(wanted, options)) {
    const path = remotePath(alias, bucket, removed.key);
    if (removed.error === undefined) print(ctx, path, removed, removed);
    else {
      fine = false;
      const version = removed.versionId === undefined ? "" : ` (versionId=${removed.versionId})`;
      ctx.out.error(`Failed to remove \`${path}\`${version}`, removed.error);
    }
  }
  return fine;
}

async function* filtered(
  doomed: AsyncIterable<Doomed> | Iterable<Doomed>,
  age: (modifiedMs: number) => boolean,
): AsyncIterable<Doomed> {
  for await (const item of doomed) if (item.modifiedMs === undefined || age(item.modifiedMs)) yield item;
}

/** `removed` undefined: dry run. */
function print(ctx: CommandContext, path: string, item: Doomed, removed: Removed | undefined): void {
  const made = removed !== undefined && removed.deleteMarker && item.versionId === undefined;
  const versionId = made ? removed.deleteMarkerVersionId : item.versionId;
  const listed = item.versionId !== undefined && item.modifiedMs !== undefined;
  const modified = listed ? new Date(item.modifiedMs ?? 0) : undefined;
  const begin = removed === undefined ? "DRYRUN: Removing" : made ? "Created delete marker" : "Removed";
  const version = versionId === undefined || versionId === "" ? "" : ` (versionId=${versionId})`;
  const time = modified === undefined ? "" : ` (modTime=${formatTime(modified)})`;
  ctx.out.message(`${begin} \`${path}\`${version}${time}.`, {
    status: "success",
    key: path,
    deleteMarker: removed?.deleteMarker === true,
    versionID: versionId ?? "",
    modTime: modified === undefined ? null : formatRfc3339(modified),
    dryRun: removed === undefined,
  });
}

async function removeUploads(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<boolean> {
  const { alias, bucket, key } = target;
  const client = ctx.s3(alias);
  const age = ageFilter(flags, systemClock().nowMs());
  for await (const entry of listUploads(client, { bucket, prefix: key, shallow: false, signal: ctx.signal })) {
    if ((!flags.bool("recursive") && entry.key !== key) || !age(entry.modifiedMs)) continue;
    const item = { key: entry.key, versionId: undefined };
    const path = remotePath(alias, bucket, entry.key);
    if (flags.bool("dry-run")) print(ctx, path, item, undefined);
    else {
      await calls.abortUpload(client, { bucket, key: entry.key, uploadId: entry.uploadId ?? "", signal: ctx.signal });
      print(ctx, path, item, { ...item, deleteMarker: false, deleteMarkerVersionId: undefined, error: undefined });
    }
  }
  return true;
}

/** One request removes the prefix with all versions (an extension of MinIO). */
async function purge(ctx: CommandContext, target: RemoteTarget): Promise<boolean> {
  const { alias, bucket, key } = target;
  const headers = { "x-minio-force-delete": "true" };
  await calls.deleteObject(ctx.s3(alias), { bucket, key, headers, signal: ctx.signal });
  const item = { key, versionId: undefined };
  print(ctx, remotePath(alias, bucket, key), item, {
    ...item,
    deleteMarker: false,
    deleteMarkerVersionId: undefined,
    error: undefined,
  });
  return true;
}

async function removeLocal(ctx: CommandContext, path: string, flags: ParsedFlags): Promise<boolean> {
  const entry = await localEntry(path, path);
  if (entry === undefined) throw new CommandError(`No such file, and \`${path.split("/")[0]}\` is no alias`);
  const age = ageFilter(flags, systemClock().nowMs());
  if (entry.type === "folder" && !flags.bool("recursive")) {
    throw new CommandError(`\`${path}\` is a folder. To remove all below it: mc rm --recursive --force ${path}`);
  }
  const files: AsyncIterable<Entry> | Iterable<Entry> = entry.type === "folder" ? walkLocal(path) : [entry];
  for await (const file of files) {
    if (!age(file.modifiedMs)) continue;
    const full = entry.type === "folder" ? join(path, file.key) : path;
    const item = { key: full, versionId: undefined };
    if (!flags.bool("dry-run")) await removeFile(full);
    const done = { ...item, deleteMarker: false, deleteMarkerVersionId: undefined, error: undefined };
    print(ctx, full, item, flags.bool("dry-run") ? undefined : done);
  }
  return true;
}

export const rmCommand: Command = {
  name: "rm",
  summary: "remove objects and versions",
  usage: "TARGET...",
  examples: [
    { what: "one object (a delete marker on a versioned bucket)", line: "mc rm home/photos/a.jpg" },
    { what: "one version for good", line: "mc rm --vid 3f17b0c6-4d4c-4ea6-9d3f-0f6b3c6a7c11 home/photos/a.jpg" },
    {
      what: "what would go: all versions below a prefix",
      line: "mc rm -r --versions --force --dry-run home/photos/2019/",
    },
    {
      what: "versions that are not current any more",
      line: "mc rm -r --versions --non-current --older-than 90d --force home/photos",
    },
  ],
  flags: [
    RECURSIVE_FLAG,
    { name: "force", kind: "bool", help: "needed for many objects at once" },
    { name: "versions", kind: "bool", help: "all versions and delete markers" },
    VERSION_ID_FLAG,
    { name: "non-current", kind: "bool", help: "only versions that are not current; with -r --versions" },
    REWIND_FLAG,
    ...AGE_FLAGS,
    { name: "incomplete", aliases: ["I"], kind: "bool", help: "unfinished uploads" },
    { name: "bypass", kind: "bool", help: "also versions under governance retention" },
    { name: "stdin", kind: "bool", help: "targets from standard input, one a line" },
    { name: "dry-run", aliases: ["fake"], kind: "bool", help: "only say what would be removed" },
    { name: "dangerous", kind: "bool", help: "allows to remove the objects of every bucket" },
    { name: "purge", kind: "bool", help: "one request for a whole prefix", hidden: true },
    { name: "enc-c", kind: "list", help: "no effect", hidden: true },
  ],
  run,
};
