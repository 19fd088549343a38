import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../../model/errors.ts";
import { MIB, SPACE_CHECK_WRITES } from "../limits.ts";
import { realFiles } from "./files.ts";
import { DiskSpace } from "./space.ts";

/** A file system of 160 MiB, of which 10 MiB are the reserve. */
function disk(freeMib: number): { space: DiskSpace; state: { free: number; asked: number } } {
  const state = { free: freeMib * MIB, asked: 0 };
  const files = {
    ...realFiles,
    async space() {
      state.asked++;
      return { free: state.free, total: 160 * MIB };
    },
  };
  return { space: new DiskSpace(files, "/"), state };
}

const refused = (error: unknown): boolean => hasCode(error, "XMinioStorageFull");

test("bodies are refused before the reserve is touched, and taken again when there is room", async () => {
  const { space, state } = disk(30);
  await assert.rejects(async () => space.begin(21 * MIB), refused, "what cannot end is not begun");
  await space.begin(20 * MIB);
  await space.take(15 * MIB);
  state.free = 15 * MIB;
  await assert.rejects(async () => space.take(6 * MIB), refused);
  await space.take(5 * MIB);
  state.free = 10 * MIB;
  assert.equal(await space.low(), true);
  await assert.rejects(async () => space.take(1), refused);
  state.free = 20 * MIB;
  assert.deepEqual([await space.low(), await space.low()], [true, false]);
  await space.take(9 * MIB);
});

test("a body that is larger than what is left makes the disk low, until that was asked: garbage may be what is in its way", async () => {
  const { space } = disk(30);
  await assert.rejects(async () => space.begin(21 * MIB), refused);
  assert.deepEqual([await space.low(), await space.low()], [true, false]);
  await space.begin(20 * MIB);
  assert.equal(await space.low(), false);
});

test("the system is asked once in a while, not for each body", async () => {
  const { space, state } = disk(100);
  for (let i = 0; i <= SPACE_CHECK_WRITES; i++) {
    await space.begin(1000);
    await space.take(1000);
  }
  assert.equal(state.asked, 1);
  for (let i = 0; i < 2; i++) await space.begin(1000);
  assert.equal(state.asked, 2, "each also costs pages of the index");
  for (let i = 0; i < 6; i++) await space.take(MIB);
  assert.equal(state.asked, 3, "half a reserve was written");
});

test("a file layer that cannot tell has room without end", async () => {
  const { space: _, ...files } = realFiles;
  const space = new DiskSpace(files, "/");
  await space.begin(1e15);
  await space.take(1e15);
  assert.equal(await space.low(), false);
});
