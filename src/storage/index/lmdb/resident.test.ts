import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { releasePages, residentFileBytes } from "../../../runtime/resident-pages.ts";
import { openLmdbIndex } from "./index.ts";

const MIB = 1024 * 1024;
const ROWS = 64;

test("pages of the index that were read are no memory of the process once they are given back, and read as before", async () => {
  const path = mkdtempSync(join(tmpdir(), "resilver-resident-"));
  const index = await openLmdbIndex({ path });
  try {
    const key = (at: number): Buffer => Buffer.from(`k${String(at).padStart(4, "0")}`);
    const puts = Array.from({ length: ROWS }, (_, at) => ({ key: key(at), value: Buffer.alloc(MIB, at) }));
    await index.commit({ checks: [], puts, deletes: [], adds: [] });
    const readAll = async (): Promise<void> => {
      for (let at = 0; at < ROWS; at++) assert.deepEqual(await index.get(key(at)), Buffer.alloc(MIB, at));
    };
    await readAll();
    const before = residentFileBytes();
    assert.ok(before !== undefined);
    assert.equal(await releasePages(join(path, "data.mdb")), true);
    const after = residentFileBytes() ?? before;
    assert.ok(before - after > (ROWS / 2) * MIB, `${before} bytes before, ${after} after`);
    await readAll();
  } finally {
    await index.close();
    rmSync(path, { recursive: true });
  }
});
