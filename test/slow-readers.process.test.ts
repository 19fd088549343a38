/** Many clients that read at their own pace, over and over: each gets its own bytes, whatever memory they came by. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { dice, seedOf } from "./support/random.ts";
import { cleanUp, startServer } from "./support/server.ts";
import { putParts, Site } from "./support/site.ts";

const BUCKET = "data";
const MIB = 1 << 20;
const READERS = 24;
const READS = 12;
const seed = seedOf("slow-readers");
const d = dice(seed);
const objects = new Map<string, Buffer>();
let site: Site;

/** Bytes that differ everywhere and between objects. */
function bytesOf(size: number): Buffer {
  const out = Buffer.allocUnsafe(size);
  let x = d.below(2 ** 31) | 1;
  for (let i = 0; i < size; i++) {
    x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
    out[i] = x >>> 16;
  }
  return out;
}

before(async () => {
  site = new Site(await startServer(), {});
  await site.makeBucket(BUCKET);
  for (const size of [70_000, 300_000, MIB, MIB + 1, 3 * MIB + 17]) {
    const body = bytesOf(size);
    objects.set(`one-${size}`, body);
    await site.text("PUT", BUCKET, { key: `one-${size}`, body });
  }
  const parts = [bytesOf(5 * MIB), bytesOf(5 * MIB + 3), bytesOf(11)];
  objects.set("parts", Buffer.concat(parts));
  assert.notEqual(await putParts(site, BUCKET, "parts", parts), undefined);
});
after(async () => {
  await site.close();
  await cleanUp();
});

/** Reads a range and looks at every piece as it comes; sometimes hesitates, sometimes goes away. */
async function read(): Promise<void> {
  const [key, body] = d.pick([...objects]);
  const start = d.oneIn(2) ? 0 : d.below(body.length);
  const end = d.oneIn(2) ? body.length : Math.min(body.length, start + 1 + d.below(2 * MIB));
  const answer = await site.call("GET", BUCKET, { key, headers: { range: `bytes=${start}-${end - 1}` } });
  assert.equal(answer.status, 206);
  let at = start;
  for await (const piece of answer.stream) {
    assert.ok(body.subarray(at, at + piece.length).equals(piece), `${key} ${start}-${end} at ${at}, seed ${seed}`);
    at += piece.length;
    if (d.oneIn(20)) for (let i = d.below(30); i > 0; i--) await turn();
    if (d.oneIn(400)) return;
  }
  assert.equal(at, end, `${key} ${start}-${end}, seed ${seed}`);
}

test("ranges of all sizes, read side by side", { timeout: 120_000 }, async () => {
  await Promise.all(
    Array.from({ length: READERS }, async () => {
      for (let i = 0; i < READS; i++) await read();
    }),
  );
});
