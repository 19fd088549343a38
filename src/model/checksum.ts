/** Additional checksums of S3 as pure computations (s3-api.md section 5). Values are base64 of the big-endian digest. */
import { crc32, crc32c } from "@node-rs/crc32";
import { createHash } from "node:crypto";
import { assert } from "../runtime/assert.ts";
import { Crc64Nvme } from "./crc64nvme.ts";
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from "./version.ts";

export interface RunningChecksum {
  update(chunk: Uint8Array): void;
  /** Base64. Call once, after the last update. */
  digest(): string;
}

const DIGEST_LENGTHS: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

/** `x-amz-checksum-crc32c` and so on, lower-case. */
export function checksumHeaderName(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** The algorithm named by a header value, in any case; undefined when it is none of the five. */
export function parseChecksumAlgorithm(text: string): ChecksumAlgorithm | undefined {
  const upper = text.toUpperCase();
  return CHECKSUM_ALGORITHMS.find((name) => name === upper);
}

function runningCrc32(step: (chunk: Uint8Array, value: number) => number): RunningChecksum {
  let value = 0;
  return {
    update(chunk) {
      value = step(chunk, value);
    },
    digest() {
      const out = Buffer.allocUnsafe(4);
      out.writeUInt32BE(value >>> 0);
      return out.toString("base64");
    },
  };
}

function runningHash(name: "sha1" | "sha256"): RunningChecksum {
  const hash = createHash(name);
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest("base64") };
}

/** Starts a checksum over a byte stream. */
export function createChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  switch (algorithm) {
    case "CRC32":
      return runningCrc32((chunk, value) => crc32(chunk, value));
    case "CRC32C":
      return runningCrc32((chunk, value) => crc32c(chunk, value));
    case "CRC64NVME": {
      const crc = new Crc64Nvme();
      return { update: (chunk) => crc.update(chunk), digest: () => crc.digest().toString("base64") };
    }
    case "SHA1":
      return runningHash("sha1");
    case "SHA256":
      return runningHash("sha256");
  }
}

/** The checksum of one buffer. */
export function checksumOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): string {
  const running = createChecksum(algorithm);
  running.update(bytes);
  return running.digest();
}

/** COMPOSITE value without its `-N` suffix: the checksum of the concatenated binary part digests. */
export function compositeChecksum(algorithm: ChecksumAlgorithm, partChecksums: readonly string[]): string {
  const running = createChecksum(algorithm);
  for (const value of partChecksums) running.update(Buffer.from(value, "base64"));
  return running.digest();
}

type CrcAlgorithm = "CRC32" | "CRC32C" | "CRC64NVME";

interface Field {
  readonly width: bigint;
  /** The reflected polynomial. */
  readonly poly: bigint;
  /** x^(2^k) modulo the polynomial, k = 0, 1, ... */
  readonly powers: readonly bigint[];
}

/** a * b modulo the polynomial, both reflected: bit `width - 1` is x^0. */
function multiply(a: bigint, b: bigint, width: bigint, poly: bigint): bigint {
  let product = 0n;
  let shifted = b;
  for (let bit = 1n << (width - 1n); bit !== 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) product ^= shifted;
    shifted = (shifted & 1n) !== 0n ? (shifted >> 1n) ^ poly : shifted >> 1n;
  }
  return product;
}

function makeField(width: bigint, poly: bigint): Field {
  const powers = [1n << (width - 2n)];
  // 2^67 bits is more than any object: sizes stay below 2^64 bytes.
  for (let k = 1; k < 67; k++) {
    const last = powers[k - 1] as bigint;
    powers.push(multiply(last, last, width, poly));
  }
  return { width, poly, powers };
}

const fields = new Map<CrcAlgorithm, Field>();

function fieldOf(algorithm: CrcAlgorithm): Field {
  let field = fields.get(algorithm);
  if (field === undefined) {
    if (algorithm === "CRC32") field = makeField(32n, 0xedb88320n);
    else if (algorithm === "CRC32C") field = makeField(32n, 0x82f63b78n);
    else field = makeField(64n, 0x9a6c9329ac4bc9b5n);
    fields.set(algorithm, field);
  }
  return field;
}

/** x^(8 * size): multiplying a CRC by it is the same as appending `size` zero bytes. */
function shiftFactor(field: Field, size: number): bigint {
  let factor = 1n << (field.width - 1n);
  let rest = BigInt(size);
  for (let k = 3; rest !== 0n; rest >>= 1n, k++) {
    if ((rest & 1n) !== 0n) factor = multiply(field.powers[k] as bigint, factor, field.width, field.poly);
  }
  return factor;
}

/**
 * FULL_OBJECT value of a multipart object from its parts' CRCs and sizes in bytes, in part order. One multiplication
 * per part: factors of equal sizes are computed once, so ten thousand parts cost milliseconds.
 */
export function combineCrc(
  algorithm: ChecksumAlgorithm,
  parts: readonly { readonly checksum: string; readonly size: number }[],
): string {
  assert(algorithm !== "SHA1" && algorithm !== "SHA256", "only CRCs combine");
  const field = fieldOf(algorithm);
  const factors = new Map<number, bigint>();
  let total = 0n;
  for (const part of parts) {
    let factor = factors.get(part.size);
    if (factor === undefined) factors.set(part.size, (factor = shiftFactor(field, part.size)));
    const own = BigInt(`0x${Buffer.from(part.checksum, "base64").toString("hex")}`);
    total = multiply(factor, total, field.width, field.poly) ^ own;
  }
  return Buffer.from(total.toString(16).padStart(DIGEST_LENGTHS[algorithm] * 2, "0"), "hex").toString("base64");
}
