import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import { booleanOf, document, escapeXml, integerOf, parseXml, parseXmlRoot, tag, unescapeXml, wrap } from "./xml.ts";

const parse = (text: string): ReturnType<typeof parseXml> => parseXml(Buffer.from(text));
const refused = (error: unknown): boolean => hasCode(error, "MalformedXML");

test("what was escaped is told as it was, without a parser", () => {
  assert.equal(
    unescapeXml("the server&#39;s &quot;time&#x22; &amp;lt; &unknown; &#99999999; &"),
    `the server's "time" &lt; &unknown; &#99999999; &`,
  );
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.equal(unescapeXml(escapeXml(text)), text.toWellFormed());
    }),
  );
});

test("any text survives rendering and parsing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const expected = text.toWellFormed().replace(/[\u0000\ufffe\uffff]/g, "\ufffd");
      assert.equal(parse(tag("Key", text)).text, expected);
    }),
  );
});

test("structure, namespaces, CDATA", () => {
  const root = parse(
    document("s:A", wrap("B", tag("C", "1")) + wrap("B", tag("C", "<2>")) + "<D><![CDATA[x&y]]></D>").replace(
      "<s:A",
      '<s:A xmlns:s="u"',
    ),
  );
  assert.equal(root.name, "A");
  assert.deepEqual(
    root.all("B").map((b) => b.value("C")),
    ["1", "<2>"],
  );
  assert.equal(root.value("D"), "x&y");
  assert.equal(root.child("E"), undefined);
});

test("refused documents", () => {
  const deep = `${"<a>".repeat(40)}${"</a>".repeat(40)}`;
  for (const text of ["", "x", "<a>", "<a></b>", "<a/><b/>", "<a>&b;</a>", "<!DOCTYPE a><a/>", "<a b=c/>", deep]) {
    assert.throws(() => parse(text), refused, text.slice(0, 40));
  }
  assert.throws(() => parseXml(Buffer.from([0x3c, 0x61, 0x3e, 0xff])), refused);
  assert.throws(() => parseXml(Buffer.from("<a></a>"), { maxBytes: 5 }), refused);
  assert.throws(() => parseXmlRoot(Buffer.from("<a></a>"), "b"), refused);
});

test("values", () => {
  const root = parse("<a><n> 12 </n><b>TRUE</b><e/></a>");
  assert.equal(integerOf(root, "n", 0), 12);
  assert.equal(integerOf(root, "m", 7), 7);
  assert.equal(integerOf(root, "e", 7), 7);
  assert.equal(booleanOf(root, "b", false), true);
  assert.throws(() => integerOf(root, "b", 0), refused);
  assert.throws(() => booleanOf(root, "n", false), refused);
});
