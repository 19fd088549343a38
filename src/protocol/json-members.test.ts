import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonMembers } from "./json-members.ts";

async function* cut(text: string, sizes: readonly number[]): AsyncIterable<Buffer> {
  const bytes = Buffer.from(text);
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

async function read(text: string, sizes: readonly number[]): Promise<[string, unknown][]> {
  const out: [string, unknown][] = [];
  for await (const [name, value] of jsonMembers(cut(text, sizes))) out.push([name, value]);
  return out;
}

test("members are those of the object, wherever the text is cut", async () => {
  const object = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 2 }));
  const sizes = fc.array(fc.nat({ max: 12 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(object, sizes, fc.boolean(), async (value, cuts, spread) => {
      const text = spread ? JSON.stringify(value, undefined, 2) : JSON.stringify(value);
      const parsed = JSON.parse(text) as Record<string, unknown>;
      assert.deepEqual(await read(text, cuts), Object.entries(parsed));
    }),
    { numRuns: 60 },
  );
});

test("what is cut or is no object is not taken for a whole one", async () => {
  const text = JSON.stringify({ a: { b: [1, "}"] }, 'c\\"': "\\" });
  for (let end = 0; end < text.length; end++) await assert.rejects(read(text.slice(0, end), [3]), SyntaxError);
  for (const other of ["", "[]", "1", '"a"', "{}{}"]) await assert.rejects(read(other, []), SyntaxError, other);
});
