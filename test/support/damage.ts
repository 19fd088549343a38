/** What happens to the blob files of a site: removed, cut, flipped. */
import {
  closeSync,
  fstatSync,
  futimesSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Dice } from "./random.ts";

/** Paths of all blob files. */
export function blobFiles(dir: string): string[] {
  return readdirSync(join(dir, "blobs"), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Changes one bit at `at`. `quietly`: the file keeps its time, as when a disk rots. */
export function flip(path: string, at: number, quietly: boolean): void {
  const file = openSync(path, "r+");
  const { atime, mtime } = fstatSync(file);
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ 0x10;
  writeSync(file, byte, 0, 1, at);
  if (quietly) futimesSync(file, atime, mtime);
  closeSync(file);
}

export const KINDS = ["removed", "cut", "emptied", "flipped"] as const;

export function damage(path: string, kind: (typeof KINDS)[number], d: Dice): void {
  switch (kind) {
    case "removed":
      return rmSync(path);
    case "cut":
      return truncateSync(path, 1000 + d.below(20_000));
    case "emptied":
      return truncateSync(path, 0);
    case "flipped":
      return flip(path, d.below(33_000), false);
  }
}
