import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareUtf8 } from "../model/key-order.ts";
import type { Version } from "../model/version.ts";
import { answerPeer } from "../reconcile/remote.ts";
import { Held, objectVersion } from "../reconcile/testing.ts";
import type { TargetClient, TargetRequest } from "../replication/wire.ts";
import { systemClock } from "../runtime/clock.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { NoDigests, walkDigests, type DigestStep } from "./walk-digests.ts";

const BUCKET_ID = "00000000000000aa";
const clock = { ...systemClock(), sleep: () => Promise.resolve() };

function clientOf(held: Held, status = 200): TargetClient {
  const request = async ({ query, body }: TargetRequest) => {
    const answer =
      status === 200 ? await answerPeer(held.side, query?.["call"] ?? "", body as Buffer) : Buffer.alloc(0);
    return { status, headers: {}, body: answer };
  };
  const never = () => Promise.reject(new Error("not used"));
  return { bucket: "b", request, open: never, probe: never, close: () => Promise.resolve() };
}

interface Walked {
  equal: number;
  bytes: number;
  /** Keys and version ids by side, in order. */
  left: string[];
  right: string[];
  /** Key of each step, and how many local versions it accounts for. */
  steps: { key: string; here: number }[];
}

async function walked(here: Held, there: Held, prefix = "", afterKey = ""): Promise<Walked> {
  const out: Walked = { equal: 0, bytes: 0, left: [], right: [], steps: [] };
  const job = {
    index: here.index,
    clock,
    bucketId: BUCKET_ID,
    client: clientOf(there),
    prefix,
    signal: new AbortController().signal,
  };
  for await (const steps of walkDigests(job, afterKey)) for (const step of steps) take(out, step);
  return out;
}

function take(out: Walked, step: DigestStep): void {
  if (step.kind === "equal") {
    out.equal += step.count;
    out.bytes += step.bytes;
    out.steps.push({ key: step.key, here: step.count });
    return;
  }
  const here = step.kind === "right" ? [] : step.left.versions;
  const there = step.kind === "left" ? [] : step.right.versions;
  const key = step.kind === "right" ? step.right.key : step.left.key;
  out.left.push(...here.map((version) => `${key} ${version.versionId}`));
  out.right.push(...there.map((version) => `${key} ${version.versionId}`));
  out.equal += step.equal?.count ?? 0;
  out.bytes += step.equal?.bytes ?? 0;
  out.steps.push({ key, here: here.length + (step.equal?.count ?? 0) });
  for (const [i, version] of here.entries()) assert.ok(i === 0 || version.mtime <= (here[i - 1] as Version).mtime);
}

/** Few keys with many versions, so that parts end in the middle of keys. */
const base = Array.from({ length: 900 }, (_, i) => objectVersion(`k${String(Math.floor(i / 90)).padStart(2, "0")}`, i));
const change = fc.record({ from: fc.nat(899), length: fc.integer({ min: 1, max: 200 }), lost: fc.boolean() });

test("equal versions are counted once, others come by key; going on after any step counts the rest", async () => {
  const property = fc.asyncProperty(
    fc.array(change, { maxLength: 4 }),
    fc.array(change, { maxLength: 2 }),
    fc.nat(),
    async (there, here, stop) => {
      const inRuns = (runs: typeof there, i: number): boolean =>
        runs.some(({ from, length }) => i >= from && i < from + length);
      const x = base.filter((_, i) => !inRuns(here, i));
      const y = base.flatMap((version, i) =>
        !inRuns(there, i)
          ? [version]
          : there[0]?.lost === true
            ? []
            : [{ ...version, etag: "0f5902ac237024bdd0c176cb93063dc4" }],
      );
      const [left, right] = [new Held(memoryIndex(), BUCKET_ID), new Held(memoryIndex(), "00000000000000bb")];
      await Promise.all([left.put(x), right.put(y)]);
      const all = await walked(left, right);
      const equal = x.filter((version) => y.includes(version));
      assert.equal(all.equal, equal.length);
      assert.equal(all.bytes, equal.length * 1024);
      assert.equal(all.left.length, x.length - equal.length);
      assert.equal(all.right.length, y.length - equal.length);
      for (const [i, { key }] of all.steps.entries()) {
        // A sum comes after what differs within it, up to the same key or a later one.
        assert.ok(i === 0 || compareUtf8((all.steps[i - 1] as { key: string }).key, key) <= 0);
      }
      const at = all.steps[stop % Math.max(all.steps.length, 1)];
      if (at === undefined) return;
      const upTo = x.filter(({ key }) => compareUtf8(key, at.key) <= 0).length;
      const rest = await walked(left, right, "", at.key);
      assert.equal(rest.equal + rest.left.length, x.length - upTo);
    },
  );
  await fc.assert(property, { numRuns: 15 });
});

test("only what begins with the prefix is walked", async () => {
  const [left, right] = [new Held(memoryIndex(), BUCKET_ID), new Held(memoryIndex(), "00000000000000bb")];
  await Promise.all([left.put(base), right.put(base.slice(0, 200))]);
  const { equal, left: lost } = await walked(left, right, "k02");
  assert.deepEqual([equal, lost.length], [20, 70]);
});

test("a target without digests says so before the first step", async () => {
  const here = new Held(memoryIndex(), BUCKET_ID);
  const job = {
    index: here.index,
    clock,
    bucketId: BUCKET_ID,
    client: clientOf(here, 501),
    prefix: "",
    signal: new AbortController().signal,
  };
  await assert.rejects(async () => {
    for await (const steps of walkDigests(job, "")) assert.fail(`${steps.length} steps`);
  }, NoDigests);
});
