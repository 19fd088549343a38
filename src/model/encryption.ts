/** Encryption at rest: what a request asks for, what a bucket asks for by default, and what a version keeps of it. */

/** Who holds the key that opens an object: the key ring's default key, a named key of it, or the client alone. */
export type EncryptionKind = "SSE-S3" | "SSE-KMS" | "SSE-C";

/** A key that came with a request. It is never stored. */
export interface CustomerKey {
  /** 32 bytes. */
  readonly key: Buffer;
  /** Base64 of its MD5, as the client sent it. */
  readonly md5: string;
}

/** What a request says about a new object. */
export type EncryptionRequest =
  | { readonly kind: "SSE-S3" }
  | {
      readonly kind: "SSE-KMS";
      /** Absent: the key ring's default key. */
      readonly keyId?: string | undefined;
      /** The client's encryption context: base64 of a JSON object of strings. */
      readonly context?: string | undefined;
    }
  | { readonly kind: "SSE-C"; readonly customerKey: CustomerKey };

/** Bucket default encryption (PutBucketEncryption). */
export interface BucketEncryption {
  readonly kind: "SSE-S3" | "SSE-KMS";
  /** SSE-KMS only, as it was written (see `keyNameOf`); absent: the key ring's default key. */
  readonly keyId?: string | undefined;
}

/** What a version (or an upload) keeps: everything but the key that opens it. */
export interface ObjectEncryption {
  readonly kind: EncryptionKind;
  /** The object key, sealed by `dataKey` or by the client's key, for this bucket and key: base64. */
  readonly objectKey: string;
  /** SSE-S3 and SSE-KMS: the named key of the key ring that sealed `dataKey`. */
  readonly keyId?: string | undefined;
  /** SSE-S3 and SSE-KMS: as the key ring gave it out. */
  readonly dataKey?: string | undefined;
  /** SSE-KMS: as the client sent it. */
  readonly context?: string | undefined;
}

/** How answers write the name of a key; requests may leave it out. */
export const KMS_KEY_PREFIX = "arn:aws:kms:";

/** A key id of a request as the key ring knows it. */
export function keyNameOf(keyId: string): string {
  return keyId.startsWith(KMS_KEY_PREFIX) ? keyId.slice(KMS_KEY_PREFIX.length) : keyId;
}

/** True for kinds whose ETag is no MD5 of the content (s3-api.md section 4). */
export function hidesMd5(kind: EncryptionKind): boolean {
  return kind !== "SSE-S3";
}
