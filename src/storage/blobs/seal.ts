/**
 * Sealed blobs: AES-256-GCM in packages of 64 KiB, each with its tag behind it, and a closing tag at the end; the blob
 * key is used for this blob alone, so the package's number is nonce enough. docs/format.md says the same. A package in
 * another place, of another blob, or missing at the end does not open.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type CipherGCM,
  type DecipherGCM,
  type KeyObject,
} from "node:crypto";
import { assert } from "../../runtime/assert.ts";
import { freeMemory } from "../../runtime/owned-bytes.ts";

const ALGORITHM = "aes-256-gcm";
/** Plain bytes of a package; the last one may be shorter. */
export const PACKAGE_BYTES = 64 * 1024;
const TAG_BYTES = 16;
/** What stands behind the last package. */
export const CLOSING_BYTES = TAG_BYTES;
export const SEALED_PACKAGE_BYTES = PACKAGE_BYTES + TAG_BYTES;
const OPTIONS = { authTagLength: TAG_BYTES } as const;
const NO_BYTES = Buffer.alloc(0);
/** First byte of a nonce. */
const PACKAGE = 0;
const CLOSING = 1;

const packageCount = (size: number): number => Math.ceil(size / PACKAGE_BYTES);
/** Stored bytes of a sealed blob of `size` plain ones. */
export const sealedSize = (size: number): number => size + TAG_BYTES * (packageCount(size) + 1);

/** Plain bytes in whole packages that take `stored` bytes, the closing tag among them where it `closes`. */
export function openedSize(stored: number, closes: boolean): number {
  const packages = closes ? stored - CLOSING_BYTES : stored;
  return packages - TAG_BYTES * Math.ceil(packages / SEALED_PACKAGE_BYTES);
}

/** Plain bytes of a sealed blob of `stored` ones; undefined when no blob has that many. */
export function plainSize(stored: number): number | undefined {
  const packages = Math.ceil((stored - TAG_BYTES) / SEALED_PACKAGE_BYTES);
  const size = stored - TAG_BYTES * (packages + 1);
  return size >= 0 && sealedSize(size) === stored ? size : undefined;
}

/**
 * The key of one blob: HMAC-SHA-256 of the object key over the blob's own salt and its part number (0: no part), so
 * that the bytes of one part do not open in the place of another.
 */
export function blobKeyOf(objectKey: Buffer, salt: string, partNumber: number): Buffer {
  const mac = createHmac("sha256", objectKey).update("resilver blob 1\0", "latin1").update(Buffer.from(salt, "hex"));
  const number = Buffer.alloc(4);
  number.writeUInt32BE(partNumber);
  return mac.update(number).digest();
}

function nonceOf(kind: number, number: number, into: Buffer = Buffer.alloc(12)): Buffer {
  into[0] = kind;
  into.writeUIntBE(number, 6, 6);
  return into;
}

function sizeBytes(size: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(size));
  return out;
}

/** Copies what a cipher gave out, which is fresh memory each time, into `out`: collecting it costs more than the cipher. */
function takeOut(bytes: Buffer, out: Buffer, at: number): number {
  const length = bytes.copy(out, at);
  freeMemory(bytes);
  return length;
}

/** Seals a body that passes in pieces of any size. */
export class Sealer {
  readonly #key: KeyObject;
  readonly #nonce = Buffer.alloc(12);
  #cipher: CipherGCM | undefined;
  #filled = 0;
  #packages = 0;
  #size = 0;

  /** `key`: 32 bytes that seal nothing else. */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /** The sealed bytes of `piece`, in memory of their own. */
  update(piece: Uint8Array): Buffer {
    const closed = Math.floor((this.#filled + piece.length) / PACKAGE_BYTES);
    const out = Buffer.allocUnsafeSlow(piece.length + closed * TAG_BYTES);
    let written = 0;
    for (let at = 0; at < piece.length;) {
      const length = Math.min(PACKAGE_BYTES - this.#filled, piece.length - at);
      this.#cipher ??= this.#open();
      written += takeOut(this.#cipher.update(piece.subarray(at, at + length)), out, written);
      this.#filled += length;
      at += length;
      if (this.#filled === PACKAGE_BYTES) written += this.#close().copy(out, written);
    }
    this.#size += piece.length;
    assert(written === out.length, "every byte is sealed at once");
    return out;
  }

  /** What follows the last piece. Call once. */
  finish(): Buffer {
    const tag = this.#filled > 0 ? this.#close() : NO_BYTES;
    const last = createCipheriv(ALGORITHM, this.#key, nonceOf(CLOSING, this.#packages, this.#nonce), OPTIONS);
    last.setAAD(sizeBytes(this.#size)).final();
    return Buffer.concat([tag, last.getAuthTag()]);
  }

  #open(): CipherGCM {
    return createCipheriv(ALGORITHM, this.#key, nonceOf(PACKAGE, this.#packages, this.#nonce), OPTIONS);
  }

  #close(): Buffer {
    assert(this.#cipher !== undefined, "a package is open");
    this.#cipher.final();
    const tag = this.#cipher.getAuthTag();
    this.#cipher = undefined;
    this.#filled = 0;
    this.#packages++;
    return tag;
  }
}

/** A body that lies in memory, sealed. */
export function sealAtOnce(key: Uint8Array, plain: Uint8Array): Buffer {
  const sealer = new Sealer(key);
  return Buffer.concat([sealer.update(plain), sealer.finish()]);
}

/** Opens packages of one sealed blob. */
export class Opener {
  readonly #key: KeyObject;
  readonly #nonce = Buffer.alloc(12);

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /**
   * Opens the packages from number `first` on in `sealed`, all whole but the blob's last, into `out`, which may begin where
   * `sealed` does. False: they are not what was sealed, and `out` holds nothing of use.
   */
  packages(first: number, sealed: Buffer, out: Buffer): boolean {
    let written = 0;
    for (let at = 0, number = first; at < sealed.length; at += SEALED_PACKAGE_BYTES, number++) {
      const end = Math.min(at + SEALED_PACKAGE_BYTES, sealed.length) - TAG_BYTES;
      if (end <= at) return false;
      const cipher = createDecipheriv(ALGORITHM, this.#key, nonceOf(PACKAGE, number, this.#nonce), OPTIONS);
      cipher.setAuthTag(sealed.subarray(end, end + TAG_BYTES));
      written += takeOut(cipher.update(sealed.subarray(at, end)), out, written);
      if (!isWhole(cipher)) return false;
    }
    return written === out.length;
  }

  /**
   * Opens whole packages where they lie: `stored` begins at stored byte `position`, and has the closing tag behind them when
   * `closes`, the plain bytes of the whole blob, is given. The plain bytes; undefined: not what was sealed.
   */
  inPlace(stored: Buffer, position: number, closes: number | undefined): Buffer | undefined {
    const packages = closes === undefined ? stored : stored.subarray(0, -TAG_BYTES);
    const plain = stored.subarray(0, openedSize(stored.length, closes !== undefined));
    if (!this.packages(position / SEALED_PACKAGE_BYTES, packages, plain)) return undefined;
    return closes !== undefined && !this.closing(closes, stored.subarray(packages.length)) ? undefined : plain;
  }

  /** The closing tag of a blob of `size` plain bytes. */
  closing(size: number, tag: Buffer): boolean {
    const nonce = nonceOf(CLOSING, packageCount(size), this.#nonce);
    const cipher = createDecipheriv(ALGORITHM, this.#key, nonce, OPTIONS);
    cipher.setAAD(sizeBytes(size));
    cipher.setAuthTag(tag);
    return isWhole(cipher);
  }
}

/** Node says by an exception that a tag does not fit. */
function isWhole(cipher: DecipherGCM): boolean {
  try {
    cipher.final();
    return true;
  } catch {
    return false;
  }
}

/** The body of a whole sealed blob; undefined when that is not what was sealed with `key`. */
export function openAtOnce(key: Uint8Array, sealed: Buffer): Buffer | undefined {
  const size = plainSize(sealed.length);
  if (size === undefined) return undefined;
  const plain = Buffer.allocUnsafe(size);
  const body = sealed.subarray(0, sealed.length - CLOSING_BYTES);
  const opener = new Opener(key);
  return opener.packages(0, body, plain) && opener.closing(size, sealed.subarray(body.length)) ? plain : undefined;
}

/** Where the packages of plain bytes [start, end) lie in a sealed blob, and which of them come first. */
export function packageSpan(size: number, start: number, end: number): { first: number; from: number; to: number } {
  const first = Math.floor(start / PACKAGE_BYTES);
  const last = Math.ceil(end / PACKAGE_BYTES);
  const to = Math.min(last * SEALED_PACKAGE_BYTES, sealedSize(size) - TAG_BYTES);
  return { first, from: first * SEALED_PACKAGE_BYTES, to };
}
