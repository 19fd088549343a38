import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { indexContract } from "../contract.ts";
import { CommitBuilder } from "../commit-builder.ts";
import { digestContract } from "../digest/contract.ts";
import { decodeBatch, commitBytes, encodeBatch } from "./batch.ts";
import { openLmdbIndex } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "resilver-lmdb-"));
after(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const newPath = (): string => join(root, String(count++));
const key = (name: string): Buffer => Buffer.from(name);

indexContract("lmdb index", () => openLmdbIndex({ path: newPath() }));
digestContract("lmdb index", () => openLmdbIndex({ path: newPath() }), 8);

test("a batch comes back as it was", () => {
  const commits = [
    new CommitBuilder()
      .unchanged(key("a"), undefined)
      .unchanged(key("b"), key(""))
      .first({ start: key("c"), end: key("d") }, undefined)
      .first({ start: key("e"), end: key("f") }, key("e1"))
      .put(key("p"), key("value"))
      .put(key("q"), key(""))
      .delete(key("r"))
      .add(key("s"), -5n),
    new CommitBuilder(),
  ];
  const bytes = commits.reduce((sum, commit) => sum + commitBytes(commit), 0);
  const decoded = decodeBatch(encodeBatch(commits, bytes));
  assert.deepEqual(
    decoded,
    commits.map((commit) => ({ ...commit })),
  );
});

test("rows outlive the process's handle, and a second handle sees each commit at once", async () => {
  const path = newPath();
  const first = await openLmdbIndex({ path });
  await first.commit(new CommitBuilder().put(key("a"), key("1")));
  const second = await openLmdbIndex({ path });
  assert.equal((await second.get(key("a")))?.toString(), "1");
  await first.commit(new CommitBuilder().put(key("a"), key("2")));
  assert.equal((await second.get(key("a")))?.toString(), "2");
  await Promise.all([first, second].map((index, i) => index.commit(new CommitBuilder().add(key("n"), BigInt(i + 1)))));
  assert.equal((await first.get(key("n")))?.readBigInt64LE(0), 3n);
  await first.close();
  await second.close();
  const again = await openLmdbIndex({ path });
  assert.equal((await again.get(key("n")))?.readBigInt64LE(0), 3n);
  await again.close();
});

test("close waits for what was handed over", async () => {
  const path = newPath();
  const index = await openLmdbIndex({ path });
  const commits = Array.from({ length: 20 }, (_, i) => index.commit(new CommitBuilder().put(key(`k${i}`), key("v"))));
  await index.close();
  assert.deepEqual(new Set(await Promise.all(commits)), new Set(["committed"]));
});
