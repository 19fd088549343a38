import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CONNECTIONS_MAX } from "../s3/limits.ts";
import { connectionsMax, descriptorLimit, descriptorWarning } from "./descriptors.ts";

test("the limit is read from the system's table; unlimited, unreadable and absent are none", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "resilver-limits-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "limits");
  const read = (soft: string): number | undefined => {
    writeFileSync(path, `Max processes  5  5  processes\nMax open files            ${soft}   524288   files\n`);
    return descriptorLimit(path);
  };
  assert.equal(read("200"), 200);
  assert.equal(read("unlimited"), undefined);
  assert.equal(descriptorLimit(join(dir, "none")), undefined);
});

test("each connection has a file beside it, some are kept for the server, and few are said", () => {
  assert.equal(connectionsMax(undefined), CONNECTIONS_MAX);
  assert.equal(connectionsMax(1_048_576), CONNECTIONS_MAX);
  for (const limit of [200, 1024, 4096]) assert.ok(2 * connectionsMax(limit) + 40 < limit, String(limit));
  assert.ok(connectionsMax(10) > 0);
  assert.match(descriptorWarning(256) ?? "", /allows 256 open files: at most 96 connections/);
  assert.equal(descriptorWarning(4096), undefined);
  assert.equal(descriptorWarning(undefined), undefined);
});
