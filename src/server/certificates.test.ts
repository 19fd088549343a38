import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test } from "node:test";
import { watchCertificates } from "./certificates.ts";

test("a folder that was put in another's place, and what changes in it later, is seen", (t) => {
  const parent = mkdtempSync(join(tmpdir(), "resilver-certs-"));
  const dir = join(parent, "certs");
  const writePair = (folder: string, text: string): void => {
    mkdirSync(folder, { recursive: true });
    for (const name of ["public.crt", "private.key"]) writeFileSync(join(folder, name), text);
  };
  writePair(dir, "1");
  // Nobody tells of files in a folder that another took the place of: only the time that passes is counted on here.
  mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  let changes = 0;
  const watched = watchCertificates(dir, () => void changes++);
  t.after(() => {
    watched.close();
    mock.timers.reset();
    rmSync(parent, { recursive: true });
  });
  mock.timers.tick(60_000);
  assert.equal(changes, 0, "nothing changed");
  writePair(join(parent, "next"), "2");
  renameSync(dir, join(parent, "old"));
  renameSync(join(parent, "next"), dir);
  mock.timers.tick(60_000);
  assert.equal(changes, 1);
  writePair(dir, "3");
  mock.timers.tick(60_000);
  assert.equal(changes, 2);
  rmSync(dir, { recursive: true });
  mock.timers.tick(60_000);
  writePair(dir, "4");
  mock.timers.tick(60_000);
  assert.equal(changes, 4);
});
