/**
 * The digests of a whole index, made and looked through: for directories from before there were any, for a change of what
 * is hashed, and for `resilver check`. While a server runs, commits keep them.
 */
import { FINGERPRINT_FORMAT } from "../model/fingerprint.ts";
import { CommitBuilder } from "./index/commit-builder.ts";
import { Digest, isSummed } from "./index/digest/digest.ts";
import { bucketStart, LEVELS, placeOfLookup, placeOfRow } from "./index/digest/levels.ts";
import type { Entry, KeyRange, OrderedIndex } from "./index/index.ts";
import * as keys from "./keys.ts";
import { decodeRow, decodeVersion, encodeLookupOf, encodeRow } from "./records.ts";
import { checkVersionRows, pagesOf, type RowFault } from "./version-rows.ts";

/** Says that every row in space `I` has its hashes, of this format. */
const READY_KEY = keys.namedRowKey(keys.SPACE.config, "digests");

export async function digestsReady(index: OrderedIndex): Promise<boolean> {
  const raw = await index.get(READY_KEY);
  return raw !== undefined && decodeRow<{ format: number }>(raw).format === FINGERPRINT_FORMAT;
}

/**
 * Gives every version its hashes, and the index its digests with them; returns how many rows were written. To be called
 * before anything else writes. Can be interrupted and run again. `progress` hears of the versions looked at so far.
 */
export async function buildDigests(index: OrderedIndex, progress: (versions: number) => void): Promise<number> {
  let looked = 0;
  let written = 0;
  for await (const page of pagesOf(index, keys.spaceRange(keys.SPACE.version))) {
    const commit = new CommitBuilder();
    for (const { key, value } of page) {
      const version = decodeVersion(value);
      const idKey = keys.idRowKey(keys.SPACE.byId, keys.bucketIdOfRow(key), version.key, version.versionId);
      const lookup = encodeLookupOf(version);
      if ((await index.get(idKey))?.equals(lookup) !== true) commit.put(idKey, lookup);
    }
    if (commit.puts.length > 0) await index.commit(commit);
    looked += page.length;
    written += commit.puts.length;
    progress(looked);
  }
  await index.commit(new CommitBuilder().put(READY_KEY, encodeRow({ format: FINGERPRINT_FORMAT })));
  return written;
}

/** Throws all digests away and makes them anew. After a crash in the middle the next start of a server goes on. */
export async function rebuildDigests(index: OrderedIndex, progress: (versions: number) => void): Promise<void> {
  await index.commit(new CommitBuilder().delete(READY_KEY));
  // Rows without hashes count nowhere: when none has any, every digest that is left is wrong and goes.
  for await (const page of pagesOf(index, keys.spaceRange(keys.SPACE.byId))) {
    const commit = new CommitBuilder();
    for (const { key, value } of page) commit.put(key, value.subarray(0, 8));
    await index.commit(commit);
  }
  for await (const page of pagesOf(index, keys.spaceRange(keys.SPACE.digest), true)) {
    const commit = new CommitBuilder();
    for (const { key } of page) commit.delete(key);
    await index.commit(commit);
  }
  await buildDigests(index, progress);
}

/** A row that is not what it has to be. `place`: of the version in question, or where the digest's range begins. */
export interface DigestFault {
  readonly what: "lookup row without a version" | "digest differs";
  readonly place: Buffer;
}

/** Every version's hashes against the version, and every digest against the versions of its range. Writes nothing. */
export async function* checkDigests(index: OrderedIndex): AsyncGenerator<DigestFault | RowFault> {
  yield* checkVersionRows(index, keys.spaceRange(keys.SPACE.version));
  yield* checkSums(index);
}

/** Every digest against the hashes of its range. */
export async function* checkSums(index: OrderedIndex): AsyncGenerator<DigestFault> {
  const levels = Array.from({ length: LEVELS }, (_, i) => new LevelWalk(index, i + 1));
  for (const level of levels) await level.start();
  for await (const page of pagesOf(index, keys.spaceRange(keys.SPACE.byId))) {
    for (const { key, value } of page) {
      const place = placeOfLookup(key);
      for (const level of levels) yield* level.take(place, value);
      const { key: name, versionId } = keys.splitIdRowKey(key);
      const at = { key: name, versionId, mtime: value.readBigUInt64BE(0) };
      if ((await index.get(keys.versionRowKey(keys.bucketIdOfRow(key), at))) === undefined) {
        yield { what: "lookup row without a version", place };
      }
    }
  }
  for (const level of levels) yield* level.end();
}

/** Walks the rows of one level beside those of space `I`, and sums anew what each covers. */
class LevelWalk {
  readonly #rows: AsyncGenerator<Entry>;
  readonly #level: number;
  #open: Entry | undefined;
  #next: Entry | undefined;
  #sum = new Digest();

  constructor(index: OrderedIndex, level: number) {
    this.#level = level;
    this.#rows = rowsOf(index, keys.prefixRange(Buffer.from([keys.SPACE.digest, level])));
  }

  async start(): Promise<void> {
    await this.#advance();
  }

  async *take(place: Buffer, lookup: Buffer): AsyncGenerator<DigestFault> {
    while (this.#next !== undefined && Buffer.compare(this.#placeOf(this.#next), place) <= 0) {
      yield* this.#close();
      this.#open = this.#next;
      await this.#advance();
    }
    // The row before may belong to another bucket: then no digest covers this version.
    const covered = this.#open !== undefined && bucketStart(this.#placeOf(this.#open)).equals(bucketStart(place));
    if (!covered && isSummed(lookup)) yield { what: "digest differs", place: Buffer.from(bucketStart(place)) };
    else this.#sum.addLookup(lookup, 1);
  }

  async *end(): AsyncGenerator<DigestFault> {
    for (;;) {
      yield* this.#close();
      this.#open = this.#next;
      if (this.#open === undefined) return;
      await this.#advance();
    }
  }

  *#close(): Generator<DigestFault> {
    const { value } = this.#open ?? {};
    const right = value === undefined || new Digest().addRow(value).equals(this.#sum);
    this.#sum = new Digest();
    if (!right) yield { what: "digest differs", place: this.#placeOf(this.#open as Entry) };
  }

  #placeOf(entry: Entry): Buffer {
    return placeOfRow(this.#level, entry.key);
  }

  async #advance(): Promise<void> {
    this.#next = (await this.#rows.next()).value as Entry | undefined;
  }
}

async function* rowsOf(index: OrderedIndex, range: KeyRange): AsyncGenerator<Entry> {
  for await (const page of pagesOf(index, range)) yield* page;
}
