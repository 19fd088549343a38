import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import { encryptionOf } from "./encryption.ts";

function asked(context: string) {
  const headers: Record<string, string> = {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-context": context,
  };
  return encryptionOf({ headers, header: (name) => headers[name] }, true);
}

test("an encryption context is base64 of a JSON object of strings, and nothing that no answer could carry", () => {
  const good = Buffer.from('{"a":"b"}').toString("base64");
  assert.deepEqual(asked(good), { kind: "SSE-KMS", keyId: undefined, context: good });
  for (const bad of [`${good}\r\n`, `${good} `, `${good}ü`, Buffer.from("[]").toString("base64"), "!"])
    assert.throws(
      () => asked(bad),
      (error) => hasCode(error, "InvalidArgument"),
      bad,
    );
});
