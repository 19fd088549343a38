/**
 * A file system in memory that forgets on a crash what was not synced: bytes since the last sync of their file, names
 * since the last sync of their directory. It can also die at, fail, or be full from its n-th call. For tests and the
 * simulator.
 */
import { dirname, join, normalize } from "node:path";
import type { FileLayer, FileStat, ReadableFile, WritableFile } from "./files.ts";

interface Inode {
  bytes: Buffer;
  /** What a crash leaves of the bytes. */
  synced: Buffer;
  mtimeNs: bigint;
  ctimeMs: number;
}

interface Directory {
  names: Map<string, Inode>;
  synced: Map<string, Inode>;
}

const failure = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code });

/** What a crash leaves of changes that were not synced. */
export interface Torn {
  /** A name that was made or removed since the last sync of its directory. */
  hasHappened(): boolean;
  /** The bytes of a file of which `synced` are certain. */
  bytes(synced: Buffer, written: Buffer): Buffer;
}

const NOTHING_MORE: Torn = { hasHappened: () => false, bytes: (synced) => Buffer.from(synced) };

export class CrashFiles implements FileLayer {
  /** Calls made so far. */
  calls = 0;
  #directories = new Map<string, Directory>();
  #syncedDirectories = new Set<string>();
  #dieAt = Infinity;
  #failAt = new Map<number, string>();
  #roomBytes = Infinity;
  #dead = false;
  #timeNs = 1_700_000_000_000_000_000n;

  /** From call number `call` (counted from 1) on, every call fails and changes nothing, until `crash`. */
  dieAt(call: number): void {
    this.#dieAt = call;
  }

  /** Call number `call` fails with `code`. */
  failAt(call: number, code: string): void {
    this.#failAt.set(call, code);
  }

  /** The file system takes this many more bytes. */
  leaveRoom(bytes: number): void {
    this.#roomBytes = bytes;
  }

  /**
   * The power goes and comes back: what was synced is there, and of the rest what `torn` lets through. Open files of before
   * are dead.
   */
  crash(torn: Torn = NOTHING_MORE): void {
    for (const path of this.#directories.keys()) {
      if (!this.#reachable(path)) this.#directories.delete(path);
    }
    for (const path of this.#syncedDirectories) if (!this.#directories.has(path)) this.#syncedDirectories.delete(path);
    for (const directory of this.#directories.values()) {
      const { names, synced } = directory;
      const kept = (has: ReadonlyMap<string, Inode>, lacks: ReadonlyMap<string, Inode>, stays: () => boolean) =>
        [...has].filter(([name, inode]) => lacks.get(name) === inode || stays());
      directory.names = new Map([
        ...kept(synced, names, () => !torn.hasHappened()),
        ...kept(names, synced, torn.hasHappened),
      ]);
      directory.synced = new Map(directory.names);
    }
    const inodes = new Set([...this.#directories.values()].flatMap(({ names }) => [...names.values()]));
    for (const inode of inodes) inode.bytes = inode.synced = torn.bytes(inode.synced, inode.bytes);
    this.#dead = false;
    this.#dieAt = Infinity;
    this.#failAt.clear();
    this.#roomBytes = Infinity;
  }

  /** A second file system with the same files and names, as a backup taken at one moment. */
  copy(): CrashFiles {
    const out = new CrashFiles();
    const twins = new Map<Inode, Inode>();
    const twin = (inode: Inode): Inode => {
      const known = twins.get(inode) ?? { ...inode };
      twins.set(inode, known);
      return known;
    };
    const copied = (names: Map<string, Inode>): Map<string, Inode> =>
      new Map([...names].map(([name, inode]) => [name, twin(inode)]));
    for (const [path, { names, synced }] of this.#directories) {
      out.#directories.set(path, { names: copied(names), synced: copied(synced) });
    }
    out.#syncedDirectories = new Set(this.#syncedDirectories);
    out.#timeNs = this.#timeNs;
    return out;
  }

  /** Paths of all files below `path`. */
  filesBelow(path: string): string[] {
    const within = join(normalize(path), "/");
    return [...this.#directories.entries()]
      .filter(([name]) => `${name}/`.startsWith(within))
      .flatMap(([, { names }]) => [...names.keys()]);
  }

  /** Changes stored bytes behind everybody's back. The mtime stays unless `touched`. */
  damage(path: string, change: (bytes: Buffer) => Buffer, touched: boolean): void {
    const inode = this.#inode(path);
    inode.bytes = change(Buffer.from(inode.bytes));
    if (touched) inode.mtimeNs = this.#now();
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#step(path);
    for (let at = normalize(path); !this.#directories.has(at) && at !== dirname(at); at = dirname(at)) {
      this.#directories.set(at, { names: new Map(), synced: new Map() });
    }
  }

  async create(path: string): Promise<WritableFile> {
    await this.#step(path);
    const names = this.#directory(dirname(path)).names;
    if (names.has(path)) throw failure("EEXIST", path);
    const inode = { bytes: Buffer.alloc(0), synced: Buffer.alloc(0), mtimeNs: this.#now(), ctimeMs: this.#nowMs() };
    names.set(path, inode);
    return {
      write: async (bytes) => {
        await this.#step(path);
        const fits = Math.min(bytes.length, this.#roomBytes);
        this.#roomBytes -= fits;
        inode.bytes = Buffer.concat([inode.bytes, bytes.subarray(0, fits)]);
        inode.mtimeNs = this.#now();
        if (fits < bytes.length) throw failure("ENOSPC", path);
      },
      sync: async () => {
        await this.#step(path);
        inode.synced = Buffer.from(inode.bytes);
        return statOf(inode);
      },
      close: () => this.#step(path),
    };
  }

  async open(path: string): Promise<ReadableFile> {
    await this.#step(path);
    const inode = this.#inode(path);
    return {
      read: async (into, position) => {
        await this.#step(path);
        return inode.bytes.subarray(position).copy(into);
      },
      close: () => this.#step(path),
    };
  }

  async stat(path: string): Promise<FileStat> {
    await this.#step(path);
    return statOf(this.#inode(path));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step(from);
    const inode = this.#inode(from);
    this.#directory(dirname(to)).names.set(to, inode);
    this.#directory(dirname(from)).names.delete(from);
    inode.ctimeMs = this.#nowMs();
  }

  async link(from: string, to: string): Promise<void> {
    await this.#step(from);
    const inode = this.#inode(from);
    this.#directory(dirname(to)).names.set(to, inode);
    inode.ctimeMs = this.#nowMs();
  }

  async unlink(path: string): Promise<void> {
    await this.#step(path);
    this.#inode(path);
    this.#directory(dirname(path)).names.delete(path);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#step(path);
    const directory = this.#directory(path);
    directory.synced = new Map(directory.names);
    const within = normalize(path);
    for (const child of this.#directories.keys()) if (dirname(child) === within) this.#syncedDirectories.add(child);
  }

  async list(path: string): Promise<string[]> {
    await this.#step(path);
    const prefix = join(normalize(path), "/");
    const directories = [...this.#directories.keys()].filter((child) => dirname(child) === normalize(path));
    return [...directories, ...this.#directory(path).names.keys()].map((name) => name.slice(prefix.length));
  }

  /** Every call passes here: it counts, and dies or fails where it was told to. */
  async #step(path: string): Promise<void> {
    this.calls++;
    if (this.calls >= this.#dieAt) this.#dead = true;
    if (this.#dead) throw failure("EIO", path);
    const code = this.#failAt.get(this.calls);
    if (code !== undefined) throw failure(code, path);
  }

  /** A directory outlives a crash when its name and that of each parent was synced. Top level ones are always there. */
  #reachable(path: string): boolean {
    if (dirname(dirname(path)) === dirname(path)) return true;
    return this.#syncedDirectories.has(path) && this.#reachable(dirname(path));
  }

  #directory(path: string): Directory {
    const found = this.#directories.get(normalize(path));
    if (found === undefined) throw failure("ENOENT", path);
    return found;
  }

  #inode(path: string): Inode {
    const found = this.#directory(dirname(path)).names.get(path);
    if (found === undefined) throw failure("ENOENT", path);
    return found;
  }

  #now(): bigint {
    this.#timeNs += 1_000_000n;
    return this.#timeNs;
  }

  #nowMs(): number {
    return Number(this.#now() / 1_000_000n);
  }
}

function statOf(inode: Inode): FileStat {
  return { size: inode.bytes.length, mtimeNs: inode.mtimeNs, ctimeMs: inode.ctimeMs };
}
