/**
 * Looks at an index file before LMDB maps it. LMDB trusts its file: one that was cut short or overwritten ends the
 * process with SIGBUS or SIGSEGV, and an empty one becomes a new index without a word. Layout: LMDB 0.9.90, format 2.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

const PAGE = 4096;
const HEADER = 24;
const MAGIC = 0xbeefc0de;
const DATA_FORMAT = 2;
const BRANCH = 1;
const LEAF = 2;
/** Root of a tree that has no pages. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const META_PAGE = 8;
/** Flags of the two trees: the free list has numbers for keys. */
const FREE_FLAGS = 8;
const ROWS_FLAGS = 0;
/** Where a meta page has the size of a page, flags and root of the free list's tree and of the rows, and its commit. */
const META = {
  magic: 24,
  format: 28,
  pageSize: 48,
  freeFlags: 52,
  freeRoot: 88,
  rowsFlags: 100,
  rowsRoot: 136,
  lastPage: 144,
  commit: 152,
} as const;
/** Branch pages that are followed from the roots: the upper levels of a large index, all of a small one. */
const BRANCHES_MAX = 256;

/** What is wrong with the index file in `directory`, as far as its metas and upper pages tell; undefined: nothing. */
export function indexFileFault(directory: string): "missing" | string | undefined {
  let file: number;
  try {
    // Not blocking: a pipe in its place would be waited for.
    file = openSync(join(directory, "data.mdb"), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "missing";
    throw error;
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) return "data.mdb is no file";
    return stats.size === 0 ? "missing" : faultOf(file, stats.size);
  } finally {
    closeSync(file);
  }
}

function faultOf(file: number, size: number): string | undefined {
  const page = Buffer.alloc(PAGE);
  const load = (number: number): boolean =>
    (number + 1) * PAGE <= size && readSync(file, page, 0, PAGE, number * PAGE) === PAGE;
  const metas: Meta[] = [];
  for (const number of [0, 1]) {
    const meta = load(number) ? metaOf(page, number) : undefined;
    if (meta === undefined) return `page ${number} is no meta page of an index`;
    metas.push(meta);
  }
  const [older, newest] = metas.toSorted((a, b) => Number(a.commit - b.commit)) as [Meta, Meta];
  // Commits go to the two pages in turn: another number in one of them would bring back a state that is past.
  const inTurn = newest.commit === 0n || newest.commit - older.commit === 1n;
  if (!inTurn || newest.lastPage < older.lastPage) return "its meta pages are not of two commits in succession";
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

interface Meta {
  readonly commit: bigint;
  readonly lastPage: bigint;
  readonly roots: readonly bigint[];
}

function metaOf(page: Buffer, number: number): Meta | undefined {
  const commit = page.readBigUInt64LE(META.commit);
  const isMeta =
    page.readBigUInt64LE(0) === BigInt(number) &&
    page.readUInt16LE(18) === META_PAGE &&
    page.readUInt32LE(META.magic) === MAGIC &&
    page.readUInt32LE(META.format) === DATA_FORMAT &&
    page.readUInt32LE(META.pageSize) === PAGE &&
    page.readUInt16LE(META.freeFlags) === FREE_FLAGS &&
    page.readUInt16LE(META.rowsFlags) === ROWS_FLAGS &&
    (commit === 0n || commit % 2n === BigInt(number));
  if (!isMeta) return undefined;
  const roots = [page.readBigUInt64LE(META.freeRoot), page.readBigUInt64LE(META.rowsRoot)];
  return { commit, lastPage: page.readBigUInt64LE(META.lastPage), roots };
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
