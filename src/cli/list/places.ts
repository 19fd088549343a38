/** A target as one flat sorted listing, whether it is a bucket, a prefix or a folder of this machine. */
import { join } from "node:path";
import { answeredWith } from "../../client/errors.ts";
import { compareUtf8 } from "../../model/key-order.ts";
import type { CommandContext, Target } from "../command.ts";
import { CommandError } from "../command.ts";
import { remotePath } from "../targets.ts";
import type { Place } from "../transfer/transfer.ts";
import type { Entry } from "./entry.ts";
import { leavesFolder, localEntry, walkLocal } from "./local.ts";
import { listObjects, listVersions } from "./remote.ts";

export interface Tree {
  /** Everything below, keys relative to the target, in key order. */
  list(options?: {
    readonly metadata?: boolean | undefined;
    readonly versions?: boolean | undefined;
  }): AsyncIterable<Entry>;
  /** Where a relative key is. */
  place(key: string, versionId?: string): Place;
  /** URL or path of a relative key, for reports. */
  url(key: string): string;
}

/** `mayBeMissing`: a bucket or folder that is not there lists as empty (a mirror's target before it is made). */
export interface TreeOptions {
  readonly mayBeMissing?: boolean | undefined;
}

/**
 * The tree that `target` names; a prefix without a final slash stands for the folder. Listing a bucket or folder that
 * is not there throws: a name typed wrong must not pass for an empty folder.
 */
export function treeOf(ctx: CommandContext, target: Target, { mayBeMissing = false }: TreeOptions = {}): Tree {
  if (target.kind === "local") return localTree(target.path, mayBeMissing);
  const { alias, bucket } = target;
  if (bucket === "") throw new CommandError(`\`${target.text}\` names no bucket. Write ALIAS/BUCKET[/PREFIX]`);
  const client = ctx.s3(alias);
  const prefix = target.key === "" || target.key.endsWith("/") ? target.key : `${target.key}/`;
  const options = { bucket, prefix, shallow: false, signal: ctx.signal };
  return {
    list: ({ metadata, versions } = {}) => {
      const page = { ...options, metadata };
      const entries = relative(versions === true ? listVersions(client, page) : listObjects(client, page), prefix);
      if (mayBeMissing) return unmarked(emptyWithoutBucket(entries));
      return unmarked(prefix === "" ? entries : notEmpty(entries, target.text));
    },
    place: (key, versionId) => {
      const whole = prefix + key;
      return {
        kind: "remote",
        path: remotePath(alias, bucket, whole),
        address: { client, bucket, key: whole, versionId },
      };
    },
    url: (key) => `${client.endpoint.url}/${bucket}/${prefix}${key}`,
  };
}

async function* relative(entries: AsyncIterable<Entry>, prefix: string): AsyncIterable<Entry> {
  for await (const entry of entries) yield { ...entry, key: entry.key.slice(prefix.length) };
}

/** Without the folder's own marker, which shows that there is one. */
async function* unmarked(entries: AsyncIterable<Entry>): AsyncIterable<Entry> {
  for await (const entry of entries) if (entry.key !== "") yield entry;
}

/** Throws CommandError at the end of a listing in which nothing was: `text` is what was asked for. */
export async function* notEmpty(entries: AsyncIterable<Entry>, text: string): AsyncIterable<Entry> {
  let any = false;
  for await (const entry of entries) {
    any = true;
    yield entry;
  }
  if (!any) throw new CommandError(`There is nothing below \`${text}\``);
}

async function* emptyWithoutBucket(entries: AsyncIterable<Entry>): AsyncIterable<Entry> {
  try {
    yield* entries;
  } catch (error) {
    if (!answeredWith(error, "NoSuchBucket")) throw error;
  }
}

function localTree(path: string, mayBeMissing: boolean): Tree {
  return {
    list: () => localList(path, mayBeMissing),
    place: (key) => {
      if (leavesFolder(key)) throw new CommandError(`The key \`${key}\` would leave the folder \`${path}\``);
      return { kind: "local", path: join(path, key) };
    },
    url: (key) => join(path, key),
  };
}

async function* localList(path: string, mayBeMissing: boolean): AsyncIterable<Entry> {
  if (mayBeMissing && (await localEntry(path, "")) === undefined) return;
  await requireFolder(path);
  yield* walkLocal(path);
}

/** Throws CommandError unless `path` is a folder of this machine. */
export async function requireFolder(path: string): Promise<void> {
  const entry = await localEntry(path, "");
  if (entry === undefined)
    throw new CommandError(`\`${path}\`: no such folder, and \`${path.split("/")[0]}\` is no alias`);
  if (entry.type === "file") throw new CommandError(`\`${path}\` is a file, not a folder`);
}

/** A key on the first side, the second, or both. */
export interface Pair {
  readonly first: Entry | undefined;
  readonly second: Entry | undefined;
}

/**
 * Two sorted listings side by side. Keys repeat in neither (current versions). A listing out of key order throws: a
 * walk over it would take objects for missing, and `mirror --remove` would delete them.
 */
export async function* pairs(first: AsyncIterable<Entry>, second: AsyncIterable<Entry>): AsyncIterable<Pair> {
  const left = inOrder(first)[Symbol.asyncIterator]();
  const right = inOrder(second)[Symbol.asyncIterator]();
  let [a, b] = await Promise.all([left.next(), right.next()]);
  while (a.done !== true || b.done !== true) {
    const order = a.done === true ? 1 : b.done === true ? -1 : compareUtf8(a.value.key, b.value.key);
    yield {
      first: order <= 0 && a.done !== true ? a.value : undefined,
      second: order >= 0 && b.done !== true ? b.value : undefined,
    };
    const [nextA, nextB] = await Promise.all([order <= 0 ? left.next() : a, order >= 0 ? right.next() : b]);
    a = nextA;
    b = nextB;
  }
}

async function* inOrder(entries: AsyncIterable<Entry>): AsyncIterable<Entry> {
  let last: string | undefined;
  for await (const entry of entries) {
    if (last !== undefined && compareUtf8(last, entry.key) >= 0) {
      throw new CommandError(`The listing is not in key order: \`${entry.key}\` comes after \`${last}\``);
    }
    last = entry.key;
    yield entry;
  }
}
