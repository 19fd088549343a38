/** Policy documents: what is refused, bucket policies, built-in policies, print and merge. Decisions: policy-rows.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BUILTIN_POLICIES } from "./builtin-policies.ts";
import { evaluate, evaluateBucketPolicy } from "./policy-evaluate.ts";
import type { Verdict } from "./policy-evaluate.ts";
import { mergedDocument, parseBucketPolicy, parsePolicy, policyDocument } from "./policy.ts";
import { valuesOf } from "./policy-variables.ts";
import { G, L, P, arn, doc, get, list, type Json } from "./testing-policies.ts";

test("documents that are refused", () => {
  const base = { Effect: "Allow", Action: "s3:GetObject", Resource: arn("b/*") };
  const bad: Record<string, string> = {
    "no JSON": "{",
    "an array": "[]",
    "a statement that is no array": JSON.stringify({ Version: "2012-10-17", Statement: base }),
    "another version": JSON.stringify({ Version: "2008-10-17", Statement: [base] }),
    effect: doc({ ...base, Effect: "allow" }),
    "no action": doc({ Effect: "Allow", Resource: arn("b") }),
    "both actions": doc({ ...base, NotAction: "s3:PutObject" }),
    "unknown action": doc({ ...base, Action: "s3:Fly" }),
    "empty action list": doc({ ...base, Action: [] }),
    "mixed classes": doc({ ...base, Action: ["s3:GetObject", "admin:ServerInfo"] }),
    "partial admin wildcard": doc({ ...base, Action: "admin:Set*" }),
    "no resource": doc({ Effect: "Allow", Action: "s3:GetObject" }),
    "both resources": doc({ ...base, NotResource: arn("c") }),
    "leading slash": doc({ ...base, Resource: arn("/b") }),
    "other ARN": doc({ ...base, Resource: "arn:aws:sqs:::q" }),
    "key name with slash": doc({ Effect: "Allow", Action: "kms:*", Resource: "arn:minio:kms:::a/b" }),
    "unknown operator": get({ StringMatches: { "aws:UserAgent": "x" } }),
    "operator that every object has": get({ constructor: { "aws:UserAgent": "x" } }),
    "ordering that every object has": list({ NumericconstructorIfExists: { "s3:max-keys": 1 } }),
    "unknown key": get({ StringEquals: { "aws:Colour": "x" } }),
    "key of another action": get({ StringEquals: { "s3:prefix": "x" } }),
    "two numbers": list({ NumericEquals: { "s3:max-keys": [1, 2] } }),
    "no number": list({ NumericEquals: { "s3:max-keys": "x" } }),
    "no date": get({ DateEquals: { "aws:CurrentTime": "yesterday" } }),
    "no CIDR": get({ IpAddress: { "aws:SourceIp": "10.0.0.0/33" } }),
    "qualified number": list({ "ForAllValues:NumericEquals": { "s3:max-keys": 1 } }),
    "Null with IfExists": get({ NullIfExists: { "aws:SourceIp": "true" } }),
  };
  for (const [what, source] of Object.entries(bad)) {
    assert.throws(() => parsePolicy(source), { code: "XMinioMalformedIAMPolicy" }, what);
  }
});

test("bucket policies: who, where and what is refused", () => {
  const statement = { Effect: "Allow", Principal: "*", Action: ["s3:GetObject"], Resource: arn("b/*") };
  const parsed = (change: Json = {}) => parseBucketPolicy(doc({ ...statement, ...change }), "b");
  const ask = (change: Json, user: string, action = G): Verdict => {
    const key = action === G ? "k" : undefined;
    return evaluateBucketPolicy(parsed(change), { action, bucket: "b", key, user, values: valuesOf({}) });
  };
  assert.equal(ask({}, ""), "allow");
  assert.equal(ask({ Principal: { AWS: "*" } }, ""), "allow");
  assert.equal(ask({ Principal: { AWS: ["ann"] } }, ""), "none");
  assert.equal(ask({ Principal: { AWS: ["ann"] } }, "ann"), "allow");
  assert.equal(ask({ Principal: { AWS: "arn:aws:iam::123456789012:user/ann" } }, "ann"), "allow");
  assert.equal(ask({ Principal: { AWS: "arn:aws:iam::tenant:root" } }, "ann"), "none");
  assert.equal(ask({ Effect: "Deny" }, "ann"), "deny");
  assert.equal(ask({ Action: "s3:ListBucket" }, "", "s3:ListBucket"), "none", "b/* is about objects");
  assert.equal(ask({ Action: "s3:ListBucket", Resource: arn("b") }, "", "s3:ListBucketVersions"), "allow");
  assert.equal(ask({ Action: "s3:ListBucket", Resource: [arn("*"), arn("*/*")] }, "", "s3:ListBucket"), "allow");
  const refused: Json[] = [
    { Principal: undefined },
    { Principal: "ann" },
    { Principal: undefined, NotPrincipal: "*" },
    { Resource: arn("c/*") },
    { Resource: undefined },
    { Action: "admin:ServerInfo" },
    { Action: "s3:Nope" },
  ];
  for (const change of refused) {
    assert.throws(() => parsed(change), { code: "MalformedPolicy" }, JSON.stringify(change));
  }
});

test("built-in policies grant what their names say", () => {
  const ask = (name: string, action: string): Verdict => {
    const policy = BUILTIN_POLICIES.get(name) ?? assert.fail(name);
    return evaluate([policy], { action, bucket: "b", key: "k", values: valuesOf({}) });
  };
  assert.equal(ask("readonly", G), "allow");
  assert.equal(ask("readonly", L), "none");
  assert.equal(ask("writeonly", P), "allow");
  assert.equal(ask("writeonly", G), "none");
  assert.equal(ask("readwrite", "s3:ResetBucketReplicationState"), "allow");
  assert.equal(ask("readwrite", "admin:ServerInfo"), "none");
  assert.equal(ask("diagnostics", "admin:Prometheus"), "allow");
  assert.equal(ask("consoleAdmin", "kms:Status"), "allow");
  assert.equal(ask("ReplicationAdminPolicy", "admin:SetBucketTarget"), "allow");
  assert.equal(ask("ReplicationAdminPolicy", "s3:PutBucketVersioning"), "none");
  for (const action of ["ReplicateObject", "ReplicateDelete", "GetObjectRetention", "ListBucketVersions"]) {
    assert.equal(ask("ReplicationRemoteUserPolicy", `s3:${action}`), "allow", action);
  }
});

test("a document survives parse and print, and merging drops duplicates", () => {
  const source = doc({
    Sid: "s",
    Effect: "Allow",
    Action: "s3:ListBucket",
    Resource: arn("b"),
    Condition: { StringEquals: { "s3:prefix": "a", "s3:delimiter": "/" } },
  });
  const policy = parsePolicy(source);
  const printed = policyDocument(policy);
  assert.deepEqual(printed["Statement"], [
    {
      Sid: "s",
      Effect: "Allow",
      Action: ["s3:ListBucket"],
      Resource: [arn("b")],
      Condition: { StringEquals: { "s3:prefix": ["a"], "s3:delimiter": ["/"] } },
    },
  ]);
  assert.deepEqual(policyDocument(parsePolicy(JSON.stringify(printed))), printed);
  assert.equal((mergedDocument([policy, policy])["Statement"] as unknown[]).length, 1);
});
