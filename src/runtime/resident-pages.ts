/**
 * What a process has read through the map of a file counts as its memory for as long as the machine has room: a server
 * would seem to grow to the size of its index. Told to (madvise(2), MADV_DONTNEED), the kernel takes clean pages of a
 * read-only shared map off the process and keeps them in its page cache: nothing is lost, and the next read of one
 * costs a minor fault for it and its neighbours.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";

const MIB = 1024 * 1024;
/** Reading what was given back costs some 10 us a time: who reads the whole index at random pays it again each time. */
const LOOK_MS = 1_000;
/** File pages in the process beside its programs, above which they are given back. */
const KEPT_BYTES = 32 * MIB;
/** Of the map, in one call: some milliseconds at most, were every page of it there. */
const SLICE_BYTES = 512n * BigInt(MIB);
const MADV_DONTNEED = 4;

type Madvise = (address: bigint, bytes: bigint, advice: number) => number;

/** `node:ffi`, as far as it is used; Node has it from 26 on. */
interface ForeignFunctions {
  dlopen(
    library: null,
    functions: Readonly<Record<string, { readonly arguments: readonly string[]; readonly return: string }>>,
  ): { readonly functions: Readonly<Record<string, unknown>> };
}

interface MappedRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** The ranges at which this process maps `file` for reading alone, as `/proc/self/maps` (proc(5)) tells them. */
export function readOnlyMaps(maps: string, file: string): MappedRange[] {
  const out: MappedRange[] = [];
  for (const line of maps.split("\n")) {
    const found = /^([0-9a-f]+)-([0-9a-f]+) r--s [0-9a-f]+ \S+ \d+ +(.*)$/.exec(line);
    if (found?.[3] === file) out.push({ start: BigInt(`0x${found[1]}`), end: BigInt(`0x${found[2]}`) });
  }
  return out;
}

/** Bytes of file pages in this process (proc(5), `RssFile`); undefined: this system does not tell. */
export function residentFileBytes(): number | undefined {
  try {
    const kib = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

function loadMadvise(): Madvise | undefined {
  try {
    const ffi = process.getBuiltinModule("node:ffi") as unknown as ForeignFunctions | undefined;
    const madvise = { arguments: ["u64", "u64", "i32"], return: "i32" };
    return ffi?.dlopen(null, { madvise }).functions["madvise"] as Madvise | undefined;
  } catch {
    return undefined;
  }
}

let madvise: Madvise | undefined | null = null;

/**
 * Gives the pages of `file` back once, wherever this process maps it for reading alone; false: this Node cannot. The maps
 * must stay where they are until it resolves, or until `stopped` says that they are no more.
 */
export async function releasePages(file: string, stopped: () => boolean = () => false): Promise<boolean> {
  if (madvise === null) madvise = loadMadvise();
  if (madvise === undefined) return false;
  const path = realpathSync(file);
  const bytes = BigInt(statSync(path).size);
  for (const { start, end } of readOnlyMaps(readFileSync("/proc/self/maps", "latin1"), path)) {
    const last = start + bytes < end ? start + bytes : end;
    for (let at = start; at < last && !stopped(); at += SLICE_BYTES) {
      madvise(at, last - at < SLICE_BYTES ? last - at : SLICE_BYTES, MADV_DONTNEED);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return true;
}

/**
 * Gives pages of `file` back from now on, whenever there are more than `KEPT_BYTES`, until the function that it returns is
 * called: before the file is unmapped, since its addresses are another's from then on. Does nothing where the system has
 * no `/proc` or Node no foreign functions.
 */
export function keepPagesFew(file: string): () => void {
  const least = residentFileBytes();
  if (least === undefined) return () => undefined;
  let stopped = false;
  const end = (): void => {
    stopped = true;
    clearInterval(timer);
  };
  const timer = setInterval(() => {
    if ((residentFileBytes() ?? 0) - least < KEPT_BYTES) return;
    void releasePages(file, () => stopped).then((can) => (can ? undefined : end()), end);
  }, LOOK_MS);
  timer.unref();
  return end;
}
