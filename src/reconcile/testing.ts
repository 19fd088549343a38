/** Two sites' versions without the sites: rows of an index in memory, for tests and benchmarks of this layer. */
import type { ObjectKey, VersionId } from "../model/names.ts";
import type { ObjectVersion, Version } from "../model/version.ts";
import { systemClock } from "../runtime/clock.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { idRowKey, SPACE, versionRowKey } from "../storage/keys.ts";
import { encodeLookupOf, encodeTombstone, encodeVersion } from "../storage/records.ts";
import { LocalSide } from "./local.ts";
import { answerPeer, RemoteSide } from "./remote.ts";

/** Version ids of tests: a number, as a UUID. */
export const idOf = (number: number): VersionId =>
  `00000000-0000-4000-8000-${String(number).padStart(12, "0")}` as VersionId;

export function objectVersion(key: string, id: number, more: Partial<ObjectVersion> = {}): ObjectVersion {
  return {
    kind: "object",
    key: key as ObjectKey,
    versionId: idOf(id),
    mtime: 1_700_000_000_000_000_000n + BigInt(id),
    replication: { targets: {} },
    size: 1024,
    etag: "6f5902ac237024bdd0c176cb93063dc4",
    headers: { "content-type": "text/plain" },
    userMetadata: {},
    storageClass: "STANDARD",
    partCount: 0,
    ...more,
  };
}

/** One bucket of one site. */
export class Held {
  readonly index: OrderedIndex;
  readonly bucketId: string;
  readonly side: LocalSide;

  constructor(index: OrderedIndex, bucketId: string, frameBytes?: number) {
    this.index = index;
    this.bucketId = bucketId;
    this.side = new LocalSide(
      { index, bucketId, clock: { ...systemClock(), sleep: () => Promise.resolve() } },
      frameBytes,
    );
  }

  async put(versions: Iterable<Version>): Promise<void> {
    let commit = new CommitBuilder();
    for (const version of versions) {
      commit.put(versionRowKey(this.bucketId, version), encodeVersion(version));
      commit.put(idRowKey(SPACE.byId, this.bucketId, version.key, version.versionId), encodeLookupOf(version));
      if (commit.puts.length < 4000) continue;
      await this.index.commit(commit);
      commit = new CommitBuilder();
    }
    await this.index.commit(commit);
  }

  async remove(versions: Iterable<Version>, purge?: { time: bigint; will: "everywhere" | "local" }): Promise<void> {
    const commit = new CommitBuilder();
    for (const version of versions) {
      const { key, versionId } = version;
      commit.delete(versionRowKey(this.bucketId, version));
      commit.delete(idRowKey(SPACE.byId, this.bucketId, key, versionId));
      if (purge === undefined) continue;
      const stone = { key, versionId, ...purge, wasMarker: false, replication: { targets: {} } };
      commit.put(idRowKey(SPACE.tombstone, this.bucketId, key, versionId), encodeTombstone(stone));
    }
    await this.index.commit(commit);
  }
}

/** A side behind a wire that counts. */
export interface Wire {
  readonly side: RemoteSide;
  requests: number;
  bytes: number;
  /** Called with each request before it is answered. */
  onRequest?: ((request: number) => void | Promise<void>) | undefined;
}

export function wireTo(held: Held): Wire {
  const exchange = async (call: string, body: Buffer): Promise<Buffer> => {
    wire.requests++;
    await wire.onRequest?.(wire.requests);
    const answer = await answerPeer(held.side, call, body);
    wire.bytes += body.length + answer.length;
    return answer;
  };
  const wire: Wire = { side: new RemoteSide(exchange), requests: 0, bytes: 0 };
  return wire;
}
