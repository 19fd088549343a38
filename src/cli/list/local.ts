/** Folders of this machine as sorted listings, in the key order of a bucket. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { compareUtf8 } from "../../model/key-order.ts";
import type { Entry } from "./entry.ts";

/**
 * Every file below `dir`, sorted as a bucket would list the keys (UTF-8 bytes of the path with `/`). Keys are relative to
 * `dir`. Symbolic links to files are followed, to folders not (a loop would never end). Part files of downloads are left out.
 */
export async function* walkLocal(dir: string, prefix = ""): AsyncIterable<Entry> {
  const found = await readdir(join(dir, prefix), { withFileTypes: true });
  const names = found.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort(compareUtf8);
  for (const name of names) {
    if (name.endsWith(PART_SUFFIX)) continue;
    if (name.endsWith("/")) yield* walkLocal(dir, `${prefix}${name}`);
    else {
      const entry = await localEntry(join(dir, prefix, name), `${prefix}${name}`);
      if (entry !== undefined && entry.type === "file") yield entry;
    }
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
export const PART_SUFFIX = ".part.mc";

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
