import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import { checkPostPolicy, parsePostPolicy } from "./post-policy.ts";

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64");
const expiration = "2030-01-01T00:00:00Z";
const policy = (conditions: unknown[]) => parsePostPolicy(encode({ expiration, conditions }));
const denied = (error: unknown): boolean => hasCode(error, "AccessDenied");

test("conditions in any case, exact and by prefix", () => {
  const read = policy([
    { bUcKeT: "b" },
    ["StArTs-WiTh", "$KeY", "foo"],
    ["eq", "$acl", "private"],
    ["content-length-range", 1, "9"],
  ]);
  assert.deepEqual([read.sizeMin, read.sizeMax], [1, 9]);
  const fields = { bucket: "b", key: "foo.txt", acl: "private", policy: "p", "x-ignore-me": "1" };
  checkPostPolicy(read, fields, 0);
  assert.throws(() => checkPostPolicy(read, { ...fields, key: "bar" }, 0), denied);
  assert.throws(() => checkPostPolicy(read, { ...fields, bucket: "c" }, 0), denied);
  assert.throws(() => checkPostPolicy(read, { ...fields, extra: "1" }, 0), denied);
  assert.throws(() => checkPostPolicy(read, fields, Date.parse(expiration)), denied);
});

test("what is no policy is InvalidPolicyDocument", () => {
  const conditions = [{ bucket: "b" }];
  const bad: unknown[] = [
    [],
    { conditions },
    { expiration: "soon", conditions },
    { EXPIRATION: expiration, conditions },
    { expiration, conditions: [{}] },
    { expiration, conditions: [] },
    { expiration, conditions: [["content-length-range", 1]] },
    { expiration, conditions: [["matches", "$key", "a"]] },
    { expiration, conditions: [["eq", "key", "a"]] },
    { expiration, conditions, more: 1 },
  ];
  for (const one of bad)
    assert.throws(
      () => parsePostPolicy(encode(one)),
      (error) => hasCode(error, "InvalidPolicyDocument"),
      JSON.stringify(one),
    );
});
