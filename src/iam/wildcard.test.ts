import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { wildcardMatch } from "./wildcard.ts";

/** The definition, as plainly as it can be said. */
function naive(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern.startsWith("*")) return naive(pattern.slice(1), text) || (text !== "" && naive(pattern, text.slice(1)));
  if (text === "") return false;
  return (pattern.startsWith("?") || pattern[0] === text[0]) && naive(pattern.slice(1), text.slice(1));
}

test("every pattern and text as the definition says", () => {
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "?"), maxLength: 9 });
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 10 });
  fc.assert(
    fc.property(pattern, text, (p, t) => assert.equal(wildcardMatch(p, t), naive(p, t), `${p} ${t}`)),
    { numRuns: 3000 },
  );
});

test("runs and stars as many as a policy holds, against the longest text that a request can name", () => {
  const text = "a".repeat(32_000);
  const patterns = [
    `*${"a".repeat(10_000)}b*`,
    `*b${"a".repeat(10_000)}*`,
    `${"*a".repeat(8000)}b`,
    `*${"ab".repeat(5000)}*`,
  ];
  for (const pattern of patterns) assert.equal(wildcardMatch(pattern, text), false);
  assert.equal(wildcardMatch(`*${"a".repeat(10_000)}*${"a".repeat(10_000)}`, text), true);
});
