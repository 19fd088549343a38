import assert from "node:assert/strict";
import { test } from "node:test";
import { matchCors, type CorsRule } from "./cors.ts";

const rule = (origin: string, more: Partial<CorsRule> = {}): CorsRule => ({
  allowedOrigins: [origin],
  allowedMethods: ["GET"],
  ...more,
});

function matches(pattern: string, origin: string): boolean {
  return matchCors([rule(pattern)], { origin, method: "GET", headers: [] }) !== undefined;
}

test("an origin is matched whole, with at most one wildcard in it", () => {
  assert.ok(matches("https://a.example", "https://a.example"));
  assert.ok(!matches("https://a.example", "https://a.example.evil"));
  assert.ok(!matches("https://a.example", "http://a.example"));
  assert.ok(matches("https://*.example", "https://a.b.example"));
  assert.ok(!matches("https://*.example", "https://example"));
  assert.ok(matches("start*end", "startend"));
  // The two ends of a pattern must not share letters of the origin.
  assert.ok(!matches("aba*aba", "ababa"));
  assert.ok(matches("*", "null"));
});

test("the first rule that allows all that is asked speaks; `?` and dots stand for themselves", () => {
  const rules = [
    rule("https://a", { id: "reads" }),
    rule("https://a", { id: "writes", allowedMethods: ["PUT"], allowedHeaders: ["x-amz-*", "Content-Type"] }),
    rule("*", { id: "all", allowedMethods: ["PUT"] }),
  ];
  const ask = (origin: string, method: string, headers: string[] = []) => matchCors(rules, { origin, method, headers });
  assert.equal(ask("https://a", "GET")?.rule.id, "reads");
  assert.equal(ask("https://a", "PUT", ["content-type", "x-amz-meta-a"])?.rule.id, "writes");
  assert.equal(ask("https://a", "PUT", ["content-type", "authorization"]), undefined);
  assert.deepEqual(ask("https://b", "PUT"), { rule: rules[2], anyOrigin: true });
  assert.equal(ask("https://b", "GET"), undefined);
  assert.equal(ask("https://a", "DELETE"), undefined);
  assert.ok(!matches("https://?", "https://x"));
  assert.ok(!matches("https://a.b", "https://axb"));
});
