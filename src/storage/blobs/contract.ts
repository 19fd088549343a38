/** What every blob store on a file layer must do, as tests: once on the machine's files, once on those that forget. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { StoreError } from "../../model/errors.ts";
import { BLOCK_BYTES, INLINE_BYTES_MAX, MIB, PIECE_BYTES, SLAB_BYTES, SMALL_BODY_BYTES_MAX } from "../limits.ts";
import { BlobDamagedError, type BlobStore, type WriteOptions, type WrittenBlob } from "./blobs.ts";
import { fileLength } from "./format.ts";
import { sealedBodies } from "./sealed-contract.ts";

export interface BlobSite {
  readonly store: BlobStore;
  /** Changes the file of a blob; `touched`: its mtime moves, as a careless tool would do. */
  damage(blobId: string, change: (bytes: Buffer) => Buffer, touched: boolean): Promise<void>;
  remove(blobId: string): Promise<void>;
}

const ALL: WriteOptions = { md5: true, sha256: true, checksum: "CRC32" };
const NONE: WriteOptions = { md5: false, sha256: false };

export async function* bodyOf(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export async function readAll(store: BlobStore, blob: WrittenBlob, start = 0, end = blob.size): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of store.read(blob.ref, start, end, blob.inlineRow)) {
    assert.ok(piece.length > 0 && piece.length <= PIECE_BYTES);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function idsOf(store: BlobStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of store.list()) ids.push(id);
  return ids.toSorted();
}

const SIZES = [
  0,
  1,
  INLINE_BYTES_MAX,
  INLINE_BYTES_MAX + 1,
  BLOCK_BYTES,
  BLOCK_BYTES + 1,
  SMALL_BODY_BYTES_MAX,
  SMALL_BODY_BYTES_MAX + 1,
  5 * SLAB_BYTES,
  3 * MIB + 12_345,
];

export type On = (title: string, run: (site: BlobSite) => Promise<void>) => void;

/** Registers the suite. `make` gives an empty store each time; the suite closes it. */
export function blobContract(name: string, make: () => Promise<BlobSite>): void {
  const on: On = (title, run) => {
    test(`${name}: ${title}`, async () => {
      const site = await make();
      try {
        await run(site);
      } finally {
        await site.store.close();
      }
    });
  };
  roundTrips(on);
  sealedBodies(on);
  damages(on);
  housekeeping(on);
}

function roundTrips(on: On): void {
  on("bytes come back, with the right digests, whatever the size and the chunks", async ({ store }) => {
    for (const size of SIZES) {
      const bytes = randomBytes(size);
      for (const [chunk, sizeHint] of [
        [size + 1, size],
        [100_000, undefined],
        [7001, size],
      ] as const) {
        const blob = await store.write(bodyOf(bytes, chunk), { ...ALL, sizeHint });
        assert.equal(blob.size, size);
        assert.equal(blob.ref.size, size);
        assert.equal(blob.ref.inline, size <= INLINE_BYTES_MAX);
        assert.equal(blob.inlineRow !== undefined, blob.ref.inline);
        assert.equal(blob.md5, createHash("md5").update(bytes).digest("hex"));
        assert.equal(blob.sha256, createHash("sha256").update(bytes).digest("hex"));
        const crc = Buffer.alloc(4);
        crc.writeUInt32BE(crc32(bytes));
        assert.equal(blob.checksum, crc.toString("base64"));
        assert.ok((await readAll(store, blob)).equals(bytes), `${size} bytes`);
        assert.equal(await store.examine(blob.ref, false, blob.inlineRow), "ok");
        assert.equal(await store.examine(blob.ref, true, blob.inlineRow), "ok");
      }
    }
  });

  on("ranges", async ({ store }) => {
    const bytes = randomBytes(2 * MIB + 3 * BLOCK_BYTES + 77);
    for (const size of [bytes.length, 150_000, 9000]) {
      const blob = await store.write(bodyOf(bytes.subarray(0, size), 65_536), NONE);
      const position = fc.oneof(
        fc.nat(size),
        fc.nat(Math.floor(size / BLOCK_BYTES)).map((block) => block * BLOCK_BYTES),
      );
      await fc.assert(
        fc.asyncProperty(position, position, async (a, b) => {
          const [start, end] = [Math.min(a, b), Math.max(a, b)];
          assert.ok((await readAll(store, blob, start, end)).equals(bytes.subarray(start, end)));
        }),
        { numRuns: 40 },
      );
    }
  });

  on("a lent piece is read before the next one is asked for", async ({ store }) => {
    async function* lent(bytes: Buffer): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += 60_000) {
        const piece = Buffer.from(bytes.subarray(at, at + 60_000));
        yield piece;
        piece.fill(0);
      }
    }
    for (const size of [INLINE_BYTES_MAX, SMALL_BODY_BYTES_MAX - 1, SMALL_BODY_BYTES_MAX + 1, 3 * MIB + 1]) {
      const bytes = randomBytes(size);
      for (const sizeHint of [undefined, size]) {
        const blob = await store.write(lent(bytes), { ...NONE, lent: true, sizeHint });
        assert.ok((await readAll(store, blob)).equals(bytes), `${size} bytes, size hint ${sizeHint}`);
      }
    }
  });

  on("bodies at the same time do not mix", async ({ store }) => {
    const bodies = Array.from({ length: 12 }, (_, i) => randomBytes(SMALL_BODY_BYTES_MAX + i * 123_457));
    const blobs = await Promise.all(bodies.map((bytes) => store.write(bodyOf(bytes, 60_000), ALL)));
    for (const [i, blob] of blobs.entries()) {
      assert.equal(
        blob.md5,
        createHash("md5")
          .update(bodies[i] as Buffer)
          .digest("hex"),
      );
      assert.ok((await readAll(store, blob)).equals(bodies[i] as Buffer));
    }
    assert.equal((await idsOf(store)).length, bodies.length);
  });

  on("a reader that stops early leaves nothing behind", async ({ store }) => {
    const blob = await store.write(bodyOf(randomBytes(4 * MIB), MIB), NONE);
    for await (const piece of store.read(blob.ref, 0, blob.size)) {
      assert.ok(piece.length > 0);
      break;
    }
    assert.equal((await readAll(store, blob)).length, blob.size);
  });
}

function damages(on: On): void {
  on("a flipped byte anywhere is never handed on", async ({ store, damage }) => {
    for (const size of [100_000, 2 * MIB + 5]) {
      const bytes = randomBytes(size);
      for (const at of [0, 65_535, 65_536, size - 1, size, size + 3, fileLength(size) - 32, fileLength(size) - 1]) {
        const blob = await store.write(bodyOf(bytes, 100_000), NONE);
        const flip = (file: Buffer): Buffer => {
          file[at] = (file[at] as number) ^ 1;
          return file;
        };
        await damage(blob.ref.id, flip, true);
        await assert.rejects(readAll(store, blob), isDamaged("corrupt"));
        assert.equal(await store.examine(blob.ref, false), "corrupt", "another stamp: the bytes are looked at");
        assert.equal(await store.examine(blob.ref, true), "corrupt");
        if (at >= 65_536 || size < MIB) continue;
        const far = await readAll(store, blob, MIB, MIB + 10);
        assert.ok(far.equals(bytes.subarray(MIB, MIB + 10)), "blocks that are well can be read");
      }
    }
  });

  on("damage behind the same stamp is found by a deep look, and by reading", async ({ store, damage }) => {
    const blob = await store.write(bodyOf(randomBytes(400_000), 100_000), NONE);
    await damage(blob.ref.id, (file) => file.fill(0, 1000, 1100), false);
    assert.equal(await store.examine(blob.ref, true), "corrupt");
    await assert.rejects(store.link(blob.ref), isDamaged("corrupt"));
    await assert.rejects(readAll(store, blob), isDamaged("corrupt"));
  });

  on("a whole file of another blob is no file of this one", async ({ store, damage }) => {
    for (const size of [100_000, 3 * MIB]) {
      const [one, other] = [
        await store.write(bodyOf(randomBytes(size), 100_000), NONE),
        await store.write(bodyOf(randomBytes(size), 100_000), NONE),
      ];
      let file: Buffer = Buffer.alloc(0);
      await damage(other.ref.id, (bytes) => (file = Buffer.from(bytes)), false);
      await damage(one.ref.id, () => file, true);
      await assert.rejects(readAll(store, one), isDamaged("corrupt"));
      assert.equal(await store.examine(one.ref, false), "corrupt");
    }
  });

  on("touched but whole is ok", async ({ store, damage }) => {
    const blob = await store.write(bodyOf(randomBytes(400_000), 100_000), NONE);
    await damage(blob.ref.id, (file) => file, true);
    assert.equal(await store.examine(blob.ref, false), "ok");
  });

  on("cut, grown, emptied and missing files", async ({ store, damage, remove }) => {
    for (const size of [100_000, 3 * MIB]) {
      for (const length of [0, 10, size, fileLength(size) - 1]) {
        const blob = await store.write(bodyOf(randomBytes(size), 100_000), NONE);
        await damage(blob.ref.id, (file) => file.subarray(0, length), false);
        assert.equal(await store.examine(blob.ref, false), "corrupt");
        await assert.rejects(readAll(store, blob), isDamaged("corrupt"));
        await assert.rejects(store.link(blob.ref), isDamaged("corrupt"));
      }
      const blob = await store.write(bodyOf(randomBytes(size), 100_000), NONE);
      await remove(blob.ref.id);
      assert.equal(await store.examine(blob.ref, false), "missing");
      assert.equal(await store.examine(blob.ref, true), "missing");
      await assert.rejects(readAll(store, blob), isDamaged("missing"));
      await assert.rejects(store.link(blob.ref), isDamaged("missing"));
    }
  });

  on("inline rows: missing, changed, cut", async ({ store }) => {
    const blob = await store.write(bodyOf(randomBytes(500), 100), NONE);
    const row = blob.inlineRow as Buffer;
    const changed = Buffer.from(row);
    changed[100] = (changed[100] as number) ^ 1;
    assert.equal(await store.examine(blob.ref, false, undefined), "missing");
    assert.equal(await store.examine(blob.ref, false, changed), "corrupt");
    assert.equal(await store.examine(blob.ref, false, row.subarray(1)), "corrupt");
    await assert.rejects(readAll(store, { ...blob, inlineRow: changed }), isDamaged("corrupt"));
    await assert.rejects(readAll(store, { ...blob, inlineRow: undefined }), isDamaged("missing"));
  });
}

function isDamaged(state: string): (error: unknown) => boolean {
  return (error) => error instanceof BlobDamagedError && error.state === state;
}

function housekeeping(on: On): void {
  on("a body that fails leaves nothing, and its error comes through", async ({ store }) => {
    for (const size of [10, 100_000, 2 * MIB]) {
      const fault = new Error("the client went away");
      const broken = async function* (): AsyncGenerator<Buffer> {
        yield* bodyOf(randomBytes(size), 50_000);
        throw fault;
      };
      await assert.rejects(store.write(broken(), ALL), (error) => error === fault);
    }
    assert.deepEqual(await idsOf(store), []);
    assert.equal(await store.emptyStaging(Infinity), 0);
  });

  on("a link has a life of its own", async ({ store }) => {
    const bytes = randomBytes(700_000);
    const blob = await store.write(bodyOf(bytes, 100_000), NONE);
    const ref = await store.link(blob.ref);
    assert.notEqual(ref.id, blob.ref.id);
    assert.deepEqual(await idsOf(store), [blob.ref.id, ref.id].toSorted());
    await store.discard(blob.ref.id);
    assert.equal(await store.examine(ref, true), "ok");
    assert.ok((await readAll(store, { ...blob, ref })).equals(bytes));
  });

  on("discard removes; discarding what is absent is fine", async ({ store }) => {
    const blob = await store.write(bodyOf(randomBytes(100_000), 9999), NONE);
    await store.discard(blob.ref.id);
    await store.discard(blob.ref.id);
    assert.equal(await store.examine(blob.ref, false), "missing");
    assert.deepEqual(await idsOf(store), []);
  });

  on("a read under way outlives a discard", async ({ store }) => {
    const bytes = randomBytes(3 * MIB);
    const blob = await store.write(bodyOf(bytes, MIB), NONE);
    const pieces: Buffer[] = [];
    for await (const piece of store.read(blob.ref, 0, blob.size)) {
      if (pieces.length === 0) await store.discard(blob.ref.id);
      pieces.push(piece);
    }
    assert.ok(Buffer.concat(pieces).equals(bytes));
  });

  on("errors are StoreErrors", async ({ store, remove }) => {
    const blob = await store.write(bodyOf(randomBytes(100_000), 9999), NONE);
    await remove(blob.ref.id);
    const error = await readAll(store, blob).catch((failure: unknown) => failure);
    assert.ok(error instanceof BlobDamagedError && !(error instanceof StoreError));
  });
}
