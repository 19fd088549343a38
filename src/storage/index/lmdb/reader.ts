/** The durable index for reading alone, also where nothing may be written: LMDB wants to write its table of readers. */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { StoreError } from "../../../model/errors.ts";
import type { Digest } from "../digest/digest.ts";
import { digestOfRange, partsOfRange, type DigestPart, type PlaceRange } from "../digest/query.ts";
import type { CommitResult, Entry, KeyRange, OrderedIndex, ScanOptions } from "../index.ts";
import { LmdbStore } from "./binding.ts";

class LmdbReader implements OrderedIndex {
  readonly #store: LmdbStore;
  readonly #folder: string;

  constructor(store: LmdbStore, folder: string) {
    this.#store = store;
    this.#folder = folder;
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.#store.get(key);
  }

  async scan(range: KeyRange, options: ScanOptions): Promise<Entry[]> {
    return this.#store.scan(range, options);
  }

  async digest(range: PlaceRange): Promise<Digest> {
    return digestOfRange(this.#store, range);
  }

  async digestParts(range: PlaceRange, count: { least: number; most: number }): Promise<DigestPart[]> {
    return partsOfRange(this.#store, range, count);
  }

  commit(): Promise<CommitResult> {
    return Promise.reject(new StoreError("InternalError", { message: "The index is open for reading alone." }));
  }

  async close(): Promise<void> {
    await this.#store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Opens the index in the directory `path`. Nobody may write it meanwhile: a writer would not see this reader, whose table
 * stands in a folder of its own, and would use the pages again that it reads.
 */
export function openLmdbReader({ path }: { readonly path: string }): OrderedIndex {
  const folder = mkdtempSync(join(tmpdir(), "resilver-index-"));
  try {
    symlinkSync(resolve(path, "data.mdb"), join(folder, "data.mdb"));
    return new LmdbReader(new LmdbStore({ path: folder, readOnly: true }), folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
