import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "../../runtime/random.ts";
import { BLOCK_BYTES, MIB, PIECE_BYTES, READ_RING_PIECES, READ_RINGS_BYTES } from "../limits.ts";
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
