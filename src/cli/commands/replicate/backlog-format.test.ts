import assert from "node:assert/strict";
import { test } from "node:test";
import { diffLine, mrfJson, mrfLine } from "./backlog-format.ts";

const NAMES: Readonly<Record<string, string>> = { "arn:1": "b.example:9000/dst", "arn:2": "c.example:9000/dst" };
const nameOf = (arn: string): string => NAMES[arn] ?? arn;

test("lines name the targets that are still to be reached", () => {
  const failed = { nodeName: "n", object: "m", versionId: "V", retryCount: 2, targetArn: "arn:1", reason: "refused" };
  assert.equal(mrfLine(failed, nameOf), "n  2 retries  m (V) -> b.example:9000/dst: refused");
  const entry = { object: "m", versionId: "V", rStatus: "FAILED" };
  const targets = {
    "arn:1": { rStatus: "COMPLETED" },
    "arn:2": { rStatus: "FAILED" },
    "arn:3": { rStatus: "PENDING" },
  };
  assert.equal(diffLine({ ...entry, targets }, nameOf), "FAILED    PUT   m (V) -> c.example:9000/dst, arn:3");
  const purged = { "arn:1": { rStatus: "COMPLETED", drStatus: "PENDING" }, "arn:2": { drStatus: "COMPLETED" } };
  assert.match(diffLine({ ...entry, targets: purged }, nameOf), /-> b.example:9000\/dst$/);
  assert.match(
    diffLine({ ...entry, targets: { "arn:1": { rStatus: "COMPLETED" } } }, nameOf),
    /-> b.example:9000\/dst$/,
  );
});

test("the JSON of a recent failure is the captured one", () => {
  const entry = { nodeName: "a.example:9000", bucket: "src", object: "m", versionId: "V", retryCount: 1 };
  assert.equal(
    JSON.stringify(mrfJson(entry)),
    '{"op":"mrf","status":"success","nodeName":"a.example:9000","bucket":"src","object":"m","versionId":"V","retryCount":1}',
  );
  assert.equal(mrfLine(entry, nameOf), "a.example:9000  1 retries  m (V)");
});

test("a line of the full list tells writes, markers and purges apart", () => {
  assert.equal(diffLine({ object: "m", versionId: "V", rStatus: "FAILED" }, nameOf), "FAILED    PUT   m (V)");
  assert.equal(
    diffLine({ object: "m", versionId: "D", rStatus: "PENDING", deletemarker: true }, nameOf),
    "PENDING   DEL   m (D)",
  );
  const purge = { object: "r1", versionId: "V", rStatus: "FAILED", dStatus: "FAILED", deletemarker: true };
  assert.equal(diffLine(purge, nameOf), "FAILED    PURGE r1 (V)");
  assert.match(diffLine({ ...purge, lastModified: "2026-11-23T00:43:10.004551808Z" }, nameOf), /^\[2026-11-2\d /);
});
