import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Arn, UnixNs } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { logCounter } from "../objects/rows.ts";
import { systemRandom } from "../runtime/random.ts";
import { decodeIngest, encodeIngestResults, INGEST_PATH, type IngestItem } from "../protocol/ingest.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { blobRowKey, readCounter, SPACE } from "../storage/keys.ts";
import { Ingest } from "./ingest.ts";
import { pendingWork } from "./log.ts";
import { TargetQueue } from "./queue.ts";
import { asKey, eachWithTarget, replicateTo, SRC, statusOf, until, type TestSite } from "./testing/site.ts";
import type { TargetClient, TargetResponse } from "./wire.ts";

const OK: TargetResponse = { status: 200, headers: {}, body: Buffer.alloc(0) };

/** A target of our own, which takes many versions in one request. */
describe("rows that wait together go together", { timeout: 20_000 }, () => {
  let site: TestSite;
  let arn: Arn;
  let queue: TargetQueue;
  let requests: string[][] = [];
  let alone: string[] = [];
  /** Key and version id of what travelled together. */
  let ids: [string, string][] = [];
  /** What becomes of each item of a request; undefined: the connection is cut. */
  let answer: (items: IngestItem[]) => number[] | undefined;
  const warnings: string[] = [];

  eachWithTarget(async (made) => {
    ({ site } = made);
    arn = await replicateTo(site, made.fake);
    [requests, alone, ids] = [[], [], []];
    answer = (items) => items.map(() => 200);
    const client: TargetClient = {
      bucket: "b",
      async request({ path, method, key, body }) {
        if (path !== INGEST_PATH) {
          alone.push(`${method} ${key}`);
          return method === "HEAD" ? { ...OK, status: 404 } : OK;
        }
        const items = decodeIngest(body as Buffer);
        requests.push(items.map((item) => item.key));
        ids.push(...items.map(({ key: name, versionId }): [string, string] => [name, versionId]));
        const results = answer(items);
        if (results === undefined) throw new Error("cut");
        return {
          ...OK,
          body: Buffer.from(
            encodeIngestResults(results.map((status) => ({ status, code: status === 200 ? undefined : "SlowDown" }))),
          ),
        };
      },
      open: () => Promise.reject(new Error("not asked")),
      probe: () => Promise.reject(new Error("not asked")),
      close: () => Promise.resolve(),
    };
    const connected = site.targets.connect(await site.targets.get(SRC, arn));
    const connection = { ...connected, client, ingest: new Ingest(client, () => true) };
    await until(() => connected.endpoint.isKnownAndOpen);
    const { index, objects, clock } = site;
    const warn = (message: string, error: unknown): void => void warnings.push(`${message}: ${String(error)}`);
    queue = new TargetQueue({ index, objects, clock, random: systemRandom, warn }, connection);
    let running: Promise<void> | undefined;
    start = () => {
      running = queue.run();
    };
    return async () => {
      queue.stop();
      await running;
    };
  });
  let start: () => void;
  const idle = async (): Promise<boolean> => (await pendingWork(site.index, arn)).count === 0;
  const many = (count: number): Promise<ObjectVersion[]> =>
    Promise.all(Array.from({ length: count }, (_, i) => site.put(`k${i}`)));

  test("each is COMPLETED and counted", async () => {
    const versions = await many(300);
    start();
    await until(idle);
    assert.deepEqual(requests.flat().toSorted(), versions.map(({ key }) => key).toSorted());
    assert.ok(requests.length <= 4, `${requests.length} requests`);
    for (const version of versions) assert.equal(await statusOf(site, arn, version), "COMPLETED");
    assert.equal((await pendingWork(site.index, arn)).bytes, 0);
    assert.equal(readCounter(await site.index.get(logCounter(arn, "count"))), 0n);
    assert.deepEqual(alone, []);
    assert.deepEqual(warnings.splice(0), []);
  });

  test("what is no more as its row says goes its own way, and holds up nothing", async () => {
    const versions = await many(20);
    const [purged, rotten, tagged] = versions as [ObjectVersion, ObjectVersion, ObjectVersion];
    await site.objects.delete({ bucket: SRC, key: purged.key, versionId: purged.versionId });
    const lost = blobRowKey(SPACE.data, rotten.blob?.id ?? "");
    await site.index.commit(new CommitBuilder().put(lost, Buffer.from("rot")));
    await site.objects.setTags({ bucket: SRC, key: tagged.key }, { new: "tag" });
    start();
    await until(async () => (await pendingWork(site.index, arn)).count === 1);
    const [first = []] = requests;
    assert.equal(first.length, 18);
    assert.ok(!first.includes(purged.key) && !first.includes(rotten.key));
    assert.ok(alone.includes(`DELETE ${purged.key}`), alone.join());
    assert.equal(await statusOf(site, arn, rotten), "NOT_REPLICABLE");
    for (const version of versions.slice(2)) assert.equal(await statusOf(site, arn, version), "COMPLETED");
    assert.deepEqual(warnings.splice(0), []);
  });

  test("versions of one key travel together and in order, among those of others", async () => {
    const versions: ObjectVersion[] = [];
    for (let i = 0; i < 60; i++) versions.push(await site.put("hot"), await site.put(`k${i % 3}`));
    start();
    await until(idle);
    for (const key of ["hot", "k0"]) {
      const wanted = versions.filter((version) => version.key === key).map(({ versionId }) => versionId);
      assert.deepEqual(
        ids.filter(([name]) => name === key).map(([, id]) => id),
        wanted,
      );
    }
    assert.ok(requests.length <= 4, `${requests.length} requests`);
    for (const version of versions) assert.equal(await statusOf(site, arn, version), "COMPLETED");
    assert.equal(readCounter(await site.index.get(logCounter(arn, "count"))), 0n);
    assert.deepEqual([alone, warnings.splice(0)], [[], []]);
  });

  test("of one key, what is refused waits its turn, and what was not sent with it follows", async () => {
    const versions: ObjectVersion[] = [];
    for (let i = 0; i < 12; i++) versions.push(await site.put("hot"));
    await site.objects.delete({ bucket: SRC, key: asKey("hot") });
    for (let i = 0; i < 12; i++) versions.push(await site.put("hot"));
    let refused = 0;
    answer = (items) => items.map((_, i) => (refused === 0 && i > 3 && ++refused > 0 ? 503 : 200));
    start();
    await until(idle);
    for (const version of versions) assert.equal(await statusOf(site, arn, version), "COMPLETED");
    const [first = []] = requests;
    assert.equal(first.length, 12, "up to the marker");
    assert.ok(
      alone.some((one) => one === "DELETE hot"),
      alone.join(),
    );
    assert.deepEqual(warnings.splice(0), []);
  });

  test("rows of a bucket that is deleted end without a word", async () => {
    await many(20);
    await site.objects.deleteBucket(SRC, { force: true });
    start();
    await until(idle);
    assert.deepEqual([requests, warnings.splice(0)], [[], []]);
  });

  test("what the target refuses, or does not answer, is tried alone and goes through later", async () => {
    const versions = await many(20);
    let cut = true;
    answer = (items) => {
      if (cut) {
        cut = false;
        return undefined;
      }
      return items.map(({ key }) =>
        key === "k3" && requests.flat().filter((one) => one === key).length < 4 ? 503 : 200,
      );
    };
    start();
    await until(idle);
    for (const version of versions) assert.equal(await statusOf(site, arn, version), "COMPLETED");
    assert.deepEqual(warnings.splice(0), []);
  });

  test("a version that changes while it is on its way keeps its status; the change goes after it", async () => {
    await many(20);
    let edit: Promise<unknown> | undefined;
    answer = (items) => {
      edit ??= site.objects.setTags({ bucket: SRC, key: asKey("k7") }, { a: "b" });
      return items.map(() => 200);
    };
    const before = site.clock.nowNs();
    start();
    await until(idle);
    await edit;
    await until(idle);
    const { version } = await site.objects.find({ bucket: SRC, key: asKey("k7") });
    assert.ok((version.tags?.time ?? (0n as UnixNs)) > before);
    assert.equal(version.replication.targets[arn], "COMPLETED");
    assert.ok(
      alone.some((one) => one.endsWith(" k7")),
      alone.join(),
    );
    assert.deepEqual(warnings.splice(0), []);
  });
});
