/**
 * How a large body gets to disk: hashed and written piece by piece into its staged file. Two ways with one interface:
 * on threads of its own (the real file system), and on the calling thread through a file layer (tests, the simulator).
 */
import { BodyDigests, type DigestOptions, type Digests } from "./digests.ts";
import type { FileLayer, WritableFile } from "./files.ts";
import { tableCrcOf } from "./format.ts";

export interface PumpedFile extends Digests {
  /** Stored bytes: those of the body, or of its sealed form. */
  readonly size: number;
  /** The file's mtime in ns, decimal, after its last byte. */
  readonly stamp: string;
  /** See BlobRef. */
  readonly tableCrc: number;
}

/** One body on its way. After `end` or `abort` it must not be used. Errors are those of the file layer. */
export interface PumpBody {
  /** Takes the bytes; a promise when the caller must wait before it hands over more. The chunk is free after that. */
  write(chunk: Buffer): Promise<void> | undefined;
  /** Writes the tail and syncs: the bytes are on disk when it resolves, their name in the directory is not. */
  end(): Promise<PumpedFile>;
  /** Removes the staged file. Never rejects. */
  abort(): Promise<void>;
}

export interface Pump {
  /** Starts a new file at `path`. */
  open(path: string, options: DigestOptions): PumpBody;
  close(): Promise<void>;
}

class InlinePumpBody implements PumpBody {
  readonly #files: FileLayer;
  readonly #path: string;
  readonly #digests: BodyDigests;
  readonly #file: Promise<WritableFile>;

  constructor(files: FileLayer, path: string, options: DigestOptions) {
    this.#files = files;
    this.#path = path;
    this.#digests = new BodyDigests(options);
    this.#file = files.create(path);
    // Reported by the first write or by the end; until then nobody may be listening.
    this.#file.catch(() => undefined);
  }

  async write(chunk: Buffer): Promise<void> {
    const stored = this.#digests.update(chunk);
    await (await this.#file).write(stored);
  }

  async end(): Promise<PumpedFile> {
    const file = await this.#file;
    const { tail, ...result } = this.#digests.finish();
    await file.write(tail);
    const stat = await file.sync();
    await file.close();
    return { ...result, stamp: String(stat.mtimeNs), tableCrc: tableCrcOf(tail) };
  }

  async abort(): Promise<void> {
    try {
      await (await this.#file).close().catch(() => undefined);
      await this.#files.unlink(this.#path);
    } catch {
      // What stays behind is garbage in the staging directory, which is emptied later.
    }
  }
}

/** A pump on the calling thread. */
export function inlinePump(files: FileLayer): Pump {
  return {
    open: (path, options) => new InlinePumpBody(files, path, options),
    close: () => Promise.resolve(),
  };
}
