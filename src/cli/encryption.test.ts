import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { parseEncryption } from "./encryption.ts";
import { FlagValues } from "./flags.ts";

function flags(values: Record<string, readonly string[]>): FlagValues {
  const all = new FlagValues();
  for (const [name, list] of Object.entries(values)) for (const text of list) all.append(name, text);
  return all;
}

const KEY = Buffer.alloc(32, 7);

test("the longest matching prefix decides", () => {
  const encryption = parseEncryption(flags({ "enc-s3": ["home/b"], "enc-kms": ["home/b/secret=k1"] }));
  assert.deepEqual(encryption.put("home/b/x"), { "x-amz-server-side-encryption": "AES256" });
  assert.deepEqual(encryption.put("home/b/secret/x"), {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "k1",
  });
  assert.deepEqual(encryption.put("away/b/x"), {});
  assert.deepEqual(encryption.get("home/b/x"), {});
});

test("an SSE-C key is 43 characters of base64, 64 hex digits, or 32 characters in the old form", () => {
  const base64 = KEY.toString("base64").replace("=", "");
  const expected = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": KEY.toString("base64"),
    "x-amz-server-side-encryption-customer-key-md5": createHash("md5").update(KEY).digest("base64"),
  };
  for (const text of [base64, KEY.toString("hex")]) {
    assert.deepEqual(parseEncryption(flags({ "enc-c": [`home/b=${text}`] })).get("home/b/k"), expected);
  }
  const old = parseEncryption(flags({ "encrypt-key": [`home/b=${"x=".repeat(16)}`] }));
  assert.equal(
    old.get("home/b/k")["x-amz-server-side-encryption-customer-key"],
    Buffer.from("x=".repeat(16)).toString("base64"),
  );
  assert.throws(() => parseEncryption(flags({ "enc-c": ["home/b=short"] })), /32 bytes/);
});

test("one prefix in two flags is refused", () => {
  assert.throws(() => parseEncryption(flags({ "enc-s3": ["home/b"], "enc-kms": ["home/b=k"] })), /same prefix/);
});
