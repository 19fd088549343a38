/** AES-256-GCM of short secrets: 12 bytes of random nonce, the ciphertext, 16 bytes of tag. */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Random } from "../../runtime/random.ts";

const ALGORITHM = "aes-256-gcm";
const NONCE = 12;
const TAG = 16;
const OPTIONS = { authTagLength: TAG } as const;

/** Seals `plain` with the 32 bytes of `key`, bound to `bound`. */
export function sealSecret(key: Buffer, plain: Buffer, random: Random, bound: Buffer = Buffer.alloc(0)): Buffer {
  const nonce = random.bytes(NONCE);
  const cipher = createCipheriv(ALGORITHM, key, nonce, OPTIONS).setAAD(bound);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined: not sealed with this key and bound to the same. */
export function openSecret(key: Buffer, sealed: Buffer, bound: Buffer = Buffer.alloc(0)): Buffer | undefined {
  if (sealed.length < NONCE + TAG) return undefined;
  const cipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE), OPTIONS).setAAD(bound);
  cipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  try {
    return Buffer.concat([cipher.update(sealed.subarray(NONCE, sealed.length - TAG)), cipher.final()]);
  } catch {
    return undefined;
  }
}
