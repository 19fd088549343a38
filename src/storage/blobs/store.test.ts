import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hasCode } from "../../model/errors.ts";
import { systemRandom } from "../../runtime/random.ts";
import { MIB } from "../limits.ts";
import type { BlobStore, WriteOptions, WrittenBlob } from "./blobs.ts";
import { blobContract, bodyOf, readAll, type BlobSite } from "./contract.ts";
import { CrashFiles, type Torn } from "./crash-files.ts";
import { DirectorySyncs } from "./directory-syncs.ts";
import { openBlobStore } from "./store.ts";

const root = mkdtempSync(join(tmpdir(), "resilver-blobs-"));
after(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const NONE: WriteOptions = { md5: false, sha256: false };
const pathIn = (directory: string, id: string): string => join(directory, "blobs", id.slice(0, 2), id);

blobContract("blobs on the machine's files", async (): Promise<BlobSite> => {
  const directory = join(root, String(count++));
  return {
    store: await openBlobStore({ directory, random: systemRandom }),
    async damage(id, change, touched) {
      const path = pathIn(directory, id);
      const { atime, mtime, mtimeMs } = statSync(path);
      writeFileSync(path, change(readFileSync(path)));
      if (touched) utimesSync(path, atime, new Date(mtimeMs + 5000));
      else utimesSync(path, atime, mtime);
    },
    async remove(id) {
      unlinkSync(pathIn(directory, id));
    },
  };
});

blobContract("blobs on files that forget", async (): Promise<BlobSite> => {
  const files = new CrashFiles();
  return {
    store: await openBlobStore({ directory: "/site", files, random: systemRandom }),
    async damage(id, change, touched) {
      files.damage(pathIn("/site", id), change, touched);
    },
    remove: (id) => files.unlink(pathIn("/site", id)),
  };
});

/** An operation of a store, as the crash tests replay it. */
type Operation = (store: BlobStore) => Promise<WrittenBlob>;

const write =
  (bytes: Buffer): Operation =>
  (store) =>
    store.write(bodyOf(bytes, 70_000), NONE);
const linked =
  (bytes: Buffer): Operation =>
  async (store) => {
    const blob = await write(bytes)(store);
    return { ...blob, ref: await store.link(blob.ref) };
  };

/** Every change of names has happened; of bytes that were not synced so many are there, the first half of them as zeros. */
const torn = (kept: (length: number) => number): Torn => ({
  hasHappened: () => true,
  bytes(synced, written) {
    const bytes = Buffer.from(written.subarray(0, synced.length + kept(written.length - synced.length)));
    bytes.fill(0, synced.length, (synced.length + bytes.length) >> 1);
    return bytes;
  },
});

test("what was answered survives a crash at any later moment; what was not leaves only garbage", async () => {
  const small = randomBytes(100_000);
  const large = randomBytes(MIB + 7);
  const cases: [Operation, Buffer][] = [
    [write(small), small],
    [write(large), large],
    [linked(small), small],
  ];
  // Nothing but what was synced; all names with zeros or half of their bytes; only the names.
  const tears: (Torn | undefined)[] = [
    undefined,
    torn((length) => length),
    torn((length) => length >> 1),
    torn(() => 0),
  ];
  for (const { operation, bytes, tear } of cases.flatMap(([operation, bytes]) =>
    tears.map((tear) => ({ operation, bytes, tear })),
  )) {
    for (let call = 1, finished = false; !finished; call++) {
      const files = new CrashFiles();
      let store = await openBlobStore({ directory: "/site", files, random: systemRandom });
      const before = await write(small)(store);
      files.dieAt(files.calls + call);
      const blob = await operation(store).catch(() => undefined);
      finished = blob !== undefined;
      files.crash(tear);
      store = await openBlobStore({ directory: "/site", files, random: systemRandom });
      assert.ok((await readAll(store, before)).equals(small));
      if (blob !== undefined) assert.ok((await readAll(store, blob)).equals(bytes));
      await store.emptyStaging(Infinity);
      assert.deepEqual(await files.list("/site/staging"), []);
      assert.ok((await readAll(store, await write(small)(store))).equals(small), "the store goes on");
    }
  }
});

test("a crash while a new store is made is repaired by the next start", async () => {
  for (let call = 1, finished = false; !finished; call += 17) {
    const files = new CrashFiles();
    files.dieAt(call);
    finished = await openBlobStore({ directory: "/site", files, random: systemRandom }).then(
      () => true,
      () => false,
    );
    files.crash();
    const store = await openBlobStore({ directory: "/site", files, random: systemRandom });
    const bytes = randomBytes(50_000);
    const blob = await write(bytes)(store);
    files.crash();
    assert.ok((await readAll(store, blob)).equals(bytes));
  }
});

test("a failing call fails the write with the right code and leaves nothing staged", async () => {
  const failures = [
    ["ENOSPC", "XMinioStorageFull"],
    ["EACCES", "InternalError"],
    ["EMFILE", "SlowDown"],
  ] as const;
  for (const size of [100_000, MIB]) {
    for (let call = 1, finished = false; !finished; call++) {
      const files = new CrashFiles();
      const store = await openBlobStore({ directory: "/site", files, random: systemRandom });
      const [system, told] = failures[call % failures.length] as (typeof failures)[number];
      files.failAt(files.calls + call, system);
      const result = await write(randomBytes(size))(store).catch((error: unknown) => error);
      finished = !(result instanceof Error);
      if (!finished) assert.ok(hasCode(result, told), String(result));
      if (finished) continue;
      for await (const { id } of store.list()) assert.fail(`${id}: a name that is not durable is taken back`);
    }
  }
});

test("a full disk refuses the write and takes the next that fits", async () => {
  const files = new CrashFiles();
  const store = await openBlobStore({ directory: "/site", files, random: systemRandom });
  files.leaveRoom(300_000);
  for (const size of [400_000, MIB]) {
    await assert.rejects(write(randomBytes(size))(store), (error) => hasCode(error, "XMinioStorageFull"));
    files.leaveRoom(300_000);
  }
  assert.deepEqual(await files.list("/site/staging"), []);
  const bytes = randomBytes(100_000);
  assert.ok((await readAll(store, await write(bytes)(store))).equals(bytes));
});

test("a blob directory that somebody removed is made again", async () => {
  const directory = join(root, String(count++));
  const store = await openBlobStore({ directory, random: systemRandom });
  rmSync(join(directory, "blobs"), { recursive: true });
  const bytes = randomBytes(50_000);
  const blob = await write(bytes)(store);
  assert.ok((await readAll(store, blob)).equals(bytes));
  await store.close();
});

test("syncs of one directory asked for together are shared, never with one that began before", async () => {
  const files = new CrashFiles();
  await files.makeDirectory("/d");
  let running = 0;
  let started = 0;
  const release: (() => void)[] = [];
  files.syncDirectory = async () => {
    assert.equal(++running, 1, "one at a time");
    started++;
    await new Promise<void>((resolve) => release.push(resolve));
    running--;
  };
  const syncs = new DirectorySyncs(files);
  const first = syncs.sync("/d");
  const later = [syncs.sync("/d"), syncs.sync("/d"), syncs.sync("/d")];
  assert.equal(started, 1);
  release.shift()?.();
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(started, 2);
  release.shift()?.();
  await Promise.all(later);
  const again = syncs.sync("/d");
  assert.equal(started, 3);
  release.shift()?.();
  await again;
});
