/** What `cp SOURCE... TARGET` means: which objects go where (mc-cli.md 2.1, 5.2). */
import { basename, join } from "node:path";
import type { S3Client } from "../../client/s3-client.ts";
import type { CommandContext, Target } from "../command.ts";
import { CommandError } from "../command.ts";
import type { Entry } from "../list/entry.ts";
import { baseName } from "../list/entry.ts";
import { leavesFolder, localEntry, walkLocal } from "../list/local.ts";
import { LocalNames } from "../list/local-names.ts";
import { hasKey, listBuckets, listObjects, listVersions } from "../list/remote.ts";
import { currentAt } from "../list/rewind.ts";
import { remotePath } from "../targets.ts";
import { findObject } from "./calls.ts";
import type { TransferOptions } from "./options.ts";
import type { Item } from "./session.ts";
import type { Place } from "./transfer.ts";

export interface ExpandOptions {
  readonly recursive: boolean;
  readonly versionId: string | undefined;
  /** Unix milliseconds: copy what was current then. */
  readonly rewindMs: number | undefined;
  /** True for modification times that are wanted. */
  readonly age: (modifiedMs: number) => boolean;
  readonly transfer: TransferOptions;
}

/** The place `target` of a server or of this machine. */
function placeOf(ctx: CommandContext, target: Target, versionId?: string): Place {
  if (target.kind === "local") return { kind: "local", path: target.path };
  const { alias, bucket, key } = target;
  return {
    kind: "remote",
    path: remotePath(alias, bucket, key),
    address: { client: ctx.s3(alias), bucket, key, versionId },
  };
}

/** `base` with `name` below it. */
function below(ctx: CommandContext, base: Target, name: string): Place {
  if (base.kind === "local") return { kind: "local", path: join(base.path, safeName(name)) };
  const glue = base.key === "" || base.key.endsWith("/") ? "" : "/";
  return placeOf(ctx, { ...base, key: `${base.key}${glue}${name}` });
}

/** As `below`; a name that has no place there is the fault of that one item. `names`: of files of this machine. */
async function placeBelow(
  ctx: CommandContext,
  base: Target,
  keep: string,
  name: string,
  names: LocalNames | undefined,
): Promise<Pick<Item, "target" | "fault">> {
  try {
    await names?.take(name);
    return { target: below(ctx, base, keep + name) };
  } catch (fault) {
    if (!(fault instanceof CommandError)) throw fault;
    return { target: { kind: "local", path: name }, fault };
  }
}

/** A key such as `../../x` must not leave the folder that the user named. */
function safeName(name: string): string {
  if (leavesFolder(name)) throw new CommandError(`The key \`${name}\` would leave the target folder`);
  return name;
}

/** Every object to move, as it is found. A source that is not there throws CommandError. */
export async function* expand(
  ctx: CommandContext,
  sources: readonly string[],
  targetText: string,
  options: ExpandOptions,
): AsyncIterable<Item> {
  const target = ctx.target(targetText);
  if (target.kind === "remote" && target.bucket === "") {
    throw new CommandError(`\`${targetText}\` names no bucket. Write ALIAS/BUCKET[/KEY]`);
  }
  if (sources.every((text) => ctx.target(text).kind === "local")) await refuseUnknownAlias(target);
  const intoFolder = options.recursive || sources.length > 1 || (await isFolder(ctx, target));
  for (const text of sources) {
    const source = ctx.target(text);
    if (options.recursive) yield* expandFolder(ctx, source, target, options);
    else yield await expandOne(ctx, source, target, intoFolder, options);
  }
}

/**
 * A copy from this machine to `alhpa/bucket/x` would quietly make a folder `alhpa` here: refused when the first part
 * looks like an alias and no such folder exists.
 */
export async function refuseUnknownAlias(target: Target): Promise<void> {
  const alias = /^([A-Za-z][A-Za-z0-9_-]*)\/./.exec(target.text)?.[1];
  if (target.kind === "remote" || alias === undefined || (await localEntry(alias, "")) !== undefined) return;
  throw new CommandError(
    `There is neither an alias nor a folder \`${alias}\`. Set the alias with \`mc alias set ${alias} URL\``,
  );
}

/** Ends in a slash, is a bucket, an existing folder, or a prefix with something below it and no object of that name. */
async function isFolder(ctx: CommandContext, target: Target): Promise<boolean> {
  if (target.text.endsWith("/")) return true;
  if (target.kind === "local") return (await localEntry(target.path, ""))?.type === "folder";
  if (target.key === "") return true;
  const { bucket, key, alias } = target;
  const client = ctx.s3(alias);
  if (!(await hasBelow(client, { bucket, key }, ctx.signal))) return false;
  return (await findObject({ client, bucket, key }, {}, ctx.signal)) === undefined;
}

/** Whether there is anything below the key as a folder. */
async function hasBelow(client: S3Client, at: { bucket: string; key: string }, signal: AbortSignal): Promise<boolean> {
  const found = listObjects(client, { bucket: at.bucket, prefix: `${at.key}/`, shallow: false, limit: 1, signal });
  for await (const _ of found) return true;
  return false;
}

async function expandOne(
  ctx: CommandContext,
  source: Target,
  target: Target,
  intoFolder: boolean,
  options: ExpandOptions,
): Promise<Item> {
  const found = source.kind === "local" ? await oneFile(source.path) : await oneObject(ctx, source, options);
  const name = source.kind === "local" ? basename(source.path) : baseName(source.key);
  return { ...found, target: intoFolder ? below(ctx, target, name) : placeOf(ctx, target) };
}

async function oneFile(path: string): Promise<Pick<Item, "source" | "size">> {
  const entry = await localEntry(path, path);
  if (entry === undefined)
    throw new CommandError(`\`${path}\`: no such file, and \`${path.split("/")[0]}\` is no alias`);
  if (entry.type === "folder") throw new CommandError(`\`${path}\` is a folder. To copy it, add --recursive`);
  return { source: { kind: "local", path }, size: entry.size };
}

async function oneObject(
  ctx: CommandContext,
  source: Extract<Target, { kind: "remote" }>,
  options: ExpandOptions,
): Promise<Pick<Item, "source" | "size">> {
  const { bucket, key, alias, text } = source;
  if (key === "" || key.endsWith("/")) throw new CommandError(`\`${text}\` is a folder. To copy it, add --recursive`);
  const client = ctx.s3(alias);
  const versionId = options.versionId ?? (await versionAt(ctx, source, options.rewindMs));
  const place = placeOf(ctx, source, versionId);
  const head = await findObject(
    { client, bucket, key, versionId },
    options.transfer.encryption.get(place.path),
    ctx.signal,
  );
  if (head !== undefined) return { source: place, size: head.size };
  if (await hasBelow(client, { bucket, key }, ctx.signal))
    throw new CommandError(`\`${text}\` is a folder. To copy it, add --recursive`);
  throw new CommandError(`Object \`${text}\` does not exist`);
}

async function versionAt(
  ctx: CommandContext,
  source: Extract<Target, { kind: "remote" }>,
  rewindMs: number | undefined,
): Promise<string | undefined> {
  if (rewindMs === undefined) return undefined;
  const options = { bucket: source.bucket, prefix: source.key, shallow: true, signal: ctx.signal };
  for await (const entry of currentAt(listVersions(ctx.s3(source.alias), options), rewindMs)) {
    if (entry.key === source.key) return entry.versionId;
  }
  throw new CommandError(`Object \`${source.text}\` did not exist then`);
}

/** `dir/` stands for its contents, `dir` for itself with its contents. */
async function* expandFolder(
  ctx: CommandContext,
  source: Target,
  target: Target,
  options: ExpandOptions,
): AsyncIterable<Item> {
  if (source.kind === "local") {
    const root = await localEntry(source.path, "");
    if (root === undefined)
      throw new CommandError(
        `\`${source.path}\`: no such file or folder, and \`${source.path.split("/")[0]}\` is no alias`,
      );
    if (root.type === "file") return yield await expandOne(ctx, source, target, true, options);
    const keep = source.path.endsWith("/") || /(^|\/)\.\.?$/.test(source.path) ? "" : `${basename(source.path)}/`;
    for await (const entry of walkLocal(source.path)) {
      if (!options.age(entry.modifiedMs)) continue;
      const place: Place = { kind: "local", path: join(source.path, entry.key) };
      yield { source: place, size: entry.size, target: below(ctx, target, keep + entry.key) };
    }
    return;
  }
  yield* expandPrefix(ctx, source, target, options);
}

async function* expandPrefix(
  ctx: CommandContext,
  source: Extract<Target, { kind: "remote" }>,
  target: Target,
  options: ExpandOptions,
): AsyncIterable<Item> {
  if (source.bucket === "") {
    for (const { key } of await listBuckets(ctx.s3(source.alias), ctx.signal)) {
      const bucket = key.slice(0, -1);
      yield* expandPrefix(ctx, { ...source, bucket, text: `${source.alias}/${bucket}` }, target, options);
    }
    return;
  }
  const contents = source.text.endsWith("/");
  const folder = source.key === "" || contents ? source.key : `${source.key}/`;
  const keep = contents ? "" : `${source.key === "" ? source.bucket : baseName(source.key)}/`;
  if (yield* expandBelow(ctx, source, target, { folder, from: folder, keep }, options)) return;
  if (source.key === "") return;
  if (contents) throw new CommandError(`There is nothing below \`${source.text}\``);
  if (await isObject(ctx, source, options)) return yield await expandOne(ctx, source, target, true, options);
  // The beginning of names, as a shell's `dir/ab*`.
  const beginning = source.key.slice(0, source.key.length - baseName(source.key).length);
  if (!(yield* expandBelow(ctx, source, target, { folder: source.key, from: beginning, keep: "" }, options)))
    throw new CommandError(`Object \`${source.text}\` does not exist`);
}

async function isObject(
  ctx: CommandContext,
  source: Extract<Target, { kind: "remote" }>,
  { versionId, rewindMs }: ExpandOptions,
): Promise<boolean> {
  if (versionId !== undefined || rewindMs !== undefined) return true;
  return hasKey(ctx.s3(source.alias), source, ctx.signal);
}

interface Below {
  /** What keys begin with. */
  readonly folder: string;
  /** What is left out of their names at the target. */
  readonly from: string;
  /** What stands before these. */
  readonly keep: string;
}

/** Returns whether there was anything. */
async function* expandBelow(
  ctx: CommandContext,
  source: Extract<Target, { kind: "remote" }>,
  target: Target,
  { folder, from, keep }: Below,
  options: ExpandOptions,
): AsyncGenerator<Item, boolean> {
  const { bucket } = source;
  const client = ctx.s3(source.alias);
  const exists = (name: string): Promise<boolean> => hasKey(client, { bucket, key: from + name }, ctx.signal);
  const names = target.kind === "local" ? new LocalNames(exists) : undefined;
  let any = false;
  for await (const entry of objectsBelow(ctx, source.alias, bucket, folder, options)) {
    any = true;
    if (!options.age(entry.modifiedMs)) continue;
    const name = entry.key.slice(from.length);
    // A folder marker has no name below a folder of this machine.
    if (target.kind === "local" && (name === "" || name.endsWith("/"))) continue;
    const place = placeOf(
      ctx,
      { ...source, key: entry.key },
      options.rewindMs === undefined ? undefined : entry.versionId,
    );
    yield { source: place, size: entry.size, ...(await placeBelow(ctx, target, keep, name, names)) };
  }
  return any;
}

function objectsBelow(
  ctx: CommandContext,
  alias: string,
  bucket: string,
  prefix: string,
  options: ExpandOptions,
): AsyncIterable<Entry> {
  const client = ctx.s3(alias);
  const list = { bucket, prefix, shallow: false, signal: ctx.signal };
  if (options.rewindMs === undefined) return listObjects(client, list);
  return currentAt(listVersions(client, list), options.rewindMs);
}
