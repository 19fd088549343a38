import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readZip, writeZip, ZipError } from "./zip.ts";

const LIMITS = { entriesMax: 1000, bytesMax: 1 << 20 };

test("what is written is read again", () => {
  const name = fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !text.endsWith("/"));
  const entry = fc.record({ name, data: fc.uint8Array({ maxLength: 3000 }) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), (list) => {
      const entries = list.map(({ name, data }) => ({ name, data: Buffer.from(data) }));
      assert.deepEqual(readZip(writeZip(entries, 0), LIMITS), entries);
    }),
    { numRuns: 50 },
  );
});

test("an archive of a streaming writer: sizes behind the data, a comment", () => {
  const zip = Buffer.from(
    "UEsDBBQACAAIAAAAAAAAAAAAAAAAAAAAAAAFAAAAYS50eHTLSM3JyVcozy/KSQEAUEsHCIURSg0NAAAACwAAAFBLAQIUABQACAAI" +
      "AAAAAACFEUoNDQAAAAsAAAAFAAAAAAAAAAAAAAAAAAAAAABhLnR4dFBLBQYAAAAAAQABADMAAABAAAAAAgBoaQ==",
    "base64",
  );
  assert.deepEqual(
    readZip(zip, LIMITS).map(({ name, data }) => [name, data.toString()]),
    [["a.txt", "hello world"]],
  );
});

test("what is no archive, damaged, or too large is refused", () => {
  const zip = writeZip(
    [
      { name: "a", data: Buffer.alloc(100_000) },
      { name: "b", data: Buffer.from("b") },
    ],
    0,
  );
  const refused = (bytes: Buffer, limits = LIMITS): void => assert.throws(() => readZip(bytes, limits), ZipError);
  refused(Buffer.from("no"));
  refused(Buffer.alloc(100));
  refused(zip, { entriesMax: 1, bytesMax: 1 << 20 });
  refused(zip, { entriesMax: 10, bytesMax: 99_999 });
  for (let at = 0; at < zip.length; at++) {
    const damaged = Buffer.from(zip);
    damaged[at] = (damaged[at] as number) ^ 0x55;
    try {
      readZip(damaged, LIMITS);
    } catch (error) {
      assert.ok(error instanceof ZipError, String(error));
    }
  }
});
