import assert from "node:assert/strict";
import { test } from "node:test";
import * as absent from "./absent.ts";
import { adminCommand } from "./admin/index.ts";
import { runCommand, type FakeServer } from "./testing.ts";

const NOBODY: FakeServer = {
  calls: [],
  s3: () => assert.fail("nothing is asked"),
  admin: () => assert.fail("nothing is asked"),
};

test("commands of MinIO without anything behind them say so, whatever flags they are given", async () => {
  for (const command of Object.values(absent).flatMap((one) => (Array.isArray(one) ? one : []))) {
    const line = `${command.name} add a/b arn --event put --suffix x`;
    const { code, stderr } = await runCommand(NOBODY, command, line);
    assert.equal(code, 1);
    assert.match(stderr, /is not implemented\. \S/);
  }
  for (const line of ["admin config history a", "admin replicate add a b", "admin tier ls a", "admin idp ldap ls a"]) {
    const { code, stderr } = await runCommand(NOBODY, adminCommand, line);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`\`mc ${line.split(" ").slice(0, 2).join(" ")}.*is not implemented`));
  }
});
