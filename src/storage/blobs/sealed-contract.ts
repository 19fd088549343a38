/** What every blob store must do with sealed bodies, as tests: round trips, ranges, and damage of every kind. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { INLINE_BYTES_MAX, MIB, SLAB_BYTES, SMALL_BODY_BYTES_MAX } from "../limits.ts";
import { BlobDamagedError, type BlobStore, type WrittenBlob } from "./blobs.ts";
import { bodyOf, type On } from "./contract.ts";
import { PACKAGE_BYTES, SEALED_PACKAGE_BYTES, sealedSize } from "./seal.ts";

const KEY = randomBytes(32);

async function write(store: BlobStore, bytes: Buffer, chunk = 100_000, sizeHint?: number): Promise<WrittenBlob> {
  return store.write(bodyOf(bytes, chunk), { md5: true, sha256: false, sealKey: KEY, sizeHint });
}

async function readPlain(store: BlobStore, blob: WrittenBlob, start: number, end: number, key = KEY): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of store.read(blob.ref, start, end, blob.inlineRow, start % 2 === 0, key))
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

async function readStored(store: BlobStore, blob: WrittenBlob): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of store.read(blob.ref, 0, blob.ref.size, blob.inlineRow)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const corrupt = (error: unknown): boolean => error instanceof BlobDamagedError && error.state === "corrupt";

const SIZES = [
  0,
  1,
  INLINE_BYTES_MAX - 32,
  INLINE_BYTES_MAX - 31,
  PACKAGE_BYTES - 1,
  PACKAGE_BYTES,
  PACKAGE_BYTES + 1,
  SMALL_BODY_BYTES_MAX,
  SMALL_BODY_BYTES_MAX + 1,
  5 * SLAB_BYTES,
  16 * PACKAGE_BYTES + 1,
  3 * MIB + 12_345,
];

export function sealedBodies(on: On): void {
  on("sealed bodies come back, and nothing of them lies in the store", async ({ store }) => {
    for (const size of SIZES) {
      const bytes = randomBytes(size);
      for (const [chunk, hint] of [
        [size + 1, size],
        [7001, undefined],
      ] as const) {
        const blob = await write(store, bytes, chunk, hint);
        assert.equal(blob.size, size);
        assert.equal(blob.ref.size, sealedSize(size));
        assert.equal(blob.ref.inline, sealedSize(size) <= INLINE_BYTES_MAX);
        assert.equal(blob.md5, createHash("md5").update(bytes).digest("hex"));
        assert.ok((await readPlain(store, blob, 0, size)).equals(bytes), `${size} bytes`);
        assert.equal(await store.examine(blob.ref, true, blob.inlineRow), "ok");
        if (size >= 16) assert.ok(!(await readStored(store, blob)).includes(bytes.subarray(0, 16)));
      }
    }
  });

  on("ranges of sealed bodies", async ({ store }) => {
    const bytes = randomBytes(2 * MIB + 3 * PACKAGE_BYTES + 77);
    for (const size of [bytes.length, 150_000, 2 * PACKAGE_BYTES, 9000]) {
      const blob = await write(store, bytes.subarray(0, size));
      const edge = fc
        .nat(Math.ceil(size / PACKAGE_BYTES))
        .chain((n) => fc.integer({ min: -1, max: 1 }).map((d) => n * PACKAGE_BYTES + d));
      const position = fc.oneof(fc.nat(size), edge).map((at) => Math.max(0, Math.min(size, at)));
      await fc.assert(
        fc.asyncProperty(position, position, async (a, b) => {
          const [start, end] = [Math.min(a, b), Math.max(a, b)];
          assert.ok((await readPlain(store, blob, start, end)).equals(bytes.subarray(start, end)));
        }),
        { numRuns: 60 },
      );
    }
  });

  on("a sealed body opens with its own key only", async ({ store }) => {
    for (const size of [10, 500_000]) {
      const blob = await write(store, randomBytes(size));
      await assert.rejects(readPlain(store, blob, 0, size, randomBytes(32)), corrupt);
    }
  });

  on("flipped, cut, swapped and foreign packages are damage, never bytes", async ({ store, damage }) => {
    const bytes = randomBytes(5 * PACKAGE_BYTES + 100);
    const other = randomBytes(bytes.length);
    const changes: readonly ((file: Buffer, foreign: Buffer) => Buffer)[] = [
      (file) => flipped(file, 3 * SEALED_PACKAGE_BYTES + 5),
      (file) => flipped(file, sealedSize(bytes.length) - 1),
      (file) => flipped(file, SEALED_PACKAGE_BYTES - 1),
      (file) => file.subarray(0, 4 * SEALED_PACKAGE_BYTES),
      (file) => {
        const copy = Buffer.from(file);
        file.copy(copy, 0, SEALED_PACKAGE_BYTES, 2 * SEALED_PACKAGE_BYTES);
        file.copy(copy, SEALED_PACKAGE_BYTES, 0, SEALED_PACKAGE_BYTES);
        return copy;
      },
      (_file, foreign) => foreign,
    ];
    for (const change of changes) {
      const blob = await write(store, bytes);
      const stranger = await store.write(bodyOf(other, 100_000), {
        md5: false,
        sha256: false,
        sealKey: randomBytes(32),
      });
      const foreign = await readStored(store, stranger);
      await damage(blob.ref.id, (file) => change(file, foreign), false);
      await assert.rejects(readPlain(store, blob, 0, bytes.length), corrupt);
      assert.notEqual(await store.examine(blob.ref, true), "ok");
    }
  });

  on("a second name for sealed bytes", async ({ store }) => {
    const bytes = randomBytes(300_000);
    const blob = await write(store, bytes);
    const ref = await store.link({ ...blob.ref, salt: "00" });
    assert.equal(ref.salt, "00");
    assert.ok((await readPlain(store, { ...blob, ref }, 0, bytes.length)).equals(bytes));
  });
}

function flipped(file: Buffer, at: number): Buffer {
  const copy = Buffer.from(file);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}
