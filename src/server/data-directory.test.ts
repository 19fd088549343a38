import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  explainedDamage,
  lockDataDirectory,
  noteMade,
  openDataDirectory,
  refuseDamagedIndex,
  requireUsable,
} from "./data-directory.ts";
import { UsageError } from "./settings.ts";

const root = mkdtempSync(join(tmpdir(), "resilver-directory-"));
after(() => rmSync(root, { recursive: true, force: true }));

function refused(dir: string, message: RegExp): void {
  assert.throws(
    () => openDataDirectory(dir),
    (error) => error instanceof UsageError && message.test(error.message),
    dir,
  );
}

test("a new directory is made, with its parents, and known again", () => {
  const dir = join(root, "a", "new one");
  const made = openDataDirectory(dir);
  assert.deepEqual(openDataDirectory(dir), made);
});

test("what is not ours is left alone, with what to do", () => {
  const at = (name: string, files: Readonly<Record<string, string>>): string => {
    mkdirSync(join(root, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, name, file), text);
    return join(root, name);
  };
  const drive = at("drive", {});
  mkdirSync(join(drive, ".minio.sys"));
  refused(drive, /a drive of MinIO; choose an empty directory/);
  refused(at("full", { photo: "x" }), /holds other files \(photo/);
  refused(at("odd", { "format.json": "{}" }), /not written by Resilver/);
  refused(at("torn", { "format.json": "{" }), /cannot be read.*from a backup/);
  const newer = JSON.stringify({ product: "resilver", format: 999, siteId: "x" });
  refused(at("newer", { "format.json": newer }), /Use a newer Resilver/);
  assert.ok(!existsSync(join(root, "full", "format.json")));
});

test("a path that cannot be a directory is said so, not thrown as a fault of the program", () => {
  const file = join(root, "file");
  writeFileSync(file, "x");
  refused(file, /cannot be used: it is a file; choose another directory/);
  refused(join(file, "below"), /cannot be used: a part of the path is a file/);
  const nowhere = join(root, "nowhere");
  symlinkSync(join(root, "none", "below"), nowhere);
  refused(nowhere, /cannot be used: a link in the path leads nowhere/);
});

test("only one server at a time owns a directory; its end frees it", async () => {
  const dir = join(root, "owned");
  openDataDirectory(dir);
  const lock = await lockDataDirectory(dir);
  await assert.rejects(lockDataDirectory(dir), /in use by another Resilver server/);
  await new Promise((done) => lock.close(done));
  await new Promise((done) => lockDataDirectory(dir).then((again) => again.close(done)));
});

test("of several starts that find the socket of a dead server one owns the directory", async () => {
  const dir = join(root, "contended");
  openDataDirectory(dir);
  writeFileSync(join(dir, "server.lock"), "");
  const starts = await Promise.allSettled([1, 2, 3].map(() => lockDataDirectory(dir)));
  const owners = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  assert.equal(owners.length, 1);
  for (const start of starts) if (start.status === "rejected") assert.match(String(start.reason), /in use by another/);
  await assert.rejects(lockDataDirectory(dir), /in use by another/);
  await new Promise((done) => owners[0]?.close(done));
});

test("a site whose index is gone or damaged is not started as an empty one", () => {
  const dir = join(root, "without index");
  const format = openDataDirectory(dir);
  const refusal = (message: RegExp): void =>
    assert.throws(
      () => refuseDamagedIndex(dir, openDataDirectory(dir)),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  refuseDamagedIndex(dir, format); // a first start that was cut short before its index
  mkdirSync(join(dir, "index"));
  refuseDamagedIndex(dir, format);
  mkdirSync(join(dir, "blobs"));
  refusal(/index of .* is gone .* bring everything back from a peer/);
  writeFileSync(join(dir, "index", "data.mdb"), "");
  refusal(/is gone/);
  rmSync(join(dir, "index"), { recursive: true });
  writeFileSync(join(dir, "index"), "");
  refusal(/cannot be used: a part of the path is a file/);
  rmSync(join(dir, "index"));
  mkdirSync(join(dir, "index"));
  writeFileSync(join(dir, "index", "data.mdb"), Buffer.alloc(9000));
  refusal(/is damaged \(page 0 is no meta page/);
  const damage = explainedDamage(dir, new Error("MDB_CORRUPTED: Located page was wrong type"));
  assert.ok(damage instanceof UsageError && /is damaged \(MDB_CORRUPTED/.test(damage.message));
  const file = Object.assign(new Error("EEXIST: mkdir"), { code: "EEXIST", path: join(dir, "blobs") });
  const within = explainedDamage(dir, file);
  assert.ok(within instanceof UsageError && /.blobs cannot be used: it is a file/.test(within.message));
});

test("a site that lost its index and its blobs is not started as an empty one: format.json tells that it was there", () => {
  const dir = join(root, "emptied");
  noteMade(dir, openDataDirectory(dir));
  const format = openDataDirectory(dir);
  const refusal = { message: /only .*emptied.format\.json tells that a site was here\. Put back a copy/ };
  assert.throws(() => refuseDamagedIndex(dir, format), refusal);
  mkdirSync(join(dir, "index"));
  assert.throws(() => refuseDamagedIndex(dir, format), refusal);
});

test("parts of the directory that are not what they should be, or may not be written, are named", () => {
  const dir = join(root, "parts");
  openDataDirectory(dir);
  requireUsable(dir);
  for (const name of ["index", "blobs", "staging"]) mkdirSync(join(dir, name));
  requireUsable(dir);
  const lock = join(dir, "index", "lock.mdb");
  const refusedFor = (message: RegExp): void =>
    assert.throws(
      () => requireUsable(dir),
      (error) => error instanceof UsageError && message.test(error.message),
      message.source,
    );
  mkdirSync(lock);
  refusedFor(/lock\.mdb cannot be used: it is no file/);
  rmSync(lock, { recursive: true });
  symlinkSync("/dev/null", lock);
  refusedFor(/lock\.mdb cannot be used: it is no file/);
  rmSync(lock);
  symlinkSync(join(root, "none"), lock);
  refusedFor(/lock\.mdb cannot be used: it is a link that leads nowhere/);
  rmSync(lock);
  rmSync(join(dir, "staging"), { recursive: true });
  writeFileSync(join(dir, "staging"), "");
  refusedFor(/staging cannot be used: it is no directory/);
});
