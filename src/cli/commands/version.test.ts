import assert from "node:assert/strict";
import { test } from "node:test";
import { versionJson, versionText } from "./version.ts";

test("version prints the captured object and lines", () => {
  assert.equal(
    JSON.stringify(versionJson("enable", "a/src", undefined)),
    '{"Op":"enable","status":"success","url":"a/src","versioning":{"status":"","MFADelete":""}}',
  );
  assert.equal(versionText("a/src", undefined), "a/src is un-versioned");
  assert.equal(versionText("a/src", { status: "Enabled" }), "a/src versioning is enabled");
  assert.match(
    versionText("a/src", { status: "Enabled", excludedPrefixes: ["x/"], excludeFolders: true }),
    /x\/\n {2}Folders/,
  );
});
