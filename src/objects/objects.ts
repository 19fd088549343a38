/**
 * The use cases on buckets and objects: the only writer of their rows. Each call is one commit (retried when a check
 * fails) after the bytes are durable. Errors are StoreErrors with S3 codes. See types.ts for the shapes.
 */
import type { Bucket } from "../model/bucket.ts";
import type { CustomerKey } from "../model/encryption.ts";
import type { Arn, BucketName, VersionId } from "../model/names.ts";
import type { ObjectVersion, Retention, Tags, TargetStatus, Tombstone, Version } from "../model/version.ts";
import type {
  CompleteUploadRequest,
  CopyRequest,
  CreateUploadRequest,
  DeleteRequest,
  DeleteResult,
  EncryptedWith,
  FinishedLogRow,
  FoundObject,
  IncomingBody,
  ListPage,
  ListRequest,
  ListUploadsPage,
  ListUploadsRequest,
  ListVersionsPage,
  ListVersionsRequest,
  NewBucket,
  PartSource,
  PutRequest,
  PutResult,
  ReplicaMetadataRequest,
  RewrapCounts,
  StoredPart,
  StoredVersion,
  Upload,
  UploadSelector,
  VersionRow,
  VersionSelector,
} from "./types.ts";

export interface Objects {
  createBucket(name: BucketName, options: NewBucket): Promise<Bucket>;
  /** Throws NoSuchBucket. */
  bucket(name: BucketName): Promise<Bucket>;
  buckets(): Promise<Bucket[]>;
  /**
   * Atomic read-modify-write of a bucket's configuration. `change` may throw to refuse. InvalidBucketState for one that
   * object lock does not allow.
   */
  updateBucket(name: BucketName, change: (bucket: Bucket) => Bucket): Promise<Bucket>;
  /**
   * BucketNotEmpty while it holds versions or markers, unless `force`, which removes them (no replication) and is
   * MethodNotAllowed with object lock.
   */
  deleteBucket(name: BucketName, options: { force: boolean }): Promise<void>;
  /** Finishes deletes of buckets that a crash cut short: their uploads and tombstones. Returns how many there were. */
  clearDeleted(): Promise<number>;

  /** How the versions of a bucket are encrypted: each way and key with their number (exact, from counters). */
  encryptedWith(bucket: Bucket): Promise<EncryptedWith[]>;
  /** Puts the data keys of all objects and uploads that `from` sealed under `to`; no byte of an object is touched. */
  rewrap(from: string, to: string): Promise<RewrapCounts>;
  put(request: PutRequest): Promise<PutResult>;
  /**
   * Replicas that lie in memory, all in one commit: each is stored or left alone as a whole. False: nothing was stored of
   * it, and `put` has to decide (something of that id is or was here, it has locks, it does not fit beside the index, ...).
   * Throws NoSuchBucket.
   */
  putReplicas(bucket: BucketName, requests: readonly PutRequest[]): Promise<boolean[]>;
  /**
   * The key ring has this key (absent: its default one), and it works. Throws NotImplemented without a key ring,
   * `KMS.NotFoundException`, `XResilverKeyServerUnavailable`.
   */
  checkEncryptionKey(keyId: string | undefined): Promise<void>;
  /** The object to read. Throws NoSuchKey, NoSuchVersion, or MethodNotAllowed/NoSuchKey with delete-marker headers. */
  find(selector: VersionSelector): Promise<FoundObject>;
  /** A version of any kind by id (or the current one), undefined when absent: no delete-marker errors. */
  version(selector: VersionSelector): Promise<{ bucket: Bucket; version: Version } | undefined>;
  /** A version by id with the way to its bytes, of one look-up; undefined when absent. */
  stored(selector: VersionSelector & { versionId: VersionId }): Promise<StoredVersion | undefined>;
  /** Rows of many versions of a bucket by id, each undefined where it is absent. Throws NoSuchBucket. */
  versionRows(
    bucket: BucketName,
    ids: readonly Pick<Version, "key" | "versionId">[],
  ): Promise<{ bucket: Bucket; rows: (VersionRow | undefined)[] }>;
  /**
   * The bytes of versions seen a moment ago, checked; tags and locks may be others by now. Undefined: gone, replaced,
   * damaged, encrypted or not in the index; `find` tells.
   */
  smallBodies(seen: readonly ObjectVersion[]): Promise<(Buffer | undefined)[]>;
  tombstone(selector: VersionSelector & { versionId: VersionId }): Promise<Tombstone | undefined>;
  delete(request: DeleteRequest): Promise<DeleteResult>;
  copy(request: CopyRequest): Promise<PutResult & { from: ObjectVersion }>;

  /** Replaces the tag set of a version. Returns the version. */
  setTags(selector: VersionSelector, tags: Tags): Promise<ObjectVersion>;
  /** null: none. InvalidRequest without object lock; AccessDenied when a stronger one is active. */
  setRetention(
    selector: VersionSelector,
    retention: Retention | null,
    options?: { readonly bypassGovernance: boolean },
  ): Promise<ObjectVersion>;
  /** InvalidRequest without object lock. */
  setLegalHold(selector: VersionSelector, on: boolean): Promise<ObjectVersion>;
  /** replication.md 3.6. */
  applyReplicaMetadata(request: ReplicaMetadataRequest): Promise<ObjectVersion>;

  list(request: ListRequest): Promise<ListPage>;
  listVersions(request: ListVersionsRequest): Promise<ListVersionsPage>;

  createUpload(request: CreateUploadRequest): Promise<Upload>;
  upload(selector: UploadSelector): Promise<Upload>;
  /** Parts of an SSE-C upload need its key. */
  putPart(
    selector: UploadSelector,
    number: number,
    body: IncomingBody,
    customerKey?: CustomerKey,
  ): Promise<StoredPart & Pick<Upload, "encryption">>;
  /** Bytes [start, end) of `from` become a part; the whole object when no range is given. */
  copyPart(
    selector: UploadSelector,
    number: number,
    from: PartSource,
  ): Promise<StoredPart & Pick<Upload, "encryption"> & { from: ObjectVersion }>;
  /** Ascending part numbers after `after`. */
  listParts(
    selector: UploadSelector,
    options: { after: number; limit: number },
  ): Promise<{ upload: Upload; parts: StoredPart[]; truncated: boolean }>;
  listUploads(request: ListUploadsRequest): Promise<ListUploadsPage>;
  completeUpload(request: CompleteUploadRequest): Promise<PutResult>;
  /** NoSuchUpload when absent. */
  abortUpload(selector: UploadSelector): Promise<void>;

  /**
   * Records what a sender achieved for one version and target: status on the version, in one commit. `sent`: the version
   * as it was sent; one that changed since keeps its status, because another row is on its way.
   */
  setTargetStatus(
    selector: VersionSelector & { versionId: VersionId },
    arn: Arn,
    status: TargetStatus,
    sent?: Version,
  ): Promise<void>;
  /**
   * The same for many versions of a bucket that were sent, in one commit.
   */
  setTargetStatuses(bucket: BucketName, arn: Arn, status: TargetStatus, sent: readonly Version[]): Promise<void>;
  /**
   * About to send registers to a target like MinIO, where they may take newer ones off: those that a peer brings here are
   * sent there too from now on. The end of a change-log row marks the same (FinishedLogRow); a resync ends none. False: other registers are here by now than those of `sent`, or the version is gone.
   */
  markResend(bucket: BucketName, arn: Arn, sent: ObjectVersion): Promise<boolean>;
  /**
   * Ends rows of a target's change log, or moves them to its retry queue, with counters and statuses in one commit.
   * Rows that are already gone are skipped. At most a few hundred at a time.
   */
  finishLogRows(arn: Arn, finished: readonly FinishedLogRow[]): Promise<void>;
  /**
   * Marks a version damaged (reads and scrub find it so); it counts as lost until it is written again. `blobId`: only if
   * it still consists of this blob. False: it was removed, replaced or healed meanwhile, and is not damaged.
   */
  markDamaged(selector: VersionSelector & { versionId: VersionId }, reason: string, blobId?: string): Promise<boolean>;
  /** Bytes and counts of a bucket (exact, from counters). */
  usage(bucket: Bucket): Promise<{ objects: number; versions: number; deleteMarkers: number; bytes: number }>;
}
