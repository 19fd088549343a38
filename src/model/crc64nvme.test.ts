import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DATA_BYTES, FOLD_DISTANCES, FOLDED_BYTES } from "./crc64nvme-code.ts";
import { Crc64Nvme } from "./crc64nvme.ts";

const POLYNOMIAL = 0x9a6c9329ac4bc9b5n;
const HIGH = Number(POLYNOMIAL >> 32n);
const LOW = Number(POLYNOMIAL & 0xffffffffn);

/** Bit by bit, as the specification has it; in two halves, for the long ones. */
function plain(bytes: Uint8Array): string {
  let [high, low] = [-1, -1];
  for (const byte of bytes) {
    low ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      const odd = (low & 1) !== 0;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) [high, low] = [high ^ HIGH, low ^ LOW];
    }
  }
  return [high, low].map((half) => (~half >>> 0).toString(16).padStart(8, "0")).join("");
}

function summed(pieces: readonly Uint8Array[]): string {
  const crc = new Crc64Nvme();
  for (const piece of pieces) crc.update(piece);
  return crc.digest().toString("hex");
}

/** Bytes of a generator, the same for each seed. */
function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed | 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

test("any bytes in any pieces, several sums at a time", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 6 }), (pieces) => {
      const other = new Crc64Nvme();
      const crc = new Crc64Nvme();
      for (const piece of pieces) {
        crc.update(piece);
        other.update(Buffer.from("another"));
      }
      assert.equal(crc.digest().toString("hex"), plain(Buffer.concat(pieces)));
    }),
  );
});

test("long pieces, folded or not, in any order", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3 * FOLDED_BYTES), { minLength: 1, maxLength: 3 }), fc.nat(), (lengths, seed) => {
      const pieces = lengths.map((length, i) => bytesOf(length, seed + i));
      assert.equal(summed(pieces), plain(Buffer.concat(pieces)));
    }),
    { numRuns: 15 },
  );
});

test("pieces at and around the sizes where the way of summing changes", () => {
  const bytes = bytesOf(2 * DATA_BYTES + 100, 7);
  const edges = [2 * FOLDED_BYTES, DATA_BYTES, DATA_BYTES + FOLDED_BYTES, 2 * DATA_BYTES];
  for (const length of edges.flatMap((edge) => [edge - 1, edge, edge + 1, edge + 17])) {
    const part = bytes.subarray(0, length);
    const expected = plain(part);
    assert.equal(summed([part]), expected, String(length));
    assert.equal(summed([part.subarray(0, 7), part.subarray(7)]), expected, String(length));
  }
  assert.equal(summed([Buffer.from("123456789")]), "ae8b14860a799888");
  assert.equal(summed([]), plain(Buffer.alloc(0)));
});

test("the distances of folding are those of a multiple of the polynomial", () => {
  const last = Math.max(...FOLD_DISTANCES);
  // x^0 is the highest bit; one step is one more bit of message.
  let power = 1n << 63n;
  let sum = 0n;
  for (let exponent = 0; exponent <= last; exponent++) {
    if (exponent === last || FOLD_DISTANCES.some((distance) => last - distance === exponent)) sum ^= power;
    for (let bit = 0; bit < 128; bit++) power = (power >> 1n) ^ ((power & 1n) === 0n ? 0n : POLYNOMIAL);
  }
  assert.equal(sum, 0n);
  assert.deepEqual(
    FOLD_DISTANCES.toSorted((a, b) => a - b),
    [...FOLD_DISTANCES],
  );
});
