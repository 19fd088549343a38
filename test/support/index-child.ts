/** A child of index-crash.process.test.ts: `write PATH NAME` commits until killed, `fill PATH` meets a full disk. */
import assert from "node:assert/strict";
import { hasCode } from "../../src/model/errors.ts";
import { CommitBuilder } from "../../src/storage/index/commit-builder.ts";
import { openLmdbIndex } from "../../src/storage/index/lmdb/index.ts";

const [, , mode, path = "", name = ""] = process.argv;
const index = await openLmdbIndex({ path });
const key = (text: string): Buffer => Buffer.from(text);

async function write(): Promise<void> {
  let count = 0;
  const one = async (): Promise<void> => {
    for (;;) {
      const line = `${name} ${count++}`;
      const value = Buffer.alloc(3000, count);
      await index.commit(new CommitBuilder().put(key(`left ${line}`), value).put(key(`right ${line}`), value));
      process.stdout.write(`${line}\n`);
    }
  };
  await Promise.all([one(), one(), one(), one()]);
}

/** Code of the error, or what commit answered. */
function put(name: string, size: number): Promise<string> {
  const commit = new CommitBuilder().put(key(name), Buffer.alloc(size, 1));
  return index.commit(commit).catch((error: unknown) => (hasCode(error, "XMinioStorageFull") ? "full" : String(error)));
}

async function fill(): Promise<void> {
  assert.deepEqual(await Promise.all([put("a", 100), put("big", 6 << 20), put("b", 100)]), [
    "committed",
    "full",
    "committed",
  ]);
  let stored = 0;
  let last = "committed";
  while (last === "committed") last = await put(`fill ${stored++}`, 60_000);
  assert.equal(last, "full");
  assert.ok(stored > 10);
  // Freed pages come back two transactions later, and nothing may have read in between: a snapshot holds them back.
  for (let i = 0; i < 10; i++)
    assert.equal(await index.commit(new CommitBuilder().delete(key(`fill ${i}`))), "committed");
  for (let i = 0; i < 5; i++) assert.equal(await put(`after ${i}`, 30_000), "committed");
  assert.equal((await index.get(key("a")))?.length, 100);
  assert.equal((await index.get(key("after 4")))?.length, 30_000);
  await index.close();
}

await (mode === "write" ? write() : fill());
