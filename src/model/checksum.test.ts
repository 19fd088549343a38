import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  checksumHeaderName,
  checksumOf,
  combineCrc,
  compositeChecksum,
  createChecksum,
  parseChecksumAlgorithm,
} from "./checksum.ts";
import { CHECKSUM_ALGORITHMS } from "./version.ts";

const CHECK = Buffer.from("123456789");
/** The catalogue values of each algorithm for "123456789". */
const VECTORS = {
  CRC32: "cbf43926",
  CRC32C: "e3069283",
  CRC64NVME: "ae8b14860a799888",
  SHA1: "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
  SHA256: "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
} as const;
const CRCS = ["CRC32", "CRC32C", "CRC64NVME"] as const;

test("known values", () => {
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    assert.equal(checksumOf(algorithm, CHECK), Buffer.from(VECTORS[algorithm], "hex").toString("base64"));
  }
  assert.equal(checksumOf("CRC64NVME", Buffer.from("hello")), "M3eFcAZSQlc=");
  assert.equal(checksumOf("CRC32", Buffer.from("hello")), "NhCmhg==");
});

test("any split of the bytes gives the same value", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...CHECKSUM_ALGORITHMS),
      fc.array(fc.uint8Array({ maxLength: 40 })),
      (algorithm, pieces) => {
        const running = createChecksum(algorithm);
        for (const piece of pieces) running.update(piece);
        assert.equal(running.digest(), checksumOf(algorithm, Buffer.concat(pieces)));
      },
    ),
  );
});

test("combined part CRCs equal the CRC of the whole", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...CRCS),
      fc.array(fc.uint8Array({ maxLength: 70 }), { minLength: 1 }),
      (algorithm, pieces) => {
        const parts = pieces.map((piece) => ({ checksum: checksumOf(algorithm, piece), size: piece.length }));
        assert.equal(combineCrc(algorithm, parts), checksumOf(algorithm, Buffer.concat(pieces)));
      },
    ),
  );
});

test("ten thousand parts of terabytes combine at once", () => {
  const parts = Array.from({ length: 10_000 }, () => ({ checksum: "NhCmhg==", size: 5 * 2 ** 40 }));
  assert.equal(combineCrc("CRC32", parts).length, 8);
});

test("composite is the checksum of the concatenated digests", () => {
  const parts = [checksumOf("SHA256", Buffer.from("a")), checksumOf("SHA256", Buffer.from("b"))];
  const joined = Buffer.concat(parts.map((value) => Buffer.from(value, "base64")));
  assert.equal(compositeChecksum("SHA256", parts), checksumOf("SHA256", joined));
});

test("names", () => {
  assert.equal(checksumHeaderName("CRC64NVME"), "x-amz-checksum-crc64nvme");
  assert.equal(parseChecksumAlgorithm("crc32c"), "CRC32C");
  assert.equal(parseChecksumAlgorithm("md5"), undefined);
});
