/** What every use case stands on, and the two moves they share: reading rows and retrying a commit whose check failed. */
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import type { Arn, BucketName, VersionId } from "../model/names.ts";
import type { Part, Tombstone, Version } from "../model/version.ts";
import type { BlobStore } from "../storage/blobs/blobs.ts";
import type { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import type { KeyRing } from "../storage/keyring/keyring.ts";
import * as keys from "../storage/keys.ts";
import { decodeRow, decodeTombstone, decodeVersion } from "../storage/records.ts";
import type { VersionRow } from "./types.ts";

export interface ObjectsDeps {
  readonly index: OrderedIndex;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Absent: nothing can be encrypted here, and what is encrypted can not be read. */
  readonly keyRing?: KeyRing | undefined;
  /** Called after a commit that added rows to these targets' change logs. */
  readonly poke: (arns: readonly Arn[]) => void;
}

/** A bucket together with the exact bytes of its row, for the check that it did not change meanwhile. */
export interface BucketRow {
  readonly bucket: Bucket;
  readonly key: Buffer;
  readonly raw: Buffer;
}

/** Versions of a batch that are worked off before other requests of the process get their turn. */
export const VERSIONS_PER_TURN = 64;
const CONFLICT_RETRIES_MAX = 64;
const BUCKET_CACHE_MAX = 10_000;

export class Context {
  readonly index: OrderedIndex;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyRing: KeyRing | undefined;
  readonly poke: (arns: readonly Arn[]) => void;
  /** Parsed bucket rows by name; valid only while the raw bytes are those in the index, so no process can be stale. */
  readonly #buckets = new Map<string, BucketRow>();

  constructor(deps: ObjectsDeps) {
    this.index = deps.index;
    this.blobs = deps.blobs;
    this.clock = deps.clock;
    this.random = deps.random;
    this.keyRing = deps.keyRing;
    this.poke = deps.poke;
  }

  /** Throws NoSuchBucket. */
  async bucketRow(name: BucketName): Promise<BucketRow> {
    const cached = this.#buckets.get(name);
    const key = cached?.key ?? keys.bucketRowKey(name);
    const raw = await this.index.get(key);
    if (raw === undefined) {
      this.#buckets.delete(name);
      throw new StoreError("NoSuchBucket", { bucket: name });
    }
    if (cached !== undefined && cached.raw.equals(raw)) return cached;
    const row = { bucket: decodeRow<Bucket>(raw), key, raw };
    if (this.#buckets.size >= BUCKET_CACHE_MAX) this.#buckets.clear();
    this.#buckets.set(name, row);
    return row;
  }

  /** The newest version of a key. */
  async currentRow(bucketId: string, key: string): Promise<VersionRow | undefined> {
    const range = keys.prefixRange(keys.objectPrefix(keys.SPACE.version, bucketId, key));
    const [entry] = await this.index.scan(range, { limit: 1 });
    return entry === undefined ? undefined : { version: decodeVersion(entry.value), key: entry.key, raw: entry.value };
  }

  /** A version by id, with the bytes of its `I` row (undefined: absent). */
  async rowById(
    bucketId: string,
    key: VersionRow["version"]["key"],
    versionId: VersionId,
  ): Promise<{ idKey: Buffer; idRaw: Buffer | undefined; row: VersionRow | undefined }> {
    const idKey = keys.idRowKey(keys.SPACE.byId, bucketId, key, versionId);
    const idRaw = await this.index.get(idKey);
    if (idRaw === undefined) return { idKey, idRaw, row: undefined };
    const rowKey = keys.versionRowKey(bucketId, { key, mtime: idRaw.readBigUInt64BE(0), versionId });
    const raw = await this.index.get(rowKey);
    if (raw !== undefined) return { idKey, idRaw, row: { version: decodeVersion(raw), key: rowKey, raw } };
    // A null version was replaced between the two reads: it must not look absent for a moment.
    const moved = (await this.index.get(idKey))?.equals(idRaw) !== true;
    return moved ? this.rowById(bucketId, key, versionId) : { idKey, idRaw, row: undefined };
  }

  async tombstoneRow(
    bucketId: string,
    key: string,
    versionId: VersionId,
  ): Promise<{ key: Buffer; raw: Buffer | undefined; tombstone: Tombstone | undefined }> {
    const rowKey = keys.idRowKey(keys.SPACE.tombstone, bucketId, key, versionId);
    const raw = await this.index.get(rowKey);
    return { key: rowKey, raw, tombstone: raw === undefined ? undefined : decodeTombstone(raw) };
  }

  /** Parts of a multipart version, ascending. */
  async parts(bucketId: string, version: Pick<Version, "key" | "versionId">): Promise<Part[]> {
    const raw = await this.index.get(keys.idRowKey(keys.SPACE.parts, bucketId, version.key, version.versionId));
    return raw === undefined ? [] : decodeRow<{ parts: Part[] }>(raw).parts;
  }

  /**
   * Runs `attempt`, which reads, builds one commit and says what to answer, until its commit's checks hold.
   * `attempt` may return without a commit: then nothing is written.
   */
  async commit<T>(
    attempt: () => Promise<{ commit?: CommitBuilder | undefined; result: T; poke?: readonly Arn[] | undefined }>,
  ): Promise<T> {
    for (let tries = 0; tries < CONFLICT_RETRIES_MAX; tries++) {
      const { commit, result, poke } = await attempt();
      if (commit === undefined) return result;
      if ((await this.index.commit(commit)) === "committed") {
        if (poke !== undefined && poke.length > 0) this.poke(poke);
        return result;
      }
    }
    throw new StoreError("SlowDownWrite", { message: "Too many writers change this object at once; try again." });
  }
}
