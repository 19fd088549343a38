/** What MinIO keeps of a bucket, and its rules for what replication sends: state of `fake-target.ts`. */
import { parseRfc3339Nano } from "../../protocol/time.ts";

export interface FakeVersion {
  readonly key: string;
  readonly versionId: string;
  readonly kind: "object" | "delete-marker";
  readonly mtime: bigint;
  readonly etag: string;
  readonly body: Buffer;
  readonly metadata: Record<string, string>;
  readonly tags: string;
  readonly parts: number;
  /** Sizes of the parts of an upload, in order. */
  readonly partSizes?: readonly number[] | undefined;
  readonly checksums?: Readonly<Record<string, string>> | undefined;
  readonly replica?: boolean | undefined;
  /** Times that metadata copies and edits at the server itself leave; a PUT leaves none. A hold's is kept as a retention's. */
  readonly tagsTime?: bigint | undefined;
  readonly lockTime?: bigint | undefined;
}

export type Headers = Readonly<Record<string, string>>;

const LOCK = "x-amz-object-lock-";
const KEPT =
  /^(content-type|content-encoding|cache-control|content-disposition|content-language|expires|x-amz-meta-.*|x-amz-object-lock-.*)$/;
const CHECKSUM = /^x-amz-checksum-(crc32|crc32c|sha1|sha256|crc64nvme|type)$/;

/** Lock dates come back with milliseconds, however they were sent. */
function kept(headers: Headers): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!KEPT.test(name) || value === "") continue;
    metadata[name] = name === `${LOCK}retain-until-date` ? new Date(value).toISOString() : value;
  }
  return metadata;
}

export const checksumsOf = (headers: Headers): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => CHECKSUM.test(name)));

export const timeOf = (headers: Headers, name: string): bigint | undefined => parseRfc3339Nano(headers[name] ?? "");

export interface NewObject {
  readonly key: string;
  readonly versionId: string;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly etag: string;
  readonly partSizes?: readonly number[] | undefined;
  /** Of an upload the completion tells it. */
  readonly mtime?: bigint | undefined;
}

export class FakeStore {
  readonly versions: FakeVersion[] = [];
  /** Key and id of what a client removed and a target still has to be told of: hidden, but not gone (5.4). */
  readonly purging = new Set<string>();

  isPurging(key: string, versionId: string): boolean {
    return this.purging.has(`${key} ${versionId}`);
  }

  find(key: string, versionId: string): FakeVersion | undefined {
    return this.versions.find((version) => version.key === key && version.versionId === versionId);
  }

  /** All of a key, the newest first. */
  of(key: string): FakeVersion[] {
    return this.versions.filter((version) => version.key === key).toSorted((a, b) => (a.mtime > b.mtime ? -1 : 1));
  }

  remove(key: string, versionId: string): boolean {
    const at = this.versions.findIndex((version) => version.key === key && version.versionId === versionId);
    if (at >= 0) this.versions.splice(at, 1);
    this.purging.delete(`${key} ${versionId}`);
    return at >= 0;
  }

  /** In place of what has its id, without a look at times (3.3). */
  put(object: NewObject): FakeVersion {
    const { key, versionId, headers, body, etag, partSizes } = object;
    const mtime = object.mtime ?? timeOf(headers, "x-minio-source-mtime") ?? BigInt(Date.now()) * 1_000_000n;
    const version: FakeVersion = {
      key,
      versionId,
      kind: "object",
      mtime,
      etag,
      body,
      metadata: kept(headers),
      tags: headers["x-amz-tagging"] ?? "",
      parts: partSizes?.length ?? 0,
      partSizes,
      checksums: checksumsOf(headers),
      replica: headers["x-amz-replication-status"] === "REPLICA",
    };
    this.change(version);
    return version;
  }

  /** A version anew, in its place or as one more. */
  change(version: FakeVersion): void {
    const at = this.versions.findIndex(({ key, versionId }) => key === version.key && versionId === version.versionId);
    if (at >= 0) this.versions[at] = version;
    else this.versions.push(version);
  }

  marker(key: string, versionId: string, mtime: bigint, replica: boolean): FakeVersion {
    const version: FakeVersion = {
      key,
      versionId,
      kind: "delete-marker",
      mtime,
      etag: "",
      body: Buffer.alloc(0),
      metadata: {},
      tags: "",
      parts: 0,
      replica,
    };
    this.change(version);
    return version;
  }

  /**
   * The merge rules of 3.6: tags and locks are taken off first, and only what wins by its time comes back: what a late
   * copy does not replace it erases. Legal holds are judged by no time, and leave theirs as that of a retention.
   */
  copyMetadata(old: FakeVersion, headers: Headers): FakeVersion {
    const sentTags = timeOf(headers, "x-minio-source-replication-tagging-timestamp");
    const sentRetention = timeOf(headers, "x-minio-source-replication-retention-timestamp");
    const sentHold = timeOf(headers, "x-minio-source-replication-legalhold-timestamp");
    let { tagsTime, lockTime } = old;
    let tags = "";
    if (headers["x-amz-tagging"] && sentTags !== undefined && (tagsTime === undefined || tagsTime <= sentTags)) {
      tags = headers["x-amz-tagging"];
      tagsTime = sentTags;
    }
    const locks: Record<string, string> = {};
    const retention = { mode: headers[`${LOCK}mode`], until: headers[`${LOCK}retain-until-date`] };
    const retains = retention.mode && retention.until && sentRetention !== undefined;
    if (retains && (lockTime === undefined || lockTime < sentRetention)) {
      locks[`${LOCK}mode`] = retention.mode ?? "";
      locks[`${LOCK}retain-until-date`] = retention.until ?? "";
      lockTime = sentRetention;
    }
    if (headers[`${LOCK}legal-hold`] && sentHold !== undefined) {
      locks[`${LOCK}legal-hold`] = headers[`${LOCK}legal-hold`] ?? "";
      lockTime = sentHold;
    }
    const fixed = Object.entries(old.metadata).filter(([name]) => !name.startsWith(LOCK));
    const changed: FakeVersion = {
      ...old,
      metadata: { ...Object.fromEntries(fixed), ...kept(locks) },
      tags,
      tagsTime,
      lockTime,
      mtime: timeOf(headers, "x-minio-source-mtime") ?? old.mtime,
      replica: headers["x-amz-replication-status"] === "REPLICA" || old.replica,
    };
    this.change(changed);
    return changed;
  }
}
