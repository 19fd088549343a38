import assert from "node:assert/strict";
import { test } from "node:test";
import { diffLine, mrfJson, mrfLine } from "./backlog-format.ts";

test("the JSON of a recent failure is the captured one", () => {
  const entry = { nodeName: "a.example:9000", bucket: "src", object: "m", versionId: "V", retryCount: 1 };
  assert.equal(
    JSON.stringify(mrfJson(entry)),
    '{"op":"mrf","status":"success","nodeName":"a.example:9000","bucket":"src","object":"m","versionId":"V","retryCount":1}',
  );
  assert.equal(mrfLine(entry), "a.example:9000  1 retries  m (V)");
});

test("a line of the full list tells writes, markers and purges apart", () => {
  assert.equal(diffLine({ object: "m", versionId: "V", rStatus: "FAILED" }), "FAILED    PUT   m (V)");
  assert.equal(
    diffLine({ object: "m", versionId: "D", rStatus: "PENDING", deletemarker: true }),
    "PENDING   DEL   m (D)",
  );
  const purge = { object: "r1", versionId: "V", rStatus: "FAILED", dStatus: "FAILED", deletemarker: true };
  assert.equal(diffLine(purge), "FAILED    PURGE r1 (V)");
  assert.match(diffLine({ ...purge, lastModified: "2026-11-23T00:43:10.004551808Z" }), /^\[2026-11-2\d /);
});
