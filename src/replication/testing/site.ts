/** One site in memory with a versioned bucket and a target, for the tests of replication and resync. */
import { afterEach, beforeEach } from "node:test";
import { createObjects } from "../../objects/create.ts";
import type { Objects } from "../../objects/objects.ts";
import type { Arn, BucketName, ObjectKey, VersionId } from "../../model/names.ts";
import type { ReplicationRule } from "../../model/replication-config.ts";
import { testRule } from "../../model/testing.ts";
import type { ObjectVersion, Tags } from "../../model/version.ts";
import { systemClock, type Clock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";
import { memoryBlobStore, type MemoryBlobStore } from "../../storage/blobs/memory.ts";
import type { OrderedIndex } from "../../storage/index/index.ts";
import { memoryIndex } from "../../storage/index/memory.ts";
import { targetClient } from "../client-adapter.ts";
import { Targets } from "../targets.ts";
import { FakeTarget } from "./fake-target.ts";

export const SRC = "src" as BucketName;
export const asKey = (text: string): ObjectKey => text as ObjectKey;

export interface TestSite {
  readonly objects: Objects;
  readonly index: OrderedIndex;
  readonly blobs: MemoryBlobStore;
  readonly clock: HurriedClock;
  readonly targets: Targets;
  /** Collects what `objects` announces. */
  onPoke: (arns: readonly Arn[]) => void;
  put(key: string, body?: string | Buffer, tags?: Tags): Promise<ObjectVersion>;
  close(): Promise<void>;
}

/** Text behind an `id` that `plainSealer` made. */
const plainSealer = {
  seal: (plain: string) => `sealed:${plain}`,
  open: (sealed: string) => sealed.slice("sealed:".length),
};

/** The machine's time, set forward by `aheadMs`; waits take a tenth of what was asked for. */
interface HurriedClock extends Clock {
  aheadMs: number;
}

function hurriedClock(): HurriedClock {
  const clock = systemClock();
  let lastNs = 0n;
  const hurried: HurriedClock = {
    aheadMs: 0,
    nowMs: () => clock.nowMs() + hurried.aheadMs,
    nowNs() {
      const ns = clock.nowNs() + BigInt(hurried.aheadMs) * 1_000_000n;
      lastNs = ns > lastNs ? ns : lastNs + 1n;
      return lastNs;
    },
    sleep: (ms, signal) => clock.sleep(ms / 10, signal),
  };
  return hurried;
}

export async function testSite(): Promise<TestSite> {
  const index = memoryIndex();
  const blobs = memoryBlobStore(systemRandom);
  const clock = hurriedClock();
  let site: TestSite;
  const objects = createObjects({ index, blobs, clock, random: systemRandom, poke: (arns) => site.onPoke(arns) });
  const targets = new Targets({
    index,
    objects,
    sealer: plainSealer,
    clock,
    random: systemRandom,
    clientFor: (address) => targetClient(address, { clock, userAgent: "test" }),
    hostId: "this-site",
  });
  site = {
    objects,
    index,
    blobs,
    clock,
    targets,
    onPoke: () => undefined,
    async put(key, body = key, tags) {
      const bytes = Buffer.from(body);
      const stream = (async function* () {
        yield bytes;
      })();
      const attributes = {
        headers: { "content-type": "text/plain" },
        userMetadata: { "x-amz-meta-k": "v" },
        storageClass: "STANDARD",
        tags,
      } as const;
      const result = await objects.put({
        bucket: SRC,
        key: asKey(key),
        attributes,
        body: { stream, size: bytes.length },
      });
      return result.version;
    },
    async close() {
      await targets.connections.close();
      await index.close();
    },
  };
  await objects.createBucket(SRC, { owner: "root" });
  await objects.updateBucket(SRC, (bucket) => ({ ...bucket, versioning: { status: "Enabled" } }));
  return site;
}

/**
 * A site and a target that answers: made before every test of the suite that calls this, and ended after it. What `use`
 * gives back is called before that, to stop what it started.
 */
export function eachWithTarget(
  use: (made: { site: TestSite; fake: FakeTarget }) => Promise<(() => Promise<void>) | void> | void,
): void {
  const ends: (() => Promise<void> | void)[] = [];
  beforeEach(async () => {
    const site = await testSite();
    const fake = new FakeTarget();
    ends.push(
      () => site.close(),
      () => fake.stop(),
    );
    await fake.start();
    const stop = await use({ site, fake });
    if (stop !== undefined) ends.unshift(stop);
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });
}

export function targetJson(fake: FakeTarget): object {
  return {
    endpoint: fake.endpoint,
    credentials: { accessKey: "AK", secretKey: "SK" },
    targetbucket: fake.bucket,
    secure: false,
    type: "replication",
  };
}

/** Registers the target and a rule for everything. */
export async function replicateTo(site: TestSite, fake: FakeTarget, rule: Partial<ReplicationRule> = {}): Promise<Arn> {
  const arn = await site.targets.set(SRC, targetJson(fake));
  await enableRule(site, arn, rule);
  return arn;
}

export async function enableRule(site: TestSite, arn: Arn, rule: Partial<ReplicationRule> = {}): Promise<void> {
  const full = testRule(arn, rule);
  await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, replication: { rules: [full], role: "" } }));
}

export async function statusOf(
  site: TestSite,
  arn: Arn,
  at: { key: string; versionId: VersionId },
): Promise<string | undefined> {
  const found = await site.objects.version({ bucket: SRC, key: asKey(at.key), versionId: at.versionId });
  if (found !== undefined) return found.version.replication.targets[arn];
  const stone = await site.objects.tombstone({ bucket: SRC, key: asKey(at.key), versionId: at.versionId });
  return stone?.replication.targets[arn];
}

/** Resolves when `reached` answers true; asks after every turn of the event loop. The test's own limit ends a vain wait. */
export async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await reached())) await new Promise((resolve) => setImmediate(resolve));
}

export async function collected<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of stream) out.push(item);
  return out;
}
