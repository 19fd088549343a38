/** A target as one flat sorted listing, whether it is a bucket, a prefix or a folder of this machine. */
import { join } from "node:path";
import type { CommandContext, Target } from "../command.ts";
import { CommandError } from "../command.ts";
import { remotePath } from "../targets.ts";
import type { Place } from "../transfer/transfer.ts";
import type { Entry } from "./entry.ts";
import { compareUtf8, localEntry, walkLocal } from "./local.ts";
import { listObjects, listVersions } from "./remote.ts";

export interface Tree {
  /** Everything below, keys relative to the target, in key order. */
  list(options?: { readonly metadata?: boolean | undefined; readonly versions?: boolean | undefined }): AsyncIterable<Entry>;
  /** Where a relative key is. */
  place(key: string, versionId?: string): Place;
  /** URL or path of a relative key, for reports. */
  url(key: string): string;
}

/** The tree that `target` names; a prefix without a final slash stands for the folder. */
export function treeOf(ctx: CommandContext, target: Target): Tree {
  if (target.kind === "local") return localTree(target.path);
  const { alias, bucket } = target;
  if (bucket === "") throw new CommandError(`\`${target.text}\` names no bucket. Write ALIAS/BUCKET[/PREFIX]`);
  const client = ctx.s3(alias);
  const prefix = target.key === "" || target.key.endsWith("/") ? target.key : `${target.key}/`;
  const options = { bucket, prefix, shallow: false, signal: ctx.signal };
  return {
    list: ({ metadata, versions } = {}) =>
      relative(versions === true ? listVersions(client, { ...options, metadata }) : listObjects(client, { ...options, metadata }), prefix),
    place: (key, versionId) => {
      const whole = prefix + key;
      return { kind: "remote", path: remotePath(alias, bucket, whole), address: { client, bucket, key: whole, versionId } };
    },
    url: (key) => `${client.endpoint.url}/${bucket}/${prefix}${key}`,
  };
}

async function* relative(entries: AsyncIterable<Entry>, prefix: string): AsyncIterable<Entry> {
  for await (const entry of entries) if (entry.key !== prefix) yield { ...entry, key: entry.key.slice(prefix.length) };
}

function localTree(path: string): Tree {
  return {
    list: () => localList(path),
    place: (key) => {
      if (key.split("/").includes("..")) throw new CommandError(`The key \`${key}\` would leave the folder \`${path}\``);
      return { kind: "local", path: join(path, key) };
    },
    url: (key) => join(path, key),
  };
}

/** A folder that is not there yet is an empty one: mirror makes it. */
async function* localList(path: string): AsyncIterable<Entry> {
  const entry = await localEntry(path, "");
  if (entry?.type === "file") throw new CommandError(`\`${path}\` is a file, not a folder`);
  if (entry !== undefined) yield* walkLocal(path);
}

/** A key on the first side, the second, or both. */
export interface Pair {
  readonly first: Entry | undefined;
  readonly second: Entry | undefined;
}

/** Two sorted listings side by side. Keys repeat in neither (current versions). */
export async function* pairs(first: AsyncIterable<Entry>, second: AsyncIterable<Entry>): AsyncIterable<Pair> {
  const left = first[Symbol.asyncIterator]();
  const right = second[Symbol.asyncIterator]();
  let [a, b] = await Promise.all([left.next(), right.next()]);
  while (a.done !== true || b.done !== true) {
    const order = a.done === true ? 1 : b.done === true ? -1 : compareUtf8(a.value.key, b.value.key);
    yield { first: order <= 0 && a.done !== true ? a.value : undefined, second: order >= 0 && b.done !== true ? b.value : undefined };
    const [nextA, nextB] = await Promise.all([order <= 0 ? left.next() : a, order >= 0 ? right.next() : b]);
    a = nextA;
    b = nextB;
  }
}
