/**
 * Multipart uploads under way at targets, so that a large object goes on where it was after a cut or a restart.
 * A row is written after CreateMultipartUpload and removed after Complete or abort.
 */
import { createHash } from "node:crypto";
import type { Arn, ObjectKey, VersionId } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";

export interface ResumePoint {
  readonly arn: Arn;
  readonly bucketId: string;
  readonly key: ObjectKey;
  readonly versionId: VersionId;
}

/** What an upload was begun for: a null version may have been written anew, with the same bytes and other metadata. */
type Content = Pick<ObjectVersion, "etag" | "mtime">;

export interface Begun extends Content {
  readonly uploadId: string;
}

/** The upload was begun for exactly this version. */
export const isBegunFor = (begun: Begun, { etag, mtime }: Content): boolean =>
  begun.etag === etag && begun.mtime === mtime;

export interface ResumeStore {
  /** The unfinished upload of a version of this id. */
  find(at: ResumePoint): Promise<Begun | undefined>;
  save(at: ResumePoint, version: Content, uploadId: string): Promise<void>;
  forget(at: ResumePoint): Promise<void>;
}

function rowKey(at: ResumePoint): Buffer {
  const name = createHash("sha256").update(`${at.bucketId}\0${at.versionId}\0${at.key}`).digest("hex");
  return namedRowKey(SPACE.job, `sending/${at.arn}/${name}`);
}

export function resumeStore(index: OrderedIndex): ResumeStore {
  return {
    async find(at) {
      const raw = await index.get(rowKey(at));
      return raw === undefined ? undefined : decodeRow<Begun & ResumePoint>(raw);
    },
    async save(at, { etag, mtime }, uploadId) {
      const row: Begun & ResumePoint = { ...at, etag, mtime, uploadId };
      await index.commit(new CommitBuilder().put(rowKey(at), encodeRow(row)));
    },
    async forget(at) {
      await index.commit(new CommitBuilder().delete(rowKey(at)));
    },
  };
}
