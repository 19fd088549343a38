/**
 * Blobs: immutable bytes with a checksum per block. Small ones become inline rows beside the index (the caller puts
 * them into its commit), larger ones files under `blobs/`. Order of a write: stage, fsync, rename, fsync of the
 * directory, then the caller's commit names it; a crash in between leaves garbage, never a torn object.
 */
import type { BlobRef, ChecksumAlgorithm } from "../../model/version.ts";

export interface WriteOptions {
  /** A piece of the body is the store's only until it asks for the next one. */
  readonly lent?: boolean | undefined;
  /** Expected size in bytes when known: small bodies stay in memory, large ones go to a hashing thread. */
  readonly sizeHint?: number | undefined;
  readonly md5: boolean;
  readonly sha256: boolean;
  /** One additional S3 checksum over the whole body. */
  readonly checksum?: ChecksumAlgorithm | undefined;
  /** 32 bytes, for this blob alone: what is stored is sealed with it (seal.ts). Sizes and digests are those of the body. */
  readonly sealKey?: Uint8Array | undefined;
}

export interface WrittenBlob {
  /** Its size is that of the stored bytes. */
  readonly ref: BlobRef;
  /** For an inline blob: the row value for `D <blob id>`, to be put by the caller's commit. */
  readonly inlineRow?: Buffer | undefined;
  readonly size: number;
  /** Hex; present when asked for. */
  readonly md5?: string | undefined;
  readonly sha256?: string | undefined;
  /** Base64, big-endian digest; present when asked for. */
  readonly checksum?: string | undefined;
}

/** What is wrong with stored bytes. */
export type BlobState = "ok" | "missing" | "corrupt";

/** Thrown by reads: the stored bytes are not what was written. Never retryable on this site. */
export class BlobDamagedError extends Error {
  override name = "BlobDamagedError";
  readonly blobId: string;
  readonly state: Exclude<BlobState, "ok">;
  constructor(blobId: string, state: Exclude<BlobState, "ok">) {
    super(`blob ${blobId} is ${state}`);
    this.blobId = blobId;
    this.state = state;
  }
}

export interface BlobStore {
  /**
   * Reads `body` to its end; resolves when the bytes are durable. If `body` throws, the staged bytes are removed and the
   * error is passed on. Throws StoreError `XMinioStorageFull` when the disk is full but for its reserve.
   */
  write(body: AsyncIterable<Buffer>, options: WriteOptions): Promise<WrittenBlob>;
  /** Before bodies of so many bytes go through `writeInline`. Undefined: there is room. Rejects with XMinioStorageFull. */
  room(bytes: number): Promise<void> | undefined;
  /** A body that lies in memory, as a row beside the index. Undefined: it is too large for that. */
  writeInline(bytes: Buffer, options: Pick<WriteOptions, "md5" | "sha256" | "checksum">): WrittenBlob | undefined;
  /** The bytes of an inline blob from its row, checked: they are the row's own memory. Undefined: it is damaged. */
  inlineBytes(ref: BlobRef, inlineRow: Buffer | undefined): Buffer | undefined;
  /**
   * A second name for the bytes of a file blob (hard link, or a copy where links are impossible); durable when resolved. All
   * of them are read and checked before. BlobDamagedError: they are lost.
   */
  link(ref: BlobRef): Promise<BlobRef>;
  /**
   * Bytes [start, end) in pieces of at most 1 MiB, each checked against its blocks' checksums before it is yielded.
   * Throws BlobDamagedError. Inline blobs are read from `inlineRow`, which the caller fetched from the index
   * (undefined: missing). A piece of a file is the caller's until it asks for the third one after it; with `lent` only
   * until it asks for the next one, or stops: then its memory serves another read.
   * With `sealKey` start, end and the pieces are those of the body: of a sealed blob only the packages that hold them are
   * read, and one that does not open is damage.
   */
  read(
    ref: BlobRef,
    start: number,
    end: number,
    inlineRow?: Buffer | undefined,
    lent?: boolean | undefined,
    sealKey?: Uint8Array | undefined,
  ): AsyncIterable<Buffer>;
  /**
   * Presence, size and stamp; the bytes too when `deep`, or when the stamp is not the one of staging.
   * Inline blobs are checked from `inlineRow`.
   */
  examine(ref: BlobRef, deep: boolean, inlineRow?: Buffer | undefined): Promise<BlobState>;
  /** Removes the file of a blob that no commit names (a failed commit, the collector). Absent is fine. */
  discard(blobId: string): Promise<void>;
  /**
   * Ids of all blob files, in no order: for the collector's sweep and `resilver check`. The time is that of the file's
   * last change of any kind: a fresh link to old bytes is young.
   */
  list(): AsyncIterable<{ id: string; mtimeMs: number }>;
  /** Removes staged files last changed before `beforeMs`: writes that were cut off. Resolves to their number. */
  emptyStaging(beforeMs: number): Promise<number>;
  /** The file system is short of space: bodies are refused, and garbage should go at once. */
  low(): Promise<boolean>;
  close(): Promise<void>;
}
