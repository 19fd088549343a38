/** What is computed over a body while it passes: block checksums for the file's tail, MD5, SHA-256, an S3 checksum. */
import { crc32 } from "@node-rs/crc32";
import { createHash, hash, type Hash } from "node:crypto";
import { createChecksum, type RunningChecksum } from "../../model/checksum.ts";
import type { ChecksumAlgorithm } from "../../model/version.ts";
import { BLOCK_BYTES } from "../limits.ts";
import { blockCount, finishTail, tailLength } from "./format.ts";
import { Sealer } from "./seal.ts";

export interface DigestOptions {
  readonly md5: boolean;
  readonly sha256: boolean;
  readonly checksum?: ChecksumAlgorithm | undefined;
  /** Stored bytes are sealed with this key (seal.ts); digests are over the plain ones all the same. */
  readonly sealKey?: Uint8Array | undefined;
}

/** MD5 and SHA-256 in hex, the checksum in base64; each present when it was asked for. */
export interface Digests {
  readonly md5?: string | undefined;
  readonly sha256?: string | undefined;
  readonly checksum?: string | undefined;
}

/** For a body that lies in memory in one piece: the one-shot calls cost a third of the running ones. */
export function digestsOf(bytes: Uint8Array, options: DigestOptions): Digests {
  const checksum = options.checksum === undefined ? undefined : createChecksum(options.checksum);
  checksum?.update(bytes);
  return {
    md5: options.md5 ? hash("md5", bytes, "hex") : undefined,
    sha256: options.sha256 ? hash("sha256", bytes, "hex") : undefined,
    checksum: checksum?.digest(),
  };
}

/** A running MD5. `md5-lanes.ts` has one that reads its pieces later. */
export interface RunningMd5 {
  update(piece: Uint8Array): unknown;
  digest(encoding: "hex"): string;
}

/** For a body that passes in pieces of any size. */
export class BodyDigests {
  readonly #md5: RunningMd5 | undefined;
  readonly #sha256: Hash | undefined;
  readonly #checksum: RunningChecksum | undefined;
  readonly #sealer: Sealer | undefined;
  #table = Buffer.allocUnsafeSlow(1024);
  #size = 0;
  #blockCrc = 0;

  /** `startMd5`: where the MD5 is computed, if not here. */
  constructor(options: DigestOptions, startMd5: () => RunningMd5 = () => createHash("md5")) {
    this.#md5 = options.md5 ? startMd5() : undefined;
    this.#sha256 = options.sha256 ? createHash("sha256") : undefined;
    this.#checksum = options.checksum === undefined ? undefined : createChecksum(options.checksum);
    this.#sealer = options.sealKey === undefined ? undefined : new Sealer(options.sealKey);
  }

  /** The body is sealed: what is stored is not what `update` is given. */
  get seals(): boolean {
    return this.#sealer !== undefined;
  }

  /** Takes the next piece; the bytes to store for it: the piece itself, or its sealed form in memory of its own. */
  update(piece: Uint8Array): Uint8Array {
    const stored = this.#sealer === undefined ? piece : this.#sealer.update(piece);
    this.#addBlocks(stored);
    this.#md5?.update(piece);
    this.#sha256?.update(piece);
    this.#checksum?.update(piece);
    return stored;
  }

  #addBlocks(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      const filled = this.#size % BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES - filled, piece.length - at);
      this.#blockCrc = crc32(piece.subarray(at, at + length), filled === 0 ? 0 : this.#blockCrc);
      this.#size += length;
      at += length;
      if (this.#size % BLOCK_BYTES === 0) this.#closeBlock();
    }
  }

  /** The stored size, what follows the last stored bytes in the file, and the digests. Call once, after the last piece. */
  finish(): Digests & { readonly size: number; readonly tail: Buffer } {
    const closing = this.#sealer?.finish();
    if (closing !== undefined) this.#addBlocks(closing);
    if (this.#size % BLOCK_BYTES !== 0) this.#closeBlock();
    const tail = Buffer.allocUnsafeSlow(tailLength(this.#size));
    this.#table.copy(tail, 0, 0, 4 * blockCount(this.#size));
    finishTail(tail, this.#size);
    return {
      size: this.#size,
      tail: closing === undefined ? tail : Buffer.concat([closing, tail]),
      md5: this.#md5?.digest("hex"),
      sha256: this.#sha256?.digest("hex"),
      checksum: this.#checksum?.digest(),
    };
  }

  #closeBlock(): void {
    const at = 4 * (blockCount(this.#size) - 1);
    if (at === this.#table.length) {
      const longer = Buffer.allocUnsafeSlow(2 * at);
      this.#table.copy(longer);
      this.#table = longer;
    }
    this.#table.writeUInt32LE(this.#blockCrc, at);
  }
}
