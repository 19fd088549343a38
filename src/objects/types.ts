/** Requests and results of the use cases in this folder. HTTP-free: the S3 layer parses into these and renders from them. */
import type { Bucket } from "../model/bucket.ts";
import type { CustomerKey, EncryptionKind, EncryptionRequest, ObjectEncryption } from "../model/encryption.ts";
import type { Arn, BucketName, ObjectKey, UnixNs, UploadId, VersionId } from "../model/names.ts";
import type {
  Checksum,
  ChecksumAlgorithm,
  ChecksumType,
  DeleteMarker,
  ObjectVersion,
  Part,
  Register,
  Retention,
  Tags,
  TargetStatus,
  Version,
} from "../model/version.ts";
import type { OwnedBytes } from "../runtime/owned-bytes.ts";

export interface NewBucket {
  /** Access key of the creator. */
  readonly owner: string;
  /** With object lock, and so with versioning. */
  readonly objectLock?: boolean | undefined;
  readonly ownership?: Bucket["ownership"];
  readonly tags?: Tags | undefined;
}

/** How a write came: present when a peer's replication sent it (`X-Minio-Source-Replication-Request`). */
export interface ReplicaSource {
  /** `X-Amz-Replication-Status: REPLICA` was sent: the version is marked as a replica. */
  readonly replica: boolean;
  readonly mtime?: UnixNs | undefined;
  readonly etag?: string | undefined;
  readonly tagsTime?: UnixNs | undefined;
  readonly retentionTime?: UnixNs | undefined;
  readonly legalHoldTime?: UnixNs | undefined;
  /** Id of an explicit resync from a healthy site: the only writer that undoes a local purge. */
  readonly resyncId?: string | undefined;
  /** A MinIO sent it: it is told nothing of its own edits, which could meet the next one there. */
  readonly isMinio?: boolean | undefined;
  /** It is a version that is here already, whose bytes were lost: nothing is stored when it is gone (NoSuchVersion). */
  readonly repairs?: boolean | undefined;
}

/** What a client may say about a new object, whatever the operation. */
export interface ObjectAttributesInput {
  /** Lower-case names, see ObjectVersion.headers. */
  readonly headers: Readonly<Record<string, string>>;
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly storageClass: "STANDARD" | "REDUCED_REDUNDANCY";
  readonly tags?: Tags | undefined;
  readonly retention?: Retention | undefined;
  readonly legalHold?: boolean | undefined;
}

/** If-Match / If-None-Match of a write: ETags without quotes, or `*`. */
export interface WriteConditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

/** A body and what the client claims about it; claims are checked after the last byte and before the commit. */
export interface IncomingBody {
  readonly stream: AsyncIterable<Buffer>;
  /** All of what `stream` would give, where it lies in memory already. */
  readonly bytes?: Buffer | undefined;
  /** Instead of `stream`, for a small body: all of it at once. Its reader frees it. */
  readonly whole?: (() => Promise<OwnedBytes>) | undefined;
  /** A piece of the stream is the reader's only until it asks for the next one. */
  readonly lent?: boolean | undefined;
  /** Decoded size when known. The body fails with IncompleteBody when it is shorter, and is cut never. */
  readonly size?: number | undefined;
  /** Content-MD5 as 32 hex digits: mismatch is BadDigest. */
  readonly md5?: string | undefined;
  /** x-amz-content-sha256 as 64 hex digits: mismatch is XAmzContentSHA256Mismatch. */
  readonly sha256?: string | undefined;
  /** The checksum to compute and store, if any. */
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  /** Expected value (base64), known before the body or from its trailer: asked for after the end of the stream. Mismatch is BadDigest. */
  readonly expectedChecksum?: (() => string | undefined) | undefined;
}

export interface PutRequest {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly attributes: ObjectAttributesInput;
  readonly body: IncomingBody;
  readonly conditions?: WriteConditions | undefined;
  /** Given by replication only: the version's id on the source. */
  readonly versionId?: VersionId | undefined;
  readonly source?: ReplicaSource | undefined;
  /** Absent: as the bucket or the site has it by default. */
  readonly encryption?: EncryptionRequest | undefined;
}

export interface PutResult {
  readonly bucket: Bucket;
  readonly version: ObjectVersion;
  /** True when the version is visible under its id (versioning enabled): the S3 layer sends x-amz-version-id. */
  readonly versioned: boolean;
  /** Set when nothing was stored because the version was purged here (see Tombstone). */
  readonly purged?: "everywhere" | "local" | undefined;
}

export interface VersionSelector {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  /** Absent: the current version. */
  readonly versionId?: VersionId | undefined;
}

/** An object found for reading. `parts` is empty for a single PUT. */
export interface FoundObject {
  readonly bucket: Bucket;
  readonly version: ObjectVersion;
  readonly parts: readonly Part[];
  /** The version is the newest of its key. */
  readonly isLatest: boolean;
  /**
   * Bytes [start, end) of the object, checked; damage is recorded and thrown as StoreError `XResilverObjectDamaged`
   * (before the first piece if the first block is bad). `lent`: a piece is the caller's only until it asks for the next.
   */
  read(start: number, end: number, lent?: boolean): AsyncIterable<Buffer>;
  /** All bytes of an object that lies in the index, checked; undefined: they have to be read. */
  readonly inline?: (() => Promise<Buffer | undefined>) | undefined;
  /**
   * Encrypted objects only: takes their key in hand, which `read` otherwise does by itself. SSE-C needs the client's:
   * InvalidRequest without it, AccessDenied for another one. Also InvalidRequest for a key that does not belong here.
   */
  readonly unlock?: ((customerKey: CustomerKey | undefined) => Promise<void>) | undefined;
}

/** What the object must be to be deleted; a delete marker is no object, except for its time. */
export interface DeleteConditions {
  /** Without quotes, or `*`. */
  readonly etag?: string | undefined;
  /** Compared in whole seconds. */
  readonly lastModifiedMs?: number | undefined;
  readonly size?: number | undefined;
  /** The exact time of the version, object or marker. */
  readonly mtime?: UnixNs | undefined;
  /** With a version id, where the version stands: not the newest of its key, or all there is of it. Else nothing happens. */
  readonly place?: "noncurrent" | "only" | undefined;
}

export interface DeleteRequest extends VersionSelector {
  readonly source?: ReplicaSource | undefined;
  /** Replication only: `X-Minio-Source-DeleteMarker: true` with versionId: make (or toggle away) this marker. */
  readonly sourceDeleteMarker?: boolean | undefined;
  /** Clients only: it asked to pass over governance retention, and may. */
  readonly bypassGovernance?: boolean | undefined;
  readonly conditions?: DeleteConditions | undefined;
  /** The bucket's lifecycle asks for it: it is for this site alone, and no target follows. */
  readonly byLifecycle?: boolean | undefined;
}

export interface DeleteResult {
  readonly bucket: Bucket;
  /** The id to answer in x-amz-version-id: of the removed version, or of the marker made. Absent: none. */
  readonly versionId?: VersionId | undefined;
  /** A marker was made, or the removed version was one. */
  readonly deleteMarker: boolean;
}

export interface CopyRequest {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly from: VersionSelector;
  readonly fromConditions?: ReadConditions | undefined;
  /** Absent: COPY directive. */
  readonly replaceMetadata?: Pick<ObjectAttributesInput, "headers" | "userMetadata"> | undefined;
  /** A redirect of the source is never kept (s3-api.md section 11): the one of the copy, if any. With COPY directive only. */
  readonly redirect?: string | undefined;
  /** Absent: COPY directive; null tags are "no tags". */
  readonly replaceTags?: Tags | undefined;
  readonly storageClass?: "STANDARD" | "REDUCED_REDUNDANCY" | undefined;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly encryption?: EncryptionRequest | undefined;
  /** The key that the source is encrypted with. */
  readonly fromKey?: CustomerKey | undefined;
  readonly conditions?: WriteConditions | undefined;
  readonly retention?: Retention | undefined;
  readonly legalHold?: boolean | undefined;
}

/** If-* headers of a read. ETags without quotes or `*`; times in ms. */
export interface ReadConditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: number | undefined;
  readonly ifUnmodifiedSince?: number | undefined;
}

/** The metadata-only self copy of replication.md 3.6: only registers change, each only when newer than ours. */
export interface ReplicaMetadataRequest extends VersionSelector {
  readonly versionId: VersionId;
  readonly source: ReplicaSource;
  readonly tags: Tags;
  readonly retention: Retention | null | undefined;
  readonly legalHold: boolean | undefined;
}

export interface CreateUploadRequest {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly attributes: ObjectAttributesInput;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
  readonly versionId?: VersionId | undefined;
  readonly source?: ReplicaSource | undefined;
  /** Access key of the initiator. */
  readonly initiator: string;
  readonly conditions?: WriteConditions | undefined;
  readonly encryption?: EncryptionRequest | undefined;
}

export interface Upload {
  readonly uploadId: UploadId;
  readonly key: ObjectKey;
  readonly initiated: UnixNs;
  readonly initiator: string;
  readonly attributes: ObjectAttributesInput;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
  readonly versionId?: VersionId | undefined;
  /** What a peer said at the creation, the times of tags and locks among it; the version's own time comes later. */
  readonly replica?: ReplicaSource | undefined;
  readonly encryption?: ObjectEncryption | undefined;
}

export interface UploadSelector {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly uploadId: UploadId;
}

export interface StoredPart {
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  readonly checksum?: Checksum | undefined;
  readonly mtime: UnixNs;
}

/** What a part is copied of. */
export interface PartSource {
  readonly source: VersionSelector;
  readonly conditions?: ReadConditions | undefined;
  /** Bytes [start, end); absent: all. */
  readonly range?: { readonly start: number; readonly end: number } | undefined;
  /** The key that the source is encrypted with, and the one of the upload. */
  readonly fromKey?: CustomerKey | undefined;
  readonly customerKey?: CustomerKey | undefined;
}

export interface CompletedPart {
  readonly number: number;
  readonly etag: string;
  /** Base64, if the client sent one. */
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
}

export interface CompleteUploadRequest extends UploadSelector {
  readonly parts: readonly CompletedPart[];
  readonly conditions?: WriteConditions | undefined;
  readonly source?: ReplicaSource | undefined;
  /** Object checksum the client expects (base64 without `-N`). */
  readonly expectedChecksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
  readonly checksumType?: ChecksumType | undefined;
  /** x-amz-mp-object-size */
  readonly expectedSize?: number | undefined;
}

/** Versions of a bucket that are encrypted one way with one key of the ring (SSE-C: with keys that clients have). */
export interface EncryptedWith {
  readonly kind: EncryptionKind;
  readonly keyId?: string | undefined;
  readonly versions: number;
}

/** What a rotation did; `error`: the first reason of those that failed. */
export interface RewrapCounts {
  readonly rewrapped: number;
  readonly failed: number;
  readonly error?: string | undefined;
}

/** One page of a listing of current versions. */
export interface ListRequest {
  readonly bucket: BucketName;
  readonly prefix: string;
  /** Any string; empty: none. */
  readonly delimiter: string;
  /** Exclusive: keys and common prefixes after this one. */
  readonly after: string;
  /** 0 to 1000 (keys and common prefixes together). */
  readonly maxKeys: number;
}
export interface ListPage {
  readonly bucket: Bucket;
  readonly objects: readonly ObjectVersion[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  /** The last key or common prefix of the page: `after` of the next. */
  readonly next?: string | undefined;
}

export interface ListVersionsRequest {
  readonly bucket: BucketName;
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  /** Resume after this version of keyMarker; needs keyMarker. */
  readonly versionIdMarker?: VersionId | undefined;
  readonly maxKeys: number;
}
export interface ListedVersion {
  readonly version: Version;
  readonly isLatest: boolean;
}
export interface ListVersionsPage {
  readonly bucket: Bucket;
  readonly versions: readonly ListedVersion[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly nextKeyMarker?: string | undefined;
  readonly nextVersionIdMarker?: VersionId | undefined;
}

export interface ListUploadsRequest {
  readonly bucket: BucketName;
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly maxUploads: number;
}
export interface ListUploadsPage {
  readonly bucket: Bucket;
  readonly uploads: readonly Upload[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly nextKeyMarker?: string | undefined;
  readonly nextUploadIdMarker?: string | undefined;
}

/** A row of the change log: this version of this key must be brought to the target, whatever it is now. */
export interface LogRow {
  /** Names the bucket's row; the id tells a deleted bucket from its successor. */
  readonly bucket: BucketName;
  readonly bucketId: string;
  readonly key: ObjectKey;
  readonly versionId: VersionId;
  /** Bytes to move: the object's size, 0 for markers, purges and metadata. */
  readonly size: number;
  readonly operation: "put" | "metadata" | "delete-marker" | "purge";
  /** When it was written. */
  readonly time: UnixNs;
  readonly attempts: number;
  readonly error?: string | undefined;
  /** The last failure was one that no repetition mends. */
  readonly refused?: true | undefined;
}

export interface PendingWork {
  readonly count: number;
  readonly bytes: number;
  /** Time of the oldest row, if any. */
  readonly oldest?: UnixNs | undefined;
  /** Among them: rows that failed at least once. */
  readonly failing: { readonly count: number; readonly bytes: number };
  /** Among those: rows whose failure no repetition mends. */
  readonly refused: { readonly count: number; readonly bytes: number };
}

export type { Arn, DeleteMarker, Register };

/** A version as it was read: while its row has these bytes, it is that. */
export interface VersionRow {
  readonly version: Version;
  readonly key: Buffer;
  readonly raw: Buffer;
}

/** A version by id and what reading its bytes takes, all of one look-up. */
export interface StoredVersion extends VersionRow {
  readonly bucket: Bucket;
  /** Absent: a delete marker. */
  readonly object?: Omit<FoundObject, "isLatest"> | undefined;
}

/** How one row of the change log ended. */
export interface FinishedLogRow {
  readonly rowKey: Buffer;
  readonly row: LogRow;
  /** The row's bytes as they were read: while they stand, none of it need be read again. */
  readonly raw?: Buffer | undefined;
  /** New status of the version (or tombstone) for this target; absent: leave it. */
  readonly status?: TargetStatus | undefined;
  /**
   * The version as it was sent: a register changed since keeps the status PENDING. Or the purge of one: that says nothing
   * of a null version which was written after it.
   */
  readonly sent?: VersionRow | "purge" | undefined;
  /** Set: the row moves to the retry queue, to be tried again at `due`; its counters stay. Absent: the row is done. */
  readonly retry?: { readonly due: UnixNs; readonly reason: string; readonly refused: boolean } | undefined;
  /** The target is like MinIO, where what went from here may have taken a peer's newer registers off. */
  readonly losesRegisters?: boolean | undefined;
  /** Adds to the target's durable totals: one version of so many bytes reached it, or an attempt failed. */
  readonly counted?: { readonly as: "sent" | "met" | "failed"; readonly bytes: number } | undefined;
}
