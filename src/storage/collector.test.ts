import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Clock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import type { WrittenBlob } from "./blobs/blobs.ts";
import { bodyOf } from "./blobs/contract.ts";
import { CrashFiles } from "./blobs/crash-files.ts";
import { openBlobStore } from "./blobs/store.ts";
import { collectGarbage, emptyOldStaging, sweepOrphans } from "./collector.ts";
import { CommitBuilder } from "./index/commit-builder.ts";
import { memoryIndex } from "./index/memory.ts";
import { blobRowKey, spaceRange, SPACE } from "./keys.ts";
import { encodeRow } from "./records.ts";

class TestClock implements Clock {
  ms = 2_000_000_000_000;
  nowMs(): number {
    return this.ms;
  }
  nowNs(): bigint {
    return BigInt(this.ms) * 1_000_000n;
  }
  sleep(): Promise<void> {
    return Promise.resolve();
  }
}

async function site() {
  const files = new CrashFiles();
  const blobs = await openBlobStore({ directory: "/site", files, random: systemRandom });
  const write = (): Promise<WrittenBlob> =>
    blobs.write(bodyOf(randomBytes(40_000), 4096), { md5: false, sha256: false });
  return { files, blobs, index: memoryIndex(), clock: new TestClock(), write };
}

const garbage = spaceRange(SPACE.garbage);

test("garbage goes after its grace: the file, then the row", async () => {
  const { blobs, index, clock, write } = await site();
  const [gone, kept] = [await write(), await write()];
  await index.commit(new CommitBuilder().put(blobRowKey(SPACE.garbage, gone.ref.id), Buffer.alloc(0)));
  const options = { blobs, index, clock, graceMs: 1000 };
  assert.deepEqual(await collectGarbage(options), { removed: 0, waiting: 1 });
  clock.ms += 999;
  assert.deepEqual(await collectGarbage(options), { removed: 0, waiting: 1 });
  assert.equal(await blobs.examine(gone.ref, true), "ok");
  clock.ms += 1;
  assert.deepEqual(await collectGarbage(options), { removed: 1, waiting: 0 });
  assert.equal(await blobs.examine(gone.ref, false), "missing");
  assert.equal(await blobs.examine(kept.ref, false), "ok");
  assert.deepEqual(await index.scan(garbage, { limit: 9 }), []);
});

test("a clock that is set back delays garbage by one grace, not by as much as that", async () => {
  const { blobs, index, clock, write } = await site();
  const { ref } = await write();
  await index.commit(new CommitBuilder().put(blobRowKey(SPACE.garbage, ref.id), Buffer.alloc(0)));
  const options = { blobs, index, clock, graceMs: 1000 };
  await collectGarbage(options);
  clock.ms -= 1_000_000_000;
  assert.deepEqual(await collectGarbage(options), { removed: 0, waiting: 1 });
  clock.ms += 999;
  assert.deepEqual(await collectGarbage(options), { removed: 0, waiting: 1 });
  clock.ms += 1;
  assert.deepEqual(await collectGarbage(options), { removed: 1, waiting: 0 });
});

test("a collector that died between file and row finishes the next time", async () => {
  const { blobs, index, clock, write } = await site();
  const blob = await write();
  await index.commit(new CommitBuilder().put(blobRowKey(SPACE.garbage, blob.ref.id), Buffer.alloc(0)));
  await blobs.discard(blob.ref.id);
  assert.deepEqual(await collectGarbage({ blobs, index, clock, graceMs: 0 }), { removed: 1, waiting: 0 });
  assert.deepEqual(await index.scan(garbage, { limit: 9 }), []);
});

test("many rows are taken in bounded steps", async () => {
  const { blobs, index, clock } = await site();
  const commit = new CommitBuilder();
  for (let i = 0; i < 1000; i++)
    commit.put(blobRowKey(SPACE.garbage, randomBytes(16).toString("hex")), Buffer.alloc(0));
  await index.commit(commit);
  assert.equal((await collectGarbage({ blobs, index, clock, graceMs: 5 })).waiting, 1000);
  clock.ms += 5;
  assert.equal((await collectGarbage({ blobs, index, clock, graceMs: 5 })).removed, 1000);
});

test("the sweep removes old files that no row names, and only those", async () => {
  const { files, blobs, index, clock, write } = await site();
  const written: WrittenBlob[] = [];
  for (let i = 0; i < 40; i++) written.push(await write());
  const [version, part, uploaded, waiting, ...orphans] = written.map((blob) => blob.ref);
  assert.ok(version !== undefined && part !== undefined && uploaded !== undefined && waiting !== undefined);
  await index.commit(
    new CommitBuilder()
      .put(Buffer.from("Vx"), encodeRow({ kind: "object", blob: version }))
      .put(Buffer.from("Px"), encodeRow({ parts: [{ number: 1, blob: part }] }))
      .put(Buffer.from("Qx"), encodeRow({ number: 1, blob: uploaded }))
      .put(blobRowKey(SPACE.garbage, waiting.id), Buffer.alloc(0)),
  );
  const staged = await files.create("/site/staging/left");
  await staged.write(Buffer.from("x"));
  const oldest = (await files.stat(`/site/blobs/${version.id.slice(0, 2)}/${version.id}`)).ctimeMs;
  clock.ms = oldest + 500;
  assert.deepEqual(await sweepOrphans({ blobs, index, clock, minAgeMs: 1000 }), { removed: 0, staged: 0 });
  clock.ms += 10_000;
  const swept = await sweepOrphans({ blobs, index, clock, minAgeMs: 1000 });
  assert.deepEqual(swept, { removed: orphans.length, staged: 1 });
  for (const ref of [version, part, uploaded, waiting]) assert.equal(await blobs.examine(ref, true), "ok");
});

test("staging files from before the start go, later ones stay", async () => {
  const { files, blobs } = await site();
  await (await files.create("/site/staging/old")).write(Buffer.from("x"));
  const startedMs = (await files.stat("/site/staging/old")).ctimeMs + 1;
  await (await files.create("/site/staging/new")).write(Buffer.from("x"));
  assert.equal(await emptyOldStaging(blobs, startedMs), 1);
  assert.deepEqual(await files.list("/site/staging"), ["new"]);
});
