import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseBucketPolicy } from "../iam/policy.ts";
import { evaluateBucketPolicy } from "../iam/policy-evaluate.ts";
import { valuesOf } from "../iam/policy-variables.ts";
import { grantsOf, permissionOf, PERMISSIONS, withPermission, type PolicyDocument } from "./anonymous-grants.ts";

const bucket = "photos";
const prefix = fc.constantFrom("", "a", "a/", "a/b/", "b c/", "ü");
const change = fc.record({ prefix, permission: fc.constantFrom(...PERMISSIONS) });

test("what was set is what is granted, whatever the order, and the last word counts", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      let document: PolicyDocument | undefined;
      const expected = new Map<string, string>();
      for (const { prefix: at, permission } of changes) {
        document = withPermission(document, { bucket, prefix: at }, permission);
        expected.delete(at);
        if (permission !== "none") expected.set(at, permission);
      }
      assert.deepEqual([...grantsOf(document, bucket).prefixes].sort(), [...expected].sort());
      assert.equal(document === undefined, expected.size === 0);
      assert.deepEqual(grantsOf(document, bucket).custom, []);
    }),
  );
});

test("the server understands the policy as the word says", () => {
  const may = (document: PolicyDocument, action: string, key: string | undefined, listed = ""): boolean => {
    const values = valuesOf({ prefix: [listed] });
    const policy = parseBucketPolicy(JSON.stringify(document), bucket);
    return evaluateBucketPolicy(policy, { action, bucket, key, values, user: "" }) === "allow";
  };
  for (const permission of PERMISSIONS.slice(1)) {
    const document = withPermission(undefined, { bucket, prefix: "a/" }, permission);
    assert.ok(document !== undefined);
    const reads = permission !== "upload";
    const writes = permission !== "download";
    assert.equal(may(document, "s3:GetObject", "a/k"), reads);
    assert.equal(may(document, "s3:PutObject", "a/k"), writes);
    assert.equal(may(document, "s3:DeleteObject", "a/k"), writes);
    assert.equal(may(document, "s3:ListBucket", undefined, "a/"), reads);
    assert.equal(may(document, "s3:ListBucket", undefined, ""), false);
    for (const action of ["s3:GetObject", "s3:PutObject"]) assert.equal(may(document, action, "b"), false);
    assert.equal(may(document, "s3:PutBucketPolicy", undefined), false);
  }
});

test("what the words cannot say stays, and is called custom", () => {
  const deny = { Effect: "Deny", Principal: "*", Action: "s3:GetObject", Resource: `arn:aws:s3:::${bucket}/secret/*` };
  const one = {
    Effect: "Allow",
    Principal: { AWS: "*" },
    Action: "s3:GetObject",
    Resource: `arn:aws:s3:::${bucket}/k`,
  };
  const before: PolicyDocument = { Version: "2012-10-17", Statement: [deny, one] };
  assert.equal(permissionOf(before, { bucket, prefix: "" }), "custom");
  const after = withPermission(before, { bucket, prefix: "open/" }, "download");
  assert.deepEqual(after?.Statement?.slice(-2), [deny, one]);
  assert.deepEqual(withPermission(after, { bucket, prefix: "open/" }, "none")?.Statement, [deny, one]);
  assert.equal(permissionOf(undefined, { bucket, prefix: "" }), "none");
});

test("a longer prefix has what a shorter one grants, and its own", () => {
  const whole = withPermission(undefined, { bucket, prefix: "" }, "download");
  const both = withPermission(whole, { bucket, prefix: "in/" }, "upload");
  assert.equal(permissionOf(both, { bucket, prefix: "in/box" }), "public");
  assert.equal(permissionOf(both, { bucket, prefix: "elsewhere" }), "download");
});
