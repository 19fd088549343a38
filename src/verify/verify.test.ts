/** What a verification may not pass over: two sides in memory that only list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SettableClock } from "../objects/testing.ts";
import { isEqual, type VerifyResult } from "./result.ts";
import type { Seen, SeenObject } from "./seen.ts";
import type { Looked } from "./side.ts";
import { verify } from "./verify.ts";

const START_MS = 1_800_000_000_000;

const seen = (key: string, mtimeMs: number): SeenObject => ({
  kind: "object",
  key,
  versionId: "00000000-0000-4000-8000-000000000001",
  mtimeMs,
  precisionMs: 1,
  touchedMs: mtimeMs,
  size: 1,
  etag: "e",
});

function side(name: string, held: () => readonly Seen[]): Looked {
  return {
    name,
    prefix: "",
    resilver: () => Promise.resolve(undefined),
    digests: () => assert.fail("it keeps none"),
    lookAll: () => assert.fail("it keeps no digests"),
    async *list() {
      for (const one of held()) yield { key: one.key, versions: [one] };
    },
    look: async (key) => held().find((one) => one.key === key),
    complete: async (one) => one,
    read: () => assert.fail("nothing is read"),
  };
}

async function compared(
  here: () => readonly Seen[],
  there: () => readonly Seen[],
  clock = new SettableClock(START_MS),
): Promise<VerifyResult> {
  const options = { level: "identity", settleMs: 1, clock, signal: new AbortController().signal } as const;
  const result = await verify(side("source", here), side("target", there), options);
  assert.equal(result.equal + result.different + result.newer, result.compared);
  return result;
}

test("a version from a site whose clock is ahead is judged like any other", async () => {
  const held = () => [seen("k", START_MS + 3_600_000)];
  const lost = await compared(held, () => []);
  assert.deepEqual([lost.different, lost.newer, isEqual(lost)], [1, 0, false]);
  assert.ok(isEqual(await compared(held, held)));
});

test("what was written since the start is on its way and not judged", async () => {
  const clock = new SettableClock(START_MS);
  const written = (): Seen[] => [seen("k", (clock.ms += 10))];
  const result = await compared(written, () => [], clock);
  assert.deepEqual([result.different, result.newer], [0, 1]);
});
