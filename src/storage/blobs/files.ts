/**
 * The file system as the blob store sees it: a small interface with the real one behind it, so that tests can forget
 * what was not synced, fail the n-th call, or be full. Errors are those of Node (`code`: ENOENT, ENOSPC, ...).
 */
import * as fs from "node:fs";

export interface FileStat {
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Last change of any kind, a new name included; cannot be set by copying. */
  readonly ctimeMs: number;
}

export interface WritableFile {
  /** Appends all bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** The bytes and the size are on disk when it resolves. The file's name is not: see `syncDirectory`. */
  sync(): Promise<FileStat>;
  close(): Promise<void>;
}

export interface ReadableFile {
  /** Fills `into` from `position`; fewer bytes only at the end of the file. */
  read(into: Buffer, position: number): Promise<number>;
  close(): Promise<void>;
}

export interface FileLayer {
  /** Parents are made too; an existing directory is fine. */
  makeDirectory(path: string): Promise<void>;
  /** A new file; EEXIST when there is one. */
  create(path: string): Promise<WritableFile>;
  open(path: string): Promise<ReadableFile>;
  stat(path: string): Promise<FileStat>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names made, changed and removed in the directory are on disk when it resolves. */
  syncDirectory(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  /** Bytes of the file system that `path` is on; absent: without end. */
  space?(path: string): Promise<{ readonly free: number; readonly total: number }>;
}

type Done<T> = (error: Error | null, value: T) => void;

/** The callback form, since its promise form costs a handle object and two more turns for each call. */
function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, value) => (error === null ? resolve(value) : reject(error))));
}

const run = (start: (done: (error: Error | null) => void) => void): Promise<void> =>
  call<undefined>((done) => start((error) => done(error, undefined))) as Promise<void>;

function statOf(stats: fs.BigIntStats): FileStat {
  return { size: Number(stats.size), mtimeNs: stats.mtimeNs, ctimeMs: Number(stats.ctimeMs) };
}

class RealWritable implements WritableFile {
  readonly #fd: number;
  #position = 0;
  constructor(fd: number) {
    this.#fd = fd;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const written = await call<number>((done) =>
        fs.write(this.#fd, bytes, at, bytes.length - at, this.#position, done),
      );
      at += written;
      this.#position += written;
    }
  }

  async sync(): Promise<FileStat> {
    await run((done) => fs.fdatasync(this.#fd, done));
    return statOf(await call<fs.BigIntStats>((done) => fs.fstat(this.#fd, { bigint: true }, done)));
  }

  close(): Promise<void> {
    return run((done) => fs.close(this.#fd, done));
  }
}

class RealReadable implements ReadableFile {
  readonly #fd: number;
  constructor(fd: number) {
    this.#fd = fd;
  }

  async read(into: Buffer, position: number): Promise<number> {
    let at = 0;
    while (at < into.length) {
      const got = await call<number>((done) => fs.read(this.#fd, into, at, into.length - at, position + at, done));
      if (got === 0) break;
      at += got;
    }
    return at;
  }

  close(): Promise<void> {
    return run((done) => fs.close(this.#fd, done));
  }
}

/** The machine's file system. */
export const realFiles: FileLayer = {
  makeDirectory: (path) => run((done) => fs.mkdir(path, { recursive: true, mode: 0o700 }, (error) => done(error))),
  create: async (path) => new RealWritable(await call<number>((done) => fs.open(path, "wx", 0o600, done))),
  open: async (path) => new RealReadable(await call<number>((done) => fs.open(path, "r", done))),
  stat: async (path) => statOf(await call<fs.BigIntStats>((done) => fs.stat(path, { bigint: true }, done))),
  rename: (from, to) => run((done) => fs.rename(from, to, done)),
  link: (from, to) => run((done) => fs.link(from, to, done)),
  unlink: (path) => run((done) => fs.unlink(path, done)),
  async syncDirectory(path) {
    const fd = await call<number>((done) => fs.open(path, "r", done));
    try {
      await run((done) => fs.fsync(fd, done));
    } finally {
      await run((done) => fs.close(fd, done));
    }
  },
  list: (path) => call<string[]>((done) => fs.readdir(path, done)),
  async space(path) {
    const { bavail, blocks, bsize } = await call<fs.StatsFs>((done) => fs.statfs(path, done));
    return { free: bavail * bsize, total: blocks * bsize };
  },
};

/** The `code` of an error of the file layer. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
