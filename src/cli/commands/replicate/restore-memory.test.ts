import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RestoreMemory } from "./restore-memory.ts";

test("what is remembered adds up, outlives the process and half a write, and is of one bucket", () => {
  const dir = mkdtempSync(join(tmpdir(), "restore-memory-"));
  try {
    const memory = new RestoreMemory(dir, "baker/b");
    assert.deepEqual(memory.read(), {});
    memory.add({ making: true });
    memory.add({ disabled: ["r1"] });
    memory.add({ making: false });
    writeFileSync(join(dir, "restore", "baker--b.json.new"), '{"disab');
    assert.deepEqual(new RestoreMemory(dir, "baker/b").read(), { making: false, disabled: ["r1"] });
    assert.deepEqual(new RestoreMemory(dir, "baker/c").read(), {});
    memory.add({ resync: { id: "x", deep: false } });
    memory.forget();
    assert.deepEqual([memory.read(), readdirSync(join(dir, "restore"))], [{}, []]);
    memory.forget();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
