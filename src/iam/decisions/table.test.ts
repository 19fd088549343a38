import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, evaluateBucketPolicy } from "../policy-evaluate.ts";
import { parseBucketPolicy, parsePolicy, policyDocument } from "../policy.ts";
import { valuesOf } from "../policy-variables.ts";
import type { Decisions } from "./shape.ts";
import { DECISIONS } from "./table.ts";

const DECISIONS_MIN = 300;

function conditions(encoded: string): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(encoded.replaceAll("+", "%2B"))) (out[name] ??= []).push(value);
  return out;
}

function decide({ statements, bucket: place }: Decisions, action: string, resource: string, encoded: string): string {
  const text = JSON.stringify({ Version: "2012-10-17", Statement: statements });
  const slash = resource.indexOf("/");
  const bucket = resource === "-" ? undefined : slash < 0 ? resource : resource.slice(0, slash);
  const key = slash < 0 ? undefined : resource.slice(slash + 1);
  const question = { action, bucket, key, values: valuesOf(conditions(encoded)) };
  if (place !== undefined)
    return evaluateBucketPolicy(parseBucketPolicy(text, place.name), { ...question, user: place.user });
  const policy = parsePolicy(text);
  const verdict = evaluate([policy], question);
  // What clients are shown means the same, and so does the same policy in pieces.
  assert.equal(evaluate([parsePolicy(JSON.stringify(policyDocument(policy)))], question), verdict);
  const pieces = policy.statements.map((statement) => ({ ...policy, statements: [statement] }));
  assert.equal(evaluate(pieces.reverse(), question), verdict);
  return verdict;
}

for (const decisions of DECISIONS) {
  test(`${decisions.bucket === undefined ? "policy" : "bucket policy"}: ${decisions.what}`, () => {
    for (const line of decisions.ask) {
      const [expected = "", action = "", resource = "", encoded = ""] = line.split(" ");
      assert.equal(decide(decisions, action, resource, encoded), expected, line);
    }
  });
}

test("the table is as long as it is meant to be, and asks nothing twice", () => {
  assert.ok(DECISIONS.reduce((sum, { ask }) => sum + ask.length, 0) >= DECISIONS_MIN);
  for (const { what, ask } of DECISIONS)
    assert.equal(new Set(ask.map((line) => line.slice(line.indexOf(" ")))).size, ask.length, what);
});
