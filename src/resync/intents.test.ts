import assert from "node:assert/strict";
import { test } from "node:test";
import type { Arn } from "../model/names.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { namedRange, SPACE } from "../storage/keys.ts";
import { Intents } from "./intents.ts";
import { clearRows } from "./job-rows.ts";

const JOB = { bucketId: "00".repeat(8), arn: "arn:minio:replication::1:dst" as Arn, rows: "1-a" };

test("intents outlive the process, answer once, and leave when their keys are done", async () => {
  const index = memoryIndex();
  const rows = async (): Promise<number> => (await index.scan(namedRange(SPACE.job, ""), { limit: 100 })).length;
  const first = new Intents(index, JOB);
  await first.load("");
  await first.add("b", [
    { key: "a", versionId: "1", bytes: 10 },
    { key: "b", versionId: "2", bytes: 0 },
  ]);
  await first.add("c", [{ key: "c", versionId: "3", bytes: 30 }]);
  await first.add("d", []);
  assert.equal(first.sentBefore("a", "1"), undefined, "what this run means to send is not sent before it");
  const second = new Intents(index, JOB);
  await second.load("");
  assert.deepEqual([second.sentBefore("a", "1"), second.sentBefore("a", "1")], [10, undefined]);
  assert.deepEqual([second.sentBefore("b", "2"), second.sentBefore("c", "other")], [0, undefined]);
  await second.add("e", [{ key: "e", versionId: "4", bytes: 1 }]);
  assert.equal(await rows(), 3, "a later row does not take the place of an earlier one");
  assert.deepEqual(second.settled("a"), []);
  const commit = new CommitBuilder();
  for (const row of second.settled("c")) commit.delete(row);
  await index.commit(commit);
  assert.equal(await rows(), 1);
  await clearRows(index, JOB);
  assert.equal(await rows(), 0);
  await index.close();
});

test("what a row names up to the cursor is counted already, and answers no more", async () => {
  const index = memoryIndex();
  const first = new Intents(index, JOB);
  await first.load("");
  const all = ["a", "b", "b", "c"].map((key, i) => ({ key, versionId: String(i), bytes: i }));
  await first.add("c", all);
  assert.deepEqual(first.settled("b"), [], "the row is needed for the last of its keys");
  const second = new Intents(index, JOB);
  await second.load("b");
  assert.equal(second.sentBefore("a", "0"), undefined);
  assert.deepEqual(second.sentUpTo("c"), [all[3]]);
  assert.deepEqual(second.sentUpTo("c"), []);
  await index.close();
});

test("rows whose deletion failed are told again; the end of a pass gives up all", async () => {
  const index = memoryIndex();
  const intents = new Intents(index, JOB);
  await intents.load("");
  await intents.add("a", [{ key: "a", versionId: "1", bytes: 1 }]);
  await intents.add("z", [{ key: "z", versionId: "2", bytes: 1 }]);
  const settled = intents.settled("m");
  assert.equal(settled.length, 1);
  assert.deepEqual(intents.settled("m"), settled);
  intents.deleted(settled);
  assert.deepEqual(intents.settled("m"), []);
  intents.endPass();
  assert.equal(intents.settled("").length, 1);
  await index.close();
});

test("many long keys are cut into rows that the index takes", async () => {
  const index = memoryIndex();
  const intents = new Intents(index, JOB);
  await intents.load("");
  const many = Array.from({ length: 512 }, (_, i) => ({
    key: `${"\u0001".repeat(1000)}${i}`,
    versionId: "v",
    bytes: i,
  }));
  await intents.add("z", many);
  const stored = await index.scan(namedRange(SPACE.job, ""), { limit: 1000 });
  assert.ok(stored.length > 1 && stored.every(({ value }) => value.length < 128 * 1024));
  const again = new Intents(index, JOB);
  await again.load("");
  for (const { key, bytes } of many) assert.equal(again.sentBefore(key, "v"), bytes);
  await index.close();
});
