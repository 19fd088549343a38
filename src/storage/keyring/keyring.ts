/**
 * The key ring: named keys that never leave it, and data keys that they seal. One small interface; the embedded ring
 * (keys of the settings, and keys kept in the index) and a key server behind it pass the same suite (`contract.ts`).
 */

/** 32 random bytes, and the form of them that is stored: only the named key opens it, for the same context. */
export interface DataKey {
  readonly plain: Buffer;
  readonly sealed: string;
}

export interface KeyInfo {
  readonly name: string;
  /** ISO 8601; absent: not known. */
  readonly createdAt?: string | undefined;
  /** Access key of who made it; absent: not known. */
  readonly createdBy?: string | undefined;
}

export interface KeyRingStatus {
  /** What holds the keys: `Resilver` or `KES`. */
  readonly name: string;
  readonly version: string;
  readonly endpoints: Readonly<Record<string, "online" | "offline">>;
}

export interface KeyRing {
  /** What SSE-S3 uses, and SSE-KMS without a key id. */
  readonly defaultKeyId: string;
  /** Every new object is encrypted although nobody asked (MINIO_KMS_AUTO_ENCRYPTION). */
  readonly always: boolean;
  /** A new data key. Throws `kms:KeyNotFound`, `XResilverKeyServerUnavailable`. */
  generate(keyId: string, context: Buffer): Promise<DataKey>;
  /**
   * Opens a data key. Throws `KMS.NotFoundException` when the ring has no such key, `KMS.InvalidCiphertextException` when
   * it is another key of this name or another context, `XResilverKeyServerUnavailable`.
   */
  open(keyId: string, sealed: string, context: Buffer): Promise<Buffer>;
  /** Throws `XMinioKMSKeyExists`, `XMinioAdminInvalidArgument` for a name that cannot be one. */
  create(keyId: string, by: string): Promise<void>;
  /** In order of their names. */
  list(): Promise<KeyInfo[]>;
  status(): Promise<KeyRingStatus>;
  close(): Promise<void>;
}

export const DATA_KEY_BYTES = 32;

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}$/;

/** Names of keys: also fit for a path of a key server and for a resource of a policy. */
export const isKeyName = (name: string): boolean => NAME.test(name);

/**
 * What a data key is bound to, as bytes: JSON with its members in order of their names. `client`: the encryption context
 * that came with a request. MinIO's member for the object is used, so that a key server's log reads alike.
 */
export function keyContext(
  bucket: string,
  key: string,
  client: Readonly<Record<string, string>> | undefined = undefined,
): Buffer {
  const members = { ...client, [bucket]: `${bucket}/${key}` };
  const sorted = Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify(Object.fromEntries(sorted)));
}
