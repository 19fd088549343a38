/** Policy evaluation against slow and obvious readings of the same rules. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { evaluate } from "./policy-evaluate.ts";
import type { Verdict } from "./policy-evaluate.ts";
import { parsePolicy } from "./policy.ts";
import { valuesOf } from "./policy-variables.ts";
import type { Dependence } from "./types.ts";
import { wildcardMatch } from "./wildcard.ts";

type Json = Record<string, unknown>;

const G = "s3:GetObject";
const L = "s3:ListBucket";
const P = "s3:PutObject";
const arn = (pattern: string): string => `arn:aws:s3:::${pattern}`;
const doc = (...Statement: Json[]): string => JSON.stringify({ Version: "2012-10-17", Statement });

/** The slow and obvious reading of 7.2 and 7.5, written without the code under test. */
function naive(statements: readonly Json[], action: string, bucket: string, key: string | undefined): Verdict {
  const like = (pattern: string, value: string): boolean => {
    const source = [...pattern]
      .map((c) => (c === "*" ? "[^]*" : c === "?" ? "[^]" : c.replace(/\W/g, "\\$&")))
      .join("");
    return new RegExp(`^(?:${source})$`).test(value);
  };
  const listed = (patterns: string[], value: string): boolean => patterns.some((pattern) => like(pattern, value));
  const hits = (s: Json): boolean => {
    const names = s["Action"] as string[] | undefined;
    const byName =
      names === undefined
        ? !listed(s["NotAction"] as string[], action)
        : listed(names, action) || (action === G && names.includes("s3:GetObjectVersion"));
    const inside = ((s["Resource"] ?? s["NotResource"]) as string[]).some((resource) => {
      const pattern = resource.slice("arn:aws:s3:::".length);
      const request = `${bucket}/${key ?? ""}`;
      return like(pattern, request) || (request.endsWith("/") && pattern === request.slice(0, -1));
    });
    return byName && inside === "Resource" in s;
  };
  const found = statements.filter(hits).map((s) => s["Effect"]);
  return found.includes("Deny") ? "deny" : found.includes("Allow") ? "allow" : "none";
}

test("decisions agree with a naive evaluation", () => {
  const actionPattern = fc.constantFrom(
    "s3:*",
    "s3:Get*",
    G,
    P,
    "s3:GetObjectVersion",
    "s3:?etObject",
    "s3:Delete*",
    L,
  );
  const resource = fc.constantFrom("*", "b", "b/*", "b/a*", "b?/*", "*/k", "b/a/?", "c*", "b/**k").map(arn);
  const pick = (item: fc.Arbitrary<string>) => fc.uniqueArray(item, { minLength: 1, maxLength: 3 });
  const statement = fc
    .tuple(fc.constantFrom("Allow", "Deny"), fc.boolean(), pick(actionPattern), fc.boolean(), pick(resource))
    .map(([Effect, positive, actions, within, resources]): Json => ({
      Effect,
      [positive ? "Action" : "NotAction"]: actions,
      [within ? "Resource" : "NotResource"]: resources,
    }));
  const question = fc.tuple(
    fc.constantFrom(G, P, L, "s3:DeleteObject", "s3:GetObjectVersion"),
    fc.constantFrom("b", "bb", "c"),
    fc.constantFrom(undefined, "k", "a/k", "a", "a/", "ab/ck"),
  );
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 5 }), question, (statements, [action, bucket, key]) => {
      const got = evaluate([parsePolicy(doc(...statements))], { action, bucket, key, values: valuesOf({}) });
      assert.equal(got, naive(statements, action, bucket, key));
    }),
    { numRuns: 500 },
  );
  // What does not hang on the key is the same for every key.
  const keys = ["k", "a/k", "a", "a/", "ab/ck", "/", "x", "ann/k"];
  const limited = fc
    .tuple(statement, fc.constantFrom(undefined, undefined, "*", "b/${aws:username}/*", "b/", "b/a/", "b*", "c?/*"))
    .map(([one, more]): Json => {
      const field = "Resource" in one ? "Resource" : "NotResource";
      return more === undefined ? one : { ...one, [field]: [...(one[field] as string[]), arn(more)] };
    });
  const when = fc.constantFrom(undefined, undefined, { StringEquals: { "aws:UserAgent": "p" } });
  const conditional = fc
    .tuple(limited, when)
    .map(([one, Condition]): Json => (Condition === undefined ? one : { ...one, Condition }));
  let free = 0;
  fc.assert(
    fc.property(fc.array(conditional, { minLength: 1, maxLength: 3 }), question, (statements, [action, bucket]) => {
      const policies = [parsePolicy(doc(...statements))];
      const ask = (key: string, values: Record<string, string[]>, dependence?: Dependence): Verdict =>
        evaluate(policies, { action, bucket, key, values: valuesOf({ username: ["ann"], ...values }), dependence });
      const dependence = { onRequest: false };
      const first = ask("k", {}, dependence);
      if (dependence.onRequest) return;
      free++;
      for (const key of keys) for (const UserAgent of [[], ["p"]]) assert.equal(ask(key, { UserAgent }), first, key);
    }),
    { numRuns: 2000 },
  );
  assert.ok(free > 100, "many decisions hang on nothing");
});

test("wildcards agree with regular expressions", () => {
  const alphabet = fc.array(fc.constantFrom("a", "b", "/", "*", "?"), { maxLength: 8 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(alphabet, alphabet, (pattern, text) => {
      const source = [...pattern].map((c) => (c === "*" ? ".*" : c === "?" ? "." : c)).join("");
      assert.equal(wildcardMatch(pattern, text), new RegExp(`^${source}$`).test(text));
    }),
    { numRuns: 1000 },
  );
});
