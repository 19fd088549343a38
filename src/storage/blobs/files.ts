/** The file layer under the blob store: an interface, so that tests can own a disk that forgets, fills up or fails. */
import { open, link, mkdir, readdir, rename, stat, unlink } from "node:fs/promises";

export interface OpenFile {
  /** Number of the descriptor, usable by other threads of the process; undefined: not a real file. */
  readonly fd: number | undefined;
  write(bytes: Buffer, position: number): Promise<void>;
  /** Fills `into` from `position`; answers how many bytes there were. */
  read(into: Buffer, position: number): Promise<number>;
  /** The file's bytes and size are on disk when it resolves. */
  sync(): Promise<void>;
  stat(): Promise<FileStat>;
  close(): Promise<void>;
}

export interface FileStat {
  readonly size: number;
  readonly mtimeNs: bigint;
}

/** Errors are Node's, with `code` (ENOENT, EEXIST, ENOSPC, ...). */
export interface FileLayer {
  /** New files must not exist before. */
  create(path: string): Promise<OpenFile>;
  openForReading(path: string): Promise<OpenFile>;
  stat(path: string): Promise<FileStat>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Made with its parents; existing is fine. */
  mkdir(path: string): Promise<void>;
  /** The directory's entries are on disk when it resolves. */
  syncDirectory(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
}

type Handle = Awaited<ReturnType<typeof open>>;

function fileOf(handle: Handle): OpenFile {
  return {
    fd: handle.fd,
    async write(bytes, position) {
      for (let done = 0; done < bytes.length; ) {
        done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
      }
    },
    async read(into, position) {
      let done = 0;
      while (done < into.length) {
        const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    sync: () => handle.sync(),
    async stat() {
      const { size, mtimeNs } = await handle.stat({ bigint: true });
      return { size: Number(size), mtimeNs };
    },
    close: () => handle.close(),
  };
}

/** The machine's file system. */
export const realFiles: FileLayer = {
  create: async (path) => fileOf(await open(path, "wx+", 0o600)),
  openForReading: async (path) => fileOf(await open(path, "r")),
  async stat(path) {
    const { size, mtimeNs } = await stat(path, { bigint: true });
    return { size: Number(size), mtimeNs };
  },
  rename,
  link,
  unlink,
  mkdir: async (path) => void (await mkdir(path, { recursive: true, mode: 0o700 })),
  async syncDirectory(path) {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  list: (path) => readdir(path),
};
