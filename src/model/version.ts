/**
 * What a version is: one immutable (bucket, key, version id), an object or a delete marker, and its registers
 * (tags, retention, legal hold), the only parts that may change. Pure data; no I/O, no clock.
 */
import type { ObjectEncryption } from "./encryption.ts";
import type { Arn, ObjectKey, UnixNs, VersionId } from "./names.ts";

export const CHECKSUM_ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE";

/** An additional checksum of S3 (s3-api.md section 5). `value` is base64; composite values carry no `-N` suffix here. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  readonly value: string;
}

/** Where bytes lie: `id` names an immutable blob (32 hex digits), inline beside the index or a file under `blobs/`. */
export interface BlobRef {
  readonly id: string;
  readonly size: number;
  readonly inline: boolean;
  /** Files only: modification time in ns (decimal) at staging. Another value means "look at the bytes before trusting them". */
  readonly stamp?: string | undefined;
  /** Files only: CRC-32 of the file's table of block checksums. A whole file with another one is another blob's. */
  readonly tableCrc?: number | undefined;
  /** Sealed blobs only: 16 random bytes in hex, from which the object key makes the blob's own. */
  readonly salt?: string | undefined;
}

export interface Part {
  /** 1 to 10000, ascending, gaps allowed. */
  readonly number: number;
  readonly size: number;
  /** Hex MD5 of the part, no quotes. */
  readonly etag: string;
  readonly checksum?: string | undefined;
  readonly blob: BlobRef;
}

/** A value that may change, with its own time: the newer wins, ties go to the larger value. */
export interface Register<T> {
  readonly value: T;
  readonly time: UnixNs;
}
export type Tags = Readonly<Record<string, string>>;
export interface Retention {
  readonly mode: "GOVERNANCE" | "COMPLIANCE";
  /** ISO 8601, milliseconds, UTC. */
  readonly until: string;
}

/** NOT_REPLICABLE: a failure that no repetition mends; its reason is in the target's retry queue. */
export type TargetStatus = "PENDING" | "COMPLETED" | "FAILED" | "NOT_REPLICABLE";
/** Never part of a version's identity: two equal sites differ in it. */
export interface ReplicationState {
  /** Set when this version came from a peer (`X-Amz-Replication-Status: REPLICA`). */
  readonly replica?: boolean | undefined;
  readonly targets: Readonly<Record<string, TargetStatus>>;
  /** When registers were last changed here, ns in decimal: whoever sent the version before that has not sent this. */
  readonly changed?: string | undefined;
  /** When a peer's registers were last to be sent on to a target, as `changed`: rows to other targets are none of its. */
  readonly anew?: Readonly<Record<string, string>> | undefined;
  /** Targets like MinIO that got the version or its registers from here: they may have taken a peer's newer ones off. */
  readonly resend?: readonly Arn[] | undefined;
}

interface VersionBase {
  readonly key: ObjectKey;
  readonly versionId: VersionId;
  /** Modification time; with the version id it orders the versions of a key. */
  readonly mtime: UnixNs;
  readonly replication: ReplicationState;
}

export interface DeleteMarker extends VersionBase {
  readonly kind: "delete-marker";
}

export interface ObjectVersion extends VersionBase {
  readonly kind: "object";
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Lower-case names: content-type, content-encoding, cache-control, content-disposition, content-language, expires, x-amz-website-redirect-location. */
  readonly headers: Readonly<Record<string, string>>;
  /** Lower-case full names: `x-amz-meta-*`, `x-minio-meta-*`. */
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly storageClass: "STANDARD" | "REDUCED_REDUNDANCY";
  readonly checksum?: Checksum | undefined;
  readonly tags?: Register<Tags> | undefined;
  readonly retention?: Register<Retention | null> | undefined;
  readonly legalHold?: Register<boolean> | undefined;
  /** The one blob of a single PUT or copy; absent for multipart, whose parts are a row of their own. */
  readonly blob?: BlobRef | undefined;
  /** Number of parts of a multipart object, 0 for a single PUT. */
  readonly partCount: number;
  /** Set when the bytes are sealed; the blobs of it have a salt then. */
  readonly encryption?: ObjectEncryption | undefined;
  /** The upload that made it: a repeated completion is answered from here. Never replicated. */
  readonly uploadId?: string | undefined;
  /** Set when its stored bytes were found missing or wrong: never served, never counted as present. */
  readonly damaged?: string | undefined;
}

export type Version = ObjectVersion | DeleteMarker;

/**
 * Clients made it by a multipart upload and may ask for its parts. A large object of one piece may have come here in
 * parts too: those are nobody's but ours.
 */
export const isMultipart = (version: ObjectVersion): boolean => version.partCount > 0 && version.etag.includes("-");

/** Some of its bytes lie in files, which can get lost without the index. `parts`: of a multipart version. */
export function liesInFiles(version: Version, parts: readonly Part[]): boolean {
  if (version.kind === "delete-marker") return false;
  return version.blob?.inline === false || parts.some(({ blob }) => !blob.inline);
}

/** MinIO's composite rule (replication.md 5.2), whose words know no NOT_REPLICABLE: any failure is FAILED, else all COMPLETED, else PENDING; REPLICA when only received. */
export function replicationStatus(state: ReplicationState): "PENDING" | "COMPLETED" | "FAILED" | "REPLICA" | undefined {
  const all = Object.values(state.targets);
  if (all.includes("FAILED") || all.includes("NOT_REPLICABLE")) return "FAILED";
  if (all.includes("PENDING")) return "PENDING";
  if (state.replica) return "REPLICA";
  return all.length > 0 ? "COMPLETED" : undefined;
}

/** Will of a purge: meant for every site, or only for this one (design page, "Versions and convergence"). */
export type PurgeWill = "everywhere" | "local";
export interface Tombstone {
  readonly key: ObjectKey;
  readonly versionId: VersionId;
  readonly time: UnixNs;
  readonly will: PurgeWill;
  /**
   * Of the null id with will `local` only: up to this earlier time it was purged for every site. One id stands for many
   * versions there, which only their times tell apart.
   */
  readonly everywhere?: UnixNs | undefined;
  /** True when the purged version was a delete marker (MinIO's wire wants to know). */
  readonly wasMarker: boolean;
  readonly replication: ReplicationState;
}

/** Up to when what has this id is purged for every site. Undefined: it never was. */
export function purgedEverywhere(stone: Pick<Tombstone, "time" | "will" | "everywhere">): UnixNs | undefined {
  return stone.will === "everywhere" ? stone.time : stone.everywhere;
}

/**
 * Whose will removed the version of this time; undefined: it is a null version that was written after every purge. Of a
 * time that nobody told the oldest is assumed.
 */
export function purgeOf(
  stone: Pick<Tombstone, "time" | "will" | "everywhere" | "versionId">,
  mtime: UnixNs | undefined,
): PurgeWill | undefined {
  if (stone.versionId !== "null") return stone.will;
  const time = mtime ?? 0n;
  const everywhere = purgedEverywhere(stone);
  if (everywhere !== undefined && time <= everywhere) return "everywhere";
  return time <= stone.time ? "local" : undefined;
}

/** Which register wins: the newer time, ties by the larger JSON text of the value, so that every site decides alike. */
export function newerRegister<T>(a: Register<T> | undefined, b: Register<T> | undefined): Register<T> | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.time !== b.time) return a.time > b.time ? a : b;
  return JSON.stringify(a.value) >= JSON.stringify(b.value) ? a : b;
}
