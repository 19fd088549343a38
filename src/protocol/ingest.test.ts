import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeIngest, decodeIngestResults, encodeIngestItem, encodeIngestResults, type IngestItem } from "./ingest.ts";

const item = fc.record<IngestItem>({
  key: fc.string({ unit: "grapheme" }),
  versionId: fc.uuid(),
  headers: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.string({ unit: "grapheme" })),
  body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

const encoded = (items: readonly IngestItem[]): Buffer => Buffer.concat(items.flatMap(encodeIngestItem));
const plain = (items: readonly IngestItem[]): unknown =>
  items.map(({ key, versionId, headers, body }) => [key, versionId, Object.entries(headers), body.toString("hex")]);

test("items arrive as they were sent", () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), (items) => {
      assert.deepEqual(plain(decodeIngest(encoded(items))), plain(items));
    }),
  );
});

test("a body that was cut, or whose lengths lie, is refused and never half taken", () => {
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 4 }), fc.nat(), (items, at) => {
      const whole = encoded(items);
      const ends = new Set(items.map((_, i) => encoded(items.slice(0, i + 1)).length)).add(0);
      const cut = at % whole.length;
      if (!ends.has(cut)) assert.throws(() => decodeIngest(whole.subarray(0, cut)), { code: "InvalidRequest" });
    }),
  );
  const huge = Buffer.alloc(8, 0xff);
  assert.throws(() => decodeIngest(huge), { code: "InvalidRequest" });
  const [head, body] = encodeIngestItem({ key: "k", versionId: "v", headers: {}, body: Buffer.alloc(32 * 1024 + 1) });
  assert.throws(() => decodeIngest(Buffer.concat([head, body])), /too large/);
});

test("headers that are none are refused", () => {
  for (const json of [
    "[]",
    "{}",
    '{"key":"k","versionId":"v","headers":{"a":1}}',
    '{"key":"k","versionId":"v","headers":{"A":"1"}}',
    "{",
  ]) {
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32LE(json.length, 0);
    assert.throws(() => decodeIngest(Buffer.concat([prefix, Buffer.from(json)])), { code: "InvalidRequest" }, json);
  }
});

test("results are as many as the items, or none", () => {
  const results = [{ status: 200 }, { status: 412, code: "PreconditionFailed", message: "m", purged: "local" }];
  const bytes = Buffer.from(encodeIngestResults(results));
  assert.deepEqual(decodeIngestResults(bytes, 2), results);
  assert.equal(decodeIngestResults(bytes, 3), undefined);
  assert.equal(decodeIngestResults(Buffer.from("[1]"), 1), undefined);
  assert.equal(decodeIngestResults(Buffer.from("no"), 1), undefined);
});
