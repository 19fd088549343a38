/** Large bodies' files on the machine's own file system, whether it takes direct writes or not. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { alignedMemory } from "../../runtime/aligned-memory.ts";
import { DIRECT_BLOCK_BYTES, GATHER_BYTES } from "../limits.ts";
import { StagedFile } from "./staged-file.ts";

const directory = mkdtempSync(join(tmpdir(), "staged-file-"));
after(() => rmSync(directory, { recursive: true }));

let files = 0;
const newPath = (): string => join(directory, String(files++));

const fail = (error: unknown): never => {
  throw error;
};

/** Appends the pieces a few at a time, as they come from the network. */
async function written(pieces: readonly Uint8Array[]): Promise<{ path: string; order: number[] }> {
  const path = newPath();
  const file = new StagedFile(path, fail);
  const order: number[] = [];
  for (const [i, piece] of pieces.entries()) {
    const kept = Buffer.from(piece);
    file.append(piece, () => {
      assert.ok(kept.equals(piece), "the bytes are still the caller's");
      order.push(i);
    });
    if (i % 3 === 2) await new Promise((resolve) => setImmediate(resolve));
  }
  const mtime = await new Promise<bigint>((resolve) => file.finish(resolve));
  assert.ok(mtime > 0n);
  return { path, order };
}

async function check(pieces: readonly Uint8Array[]): Promise<void> {
  const { path, order } = await written(pieces);
  const wanted = Buffer.concat(pieces);
  const got = readFileSync(path);
  assert.equal(got.length, wanted.length);
  assert.ok(got.equals(wanted), "the file has the bytes");
  assert.deepEqual(
    order,
    pieces.map((_, i) => i),
    "each piece is given back, in turn",
  );
  rmSync(path);
}

/** A piece of so many bytes that begins so far behind a page boundary. */
function piece(length: number, shift: number): Uint8Array {
  const bytes = new Uint8Array(alignedMemory(length + shift), shift, length);
  bytes.set(randomBytes(length));
  return bytes;
}

test("pieces of any size, wherever they lie in memory", async () => {
  const length = fc.oneof(
    fc.integer({ min: 0, max: 5 }).map((blocks) => blocks * DIRECT_BLOCK_BYTES),
    fc.integer({ min: 1, max: 3 * DIRECT_BLOCK_BYTES }),
    fc.constantFrom(GATHER_BYTES - 1, GATHER_BYTES, GATHER_BYTES + 17),
  );
  const shape = fc.record({ length, shift: fc.constantFrom(0, 0, 0, 16, 4095, DIRECT_BLOCK_BYTES) });
  await fc.assert(
    fc.asyncProperty(fc.array(shape, { maxLength: 9 }), (shapes) =>
      check(shapes.map(({ length: bytes, shift }) => piece(bytes, shift))),
    ),
    { numRuns: 60 },
  );
});

test("memory that only looks aligned: the file is written through the page cache, from there on or from the start", async () => {
  // Its offset is 0, its address is not a multiple of a page.
  const looks = new Uint8Array(new SharedArrayBuffer(64 * DIRECT_BLOCK_BYTES));
  looks.set(randomBytes(looks.length));
  await check([looks, piece(100, 0)]);
  await check([piece(3 * DIRECT_BLOCK_BYTES, 0), looks, piece(5000, 7), looks]);
  await check([piece(100, 0), looks, looks]);
});

test("a file that is given up is gone, and its pieces come back", async () => {
  const path = newPath();
  const file = new StagedFile(path, fail);
  let back = 0;
  for (let i = 0; i < 5; i++) file.append(piece(DIRECT_BLOCK_BYTES, i), () => back++);
  file.finish(() => assert.fail("it was given up"));
  await new Promise<void>((resolve) => file.abandon(resolve));
  assert.equal(back, 5);
  assert.ok(!existsSync(path));
});

test("an existing file is not written to", () => {
  const path = newPath();
  new StagedFile(path, fail).abandon(() => undefined);
  new StagedFile(path, fail);
  assert.throws(() => new StagedFile(path, fail), { code: "EEXIST" });
});
