/**
 * Looks at an index file before LMDB maps it. LMDB trusts its file: one that was cut short or overwritten ends the
 * process with SIGBUS or SIGSEGV, and an empty one becomes a new index without a word. Layout: LMDB 0.9.90, format 2.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

const PAGE = 4096;
const HEADER = 24;
const MAGIC = 0xbeefc0de;
const DATA_FORMAT = 2;
const BRANCH = 1;
const LEAF = 2;
/** Root of a tree that has no pages. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
/** Where a meta page has the root of the free list's tree, that of the rows, and the number of its commit. */
const META = { magic: 24, format: 28, freeRoot: 88, rowsRoot: 136, commit: 152 } as const;
/** Branch pages that are followed from the roots: the upper levels of a large index, all of a small one. */
const BRANCHES_MAX = 256;

/** What is wrong with the index file in `directory`, as far as its metas and upper pages tell; undefined: nothing. */
export function indexFileFault(directory: string): "missing" | string | undefined {
  let file: number;
  try {
    file = openSync(join(directory, "data.mdb"), "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "missing";
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    return size === 0 ? "missing" : faultOf(file, size);
  } finally {
    closeSync(file);
  }
}

function faultOf(file: number, size: number): string | undefined {
  const page = Buffer.alloc(PAGE);
  const load = (number: number): boolean =>
    (number + 1) * PAGE <= size && readSync(file, page, 0, PAGE, number * PAGE) === PAGE;
  let newest = { commit: -1n, roots: [] as bigint[] };
  for (const number of [0, 1]) {
    if (!load(number) || page.readUInt32LE(META.magic) !== MAGIC || page.readUInt32LE(META.format) !== DATA_FORMAT)
      return `page ${number} is no meta page of an index`;
    const commit = page.readBigUInt64LE(META.commit);
    const roots = [page.readBigUInt64LE(META.freeRoot), page.readBigUInt64LE(META.rowsRoot)];
    if (commit > newest.commit) newest = { commit, roots };
  }
  const queue = newest.roots.filter((root) => root !== NO_PAGE);
  for (let at = 0; at < queue.length && at < BRANCHES_MAX; at++) {
    const number = queue[at] as bigint;
    if (number >= BigInt(Math.floor(size / PAGE))) return `page ${number} is in use and beyond the end of the file`;
    load(Number(number));
    const kind = page.readUInt16LE(18) & (BRANCH | LEAF);
    if (page.readBigUInt64LE(0) !== number || (kind !== BRANCH && kind !== LEAF))
      return `page ${number} is overwritten`;
    if (kind === BRANCH) {
      const children = childrenOf(page);
      if (children === undefined) return `page ${number} is overwritten`;
      const outside = children.find((child) => child >= BigInt(Math.floor(size / PAGE)));
      if (outside !== undefined) return `page ${outside} is in use and beyond the end of the file`;
      queue.push(...children);
    }
  }
  return undefined;
}

/** A branch's node is at its offset: number of the child's page in 48 bits, size of the key, the key. */
function childrenOf(page: Buffer): bigint[] | undefined {
  const count = page.readUInt16LE(20) >> 1;
  const children: bigint[] = [];
  for (let i = 0; i < count; i++) {
    const offset = HEADER + 2 * i + 2 > PAGE ? PAGE : HEADER + page.readUInt16LE(HEADER + 2 * i);
    if (offset + 8 > PAGE) return undefined;
    children.push(BigInt(page.readUIntLE(offset, 6)));
  }
  return children;
}
