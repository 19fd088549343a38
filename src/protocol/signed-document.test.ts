import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { signDocument, signerOf, signingKey } from "./signed-document.ts";

const KEY = signingKey(Buffer.alloc(32, 7));

test("a signed document survives being written, reordered and read; any other change is found", () => {
  const json = fc.dictionary(fc.string(), fc.jsonValue()).filter((value) => !("signature" in value));
  fc.assert(
    fc.property(json, fc.string(), (value, text) => {
      const document = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
      const signed = JSON.parse(JSON.stringify(signDocument(document, KEY))) as Record<string, unknown>;
      const signer = signerOf(signed);
      assert.equal(Buffer.from(signer ?? "", "base64").length, 32);
      assert.equal(signerOf(Object.fromEntries(Object.entries(signed).toReversed())), signer);
      assert.equal(signerOf({ ...signed, [`new ${text}`]: 1 }), undefined);
    }),
  );
});

test("what is not signed has no signer", () => {
  assert.equal(signerOf({ a: 1 }), undefined);
  const { signature } = signDocument({ a: 1 }, KEY);
  assert.equal(signerOf({ a: 2, signature }), undefined);
  assert.equal(signerOf({ a: 1, signature: { ...signature, publicKey: "AAAA" } }), undefined);
  const other = signDocument({ a: 1 }, signingKey(Buffer.alloc(32, 8)));
  assert.equal(signerOf({ a: 1, signature: { ...signature, publicKey: other.signature.publicKey } }), undefined);
});
