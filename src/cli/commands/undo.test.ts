import assert from "node:assert/strict";
import { test } from "node:test";
import { ok, runCommand, type FakeServer } from "./testing.ts";
import { undoCommand } from "./undo.ts";

type Stored = readonly [key: string, versionId: string, marker?: "marker"];

function server(versions: readonly Stored[]): FakeServer & { removed: string[] } {
  const xml = versions.map(([key, id, marker]) => {
    const name = marker === undefined ? "Version" : "DeleteMarker";
    return `<${name}><Key>${key}</Key><VersionId>${id}</VersionId><IsLatest>true</IsLatest></${name}>`;
  });
  return {
    calls: [],
    removed: [],
    admin: () => assert.fail("no admin call"),
    s3(request, body) {
      if (request.method === "GET")
        return ok(`<ListVersionsResult>${xml.join("")}<IsTruncated>false</IsTruncated></ListVersionsResult>`);
      const objects = [...body.matchAll(/<Object>(.*?)<\/Object>/g)].map((found) => found[1] ?? "");
      this.removed.push(...objects.map((one) => /<VersionId>(.*?)</.exec(one)?.[1] ?? ""));
      return ok(`<DeleteResult>${objects.map((one) => `<Deleted>${one}</Deleted>`).join("")}</DeleteResult>`);
    },
  };
}

const STORED: readonly Stored[] = [
  ["k", "3", "marker"],
  ["k", "2"],
  ["k", "1"],
  ["k2", "9"],
  ["old", "null"],
];

test("the newest versions of one key, of all, of one kind", async () => {
  const cases: [string, string[]][] = [
    ["undo a/b/k", ["3"]],
    ["undo a/b/k --last 2", ["3", "2"]],
    ["undo a/b/k --last 9", ["3", "2", "1"]],
    ["undo a/b/k --last 2 --action DELETE", ["3"]],
    ["undo a/b -r --force", ["3", "9"]],
    ["undo a/b -r --force --action put", ["9"]],
    ["undo a/b -r --dry-run", []],
  ];
  for (const [line, expected] of cases) {
    const fake = server(STORED);
    const { code } = await runCommand(fake, undoCommand, line);
    assert.deepEqual([code, fake.removed], [0, expected], line);
  }
});

test("what it says", async () => {
  const text = await runCommand(server(STORED), undoCommand, "undo a/b/k --last 2");
  assert.equal(
    text.stdout,
    "Last delete of `a/b/k` (vid=3) is reverted.\nLast upload of `a/b/k` (vid=2) is reverted.\n",
  );
  const dry = await runCommand(server(STORED), undoCommand, "undo a/b/k --dry-run --json");
  const expected = { status: "success", url: "a/b/k", key: "k", versionId: "3", isDeleteMarker: true, dryRun: true };
  assert.deepEqual(JSON.parse(dry.stdout), expected);
});

test("refusals: no key, no force, nothing of the kind, versions that are not kept", async () => {
  const cases: [string, RegExp][] = [
    ["undo a/b", /names no object/],
    ["undo a/b -r", /--force/],
    ["undo a/b/k --action PUT", /nothing to undo/],
    ["undo a/b/old", /nothing to undo/],
    ["undo a/b/none", /nothing to undo/],
    ["undo a/b/k --last 0", /at least 1/],
  ];
  for (const [line, message] of cases) {
    const fake = server(STORED);
    const refused = await runCommand(fake, undoCommand, line).catch((error: unknown) => ({
      code: 1,
      stderr: String(error),
    }));
    assert.equal(refused.code, 1, line);
    assert.match(refused.stderr, message);
    assert.deepEqual(fake.removed, []);
  }
});
