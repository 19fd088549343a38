import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PiecedBytes } from "./pieced-bytes.ts";

test("the pieces come back as one, whatever their number and size", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 1500 });
  fc.assert(
    fc.property(pieces, (list) => {
      const bytes = new PiecedBytes();
      for (const piece of list) bytes.add(Buffer.from(piece));
      const expected = Buffer.concat(list);
      assert.equal(bytes.length, expected.length);
      assert.deepEqual(bytes.whole(), expected);
      assert.deepEqual(bytes.whole(), expected);
      bytes.clear();
      assert.deepEqual([bytes.length, bytes.whole()], [0, Buffer.alloc(0)]);
    }),
    { numRuns: 50 },
  );
});

test("a single piece is handed on as it came; of many small ones none is kept", () => {
  const one = Buffer.from("one");
  const alone = new PiecedBytes();
  alone.add(one);
  assert.equal(alone.whole(), one);
  const bytes = new PiecedBytes();
  const lent = Buffer.from("a");
  for (let i = 0; i < 10_000; i++) {
    lent[0] = i < 9000 ? 97 : 98;
    bytes.add(lent);
  }
  assert.equal(
    bytes
      .whole()
      .subarray(0, 9000 - 256)
      .indexOf("b"),
    -1,
    "copied before the piece was used again",
  );
});
