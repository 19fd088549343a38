import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLine } from "../flags.ts";
import { regexPattern } from "../list/match.ts";
import type { Found } from "./find.ts";
import { commandWords, filterOf, findCommand } from "./find.ts";
import { ok, runCommand, type FakeServer } from "./testing.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 10, 23);

function found(key: string, more: Partial<Found["entry"]> = {}): Found {
  const entry = {
    type: "file" as const,
    key,
    size: 1000,
    modifiedMs: NOW_MS - 3 * DAY_MS,
    etag: "e",
    url: "",
    ...more,
  };
  return { entry, below: key, path: `home/b/${key}`, url: `http://h/b/${key}` };
}

function matches(line: string, one: Found): boolean {
  const root = { name: "mc", summary: "", subcommands: [findCommand] };
  const { flags, error } = parseLine(root, ["find", ...line.split(" ")], {});
  if (error !== undefined) throw error;
  return filterOf(flags, NOW_MS)(one);
}

test("a name pattern with a bracket that does not end is told", () => {
  assert.throws(() => matches("--name [ab", found("a")), /\[ without its \]/);
});

test("a target that is an object is found, and what lies below its name", async () => {
  const xml = (keys: readonly string[]): string =>
    keys
      .map(
        (key) =>
          `<Contents><Key>${key}</Key><Size>1</Size><LastModified>2026-11-23T00:00:00Z</LastModified></Contents>`,
      )
      .join("");
  const stored = ["d/k", "d/k/below", "d/k2"];
  const server: FakeServer = {
    calls: [],
    admin: () => assert.fail("no admin call"),
    s3: ({ query = {} }) => {
      const keys = stored.filter((key) => key.startsWith(query["prefix"] ?? ""));
      const shown = query["delimiter"] === "/" ? keys.filter((key) => key !== "d/k/below") : keys;
      return ok(`<ListBucketResult><IsTruncated>false</IsTruncated>${xml(shown)}</ListBucketResult>`);
    },
  };
  assert.equal((await runCommand(server, findCommand, "find a/b/d/k")).stdout, "a/b/d/k\na/b/d/k/below\n");
  assert.equal(
    (await runCommand(server, findCommand, "find a/b/d --path k*")).stdout,
    "a/b/d/k\na/b/d/k/below\na/b/d/k2\n",
  );
});

test("each predicate, and all of them together", () => {
  const one = found("a/b.JPG", { metadata: { "X-Amz-Meta-Color": "dark red" }, tags: { team: "blue" } });
  const cases: readonly (readonly [string, boolean])[] = [
    ["--name *.JPG", true],
    ["--name a*", false],
    ["--name a", true],
    ["--name [abc].J?G", true],
    ["--name [^a]*", true],
    ["--name [^b]*", false],
    ["--name [A-C].JPG", false],
    ["--name b\\.JPG", true],
    ["--path home/b/a/*", false],
    ["--path a/*", true],
    ["--ignore a/*", false],
    ["--ignore home/*", true],
    ["--regex ^a/b", true],
    ["--regex (?i)b\\.jpg$", true],
    ["--regex b\\.jpg$", false],
    ["--ignore *.JPG", false],
    ["--ignore *.txt", true],
    ["--older-than 2d", true],
    ["--older-than 4d", false],
    ["--newer-than 4d", true],
    ["--newer-than 2d", false],
    ["--larger 999", true],
    ["--larger 1kB", false],
    ["--smaller 1001", true],
    ["--smaller 1kB", false],
    ["--maxdepth 2", true],
    ["--maxdepth 1", false],
    ["--metadata color=red$", true],
    ["--metadata color=^red", false],
    ["--metadata size=.", false],
    ["--tags team=blue", true],
    ["--tags team=red", false],
    ["--name *.JPG --larger 1 --tags team=blue", true],
    ["--name *.JPG --larger 1kB", false],
  ];
  for (const [line, expected] of cases) assert.equal(matches(line, one), expected, line);
});

test("an empty object is larger than nothing only without --larger", () => {
  assert.equal(matches("--name *", found("k", { size: 0 })), true);
  assert.equal(matches("--larger 0", found("k", { size: 0 })), false);
});

test("values that mean nothing are refused", () => {
  assert.throws(() => matches("--regex (", found("k")), /not a regular expression/);
  assert.throws(() => matches("--tags team", found("k")), /KEY=REGEX/);
  assert.throws(() => matches("--larger many", found("k")), /not a size/);
});

test("a name with blanks, quotes or placeholders stays one argument", () => {
  const odd = found("a b\"' {url}");
  assert.deepEqual(commandWords("mc rm {}", odd), ["mc", "rm", odd.path]);
  assert.deepEqual(commandWords('mc cp {} "to here/{base}" {"dir"}', odd), [
    "mc",
    "cp",
    odd.path,
    "to here/a b\"' {url}",
    "home/b",
  ]);
  assert.deepEqual(commandWords('sh -c \'echo "$0"\' x\\ y pre{size}post ""', odd), [
    "sh",
    "-c",
    'echo "$0"',
    "x y",
    "pre1000Bpost",
    "",
  ]);
  assert.deepEqual(commandWords("echo {unknown} {", odd), ["echo", "{unknown}", "{"]);
});

test("expressions in the syntax of Go", () => {
  assert.ok(regexPattern("(?i)^A\\-b$").test("a-B"));
  assert.ok(regexPattern("(?P<year>\\d+)").test("2026"));
  assert.ok(regexPattern("^\\p{Lu}$").test("Ü"));
});
