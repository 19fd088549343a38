/**
 * What digests cost and what comparing by them costs: `node bench/reconcile.ts [VERSIONS]`. Two indexes on disk with the same
 * versions; round trips and bytes are those of the frames between the two sides, times without a network.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bucket } from "../src/model/bucket.ts";
import type { BucketName, ObjectKey } from "../src/model/names.ts";
import type { Version } from "../src/model/version.ts";
import { createObjects } from "../src/objects/create.ts";
import { bodyOf, PLAIN } from "../src/objects/testing.ts";
import { spanOf } from "../src/reconcile/places.ts";
import { reconcile } from "../src/reconcile/reconcile.ts";
import { Held, idOf, objectVersion, wireTo } from "../src/reconcile/testing.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { systemRandom } from "../src/runtime/random.ts";
import { openBlobStore } from "../src/storage/blobs/store.ts";
import { CommitBuilder } from "../src/storage/index/commit-builder.ts";
import { bucketPlaces } from "../src/storage/index/digest/query.ts";
import type { Entry, OrderedIndex } from "../src/storage/index/index.ts";
import { openLmdbIndex } from "../src/storage/index/lmdb/index.ts";
import { bucketRowKey, idRowKey, SPACE } from "../src/storage/keys.ts";
import { encodeRow } from "../src/storage/records.ts";

const VERSIONS = Number(process.argv[2] ?? 1_000_000);
const BUCKET_ID = "00000000000000aa";
const BUCKET = "bench" as BucketName;
const PUTS = 5000;
const ROUNDS = 5;
const IN_FLIGHT = 32;
const DIFFERENT = 1000;

const keyOf = (number: number): string => `bench/${String(number).padStart(10, "0")}`;
// Version ids spread as random ones do; the last digits are the number, so that any version can be made again.
const versionOf = (number: number): Version => ({
  ...objectVersion(keyOf(number), number),
  versionId: idOf((number * 7_919_993) % 1_000_000_007),
});

function* versions(from: number, to: number): Generator<Version> {
  for (let i = from; i < to; i++) yield versionOf(i);
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const ms = (from: number): string => `${(performance.now() - from).toFixed(1)} ms`;

async function compared(name: string, x: Held, y: Held): Promise<void> {
  const wire = wireTo(y);
  const started = performance.now();
  let equal = 0;
  let different = 0;
  for await (const segment of reconcile(x.side, wire.side, { level: "state", span: spanOf(""), lookups: false })) {
    equal += segment.equal;
    different += segment.differences.length;
  }
  say(
    `${name}: ${equal} equal, ${different} different; ${wire.requests} round trips, ${wire.bytes} bytes, ${ms(started)}`,
  );
}

/** The index as it was before there were digests: rows of space `I` without their hashes are summed nowhere. */
function withoutDigests(index: OrderedIndex): OrderedIndex {
  const bare = ({ key, value }: Entry): Entry =>
    key[0] === SPACE.byId ? { key, value: value.subarray(0, 8) } : { key, value };
  return {
    get: (key) => index.get(key),
    scan: (range, options) => index.scan(range, options),
    digest: (range) => index.digest(range),
    digestParts: (range, count) => index.digestParts(range, count),
    commit: (commit) => index.commit({ ...commit, puts: commit.puts.map(bare) }),
    close: () => index.close(),
  };
}

interface Cost {
  readonly perSecond: number;
  /** Of all threads, for each PUT. */
  readonly cpuUs: number;
}

/** PUTs of 1 KiB to random keys of the bucket, all but HTTP: hashes, rows, one synced commit for those that meet. */
async function putCost(index: OrderedIndex, directory: string): Promise<Cost> {
  const blobs = await openBlobStore({ directory, random: systemRandom });
  const deps = { index, blobs, clock: systemClock(), random: systemRandom, poke: () => undefined };
  const objects = createObjects(deps);
  const body = Buffer.alloc(1024, 7);
  let left = PUTS;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const key = keyOf(Math.floor(Math.random() * VERSIONS)) as ObjectKey;
      await objects.put({ bucket: BUCKET, key, attributes: PLAIN, body: bodyOf(body) });
    }
  };
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  const { user, system } = process.cpuUsage(cpu);
  await blobs.close();
  return { perSecond: PUTS / ((performance.now() - started) / 1000), cpuUs: (user + system) / PUTS };
}

/** The bucket that the versions were written to, as objects know it. */
async function makeBucket(index: OrderedIndex): Promise<void> {
  const bucket: Bucket = {
    name: BUCKET,
    id: BUCKET_ID,
    created: 1n,
    owner: "bench",
    versioning: { status: "Enabled" },
  };
  await index.commit(new CommitBuilder().put(bucketRowKey(BUCKET), encodeRow(bucket)));
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

async function compareCosts(index: OrderedIndex, directory: string): Promise<void> {
  await makeBucket(index);
  const costs: { without: Cost; kept: Cost }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const without = await putCost(withoutDigests(index), directory);
    costs.push({ without, kept: await putCost(index, directory) });
  }
  const [before, after] = [costs.map(({ without }) => without), costs.map(({ kept }) => kept)];
  const rates = [before, after].map((each) => median(each.map(({ perSecond }) => perSecond)));
  const cpu = [before, after].map((each) => median(each.map(({ cpuUs }) => cpuUs)));
  const less = median(costs.map(({ without, kept }) => (1 - kept.perSecond / without.perSecond) * 100));
  say(
    `PUT without HTTP, ${IN_FLIGHT} in flight: ${rates[0]?.toFixed(0)}/s without digests, ${rates[1]?.toFixed(0)}/s with ` +
      `(${less.toFixed(1)} % less); CPU of a PUT ${cpu[0]?.toFixed(0)} and ${cpu[1]?.toFixed(0)} us`,
  );
}

async function queries(held: Held): Promise<void> {
  const all = bucketPlaces(held.bucketId);
  const place = (number: number): Buffer => {
    const { key, versionId } = versionOf(number);
    return idRowKey(SPACE.byId, held.bucketId, key, versionId).subarray(1);
  };
  const rounds = 2000;
  let started = performance.now();
  for (let i = 0; i < rounds; i++) await held.index.digest(all);
  const whole = ((performance.now() - started) / rounds) * 1000;
  started = performance.now();
  for (let i = 0; i < rounds; i++) {
    const [start, end] = [Math.random(), Math.random()]
      .map((part) => Math.floor(part * VERSIONS))
      .toSorted((a, b) => a - b);
    await held.index.digest({ start: place(start ?? 0), end: place(end ?? 0) });
  }
  const some = ((performance.now() - started) / rounds) * 1000;
  say(`digest of all: ${whole.toFixed(0)} us; of a random range: ${some.toFixed(0)} us`);
}

async function differences(x: Held, y: Held): Promise<void> {
  for (let round = 0; round < 3; round++) await compared("equal", x, y);
  const step = Math.floor(VERSIONS / DIFFERENT);
  const random = Array.from({ length: DIFFERENT }, (_, i) => versionOf(i * step + Math.floor(Math.random() * step)));
  await y.remove(random);
  await compared(`${DIFFERENT} random ones lost`, x, y);
  const tagged = random.map((version): Version => ({ ...version, tags: { value: { a: "b" }, time: 5n } }) as Version);
  await y.put(tagged);
  await compared(`${DIFFERENT} random ones with other tags`, x, y);
  await y.put(random);
  const tenth = Math.floor(VERSIONS / 10);
  for (let from = 0; from < tenth; from += 2000) await y.remove(versions(from, Math.min(from + 2000, tenth)));
  await compared(`the first ${tenth} lost there`, x, y);
  await compared(`the first ${tenth} lost here`, y, x);
}

const root = mkdtempSync(join(process.env["RESILVER_BENCH_DIR"] ?? tmpdir(), "resilver-bench-"));
try {
  const paths = ["x", "y"].map((name) => join(root, name));
  const [here = "", there = ""] = paths;
  mkdirSync(here);
  const index = await openLmdbIndex({ path: join(here, "index") });
  const x = new Held(index, BUCKET_ID);
  const started = performance.now();
  await x.put(versions(0, VERSIONS));
  say(`${VERSIONS} versions written in ${ms(started)}, digests kept meanwhile`);
  await index.close();
  cpSync(here, there, { recursive: true });
  const indexes = await Promise.all(paths.map((path) => openLmdbIndex({ path: join(path, "index") })));
  const [a, b] = indexes.map((each) => new Held(each, BUCKET_ID)) as [Held, Held];
  await queries(a);
  await differences(a, b);
  await compareCosts(b.index, there);
  await Promise.all(indexes.map((each) => each.close()));
} finally {
  rmSync(root, { recursive: true, force: true });
}
