/** A real tree of files from this machine, with awkward names added: what the demo stores. */
import { copyFileSync, cpSync, linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root } from "./console.ts";

const FILES_MIN = 2_100;
const BIG_BYTES_MIN = 64 * 1024 * 1024;
const TREE_BYTES_MAX = 220 * 1024 * 1024;

export const AWKWARD: readonly string[] = [
  "blanks in a name.txt",
  "plus+and&amp;=equals?.txt",
  "percent%20%2F.txt",
  'quote\'d and "double".txt',
  "umlaute/äöü-ß.txt",
  "日本語/ファイル.txt",
  "emoji/🚀 launch.txt",
  "decomposed/e\u0301.txt",
  "semi;colon,comma.txt",
  "#hash!(paren)[bracket].txt",
  "deep/".repeat(20) + "leaf.txt",
  "long/" + "n".repeat(200) + ".txt",
];

function* walk(dir: string): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

function place(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** Fills `target`; answers how many files and bytes it holds. */
export function makeTree(target: string): { files: number; bytes: number } {
  const modules = join(root, "node_modules");
  const big = process.execPath;
  if (statSync(big).size < BIG_BYTES_MIN) throw new Error(`${big} is smaller than 64 MiB: no large file at hand`);
  cpSync(big, join(target, "large", "node.bin"), { dereference: true });
  let files = 1;
  let bytes = statSync(big).size;
  for (const path of walk(modules)) {
    const { size } = statSync(path);
    if (files >= FILES_MIN || bytes + size > TREE_BYTES_MAX) continue;
    place(path, join(target, "modules", relative(modules, path)));
    files++;
    bytes += size;
  }
  AWKWARD.forEach((name, index) => {
    const path = join(target, "awkward", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `content of awkward name ${index}\n`);
    files++;
  });
  writeFileSync(join(target, "empty.bin"), "");
  return { files: files + 1, bytes };
}
