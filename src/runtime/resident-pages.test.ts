import assert from "node:assert/strict";
import { test } from "node:test";
import { readOnlyMaps } from "./resident-pages.ts";

test("only read-only shared maps of that very file are given back", () => {
  const maps = [
    "7ff3fcc00000-7ff47cc00000 r--s 00000000 fe:00 9994954                    /data/a b/index/data.mdb",
    "7ff4cf03f000-7ff4cf042000 rw-s 00000000 fe:00 9994955                    /data/a b/index/lock.mdb",
    "7ff4d0000000-7ff4d1000000 rw-s 00000000 fe:00 9994954                    /data/a b/index/data.mdb",
    "7ff4e0000000-7ff4e1000000 r--p 00000000 fe:00 9994954                    /data/a b/index/data.mdb",
    "7ff4f0000000-7ff4f1000000 r--s 00000000 fe:00 9994954                    /data/a b/index/data.mdb (deleted)",
    "7ff500000000-7ff501000000 rw-p 00000000 00:00 0",
    "",
  ].join("\n");
  assert.deepEqual(readOnlyMaps(maps, "/data/a b/index/data.mdb"), [{ start: 0x7ff3fcc00000n, end: 0x7ff47cc00000n }]);
  assert.deepEqual(readOnlyMaps(maps, "/data"), []);
});
