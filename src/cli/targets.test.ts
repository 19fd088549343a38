import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketTarget, objectTarget, parseTarget } from "./targets.ts";

const isAlias = (name: string): boolean => name === "home";
const ctx = { target: (text: string) => parseTarget(text, isAlias) };

test("ALIAS/BUCKET/KEY is taken apart; the key keeps its slashes", () => {
  const parts = (text: string): unknown[] => {
    const target = ctx.target(text);
    return target.kind === "local" ? [target.path] : [target.alias, target.bucket, target.key];
  };
  assert.deepEqual(parts("home"), ["home", "", ""]);
  assert.deepEqual(parts("home/"), ["home", "", ""]);
  assert.deepEqual(parts("home/b"), ["home", "b", ""]);
  assert.deepEqual(parts("home/b/x//y/"), ["home", "b", "x//y/"]);
  assert.deepEqual(parts("other/b"), ["other/b"]);
  assert.deepEqual(parts("./home/b"), ["./home/b"]);
  assert.deepEqual(parts("/etc/passwd"), ["/etc/passwd"]);
});

test("a wrong kind of target is named in the error", () => {
  assert.throws(() => bucketTarget(ctx, "hmoe/b"), /no alias `hmoe`/);
  assert.throws(() => bucketTarget(ctx, "home"), /names no bucket/);
  assert.throws(() => bucketTarget(ctx, "home/b/k"), /names an object/);
  assert.throws(() => objectTarget(ctx, "home/b"), /names no object/);
});
