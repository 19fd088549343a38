import assert from "node:assert/strict";
import { test } from "node:test";
import type { Target } from "../../command.ts";
import { parseLine } from "../../flags.ts";
import type { Entry } from "../../list/entry.ts";
import { parseTarget } from "../../targets.ts";
import { mirrorCommand } from "../mirror.ts";
import { renamedPolicy } from "./bucket.ts";
import type { Rules } from "./rules.ts";
import { decide, overlap, rulesOf } from "./rules.ts";

const NOW_MS = Date.UTC(2026, 10, 23);
const DAY_MS = 86_400_000;
const entry = (more: Partial<Entry> = {}): Entry => {
  return { type: "file", key: "d/k.txt", size: 1, modifiedMs: NOW_MS - 2 * DAY_MS, etag: "e", url: "", ...more };
};
const target = (text: string): Target => parseTarget(text, (name) => name === "a" || name === "b" || name === "same");

function rules(line: string, to = "b/bucket"): Rules {
  const root = { name: "mc", summary: "", subcommands: [mirrorCommand] };
  return rulesOf(parseLine(root, ["mirror", ...line.split(" ").filter(Boolean)], {}).flags, target(to), NOW_MS);
}

test("missing is copied, equal is kept, another size needs --overwrite or its old name", () => {
  const [first, larger] = [entry(), entry({ size: 2 })];
  assert.equal(decide({ first, second: undefined }, rules("")), "copy");
  assert.equal(decide({ first, second: entry({ etag: "other" }) }, rules("--overwrite")), "keep");
  assert.equal(decide({ first, second: larger }, rules("")), "refuse");
  assert.equal(decide({ first, second: larger }, rules("--overwrite")), "copy");
  assert.equal(decide({ first, second: larger }, rules("--force")), "copy");
});

test("only --remove removes, and never what is excluded or not of the age", () => {
  const extra = { first: undefined, second: entry() };
  assert.equal(decide(extra, rules("")), "keep");
  assert.equal(decide(extra, rules("--remove")), "remove");
  assert.equal(decide(extra, rules("--remove --exclude *.txt")), "keep");
  assert.equal(decide(extra, rules("--remove --older-than 3d")), "keep");
});

test("filters: names, ages, storage classes, folder markers", () => {
  const missing = (more: Partial<Entry> = {}): { first: Entry; second: undefined } => ({
    first: entry(more),
    second: undefined,
  });
  assert.equal(decide(missing(), rules("--exclude x --exclude d/*")), "keep");
  assert.equal(decide(missing(), rules("--newer-than 1d")), "keep");
  assert.equal(decide(missing(), rules("--newer-than 3d")), "copy");
  assert.equal(decide(missing({ storageClass: "GLACIER" }), rules("--exclude-storageclass GLACIER")), "keep");
  assert.equal(decide(missing({ key: "d/" }), rules("", "./folder")), "keep");
  assert.equal(decide(missing({ key: "d/" }), rules("")), "copy");
});

test("places inside each other are seen, also through two aliases of one server", () => {
  const urls: Readonly<Record<string, string>> = { a: "http://one", same: "http://one/", b: "http://two" };
  const how = (from: string, to: string): string => overlap(target(from), target(to), (alias) => urls[alias] ?? "");
  assert.equal(how("a/x", "b/x/y"), "apart");
  assert.equal(how("a/x", "a/xy"), "apart");
  assert.equal(how("a/x/", "a/x"), "apart");
  assert.equal(how("a/x", "same/x/y"), "target-inside-source");
  assert.equal(how("a", "same/x"), "target-inside-source");
  assert.equal(how("a/x/y", "a/x"), "source-inside-target");
  assert.equal(how("./d", "./d/e"), "target-inside-source");
  assert.equal(how("/d/e", "/"), "source-inside-target");
});

test("a policy follows its bucket", () => {
  const policy = (...resources: string[]): string =>
    JSON.stringify({ Statement: [{ Effect: "Allow", Resource: resources }] });
  const from = policy("arn:aws:s3:::one", "arn:aws:s3:::one/*", "arn:aws:s3:::one-more/*", "arn:aws:s3:::*");
  assert.equal(
    renamedPolicy(from, "one", "two"),
    policy("arn:aws:s3:::two", "arn:aws:s3:::two/*", "arn:aws:s3:::one-more/*", "arn:aws:s3:::*"),
  );
});
