/** One line of any listing: an object, a version, a delete marker, a folder, an unfinished upload, a file. */
export interface Entry {
  readonly type: "file" | "folder";
  /** The whole key (relative path for files of this machine); folders end in `/`. */
  readonly key: string;
  readonly size: number;
  /** Unix milliseconds; 0 for folders of a bucket. */
  readonly modifiedMs: number;
  /** Without quotes; "" for folders, markers and files. */
  readonly etag: string;
  readonly url: string;
  readonly storageClass?: string | undefined;
  readonly versionId?: string | undefined;
  readonly isLatest?: boolean | undefined;
  readonly isDeleteMarker?: boolean | undefined;
  /** 1 for the oldest version of the key. */
  readonly versionOrdinal?: number | undefined;
  /** User metadata and standard headers, when the listing carried them. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly uploadId?: string | undefined;
}

/** Last segment of a key or path, a trailing slash dropped. */
export function baseName(key: string): string {
  const bare = key.endsWith("/") ? key.slice(0, -1) : key;
  return bare.slice(bare.lastIndexOf("/") + 1);
}
