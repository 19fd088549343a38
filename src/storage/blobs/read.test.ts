import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../../model/errors.ts";
import { systemRandom } from "../../runtime/random.ts";
import { BLOCK_BYTES, MIB, PIECE_BYTES, READ_RING_PIECES, READ_RINGS_BYTES } from "../limits.ts";
import { BlobDamagedError } from "./blobs.ts";
import { CrashFiles } from "./crash-files.ts";
import { openBlobStore } from "./store.ts";

test("a range that is gathered before it is sent keeps its bytes while many long reads are under way", async () => {
  const store = await openBlobStore({ directory: "/data", files: new CrashFiles(), random: systemRandom });
  const bytes = systemRandom.bytes(6 * MIB);
  const { ref } = await store.write(
    (async function* () {
      yield bytes;
    })(),
    { sizeHint: bytes.length, md5: false, sha256: false },
  );
  const others = Array.from({ length: READ_RINGS_BYTES / (READ_RING_PIECES * PIECE_BYTES) }, () =>
    store.read(ref, 0, ref.size)[Symbol.asyncIterator](),
  );
  await Promise.all(others.map((read) => read.next()));
  // Neither end on a block, and far from the end of the file.
  const [start, end] = [BLOCK_BYTES + 7, BLOCK_BYTES + 7 + MIB];
  const pieces: Buffer[] = [];
  for await (const piece of store.read(ref, start, end)) pieces.push(piece);
  assert.ok(Buffer.concat(pieces).equals(bytes.subarray(start, end)));
  await Promise.all(others.map((read) => read.return?.()));
});

test("a read for which no descriptor is left is to be tried again, and no damage", async () => {
  const files = new CrashFiles();
  const store = await openBlobStore({ directory: "/data", files, random: systemRandom });
  const body = (async function* () {
    yield systemRandom.bytes(MIB);
  })();
  const { ref } = await store.write(body, { sizeHint: MIB, md5: false, sha256: false });
  files.failAt(files.calls + 1, "EMFILE");
  const read = store.read(ref, 0, ref.size)[Symbol.asyncIterator]();
  await assert.rejects(read.next(), (error) => hasCode(error, "SlowDown"));
  for await (const piece of store.read(ref, 0, ref.size)) assert.ok(piece.length > 0);
});

test("lent memory is nobody else's while its piece is held", async () => {
  const store = await openBlobStore({ directory: "/data", files: new CrashFiles(), random: systemRandom });
  const blobs = await Promise.all(
    [MIB, 3 * MIB + 11, 300 * 1024]
      .flatMap((size) => [
        { size, sealKey: undefined },
        { size, sealKey: systemRandom.bytes(32) },
      ])
      .map(async ({ size, sealKey }) => {
        const bytes = systemRandom.bytes(size);
        const body = (async function* () {
          yield bytes;
        })();
        const { ref } = await store.write(body, { sizeHint: size, md5: false, sha256: false, sealKey });
        return { ref, bytes, sealKey };
      }),
  );
  const readOne = async (turn: number): Promise<void> => {
    const { ref, bytes, sealKey } = blobs[turn % blobs.length] as (typeof blobs)[number];
    const start = (turn * 7919 * 13) % (bytes.length >> 1);
    let at = start;
    for await (const piece of store.read(ref, start, bytes.length, undefined, true, sealKey)) {
      // Others read on while this one holds the piece.
      for (let i = 0; i < turn % 5; i++) await Promise.resolve();
      assert.ok(piece.equals(bytes.subarray(at, at + piece.length)), `read ${turn} at ${at}`);
      at += piece.length;
      if (turn % 11 === 0) return;
    }
    assert.equal(at, bytes.length);
  };
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 60 }, (_, i) => readOne(round * 60 + i)));
  }
});

test("a read that fails while its reader has the piece before is told to the reader, not to the process", async () => {
  const files = new CrashFiles();
  const store = await openBlobStore({ directory: "/data", files, random: systemRandom });
  const bytes = systemRandom.bytes(3 * MIB);
  const body = (async function* () {
    yield bytes;
  })();
  const { ref } = await store.write(body, { sizeHint: bytes.length, md5: false, sha256: false });
  // Opening, the table of checksums, the first piece, and then a bad sector.
  files.failAt(files.calls + 4, "EIO");
  const pieces = store.read(ref, 0, ref.size)[Symbol.asyncIterator]();
  await pieces.next();
  // A slow client has the first piece: everything that is ready runs, unhandled rejections told included.
  await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(pieces.next(), BlobDamagedError);
});
