import assert from "node:assert/strict";
import { test } from "node:test";
import { entitiesText } from "./entities-format.ts";
import { associationJson, associationText, mergePolicies, parseHolder } from "./policy-mapping.ts";

test("attach and detach print the captured lines and objects", () => {
  assert.equal(associationText("attach", ["P"], { user: "U" }), "Attached Policies: [P]\nTo User: U");
  assert.equal(associationText("detach", ["P", "Q"], { group: "G" }), "Detached Policies: [P, Q]\nFrom Group: G");
  assert.equal(
    JSON.stringify(associationJson("attach", ["P"], { user: "U" })),
    '{"status":"success","policiesAttached":["P"],"user":"U"}',
  );
});

test("the forms of 2022 name the holder and edit the list on this side", () => {
  assert.deepEqual(parseHolder("group=G"), { name: "G", isGroup: true });
  assert.throws(() => parseHolder("U"), /user=USER/);
  assert.deepEqual(mergePolicies("unset", ["a", "b"], ["b"]), ["a"]);
  assert.deepEqual(mergePolicies("update", ["a"], ["a", "c"]), ["a", "c"]);
});

test("entities are a tree", () => {
  const mapping = { timestamp: "T", userMappings: [{ user: "U", policies: ["P"] }] };
  assert.equal(entitiesText(mapping), "Query time: T\nUser -> Policy Mappings:\n  User: U\n    Policies:\n      P");
});
