import assert from "node:assert/strict";
import { test } from "node:test";
import { userInfoJson, userInfoText, userListJson, userListLine } from "./user-format.ts";

const user = { policyName: "P", status: "enabled" };

test("users are listed as captured", () => {
  assert.equal(
    JSON.stringify(userListJson("U", user, [])),
    '{"status":"success","accessKey":"U","policyName":"P","userStatus":"enabled"}',
  );
  assert.equal(userListLine("U", user), `enabled    ${"U".padEnd(20)}  P`);
});

test("info has the captured rows, memberships with their policies in JSON", () => {
  assert.equal(userInfoText("U", user, []), "AccessKey: U\nStatus: enabled\nPolicyName: P\nMemberOf: []");
  const groups = [{ name: "g", policies: ["p1", "p2"] }];
  assert.deepEqual(userInfoJson("U", { ...user, userAuthInfo: { type: "builtin" } }, groups), {
    status: "success",
    accessKey: "U",
    policyName: "P",
    userStatus: "enabled",
    memberOf: groups,
    authentication: "builtin",
  });
});
