import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Crc64Nvme } from "./crc64nvme.ts";

/** Bit by bit, as the specification has it. */
function plain(bytes: Uint8Array): string {
  let crc = 0xffffffffffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) === 0n ? 0n : 0x9a6c9329ac4bc9b5n);
  }
  return (crc ^ 0xffffffffffffffffn).toString(16).padStart(16, "0");
}

function summed(pieces: readonly Uint8Array[]): string {
  const crc = new Crc64Nvme();
  for (const piece of pieces) crc.update(piece);
  return crc.digest().toString("hex");
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

test("pieces longer than the memory of the machine, at and around its size", () => {
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
  for (const length of [65_535, 65_536, 65_537, 131_072, 200_000]) {
    const part = bytes.subarray(0, length);
    assert.equal(summed([part]), plain(part), String(length));
    assert.equal(summed([part.subarray(0, 7), part.subarray(7)]), plain(part), String(length));
  }
  assert.equal(summed([Buffer.from("123456789")]), "ae8b14860a799888");
  assert.equal(summed([]), plain(Buffer.alloc(0)));
});
