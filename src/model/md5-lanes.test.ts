import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { LANE_BYTES, LANES_MAX } from "./md5-code.ts";
import { Md5Lanes, paddingOf } from "./md5-lanes.ts";

const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

/** Bytes that differ from body to body and from block to block. */
function bodyOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed * 101) & 0xff;
  return bytes;
}

test("the examples of RFC 1321", () => {
  const lanes = new Md5Lanes();
  const digestOf = (text: string): string => {
    const stream = lanes.stream();
    stream.update(Buffer.from(text));
    return stream.digest();
  };
  assert.equal(digestOf(""), "d41d8cd98f00b204e9800998ecf8427e");
  assert.equal(digestOf("abc"), "900150983cd24fb0d6963f7d28e17f72");
  assert.equal(digestOf("1234567890".repeat(8)), "57edf4a22be3c955ac49da2e2107b67a");
});

test("every length around the ends of blocks and of lanes, alone", () => {
  const lanes = new Md5Lanes();
  const near = [64, 128, LANE_BYTES, 2 * LANE_BYTES].flatMap((end) => [-9, -8, -1, 0, 1].map((d) => end + d));
  for (const length of [0, 1, ...near]) {
    const bytes = bodyOf(length, length);
    const stream = lanes.stream();
    stream.update(bytes);
    assert.equal(stream.digest(), md5(bytes), `${length} bytes`);
  }
});

test("any number of bodies of any lengths, in any pieces, run together at any moment", () => {
  const length = fc.oneof(fc.nat(300), fc.nat(3 * LANE_BYTES), fc.constantFrom(64, LANE_BYTES, 4 * LANE_BYTES));
  const body = fc.record({
    length,
    piece: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constantFrom(64, 4096, 65_536)),
  });
  fc.assert(
    fc.property(
      fc.array(body, { maxLength: 2 * LANES_MAX + 3 }),
      fc.integer({ min: 1, max: 7 }),
      (bodies, everyRound) => {
        const lanes = new Md5Lanes();
        const all = bodies.map(({ length: size, piece }, i) => ({
          bytes: bodyOf(size, i),
          piece,
          stream: lanes.stream(),
        }));
        const rounds = Math.max(0, ...all.map(({ bytes, piece }) => Math.ceil(bytes.length / piece)));
        for (let round = 0; round < rounds; round++) {
          for (const { bytes, piece, stream } of all) stream.update(bytes.subarray(round * piece, (round + 1) * piece));
          if (round % everyRound === 0) lanes.run();
        }
        for (const { bytes, stream } of all) assert.equal(stream.digest(), md5(bytes));
      },
    ),
    { numRuns: 60 },
  );
});

test("the memory of a piece is free once the lanes have run", () => {
  const lanes = new Md5Lanes();
  const bytes = bodyOf(100_000, 3);
  const stream = lanes.stream();
  const piece = Buffer.alloc(1000);
  for (let at = 0; at < bytes.length; at += piece.length) {
    bytes.copy(piece, 0, at);
    stream.update(piece);
    lanes.run();
    piece.fill(0);
  }
  assert.equal(stream.digest(), md5(bytes));
});

test("the padding tells lengths beyond 32 bits whole", () => {
  for (const length of [0, 55, 56, 63, 64, 2 ** 29 - 1, 2 ** 29, 2 ** 29 + 57, 5 * 2 ** 40]) {
    const padding = paddingOf(length);
    assert.equal((length + padding.length) % 64, 0);
    assert.ok(padding.length >= 9 && padding.length <= 72 && padding[0] === 0x80);
    assert.ok(padding.subarray(1, -8).every((byte) => byte === 0));
    assert.equal(padding.readBigUInt64LE(padding.length - 8), BigInt(length) * 8n);
  }
});
