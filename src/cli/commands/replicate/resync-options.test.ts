import assert from "node:assert/strict";
import { test } from "node:test";
import { versionLines } from "./resync-options.ts";

test("a list of versions may be keys, keys with ids, or what other commands print as JSON", () => {
  const text = [
    "plain key with blanks",
    "key\tid",
    "",
    '{"status":"success","type":"file","key":"k","versionId":"V"}',
    '{"op":"diff","object":"o","versionId":"W","rStatus":"FAILED"}',
    '{"Object":"p","VersionID":"X"}',
    '{"status":"success","totalObjects":3}',
  ].join("\r\n");
  assert.deepEqual(
    versionLines(text)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object),
    [
      { key: "plain key with blanks" },
      { key: "key", versionId: "id" },
      { key: "k", versionId: "V" },
      { key: "o", versionId: "W" },
      { key: "p", versionId: "X" },
    ],
  );
  assert.throws(() => versionLines("\n"), /empty/);
  assert.throws(() => versionLines("{nothing"), /Line 1/);
});
