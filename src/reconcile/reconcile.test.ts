import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Version } from "../model/version.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { placeOf, spanOf } from "./places.ts";
import { reconcile, type Difference, type Segment } from "./reconcile.ts";
import { END_PLACE, type Described, type Side, type Span } from "./side.ts";
import { Held, objectVersion, wireTo } from "./testing.ts";

const ALL = spanOf("");

interface Outcome {
  equal: number;
  differences: Difference<Described, Described>[];
}

/** Segments must cover the span, in order, without a gap. */
async function run(x: Side, y: Side, span: Span = ALL, lookups = false): Promise<Outcome> {
  const out: Outcome = { equal: 0, differences: [] };
  let at = span.start;
  for await (const segment of reconcile(x, y, { level: "state", span, lookups })) {
    assert.ok(segment.start.equals(at), "no gap");
    at = segment.end;
    out.equal += segment.equal;
    checkPlaces(segment);
    out.differences.push(...segment.differences);
  }
  assert.ok(at.equals(span.end), "all of it");
  return out;
}

function checkPlaces({ start, end, differences }: Segment<Described, Described>): void {
  for (const [i, { place }] of differences.entries()) {
    assert.ok(Buffer.compare(start, place) <= 0 && Buffer.compare(place, end) < 0);
    const before = differences[i - 1];
    assert.ok(before === undefined || Buffer.compare(before.place, place) < 0);
  }
}

const nameOf = ({ key, versionId }: Pick<Version, "key" | "versionId">): string => `${key} ${versionId}`;

function shown({ differences }: Outcome): string[] {
  return differences.map(({ x, y }) => {
    const some = x ?? y;
    assert.ok(some !== undefined);
    return `${nameOf(some)} ${x === undefined ? "y" : y === undefined ? "x" : "both"}`;
  });
}

/** The same by looking at every version of both. */
function naive(x: readonly Version[], y: readonly Version[], span: Span): { equal: number; names: string[] } {
  const inSpan = (version: Version): boolean => {
    const place = placeOf(version.key, version.versionId);
    return Buffer.compare(span.start, place) <= 0 && Buffer.compare(place, span.end) < 0;
  };
  const [left, right] = [x, y].map((side) => new Map(side.filter(inSpan).map((each) => [nameOf(each), each])));
  assert.ok(left !== undefined && right !== undefined);
  const names: { place: Buffer; text: string }[] = [];
  let equal = 0;
  for (const [name, version] of new Map([...left, ...right])) {
    const [a, b] = [left.get(name), right.get(name)];
    const isDamaged = [a, b].some((each) => each?.kind === "object" && each.damaged !== undefined);
    const same = JSON.stringify(a, text) === JSON.stringify(b, text) && !isDamaged;
    if (same) equal++;
    const where = a === undefined ? "y" : b === undefined ? "x" : "both";
    if (!same) names.push({ place: placeOf(version.key, version.versionId), text: `${name} ${where}` });
  }
  return { equal, names: names.toSorted((a, b) => Buffer.compare(a.place, b.place)).map((each) => each.text) };
}

const text = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);

const change = fc.record({
  kind: fc.constantFrom("lostX", "lostY", "tagX", "etagY", "damagedX", "damagedBoth", "markerY"),
  from: fc.nat(1499),
  length: fc.oneof(
    { weight: 3, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: 400 }) },
  ),
});
const prefix = fc.constantFrom("", "", "k1", "k12", "k9/x", "zzz");

function applied(base: readonly Version[], changes: readonly { kind: string; from: number; length: number }[]) {
  const x: (Version | undefined)[] = [...base];
  const y: (Version | undefined)[] = [...base];
  const edit = (side: (Version | undefined)[], at: number, more: object): void => {
    const version = side[at];
    if (version !== undefined) side[at] = { ...version, ...more } as Version;
  };
  for (const { kind, from, length } of changes) {
    for (let at = from; at < Math.min(from + length, base.length); at++) {
      if (kind === "lostX") x[at] = undefined;
      else if (kind === "lostY") y[at] = undefined;
      else if (kind === "tagX") edit(x, at, { tags: { value: { a: "b" }, time: 5n } });
      else if (kind === "etagY") edit(y, at, { etag: "0f5902ac237024bdd0c176cb93063dc4" });
      else if (kind === "markerY") {
        const { key, versionId, mtime, replication } = base[at] as Version;
        y[at] = { kind: "delete-marker", key, versionId, mtime, replication };
      } else {
        edit(x, at, { damaged: "missing" });
        if (kind === "damagedBoth") edit(y, at, { damaged: "missing" });
      }
    }
  }
  const there = (version: Version | undefined): version is Version => version !== undefined;
  return { x: x.filter(there), y: y.filter(there) };
}

const base = Array.from({ length: 1500 }, (_, i) => objectVersion(`k${Math.floor(i / 3)}/x`, i));

test("finds what looking at every version would find, whichever side is far away", async () => {
  const property = fc.asyncProperty(
    fc.array(change, { maxLength: 12 }),
    prefix,
    fc.nat(2),
    fc.constantFrom(undefined, 600),
    async (changes, under, far, frameBytes) => {
      const sets = applied(base, changes);
      const x = new Held(memoryIndex(), "00000000000000aa", frameBytes);
      const y = new Held(memoryIndex(), "ffffffffffffffff", frameBytes);
      await Promise.all([x.put(sets.x), y.put(sets.y)]);
      const sides = [far === 1 ? x.side : wireTo(x).side, far === 0 ? y.side : wireTo(y).side] as const;
      const span = spanOf(under);
      const outcome = await run(...sides, span);
      const expected = naive(sets.x, sets.y, span);
      assert.deepEqual(shown(outcome), expected.names);
      assert.equal(outcome.equal, expected.equal);
    },
  );
  await fc.assert(property, { numRuns: 20 });
});

async function pair(versions: readonly Version[]): Promise<{ x: Held; y: Held }> {
  const [x, y] = [new Held(memoryIndex(), "00000000000000aa"), new Held(memoryIndex(), "00000000000000bb")];
  await Promise.all([x.put(versions), y.put(versions)]);
  return { x, y };
}

const many = Array.from({ length: 12_000 }, (_, i) => objectVersion(`bench/${String(i).padStart(8, "0")}`, i));

test("equal sites cost one round trip of a few bytes; few differences cost three", async () => {
  const { x, y } = await pair(many);
  const equal = wireTo(y);
  assert.deepEqual(await run(x.side, equal.side), { equal: many.length, differences: [] });
  assert.equal(equal.requests, 1);
  assert.ok(equal.bytes < 100);
  const lost = many.filter((_, i) => i % 497 === 5);
  await y.remove(lost);
  const wire = wireTo(y);
  assert.deepEqual(
    shown(await run(x.side, wire.side)),
    lost.map((each) => `${nameOf(each)} x`),
  );
  assert.ok(wire.requests <= 3, `${wire.requests} round trips`);
  assert.ok(wire.bytes < 40_000, `${wire.bytes} bytes`);
});

test("a lost prefix costs its own size: nothing where the other side tells it, its descriptions where this one lacks it", async () => {
  const { x, y } = await pair(many);
  const lost = many.slice(4000, 6000);
  await y.remove(lost);
  const there = wireTo(y);
  assert.equal((await run(x.side, there.side)).differences.length, lost.length);
  assert.ok(there.bytes < 20_000, `${there.bytes} bytes`);
  const back = wireTo(x);
  assert.equal((await run(y.side, back.side)).differences.length, lost.length);
  assert.ok(back.bytes < 600 * lost.length, `${back.bytes} bytes`);
});

test("an empty side is told by one message", async () => {
  const { x } = await pair(many);
  const wire = wireTo(new Held(memoryIndex(), "00000000000000cc"));
  const outcome = await run(x.side, wire.side);
  assert.equal(outcome.differences.length, many.length);
  assert.equal(wire.requests, 1);
});

test("what a side lacks may be known there as purged", async () => {
  const { x, y } = await pair(base);
  await y.remove(base.slice(300, 301), { time: 7n, will: "everywhere" });
  await x.remove(base.slice(600, 601), { time: 8n, will: "local" });
  await y.remove(base.slice(900, 901));
  const { differences } = await run(x.side, wireTo(y).side, ALL, true);
  assert.deepEqual(
    differences.map(({ purged }) => purged?.will),
    ["everywhere", "local", undefined],
  );
});

test("while both sides take writes, what stays different is found and what stays equal is not", async () => {
  const { x, y } = await pair(many);
  const lost = many.filter((_, i) => i % 1003 === 7);
  await y.remove(lost);
  const wire = wireTo(y);
  let number = 1_000_000;
  wire.onRequest = async (request) => {
    // As replication would: first here, a moment later there; between every two requests.
    for (let i = 0; i < 60; i++) {
      const version = objectVersion(`bench/${String((i * 7919) % 12_000).padStart(8, "0")}`, number++);
      await x.put([version]);
      if (i % 3 > 0 || request > 1) await y.put([version]);
    }
  };
  const found = shown(await run(x.side, wire.side));
  const wanted = lost.map((each) => `${nameOf(each)} x`);
  assert.deepEqual(
    found.filter((name) => wanted.includes(name)),
    wanted,
  );
  const old = new Set(many.map(nameOf));
  const extra = found.filter((name) => !wanted.includes(name));
  assert.ok(extra.every((name) => !old.has(name.slice(0, name.lastIndexOf(" ")))));
});

test("resuming after a key leaves out that key and all before it", async () => {
  const { x, y } = await pair(base);
  await y.remove(base.slice(0, 9));
  const { differences } = await run(x.side, wireTo(y).side, spanOf("", "k1/x"));
  assert.deepEqual([...new Set(differences.map(({ x: version }) => version?.key))], ["k2/x"]);
  assert.ok(spanOf("").end.equals(END_PLACE));
});
