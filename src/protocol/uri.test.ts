import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalPath, decodeListing, decodeQueryValue, encodeListing, encodeQueryValue } from "./uri.ts";
import { encodeS3Path, hasBadEscape, parseQuery, renderQuery } from "./uri.ts";

const text = fc.string({ unit: "binary" });

test("encoded text decodes to itself", () => {
  fc.assert(
    fc.property(text, (value) => {
      assert.equal(decodeQueryValue(encodeQueryValue(value)), value);
      assert.equal(decodeListing(encodeListing(value)), value);
      assert.equal(canonicalPath(encodeS3Path(value)), encodeS3Path(value));
    }),
  );
});

test("what is kept and what is not", () => {
  assert.equal(encodeS3Path("/b/a b+c/ü~*'()!"), "/b/a%20b%2Bc/%C3%BC~%2A%27%28%29%21");
  assert.equal(encodeQueryValue("a/b c"), "a%2Fb%20c");
  assert.equal(encodeListing("a/b c+"), "a/b%20c%2B");
  assert.equal(canonicalPath("//a/../%2f%zz+"), "//a/..//%25zz%2B");
  assert.equal(canonicalPath("/\u00c3\u00bc"), "/%C3%BC");
  assert.ok(hasBadEscape("/a%2"));
  assert.ok(!hasBadEscape("/a%20"));
});

test("queries", () => {
  assert.deepEqual(parseQuery("uploads&a=b=c&x=%2B+&"), [
    ["uploads", ""],
    ["a", "b=c"],
    ["x", "+ "],
  ]);
  assert.equal(renderQuery({ b: "1 2", a: "" }), "a=&b=1%202");
});
