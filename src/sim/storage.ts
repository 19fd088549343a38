/**
 * The storage of one site: an index in memory and a file system that forgets what was not synced. Processes see it
 * through views that die with them, are slow at times, and fail while the disk is full.
 */
import { StoreError } from "../model/errors.ts";
import { CrashFiles } from "../storage/blobs/crash-files.ts";
import type { FileLayer } from "../storage/blobs/files.ts";
import type { Commit, CommitResult, Entry, KeyRange, OrderedIndex, ScanOptions } from "../storage/index/index.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import type { Digest } from "../storage/index/digest/digest.ts";
import type { DigestPart, PlaceRange } from "../storage/index/digest/query.ts";
import { SPACE } from "../storage/keys.ts";
import { never, type Life } from "./life.ts";
import type { Dice } from "./random.ts";
import type { SimTime } from "./time.ts";

const EVERYTHING: KeyRange = { start: Buffer.from([0]), end: Buffer.from([0xff]) };

/** A copy of a site's storage as it was at one moment. */
export interface Backup {
  readonly rows: readonly Entry[];
  readonly files: CrashFiles;
}

export interface StorageProfile {
  /** Probability that a call takes up to a few milliseconds instead of none. */
  readonly slowChance: number;
}

export class SiteStorage {
  index: OrderedIndex = memoryIndex();
  files = new CrashFiles();
  /** While true nothing can be written. */
  full = false;
  /** Probability that a write, a sync or a commit fails. */
  failing = 0;
  readonly #time: SimTime;
  readonly #dice: Dice;
  readonly #profile: StorageProfile;

  constructor(time: SimTime, dice: Dice, profile: StorageProfile) {
    this.#time = time;
    this.#dice = dice;
    this.#profile = profile;
  }

  async backup(): Promise<Backup> {
    return { rows: await this.rows(), files: this.files.copy() };
  }

  rows(range: KeyRange = EVERYTHING): Promise<Entry[]> {
    return this.index.scan(range, { limit: Number.MAX_SAFE_INTEGER });
  }

  /** Puts a backup in place; without one everything is gone. */
  async restore(backup: Backup | undefined): Promise<void> {
    this.index = memoryIndex();
    this.files = backup === undefined ? new CrashFiles() : backup.files.copy();
    // The index makes the digests itself, from the rows that they sum.
    const puts = backup?.rows.filter(({ key }) => key[0] !== SPACE.digest) ?? [];
    await this.index.commit({ checks: [], deletes: [], adds: [], puts });
  }

  /** Waits as long as the storage takes for one call of a process. */
  async pause(life: Life): Promise<void> {
    if (this.#dice.chance(this.#profile.slowChance)) await this.#time.sleep(this.#dice.between(10, 4000) / 1000);
    if (!life.alive) await never();
  }

  /** The power goes: of what was not synced some is there all the same, some in part, some as zeros. */
  crash(): void {
    const dice = this.#dice;
    this.files.crash({
      hasHappened: () => dice.chance(0.3),
      bytes(synced, written) {
        const bytes = Buffer.from(
          written.subarray(0, dice.between(synced.length, Math.max(synced.length, written.length))),
        );
        if (dice.chance(0.3)) bytes.fill(0, synced.length);
        synced.copy(bytes);
        return bytes;
      },
    });
  }

  /** Throws at times while the disk is failing. */
  strain(): void {
    if (this.failing > 0 && this.#dice.chance(this.failing)) throw Object.assign(new Error("EIO"), { code: "EIO" });
  }

  /** The index as one process sees it. */
  indexFor(life: Life): OrderedIndex {
    return new IndexView(this, life);
  }

  /** The file system as one process sees it. */
  filesFor(life: Life): FileLayer {
    const { files } = this;
    const call = async <T>(work: () => Promise<T>): Promise<T> => {
      await this.pause(life);
      return work();
    };
    const change = <T>(work: () => Promise<T>): Promise<T> =>
      call(async () => {
        this.strain();
        return work();
      });
    const write = <T>(work: () => Promise<T>): Promise<T> =>
      change(() => (this.full ? Promise.reject(noSpace()) : work()));
    return {
      makeDirectory: (path) => call(() => files.makeDirectory(path)),
      create: async (path) => {
        const file = await write(() => files.create(path));
        return {
          write: (bytes) => write(() => file.write(bytes)),
          sync: () => change(() => file.sync()),
          close: () => call(() => file.close()),
        };
      },
      open: (path) => call(() => files.open(path)),
      stat: (path) => call(() => files.stat(path)),
      rename: (from, to) => change(() => files.rename(from, to)),
      link: (from, to) => write(() => files.link(from, to)),
      unlink: (path) => change(() => files.unlink(path)),
      syncDirectory: (path) => change(() => files.syncDirectory(path)),
      list: (path) => call(() => files.list(path)),
    };
  }
}

const noSpace = (): Error => Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });

class IndexView implements OrderedIndex {
  readonly #storage: SiteStorage;
  readonly #life: Life;
  /** Commits are applied in the order in which they were handed over, however slow the storage is. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(storage: SiteStorage, life: Life) {
    this.#storage = storage;
    this.#life = life;
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    await this.#storage.pause(this.#life);
    return this.#storage.index.get(key);
  }

  async scan(range: KeyRange, options: ScanOptions): Promise<Entry[]> {
    await this.#storage.pause(this.#life);
    return this.#storage.index.scan(range, options);
  }

  async digest(range: PlaceRange): Promise<Digest> {
    await this.#storage.pause(this.#life);
    return this.#storage.index.digest(range);
  }

  async digestParts(range: PlaceRange, count: { least: number; most: number }): Promise<DigestPart[]> {
    await this.#storage.pause(this.#life);
    return this.#storage.index.digestParts(range, count);
  }

  async commit(commit: Commit): Promise<CommitResult> {
    const applied = this.#last.then(() => this.#apply(commit));
    this.#last = applied.catch(() => undefined);
    const result = await applied;
    // Between the commit and its answer a process may die: the commit stays.
    await this.#storage.pause(this.#life);
    return result;
  }

  async #apply(commit: Commit): Promise<CommitResult> {
    await this.#storage.pause(this.#life);
    if (this.#storage.full && commit.puts.length > 0) throw new StoreError("XMinioStorageFull");
    this.#strain("The commit failed.");
    const result = await this.#storage.index.commit(commit);
    // The writer may die behind its sync: then nobody knows.
    this.#strain("The writer is gone.");
    return result;
  }

  #strain(message: string): void {
    try {
      this.#storage.strain();
    } catch (cause) {
      throw new StoreError("InternalError", { message, cause });
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
