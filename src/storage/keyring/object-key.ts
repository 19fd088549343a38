/**
 * The key of an object: random, sealed by a data key of the key ring or by a client's key, bound to bucket and key. A
 * rotation seals it anew and leaves the bytes of the object as they are.
 */
import { createHmac } from "node:crypto";
import type { Random } from "../../runtime/random.ts";
import { openSecret, sealSecret } from "./aead.ts";
import { DATA_KEY_BYTES } from "./keyring.ts";

const SALT = 32;

/** A client may use one key for any number of objects: each seal has a key of its own, made of it and a random salt. */
function sealingKey(key: Buffer, salt: Buffer, bound: Buffer): Buffer {
  return createHmac("sha256", key).update("resilver object 1\0", "latin1").update(salt).update(bound).digest();
}

export function newObjectKey(random: Random): Buffer {
  return Buffer.from(random.bytes(DATA_KEY_BYTES));
}

/** 32 bytes of salt and the sealed key, in base64. */
export function sealObjectKey(key: Buffer, objectKey: Buffer, bound: Buffer, random: Random): string {
  const salt = Buffer.from(random.bytes(SALT));
  const sealed = sealSecret(sealingKey(key, salt, bound), objectKey, random, bound);
  return Buffer.concat([salt, sealed]).toString("base64");
}

/** Undefined: another key, or the object key of another bucket and key. */
export function openObjectKey(key: Buffer, sealed: string, bound: Buffer): Buffer | undefined {
  const bytes = Buffer.from(sealed, "base64");
  const salt = bytes.subarray(0, SALT);
  return openSecret(sealingKey(key, salt, bound), bytes.subarray(SALT), bound);
}
