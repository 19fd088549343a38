/**
 * What purges of the null id leave behind: docs/design/convergence.md, "The null version". One id stands for many versions
 * there, so a tombstone tells by their times which of them were purged for every site, and which only here.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import { NULL_VERSION, type Arn } from "../model/names.ts";
import { testRule } from "../model/testing.ts";
import { purgedEverywhere, purgeOf, type Tombstone } from "../model/version.ts";
import type { Objects } from "./objects.ts";
import { bodyOf, bucketName, objectKey, PLAIN, testSite } from "./testing.ts";
import type { ReplicaSource } from "./types.ts";

const BUCKET = bucketName("data");
const ARN = "arn:minio:replication::0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f01:data" as Arn;
const NULL_AT = { bucket: BUCKET, key: objectKey("null/a"), versionId: NULL_VERSION };

/** Below the prefix a DELETE without a version id purges the null version. */
async function site(): Promise<Objects> {
  const { objects } = testSite();
  await objects.createBucket(BUCKET, { owner: "root" });
  const versioning = { status: "Enabled", excludedPrefixes: ["null/"] } as const;
  await objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, versioning }));
  await carryPurges(objects, true);
  return objects;
}

const carryPurges = (objects: Objects, deleteReplication: boolean): Promise<unknown> =>
  objects.updateBucket(BUCKET, (bucket) => ({
    ...bucket,
    replication: { role: "", rules: [testRule(ARN, { deleteReplication })] },
  }));

const write = async (objects: Objects): Promise<bigint> =>
  (await objects.put({ ...NULL_AT, versionId: undefined, attributes: PLAIN, body: bodyOf("x") })).version.mtime;

const purgeLocally = async (objects: Objects): Promise<bigint> => {
  await carryPurges(objects, false);
  await objects.delete(NULL_AT);
  await carryPurges(objects, true);
  return stoneOf(objects).then((stone) => stone?.time ?? 0n);
};

const stoneOf = (objects: Objects): Promise<Tombstone | undefined> => objects.tombstone(NULL_AT);

const from = (mtime: bigint, more: Partial<ReplicaSource> = {}): ReplicaSource => ({ replica: true, mtime, ...more });

/** What became of a peer's null version of this time. */
async function arrives(objects: Objects, source: ReplicaSource): Promise<string> {
  try {
    return (await objects.put({ ...NULL_AT, attributes: PLAIN, source, body: bodyOf("x") })).purged ?? "stored";
  } catch (error) {
    if (hasCode(error, "PreconditionFailed")) return "older";
    throw error;
  }
}

test("a purge for everyone outlives the versions written since and their local purge", async () => {
  const objects = await site();
  const first = await write(objects);
  await objects.delete(NULL_AT);
  const purged = (await stoneOf(objects))?.time;
  const second = await write(objects);
  assert.equal((await stoneOf(objects))?.time, purged, "it is remembered behind the newer version");
  const local = await purgeLocally(objects);
  const { will, everywhere } = (await stoneOf(objects)) as Tombstone;
  assert.deepEqual([will, everywhere], ["local", purged]);
  assert.ok(local > second);
  // The first was purged for everyone: not even a resync brings it back. The second was purged here alone.
  assert.equal(await arrives(objects, from(first)), "everywhere");
  assert.equal(await arrives(objects, from(first, { resyncId: "r" })), "everywhere");
  assert.equal(await arrives(objects, from(second)), "local");
  assert.equal(await arrives(objects, from(second, { resyncId: "r" })), "stored");
  const now = (await stoneOf(objects)) as Tombstone;
  assert.deepEqual([now.will, now.time, now.everywhere], ["everywhere", purged, undefined]);
});

test("a peer's purge that is older than a local one speaks only for what was there before it", async () => {
  const objects = await site();
  const first = await write(objects);
  const second = await write(objects);
  await purgeLocally(objects);
  await objects.delete({ ...NULL_AT, source: from(first) });
  assert.equal(await arrives(objects, from(first, { resyncId: "r" })), "everywhere");
  assert.equal(await arrives(objects, from(second, { resyncId: "r" })), "stored");
});

test("a peer's purge that meets a newer null version is remembered for when that goes", async () => {
  const objects = await site();
  const mtime = await write(objects);
  await objects.delete({ ...NULL_AT, source: from(mtime - 5n) });
  assert.equal((await objects.version(NULL_AT))?.version.mtime, mtime);
  await purgeLocally(objects);
  assert.equal(await arrives(objects, from(mtime - 6n, { resyncId: "r" })), "everywhere");
});

test("a null marker of a resync undoes a local purge as an object does", async () => {
  const objects = await site();
  const mtime = await write(objects);
  await purgeLocally(objects);
  const marker = (source: ReplicaSource): Promise<unknown> =>
    objects.delete({ ...NULL_AT, sourceDeleteMarker: true, source });
  await marker(from(mtime));
  assert.equal(await objects.version(NULL_AT), undefined);
  await marker(from(mtime, { resyncId: "r" }));
  assert.equal((await objects.version(NULL_AT))?.version.kind, "delete-marker");
  assert.equal(await stoneOf(objects), undefined, "nothing of the local purge is left");
});

test("a purge that still has to reach a target is owed until then, or until something later goes there", async () => {
  const objects = await site();
  await write(objects);
  await objects.delete(NULL_AT);
  assert.deepEqual((await stoneOf(objects))?.replication.targets, { [ARN]: "PENDING" });
  await carryPurges(objects, false);
  await objects.updateBucket(BUCKET, ({ replication: _off, ...bucket }) => bucket);
  await write(objects);
  assert.deepEqual((await stoneOf(objects))?.replication.targets, { [ARN]: "PENDING" }, "no rule sends the newer one");
  await carryPurges(objects, true);
  await write(objects);
  assert.deepEqual((await stoneOf(objects))?.replication.targets, {});
});

type Fact =
  | { readonly kind: "version"; readonly mtime: bigint; readonly etag: string }
  | { readonly kind: "marker" | "purge"; readonly mtime: bigint };

async function receive(objects: Objects, fact: Fact): Promise<void> {
  const source = from(fact.mtime);
  if (fact.kind === "version") await arrives(objects, { ...source, etag: fact.etag });
  else await objects.delete({ ...NULL_AT, sourceDeleteMarker: fact.kind === "marker", source });
}

async function shown(objects: Objects): Promise<string> {
  const version = (await objects.version(NULL_AT))?.version;
  const stone = await stoneOf(objects);
  const what = version?.kind === "object" ? version.etag : version?.kind;
  return `${what ?? "nothing"} of ${version?.mtime ?? 0n}, purged until ${(stone && purgedEverywhere(stone)) ?? 0n}`;
}

test("whatever peers say of a null version, the order in which it comes and how often decides nothing", async () => {
  const time = fc.bigInt({ min: 1n, max: 8n });
  const fact: fc.Arbitrary<Fact> = fc.oneof(
    fc.record({ kind: fc.constant("version" as const), mtime: time, etag: fc.constantFrom("a", "b") }),
    fc.record({ kind: fc.constantFrom("marker" as const, "purge" as const), mtime: time }),
  );
  const order = fc.array(fact, { maxLength: 6 }).chain((facts) => {
    const again = fc.subarray(facts).chain((more) => {
      const all = [...facts, ...more];
      return fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length });
    });
    return fc.tuple(fc.constant(facts), again);
  });
  await fc.assert(
    fc.asyncProperty(order, async ([facts, otherwise]) => {
      const [one, other] = [await site(), await site()];
      for (const each of facts) await receive(one, each);
      for (const each of otherwise) await receive(other, each);
      assert.equal(await shown(other), await shown(one));
    }),
    { numRuns: 60 },
  );
});

test("the oldest is assumed of a version whose time nobody tells", () => {
  const stone = { versionId: NULL_VERSION, time: 9n, will: "local", everywhere: 5n } as const;
  const wills = [undefined, 5n, 6n, 9n, 10n].map((mtime) => purgeOf(stone, mtime));
  assert.deepEqual(wills, ["everywhere", "everywhere", "local", "local", undefined]);
});
