import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareUtf8 } from "./key-order.ts";

test("strings compare as their UTF-8 bytes do", () => {
  const text = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(text, text, (a, b) => Math.sign(compareUtf8(a, b)) === Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  assert.ok(compareUtf8("\u{10000}", "\uffff") > 0);
});
