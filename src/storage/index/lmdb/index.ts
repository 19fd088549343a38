/**
 * The durable index: LMDB. Reads run on the calling thread, each on a fresh snapshot; commits go in batches to one
 * writer thread a process (see writer.ts). Several processes may open one path: LMDB's robust lock orders their
 * batches, and a killed process leaves either the whole of its last transaction or nothing of it.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { StoreError } from "../../../model/errors.ts";
import { keepPagesFew } from "../../../runtime/resident-pages.ts";
import { BATCH_BYTES_MAX, BATCH_COMMITS_MAX } from "../../limits.ts";
import type { Digest } from "../digest/digest.ts";
import { digestOfRange, partsOfRange, type DigestPart, type PlaceRange } from "../digest/query.ts";
import type { Commit, CommitResult, Entry, KeyRange, OrderedIndex, ScanOptions } from "../index.ts";
import { checkRows } from "../check-rows.ts";
import { OUTCOME, type BatchAnswer } from "./apply.ts";
import { commitBytes, encodeBatch } from "./batch.ts";
import { LmdbStore, type StoreOptions } from "./binding.ts";

interface Waiting {
  readonly commit: Commit;
  readonly bytes: number;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: StoreError) => void;
}

class LmdbIndex implements OrderedIndex {
  readonly #store: LmdbStore;
  readonly #writer: Worker;
  #queue: Waiting[] = [];
  #written: Waiting[] = [];
  #sendPlanned = false;
  #failure: StoreError | undefined;
  #closing: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;
  readonly #letPagesBe: () => void;

  constructor(options: StoreOptions) {
    this.#store = new LmdbStore(options);
    this.#letPagesBe = keepPagesFew(join(options.path, "data.mdb"));
    // The same extension as this file: `.ts` from the source tree, `.js` from the built one.
    this.#writer = new Worker(new URL(`./writer${extname(import.meta.url)}`, import.meta.url), { workerData: options });
    this.#writer.unref();
    this.#writer.on("message", (answer: BatchAnswer) => this.#answered(answer));
    this.#writer.on("error", (error: unknown) => this.#broke(error));
    this.#writer.on("exit", () => this.#broke(new Error("the index's writer thread ended")));
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    this.#store.refresh();
    return this.#store.get(key);
  }

  async scan(range: KeyRange, options: ScanOptions): Promise<Entry[]> {
    this.#store.refresh();
    return this.#store.scan(range, options);
  }

  async digest(range: PlaceRange): Promise<Digest> {
    this.#store.refresh();
    return digestOfRange(this.#store, range);
  }

  async digestParts(range: PlaceRange, count: { least: number; most: number }): Promise<DigestPart[]> {
    this.#store.refresh();
    return partsOfRange(this.#store, range, count);
  }

  commit(commit: Commit): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      checkRows(commit);
      this.#queue.push({ commit, bytes: commitBytes(commit), resolve, reject });
      this.#plan();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const broken = this.#failure !== undefined;
    this.#failure ??= new StoreError("InternalError", { message: "The index is closed." });
    if (this.#queue.length > 0 || this.#written.length > 0) {
      await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    }
    if (!broken) {
      const ended = new Promise((resolve) => this.#writer.once("exit", resolve));
      this.#writer.ref();
      this.#writer.postMessage("close");
      await ended;
    }
    this.#letPagesBe();
    await this.#store.close();
  }

  /** Sends at the end of this turn of the event loop, with what the other requests of the turn hand over. */
  #plan(): void {
    if (this.#sendPlanned || this.#written.length > 0) return;
    this.#sendPlanned = true;
    setImmediate(() => this.#send());
  }

  #send(): void {
    this.#sendPlanned = false;
    let count = 0;
    let bytes = 0;
    for (const waiting of this.#queue) {
      if (count === BATCH_COMMITS_MAX || (count > 0 && bytes + waiting.bytes > BATCH_BYTES_MAX)) break;
      bytes += waiting.bytes;
      count++;
    }
    if (count === 0) return;
    this.#written = this.#queue.length === count ? this.#queue : this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    const batch = encodeBatch(
      this.#written.map((waiting) => waiting.commit),
      bytes,
    );
    this.#writer.ref();
    this.#writer.postMessage(batch, [batch.buffer]);
  }

  #answered(answer: BatchAnswer): void {
    const done = this.#written;
    this.#written = [];
    this.#writer.unref();
    // The next batch goes first: it is written while the answers of this one are made.
    if (this.#queue.length > 0) this.#send();
    for (const [at, waiting] of done.entries()) settle(waiting, answer.outcomes[at], answer.reason);
    if (this.#queue.length === 0 && this.#written.length === 0) this.#whenIdle?.();
  }

  /** The thread is gone: what it was writing may or may not be on disk, so nobody may be told either. */
  #broke(cause: unknown): void {
    const error = new StoreError("InternalError", { message: "The index cannot be written.", cause });
    this.#failure ??= error;
    const lost = [...this.#written, ...this.#queue];
    this.#written = [];
    this.#queue = [];
    for (const waiting of lost) waiting.reject(error);
    this.#whenIdle?.();
  }
}

function settle(waiting: Waiting, outcome: number | undefined, reason: string | undefined): void {
  const detail = { cause: new Error(reason ?? "no reason was given") };
  if (outcome === OUTCOME.committed) waiting.resolve("committed");
  else if (outcome === OUTCOME.conflict) waiting.resolve("conflict");
  else waiting.reject(new StoreError(outcome === OUTCOME.full ? "XMinioStorageFull" : "InternalError", detail));
}

/** The names of new files must be as durable as their bytes, or a crash could take the whole index away. */
function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Opens the index in the directory `path`, which is made if absent. */
export async function openLmdbIndex(options: StoreOptions): Promise<OrderedIndex> {
  const isNew = !existsSync(options.path);
  mkdirSync(options.path, { recursive: true, mode: 0o700 });
  const index = new LmdbIndex({ path: options.path });
  if (isNew) {
    syncDirectory(options.path);
    syncDirectory(dirname(options.path));
  }
  return index;
}
