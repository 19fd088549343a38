import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBucketPolicy } from "./policy.ts";
import { isPublicPolicy } from "./public-policy.ts";

function isPublic(statement: Record<string, unknown>): boolean {
  const whole = { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/*", ...statement };
  return isPublicPolicy(parseBucketPolicy(JSON.stringify({ Version: "2012-10-17", Statement: [whole] }), "b"));
}

test("an Allow for everyone is public unless a condition names who or where", () => {
  assert.ok(isPublic({}));
  assert.ok(isPublic({ Principal: { AWS: ["alice", "*"] } }));
  assert.ok(!isPublic({ Principal: { AWS: "arn:aws:iam:::user/alice" } }));
  assert.ok(!isPublic({ Effect: "Deny" }));
  assert.ok(!isPublic({ Condition: { IpAddress: { "aws:SourceIp": ["10.0.0.0/8", "192.168.1.1"] } } }));
  assert.ok(isPublic({ Condition: { IpAddress: { "aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/0"] } } }));
  assert.ok(isPublic({ Condition: { NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } } }));
  assert.ok(!isPublic({ Condition: { StringEquals: { "aws:username": "alice" } } }));
  assert.ok(isPublic({ Condition: { StringLike: { "aws:username": "*" } } }));
  assert.ok(isPublic({ Condition: { StringEqualsIfExists: { "aws:username": "alice" } } }));
  assert.ok(isPublic({ Condition: { StringEquals: { "aws:Referer": "https://a" } } }));
});
