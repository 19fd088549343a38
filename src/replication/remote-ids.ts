/**
 * Version ids of a target that mints its own: which of its versions is ours. An intent is written before a version is
 * sent, so that a repeat knows that the target may have it under an id that was never heard.
 */
import type { Arn, VersionId } from "../model/names.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { remoteIdKey, SPACE, targetRange } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";

/** `id` absent: a request was sent and its end is not known. */
export interface RemoteVersion {
  readonly id?: string | undefined;
  /** Of the source: tells which content a null id stands for. */
  readonly etag: string;
  /** Of an upload, RFC 3339: it is known too late to be among the headers that the target keeps. */
  readonly mtime?: string | undefined;
}

export interface RemoteIds {
  find(key: string, versionId: VersionId): Promise<RemoteVersion | undefined>;
  save(key: string, versionId: VersionId, remote: RemoteVersion): Promise<void>;
  forget(key: string, versionId: VersionId): Promise<void>;
}

export function remoteIds(index: OrderedIndex, arn: Arn): RemoteIds {
  return {
    async find(key, versionId) {
      const raw = await index.get(remoteIdKey(arn, key, versionId));
      return raw === undefined ? undefined : decodeRow<RemoteVersion>(raw);
    },
    async save(key, versionId, remote) {
      await index.commit(new CommitBuilder().put(remoteIdKey(arn, key, versionId), encodeRow(remote)));
    },
    async forget(key, versionId) {
      await index.commit(new CommitBuilder().delete(remoteIdKey(arn, key, versionId)));
    },
  };
}

const DROP_BATCH = 500;

/** Forgets the ids of a target that is gone. */
export async function dropRemoteIds(index: OrderedIndex, arn: Arn): Promise<void> {
  for (;;) {
    const page = await index.scan(targetRange(SPACE.remoteId, arn), { limit: DROP_BATCH, keysOnly: true });
    if (page.length === 0) return;
    const commit = new CommitBuilder();
    for (const { key } of page) commit.delete(key);
    await index.commit(commit);
  }
}
