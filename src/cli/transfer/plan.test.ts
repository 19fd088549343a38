import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MIB, partRanges, partSizeFor } from "./plan.ts";
import { inBlocks } from "./upload.ts";

test("parts cover the object without gaps and number at most 10000", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 * 1024 ** 4 }), (size) => {
      const partSize = partSizeFor(size, 16 * MIB);
      const parts = partRanges(size, partSize);
      assert.ok(parts.length <= 10_000);
      assert.equal(
        parts.reduce((sum, part) => sum + part.size, 0),
        size,
      );
      parts.forEach((part, i) => assert.deepEqual([part.number, part.offset], [i + 1, i * partSize]));
    }),
    { numRuns: 20 },
  );
});

test("an empty object has one empty part", () => {
  assert.deepEqual(partRanges(0, MIB), [{ number: 1, offset: 0, size: 0 }]);
});

test("a stream is regrouped into full blocks and a rest, whatever its chunks", async () => {
  const chunks = fc.array(
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 16 }), async (pieces, size) => {
      const source = (async function* () {
        yield* pieces;
      })();
      const blocks: Buffer[] = [];
      for await (const block of inBlocks(source, size)) blocks.push(block);
      assert.deepEqual(Buffer.concat(blocks), Buffer.concat(pieces));
      assert.ok(blocks.slice(0, -1).every((block) => block.length === size));
      assert.ok(blocks.every((block) => block.length > 0));
    }),
  );
});
