import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
  closeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CommitBuilder } from "../commit-builder.ts";
import { openLmdbIndex } from "./index.ts";
import { indexFileFault } from "./inspect.ts";

const root = mkdtempSync(join(tmpdir(), "resilver-inspect-"));
after(() => rmSync(root, { recursive: true, force: true }));
const data = join(root, "data.mdb");

function overwrite(offset: number, bytes: Buffer): void {
  const file = openSync(data, "r+");
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

function flip(offset: number): void {
  const file = openSync(data, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, offset);
  writeSync(file, Buffer.from([(byte[0] as number) ^ 0xff]), 0, 1, offset);
  closeSync(file);
}

test("a sound index file has no fault after any commit; what LMDB would die of is told", async () => {
  assert.equal(indexFileFault(root), "missing");
  const index = await openLmdbIndex({ path: root });
  assert.equal(indexFileFault(root), undefined);
  const key = (round: number, i: number): Buffer => Buffer.from(`key ${(i * 7919) % 1000} of ${round}`);
  for (let round = 0; round < 12; round++) {
    const commit = new CommitBuilder();
    for (let i = 0; i < 100; i++) commit.put(key(round, i), Buffer.alloc(i % 9 === 0 ? 9000 : 60, i));
    await index.commit(commit);
    const less = new CommitBuilder();
    for (let i = 0; i < 100; i++) if (i % 3 !== round % 3) less.delete(key(Math.floor(round / 2), i));
    await index.commit(less);
    assert.equal(indexFileFault(root), undefined, `round ${round}`);
  }
  await index.close();
  const sound = join(root, "sound");
  copyFileSync(data, sound);
  const { size } = statSync(data);
  const broken: [string, () => void, RegExp][] = [
    ["cut to half", () => truncateSync(data, size / 2), /beyond the end of the file/],
    ["both metas", () => overwrite(0, Buffer.alloc(8192, 7)), /page 0 is no meta page/],
    ["one meta", () => overwrite(4096, Buffer.alloc(4096)), /page 1 is no meta page/],
    ["all but the metas", () => overwrite(8192, Buffer.alloc(size - 8192, 0xa5)), /is overwritten/],
    ["empty", () => truncateSync(data, 0), /missing/],
  ];
  // Each byte of what LMDB would believe: a page of another kind or size ends the process, another number of a commit
  // brings back the one before.
  for (const page of [0, 1]) {
    for (const at of [0, 18, 24, 28, 48, 49, 50, 51, 52, 53, 100, 152, 153, 154, 155, 156, 157, 158, 159]) {
      const offset = page * 4096 + at;
      broken.push([`byte ${offset}`, () => flip(offset), /no meta page|not of two commits in succession/]);
    }
  }
  for (const [name, harm, message] of broken) {
    copyFileSync(sound, data);
    assert.equal(indexFileFault(root), undefined);
    harm();
    assert.match(indexFileFault(root) ?? "sound", message, name);
  }
});

test("what is no file is told, a directory as a pipe", () => {
  const path = join(root, "odd");
  mkdirSync(join(path, "data.mdb"), { recursive: true });
  assert.match(indexFileFault(path) ?? "sound", /is no file/);
  rmSync(join(path, "data.mdb"), { recursive: true });
  assert.equal(spawnSync("mkfifo", [join(path, "data.mdb")]).status, 0);
  assert.match(indexFileFault(path) ?? "sound", /is no file/);
});
