import assert from "node:assert/strict";
import { test } from "node:test";
import { ok, runCommand, s3Error, type FakeServer } from "../testing.ts";
import { ilmCommand } from "./index.ts";

function server(): FakeServer & { lifecycle: string | undefined } {
  return {
    lifecycle: undefined,
    calls: [],
    admin: () => assert.fail("no admin call"),
    s3(request, body) {
      assert.ok(Object.hasOwn(request.query ?? {}, "lifecycle"));
      if (request.method === "PUT") this.lifecycle = body;
      if (request.method === "DELETE") this.lifecycle = undefined;
      if (request.method !== "GET") return ok();
      if (this.lifecycle === undefined) return s3Error(404, "NoSuchLifecycleConfiguration");
      return { ...ok(this.lifecycle), headers: { "x-minio-lifecycleconfig-updatedat": "20260102T030405Z" } };
    },
  };
}

async function run(fake: FakeServer, line: string, stdin = ""): Promise<string> {
  const { code, stdout, stderr } = await runCommand(fake, ilmCommand, line, stdin);
  assert.equal(code, 0, `${line}\n${stderr}`);
  return stdout;
}

async function refused(fake: FakeServer, line: string, message: RegExp, stdin = ""): Promise<void> {
  const result = await runCommand(fake, ilmCommand, line, stdin).catch((error: unknown) => ({
    code: 1,
    stderr: String(error),
  }));
  assert.equal(result.code, 1, line);
  assert.match(result.stderr, message);
}

test("rules are added, listed, changed, exported, imported and removed", async () => {
  const fake = server();
  await refused(fake, "ilm rule ls a/b", /does not exist/);
  assert.match(
    await run(fake, "ilm rule add a/b/logs/ --expire-days 9 --id one"),
    /added with ID `one` to a\/b\/logs\//,
  );
  await run(
    fake,
    "ilm rule add a/b --id two --tags k=v --size-gt 1KiB --noncurrent-expire-days 3 --noncurrent-expire-newer 2",
  );
  // The spelling and the place of 2022.
  await run(fake, "ilm add a/b --id three --expired-object-delete-marker");
  await run(fake, "ilm rule add a/b --id four --abort-days 7");
  const table = await run(fake, "ilm rule ls a/b");
  for (const row of [
    /Expiration of current objects\n.*Days to Expire.*\none +Enabled +logs\/ +- +- +9 +false/,
    /three .* 0 +true/,
    /two +Enabled +- +k=v +> 1024 B/,
    /Keep Versions\n.*3 +2/,
    /Unfinished uploads\n.*\nfour .* 7/,
  ])
    assert.match(table, row);
  await run(fake, "ilm rule edit a/b --id one --expire-days 5 --disable");
  const listed = JSON.parse(await run(fake, "ilm rule ls a/b --json")) as { config: { Rules: object[] } };
  assert.deepEqual(listed.config.Rules[0], {
    Expiration: { Days: 5 },
    ID: "one",
    Filter: { Prefix: "logs/" },
    Status: "Disabled",
  });
  assert.equal("updatedAt" in listed && listed.updatedAt, "2026-01-02T03:04:05Z");
  const exported = await run(fake, "ilm rule export a/b");
  const before = fake.lifecycle;
  await run(fake, "ilm rule rm a/b --all --force");
  assert.equal(fake.lifecycle, undefined);
  await run(fake, "ilm rule import a/b", exported);
  assert.equal(fake.lifecycle, before);
  await run(fake, "ilm rule import a/b", await run(fake, "ilm rule export a/b --json"));
  assert.equal(fake.lifecycle, before);
  for (const id of ["one", "two", "three", "four"]) await run(fake, `ilm rule rm a/b --id ${id}`);
  assert.equal(fake.lifecycle, undefined, "the last rule takes the configuration with it");
});

test("what would be wrong, lost or silently dropped is refused before anything is sent", async () => {
  const fake = server();
  await run(fake, "ilm rule add a/b --id one --expire-days 9");
  const before = fake.lifecycle;
  const cases: [string, RegExp, string?][] = [
    ["ilm rule add a/b", /does nothing/],
    ["ilm rule add a/b --id one --expire-days 1", /already/],
    ["ilm rule add a/b --transition-days 3 --transition-tier T", /move nothing/],
    ["ilm rule add a/b --expire-all-object-versions --expire-days 1", /not known here/],
    ["ilm rule add a/b --expire-days 1 --expire-date 2030-01-01", /second rule/],
    ["ilm rule add a/b --expire-date tomorrow", /no date/],
    ["ilm rule add a/b --expire-days -1", /at least 0/],
    ["ilm rule edit a/b --expire-days 1", /--id/],
    ["ilm rule edit a/b --id none --expire-days 1", /no rule `none`/],
    ["ilm rule edit a/b --id one --expire-days 0", /does nothing/],
    ["ilm rule rm a/b --all", /--force/],
    ["ilm rule rm a/b --id none", /no rule/],
    ["ilm rule import a/b", /not JSON/, "{"],
    ["ilm rule import a/b", /Transition/, '{"Rules":[{"ID":"t","Status":"Enabled","Transition":{"Days":1}}]}'],
    ["ilm tier ls a", /not implemented/],
    ["ilm restore a/b/k --days 3", /not implemented/],
  ];
  for (const [line, message, stdin] of cases) await refused(fake, line, message, stdin);
  assert.equal(fake.lifecycle, before);
  fake.lifecycle = before?.replace("<Expiration>", "<Transition><Days>1</Days></Transition><Expiration>");
  await refused(fake, "ilm rule edit a/b --id one --disable", /Transition/);
});
