/** What the digests of every index must be, as tests: at any moment those of the rows, by adding them one by one. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { ObjectKey, VersionId } from "../../../model/names.ts";
import { idRowKey, SPACE, spaceRange } from "../../keys.ts";
import { CommitBuilder } from "../commit-builder.ts";
import type { OrderedIndex } from "../index.ts";
import { Digest, encodeLookup } from "./digest.ts";
import { CHILDREN_MAX, levelOf, LEVELS, placeOfLookup, type Place } from "./levels.ts";
import { bucketPlaces, type PlaceRange } from "./query.ts";

const BUCKETS = ["00000000000000a1", "00000000000000a2", "ffffffffffffffff"] as const;

interface Item {
  readonly bucket: number;
  readonly key: number;
  readonly id: number;
}

const KEYS = 500;

/** Some keys begin rows of the upper level, which by chance hardly any of so few would. */
const NAMES = Array.from({ length: KEYS }, (_, number) => {
  const name = `key/${String(number).padStart(3, "0")}`;
  if (number % 20 > 0) return name;
  for (let tail = 0; ; tail++) {
    const tried = `${name}${tail}`;
    const row = idRowKey(SPACE.byId, BUCKETS[0], tried as ObjectKey, "null" as VersionId);
    if (levelOf(placeOfLookup(row)) === LEVELS) return tried;
  }
});

const rowKeyOf = ({ bucket, key, id }: Item): Buffer =>
  idRowKey(
    SPACE.byId,
    BUCKETS[bucket] as string,
    (NAMES[key] ?? `more/${key}`) as ObjectKey,
    (id === 0 ? "null" : `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`) as VersionId,
  );

function valueOf(item: Item, seed: number): Buffer {
  // Of a row of format 1 no digest knows, until it is written again.
  if (seed % 17 === 0) return Buffer.alloc(8, 1);
  const text = JSON.stringify([item, seed]);
  const identity = createHash("sha256").update(text).digest();
  const state = createHash("sha256").update(identity).digest();
  return encodeLookup({ mtime: 5n, size: seed * 7e9, isMarker: false, isDamaged: seed % 13 === 0, identity, state });
}

class Model {
  readonly rows = new Map<string, { place: Place; value: Buffer }>();

  put(key: Buffer, value: Buffer): void {
    this.rows.set(key.toString("hex"), { place: placeOfLookup(key), value });
  }

  digest({ start, end }: PlaceRange): Digest {
    const sum = new Digest();
    for (const { place, value } of this.rows.values()) {
      if (Buffer.compare(place, start) >= 0 && Buffer.compare(place, end) < 0) sum.addLookup(value, 1);
    }
    return sum;
  }
}

const item = fc.record({ bucket: fc.nat(2), key: fc.nat(400), id: fc.nat(3) });
const step = fc.record({
  /** Neighbours, so that whole rows of the digests come and go. */
  from: item,
  length: fc.integer({ min: 1, max: 300 }),
  remove: fc.boolean(),
  together: fc.boolean(),
  seed: fc.nat(1000),
});
const rangeOf = fc.tuple(fc.nat(2), item, item).map(([bucket, a, b]): PlaceRange => {
  const places = [a, b].map((at) => placeOfLookup(rowKeyOf({ ...at, bucket }))).sort(Buffer.compare);
  return { start: places[0] as Place, end: places[1] as Place };
});
const question = fc.oneof(
  rangeOf,
  fc.nat(2).map((bucket) => bucketPlaces(BUCKETS[bucket] as string)),
);

async function checkRange(index: OrderedIndex, model: Model, range: PlaceRange): Promise<void> {
  assert.ok((await index.digest(range)).equals(model.digest(range)));
  const parts = await index.digestParts(range, { least: 4, most: 6 });
  assert.ok(parts.length <= 6);
  for (const [i, part] of parts.entries()) {
    assert.ok(part.digest.equals(model.digest(part)));
    assert.ok(part.start.equals((i === 0 ? range.start : parts[i - 1]?.end) as Buffer));
  }
  const last = parts.at(-1);
  assert.ok(last === undefined || last.end.equals(range.end));
}

/** Registers the suite. `make` gives an empty index each time; the suite closes it. `runs`: of the property. */
export function digestContract(name: string, make: () => Promise<OrderedIndex>, runs: number): void {
  test(`${name}: digests are those of the rows, whatever is put, changed and removed`, async () => {
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 12 }),
      fc.array(question, { minLength: 4, maxLength: 12 }),
      async (steps, questions) => {
        const index = await make();
        const model = new Model();
        try {
          for (const todo of steps) await take(index, model, todo);
          for (const range of questions) await checkRange(index, model, range);
          await leaveNothing(index, model);
        } finally {
          await index.close();
        }
      },
    );
    await fc.assert(property, { numRuns: runs });
  });

  test(`${name}: keys that never begin a row are cut all the same`, async () => {
    const index = await make();
    const model = new Model();
    try {
      const commit = new CommitBuilder();
      for (let key = 0; commit.puts.length < 3 * CHILDREN_MAX; key++) {
        const at = { bucket: 0, key, id: 0 };
        if (levelOf(placeOfLookup(rowKeyOf(at))) > 0) continue;
        commit.put(rowKeyOf(at), valueOf(at, 1));
        model.put(rowKeyOf(at), valueOf(at, 1));
      }
      await index.commit(commit);
      const range = bucketPlaces(BUCKETS[0]);
      await checkRange(index, model, range);
      const parts = await index.digestParts(range, { least: 2, most: 100 });
      assert.ok(parts.length > 3 && parts.every((part) => part.digest.count <= CHILDREN_MAX));
      await leaveNothing(index, model);
    } finally {
      await index.close();
    }
  });
}

async function take(
  index: OrderedIndex,
  model: Model,
  todo: { from: Item; length: number; remove: boolean; together: boolean; seed: number },
): Promise<void> {
  let commit = new CommitBuilder();
  const commits = [commit];
  for (let i = 0; i < todo.length; i++) {
    const at = { ...todo.from, key: (todo.from.key + i) % KEYS };
    const key = rowKeyOf(at);
    if (todo.remove) {
      commit.delete(key);
      model.rows.delete(key.toString("hex"));
    } else {
      commit.delete(key).put(key, valueOf(at, todo.seed + i));
      model.put(key, valueOf(at, todo.seed + i));
    }
    if (!todo.together) commits.push((commit = new CommitBuilder()));
  }
  // A commit that is refused in the middle of a batch changes nothing.
  const refused = new CommitBuilder().unchanged(Buffer.from("absent"), Buffer.from("x")).delete(rowKeyOf(todo.from));
  await Promise.all([...commits, refused].map((each) => index.commit(each)));
}

/** Removes all versions: no row of the digests may stay behind. */
async function leaveNothing(index: OrderedIndex, model: Model): Promise<void> {
  const commit = new CommitBuilder();
  for (const key of model.rows.keys()) commit.delete(Buffer.from(key, "hex"));
  await index.commit(commit);
  assert.equal((await index.scan(spaceRange(SPACE.digest), { limit: 1 })).length, 0);
}
