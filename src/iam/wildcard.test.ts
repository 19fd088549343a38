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

test("long runs with question marks are found where the definition finds them", () => {
  const run = fc.string({ unit: fc.constantFrom("a", "b", "?"), minLength: 33, maxLength: 80 });
  const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 120 });
  const plain = (r: string, t: string): boolean =>
    Array.from({ length: t.length + 1 }, (_, at) => at).some(
      (at) => at + r.length <= t.length && [...r].every((c, i) => c === "?" || c === t[at + i]),
    );
  fc.assert(
    fc.property(run, text, (r, t) => assert.equal(wildcardMatch(`*${r}*`, t), plain(r, t), `${r} ${t}`)),
    { numRuns: 500 },
  );
  // Made to fit, at every place, also across the words of bits.
  const holed = fc.tuple(
    text,
    fc.string({ unit: fc.constantFrom("a", "b"), minLength: 33, maxLength: 200 }),
    text,
    fc.nat(),
  );
  fc.assert(
    fc.property(holed, ([before, middle, after, hole]) => {
      const at = hole % middle.length;
      const pattern = `*${middle.slice(0, at)}?${middle.slice(at + 1)}*`;
      assert.ok(wildcardMatch(pattern, before + middle + after), pattern);
    }),
    { numRuns: 500 },
  );
});

test("runs with question marks cost little against the longest texts", () => {
  // A run laid against each place of this text would be 10 to the 12 comparisons.
  const text = "a".repeat(2_000_000);
  assert.equal(wildcardMatch(`*?${"a".repeat(2000)}?b*`, text), false);
  assert.equal(wildcardMatch(`*${"?".repeat(1_000_000)}b*`, text), false);
  assert.equal(wildcardMatch(`*${"?".repeat(1_000_000)}*`, text), true);
  assert.equal(wildcardMatch(`*a${"?".repeat(10_000)}b*`, text.slice(0, 60_000)), false);
});
