/** Folders of this machine as sorted listings, in the key order of a bucket. */
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { compareUtf8 } from "../../model/key-order.ts";
import { CommandError } from "../command.ts";
import type { Entry } from "./entry.ts";

/**
 * Every file below `dir`, sorted as a bucket would list the keys (UTF-8 bytes of the path with `/`). Keys are relative to
 * `dir`. Symbolic links to files are followed, to folders not (a loop would never end). Part files of downloads are left out.
 * Names that are not UTF-8 can be no keys: CommandError after everything else, so that nobody takes the rest for all.
 */
export async function* walkLocal(dir: string): AsyncIterable<Entry> {
  const odd: string[] = [];
  yield* walk(dir, "", odd);
  const [first, ...more] = odd;
  if (first === undefined) return;
  const others = more.length === 0 ? "" : ` (and ${more.length} others)`;
  throw new CommandError(`\`${first}\`${others} is left out: its name is not UTF-8, as names of objects are`);
}

/** What stands in a name for bytes that are not UTF-8. */
const NOT_UTF8 = "\ufffd";

async function* walk(dir: string, prefix: string, odd: string[]): AsyncIterable<Entry> {
  const found = await readdir(join(dir, prefix), { withFileTypes: true });
  const names = found.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort(compareUtf8);
  for (const name of names) {
    if (name.endsWith(PART_SUFFIX)) continue;
    const key = `${prefix}${name}`;
    const isFolder = name.endsWith("/");
    const entry = isFolder && !name.includes(NOT_UTF8) ? undefined : await localEntry(join(dir, key), key);
    if (entry === undefined && name.includes(NOT_UTF8)) odd.push(join(dir, key));
    else if (isFolder) yield* walk(dir, key, odd);
    else if (entry?.type === "file") yield entry;
  }
}

/** Files and folders directly in `dir`; folders end in `/`. */
export async function* listLocal(dir: string): AsyncIterable<Entry> {
  const found = await readdir(dir, { withFileTypes: true });
  const names = found.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort(compareUtf8);
  for (const name of names) {
    const entry = await localEntry(join(dir, name), name);
    if (entry !== undefined) yield entry;
  }
}

/** Downloads are written under this ending and renamed when they are whole. */
const PART_SUFFIX = ".part.mc";
/** Longest name that file systems take. */
const NAME_BYTES_MAX = 255;

/** Where the file at `path` is written before it is whole; `tag` tells contents apart. */
export function partPath(path: string, tag = ""): string {
  const name = basename(path);
  const suffix = `${tag === "" ? "" : `.${tag}`}${PART_SUFFIX}`;
  const fits = Buffer.byteLength(name) + suffix.length <= NAME_BYTES_MAX;
  const short = fits ? name : createHash("sha256").update(name).digest("hex");
  return join(dirname(path), `${short}${suffix}`);
}

/**
 * Whether `path` is a device, a pipe, or a name of an open file: it is written to. A file that was renamed into its place,
 * of `/dev/null` say, would take it from everybody.
 */
export async function isStream(path: string): Promise<boolean> {
  if (sep === "/" && resolve(path).startsWith("/dev/")) return true;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

/** The file or folder at `path`; undefined when it is neither or not there. */
export async function localEntry(path: string, key: string): Promise<Entry | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR" || error.code === "ELOOP") return undefined;
    throw error;
  });
  if (found === undefined || !(found.isFile() || found.isDirectory())) return undefined;
  const type = found.isFile() ? "file" : "folder";
  return {
    type,
    key,
    size: found.isFile() ? found.size : 0,
    modifiedMs: Math.floor(found.mtimeMs),
    etag: "",
    url: path,
  };
}

/** Whether a key would name something outside the folder that it is put into. Where `\\` parts names, it does so here. */
export function leavesFolder(key: string): boolean {
  const parts = sep === "/" ? key.split("/") : key.split(/[/\\]/);
  return parts.includes("..") || (sep !== "/" && /^[A-Za-z]:/.test(key));
}
