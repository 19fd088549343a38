import assert from "node:assert/strict";
import { test } from "node:test";
import { adminError, runCommand, type FakeServer } from "../testing.ts";
import { accesskeyCommand } from "./accesskey.ts";
import { userCommand } from "./user.ts";

const KEYS = { u: { serviceAccounts: [{ accessKey: "AK", expiration: "1970-01-01T00:00:00Z" }], stsKeys: null } };

function server(admin: FakeServer["admin"]): FakeServer {
  return { calls: [], s3: () => assert.fail("no S3 call"), admin };
}

test("a list that names nobody is everybody's, or one's own for those who may see no more", async () => {
  const fake = server((call) => {
    if (call.query?.["all"] === "true") throw adminError(403, "AccessDenied");
    return JSON.stringify(KEYS);
  });
  const own = await runCommand(fake, accesskeyCommand, "accesskey ls a");
  assert.equal(own.stdout, "User: u\n  Service Account Access Keys:\n    AK, expires: never\n");
  assert.equal(fake.calls.length, 2);
  const all = await runCommand(fake, accesskeyCommand, "accesskey ls a --all");
  assert.equal(all.code, 1, "who asks for all is told that it is not allowed");
});

test("temporary keys are revoked by user or for oneself, all or by type", async () => {
  const fake = server(() => "");
  const run = (line: string) => runCommand(fake, accesskeyCommand, `accesskey sts-revoke ${line}`);
  assert.equal((await run("a u --all")).stdout, "Revoked temporary keys: those of `u`.\n");
  assert.equal((await run("a --self --token-type t")).code, 0);
  assert.deepEqual(fake.calls, [
    "POST revoke-tokens/builtin?user=u&tokenRevokeType=&fullRevoke=true",
    "POST revoke-tokens/builtin?user=&tokenRevokeType=t&fullRevoke=false",
  ]);
  for (const line of ["a --all", "a u", "a u --self --all", "a u --all --token-type t"]) {
    assert.equal((await run(line)).code, 1, line);
  }
});

test("a temporary key is shown with its parent", async () => {
  const info = { parentUser: "u", accountStatus: "on", impliedPolicy: true, expiration: "2030-01-01T00:00:00Z" };
  const fake = server(() => JSON.stringify(info));
  const shown = await runCommand(fake, userCommand, "user sts info a AK --json");
  assert.equal((JSON.parse(shown.stdout) as { parentUser: string }).parentUser, "u");
  assert.deepEqual(fake.calls, ["GET temporary-account-info?accessKey=AK"]);
});
