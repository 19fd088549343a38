/**
 * Encryption of objects: a random object key for each, sealed by the key ring or by the client's key, and a key of its
 * own for each blob, made of the object key. What is stored opens nothing by itself.
 */
import type { Bucket } from "../model/bucket.ts";
import {
  hidesMd5,
  keyNameOf,
  type CustomerKey,
  type EncryptionKind,
  type EncryptionRequest,
  type ObjectEncryption,
} from "../model/encryption.ts";
import { StoreError } from "../model/errors.ts";
import type { BucketName, ObjectKey } from "../model/names.ts";
import type { BlobRef } from "../model/version.ts";
import { blobKeyOf } from "../storage/blobs/seal.ts";
import { checkKey as checkKeyOf } from "../storage/keyring/check.ts";
import { keyContext, type KeyRing } from "../storage/keyring/keyring.ts";
import { newObjectKey, openObjectKey, sealObjectKey } from "../storage/keyring/object-key.ts";
import { namedRange, nameOfRow, readCounter, SPACE } from "../storage/keys.ts";
import type { Context } from "./context.ts";
import * as rows from "./rows.ts";
import type { EncryptedWith } from "./types.ts";

/** Where an object lies: what its keys are bound to. */
export interface Place {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
}

/** A new object's key, open, and what its version keeps of it. */
export interface Seal {
  readonly encryption: ObjectEncryption;
  readonly objectKey: Buffer;
}

/** NotImplemented when the site has no key ring (s3-api.md 13.1). */
function keyRingOf(context: Pick<Context, "keyRing">): KeyRing {
  if (context.keyRing !== undefined) return context.keyRing;
  throw new StoreError("NotImplemented", {
    message: "Server side encryption specified but KMS is not configured on this server.",
  });
}

/** What a new object is encrypted with: what was asked for, else what the bucket or the site has by default. */
export function encryptionFor(
  context: Context,
  bucket: Bucket,
  asked: EncryptionRequest | undefined,
): EncryptionRequest | undefined {
  if (asked !== undefined) return asked;
  const { encryption } = bucket;
  if (encryption === undefined) return context.keyRing?.always === true ? { kind: "SSE-KMS" } : undefined;
  if (encryption.kind === "SSE-S3") return { kind: "SSE-S3" };
  return { kind: "SSE-KMS", keyId: encryption.keyId && keyNameOf(encryption.keyId) };
}

/**
 * The named key (absent: the default one) is there, works, and is the one that it was. Throws NotImplemented,
 * `KMS.NotFoundException`, `KMS.InvalidCiphertextException`, `XResilverKeyServerUnavailable`.
 */
export async function checkKey(context: Context, keyId: string | undefined): Promise<void> {
  const ring = keyRingOf(context);
  await checkKeyOf(ring, context.index, keyId ?? ring.defaultKeyId);
}

const WAYS_MAX = 10_000;

/** Objects.encryptedWith */
export async function encryptedWith(context: Context, bucket: Bucket): Promise<EncryptedWith[]> {
  const prefix = rows.encryptedPrefix(bucket.id);
  const entries = await context.index.scan(namedRange(SPACE.counter, prefix), { limit: WAYS_MAX });
  return entries.map(({ key, value }) => {
    const [kind, ...keyId] = nameOfRow(key).slice(prefix.length).split("/");
    const versions = Number(readCounter(value));
    return { kind: kind as EncryptionKind, keyId: keyId.join("/") || undefined, versions };
  });
}

/** Base64 JSON of a client, checked before as it came in. */
function clientContext(text: string | undefined): Readonly<Record<string, string>> | undefined {
  if (text === undefined) return undefined;
  return JSON.parse(Buffer.from(text, "base64").toString("utf8")) as Record<string, string>;
}

/**
 * Seals `objectKey` (absent: a new one) for an object at `place`. Throws NotImplemented without a key ring,
 * `kms:KeyNotFound`, `XResilverKeyServerUnavailable`.
 */
export async function sealFor(
  context: Context,
  place: Place,
  asked: EncryptionRequest,
  objectKey: Buffer = newObjectKey(context.random),
): Promise<Seal> {
  const bound = keyContext(place.bucket, place.key);
  if (asked.kind === "SSE-C") {
    const sealed = sealObjectKey(asked.customerKey.key, objectKey, bound, context.random);
    return { objectKey, encryption: { kind: "SSE-C", objectKey: sealed } };
  }
  const ring = keyRingOf(context);
  const keyId = (asked.kind === "SSE-KMS" ? asked.keyId : undefined) ?? ring.defaultKeyId;
  const client = asked.kind === "SSE-KMS" ? asked.context : undefined;
  const dataKey = await ring.generate(keyId, keyContext(place.bucket, place.key, clientContext(client)));
  const sealed = sealObjectKey(dataKey.plain, objectKey, bound, context.random);
  return {
    objectKey,
    encryption: { kind: asked.kind, objectKey: sealed, keyId, dataKey: dataKey.sealed, context: client },
  };
}

/** The constant text by which MinIO's sources know an SSE-C object (replication.md 3.10). */
const NEEDS_KEY =
  "The object was stored using a form of Server Side Encryption. " +
  "The correct parameters must be provided to retrieve the object.";

/**
 * The key of an object at `place`. Throws InvalidRequest when a client's key is missing or not wanted, AccessDenied for
 * the wrong one, and what KeyRing.open throws: never damage.
 */
export async function openSeal(
  context: Pick<Context, "keyRing">,
  place: Place,
  encryption: ObjectEncryption,
  customerKey: CustomerKey | undefined,
): Promise<Buffer> {
  const bound = keyContext(place.bucket, place.key);
  const where = { bucket: place.bucket, key: place.key };
  if (encryption.kind === "SSE-C") {
    if (customerKey === undefined) throw new StoreError("InvalidRequest", { message: NEEDS_KEY, ...where });
    const objectKey = openObjectKey(customerKey.key, encryption.objectKey, bound);
    if (objectKey !== undefined) return objectKey;
    throw new StoreError("AccessDenied", {
      message: "The key is not the one this object was encrypted with.",
      ...where,
    });
  }
  if (customerKey !== undefined) throw notApplicable(where);
  const { keyId = "", dataKey = "" } = encryption;
  const opened = await keyRingOf(context).open(
    keyId,
    dataKey,
    keyContext(place.bucket, place.key, clientContext(encryption.context)),
  );
  const objectKey = openObjectKey(opened, encryption.objectKey, bound);
  if (objectKey !== undefined) return objectKey;
  throw new StoreError("KMS.InvalidCiphertextException", {
    message: `The sealed key of this object does not open with the key "${keyId}".`,
    ...where,
  });
}

/** A client's key came for an object that has no use for it. */
export function notApplicable(where: { bucket: BucketName; key: ObjectKey }): StoreError {
  return new StoreError("InvalidRequest", {
    message: "The encryption parameters are not applicable to this object.",
    ...where,
  });
}

/** How one blob of a sealed object is written. */
export interface BlobSeal {
  readonly sealKey: Buffer;
  readonly salt: string;
  /** The ETag is not to tell what the content is. */
  readonly hidesMd5: boolean;
}

/** A new blob of an object: `partNumber` is 0 for the one blob of an object without parts. */
export function blobSeal(context: Context, seal: Seal, partNumber: number): BlobSeal {
  const salt = context.random.bytes(16).toString("hex");
  return {
    salt,
    sealKey: blobKeyOf(seal.objectKey, salt, partNumber),
    hidesMd5: hidesMd5(seal.encryption.kind),
  };
}

/** What a read of a sealed object needs: its key, opened once. */
export class Lock {
  readonly #context: Context;
  readonly #place: Place;
  readonly #encryption: ObjectEncryption;
  #objectKey: Buffer | undefined;

  constructor(context: Context, place: Place, encryption: ObjectEncryption) {
    this.#context = context;
    this.#place = place;
    this.#encryption = encryption;
  }

  /** The object's key; see `openSeal`. */
  async open(customerKey: CustomerKey | undefined): Promise<Buffer> {
    return (this.#objectKey ??= await openSeal(this.#context, this.#place, this.#encryption, customerKey));
  }

  /** The key of one blob; undefined for a blob that is not sealed. */
  async blobKey(ref: BlobRef, partNumber: number): Promise<Buffer | undefined> {
    return ref.salt === undefined ? undefined : blobKeyOf(await this.open(undefined), ref.salt, partNumber);
  }
}
