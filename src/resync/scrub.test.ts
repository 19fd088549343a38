/** Damage is found by reading, and comes back from a peer that a rule names, as the very version that it was. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Bucket } from "../model/bucket.ts";
import type { ObjectVersion } from "../model/version.ts";
import type { Peer } from "../replication/peer-reads.ts";
import type { OpenResponse } from "../replication/wire.ts";
import { asKey, SRC, testSite, until, type TestSite } from "../replication/testing/site.ts";
import { systemRandom } from "../runtime/random.ts";
import { Heals, type HealItem, type HealTask } from "./heal.ts";
import { repairVersion } from "./repair.ts";
import { countDamaged, Scrub, scrubState } from "./scrub.ts";

const BIG = 5000;

/** A peer that has what `bodies` holds, and answers as one of ours. */
class FakePeer implements Peer {
  readonly secure = false;
  readonly carriesSecrets = false;
  readonly bodies = new Map<string, { version: ObjectVersion; body: Buffer }>();
  asked = 0;

  holds(version: ObjectVersion, body: Buffer): void {
    this.bodies.set(version.versionId, { version, body });
  }

  async ask(request: Parameters<Peer["ask"]>[0]): Promise<OpenResponse | undefined> {
    this.asked++;
    const found = this.bodies.get(request.query?.["versionId"] ?? "");
    if (found === undefined) return answer(404, {}, Buffer.alloc(0));
    const { version, body } = found;
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers?.["range"] ?? "") ?? [];
    const piece = start === undefined ? body : body.subarray(Number(start), Number(last) + 1);
    const headers = {
      "x-amz-version-id": version.versionId,
      "last-modified": new Date(Number(version.mtime / 1_000_000n)).toUTCString(),
      etag: `"${version.etag}"`,
      "content-length": String(piece.length),
      "content-type": "text/plain",
      "x-amz-meta-k": "v",
      ...(start === undefined ? {} : { "content-range": `bytes ${start}-${last}/${body.length}` }),
    };
    return answer(start === undefined ? 200 : 206, headers, piece);
  }
}

function answer(status: number, headers: Record<string, string>, body: Buffer): OpenResponse {
  const stream = (async function* () {
    yield body;
  })();
  return { status, headers, stream, discard: async () => undefined };
}

describe("scrub, repair and heal", { timeout: 30_000 }, () => {
  let site: TestSite;
  let peer: FakePeer;
  let bucket: Bucket;
  const warnings: string[] = [];

  beforeEach(async () => {
    site = await testSite();
    peer = new FakePeer();
    bucket = await site.objects.updateBucket(SRC, (now) => ({ ...now, replication: { rules: [], role: "" } }));
  });
  afterEach(async () => {
    await site.close();
    warnings.splice(0);
  });

  const deps = () => ({
    objects: site.objects,
    index: site.index,
    blobs: site.blobs,
    clock: site.clock,
    random: systemRandom,
    peersFor: async () => [peer],
    warn: (message: string, error: unknown) => void warnings.push(`${message}: ${String(error)}`),
  });
  const scrub = (on = true) => new Scrub({ ...deps(), settings: () => ({ on, bytesPerSecond: 0 }) });
  const { signal } = new AbortController();
  async function now(version: ObjectVersion): Promise<ObjectVersion> {
    const found = await site.objects.version({ bucket: SRC, key: version.key, versionId: version.versionId });
    return found?.version as ObjectVersion;
  }
  async function read(version: ObjectVersion): Promise<string> {
    const found = await site.objects.find({ bucket: SRC, key: version.key, versionId: version.versionId });
    const pieces: Buffer[] = [];
    for await (const piece of found.read(0, version.size)) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces).toString();
  }
  function rot(version: ObjectVersion): void {
    site.blobs.files.set(version.blob?.id ?? "", Buffer.alloc(BIG, 1));
  }

  test("rot is found, recorded, and brought back with everything else left as it was", async () => {
    const versions: ObjectVersion[] = [];
    for (let i = 0; i < 5; i++) versions.push(await site.put(`k${i}`, String(i).repeat(BIG), { t: String(i) }));
    const [bad] = versions as [ObjectVersion];
    const { blob: _old, ...before } = await now(bad);
    peer.holds(bad, Buffer.from("0".repeat(BIG)));
    rot(bad);
    const one = scrub();
    while (await one.step(signal));
    const found = await scrubState(site.index);
    assert.deepEqual([found.versions, found.bytes, found.corrupt, found.missing, found.passes], [5, 5 * BIG, 1, 0, 1]);
    assert.equal(await countDamaged(site.index, [bucket], 10), 1);
    assert.equal(await one.repairAll(signal), 1);
    const { blob: _new, ...same } = await now(bad);
    assert.deepEqual(same, before);
    assert.equal(await read(bad), "0".repeat(BIG));
    assert.equal(await countDamaged(site.index, [bucket], 10), 0);
    assert.equal((await scrubState(site.index)).repaired, 1);
    assert.equal(await one.step(signal), false, "the next pass is not due yet");
    assert.deepEqual(warnings, []);
  });

  test("a multipart object comes back with its parts", async () => {
    const attributes = { headers: {}, userMetadata: {}, storageClass: "STANDARD" } as const;
    const upload = await site.objects.createUpload({ bucket: SRC, key: asKey("m"), attributes, initiator: "me" });
    const selector = { bucket: SRC, key: asKey("m"), uploadId: upload.uploadId };
    const bodies = [Buffer.alloc(5 << 20, "a"), Buffer.alloc(BIG, "b")];
    const parts = [];
    for (const [i, body] of bodies.entries())
      parts.push(await site.objects.putPart(selector, 2 * i + 1, { stream: stream(body), size: body.length }));
    const { version } = await site.objects.completeUpload({ ...selector, parts });
    peer.holds(version, Buffer.concat(bodies));
    site.blobs.files.clear();
    await assert.rejects(read(version), { code: "XResilverObjectDamaged" });
    assert.equal(await repairVersion(deps(), bucket, await now(version)), "repaired");
    const after = await site.objects.find({ bucket: SRC, key: version.key, versionId: version.versionId });
    assert.deepEqual([after.version.etag, after.version.damaged], [version.etag, undefined]);
    assert.deepEqual(
      after.parts.map(({ number, etag, size }) => [number, etag, size]),
      parts.map(({ number, etag, size }) => [number, etag, size]),
    );
    assert.equal((await read(version)).length, (5 << 20) + BIG);
  });

  test("a version that is purged here while a peer is asked for its bytes stays purged", async () => {
    const whole = await site.put("k", "x".repeat(BIG));
    const attributes = { headers: {}, userMetadata: {}, storageClass: "STANDARD" } as const;
    const upload = await site.objects.createUpload({ bucket: SRC, key: asKey("m"), attributes, initiator: "me" });
    const selector = { bucket: SRC, key: asKey("m"), uploadId: upload.uploadId };
    const part = await site.objects.putPart(selector, 1, { stream: stream(Buffer.alloc(BIG, "y")), size: BIG });
    const { version: inParts } = await site.objects.completeUpload({ ...selector, parts: [part] });
    peer.holds(whole, Buffer.alloc(BIG, "x"));
    peer.holds(inParts, Buffer.alloc(BIG, "y"));
    site.blobs.files.clear();
    for (const version of [whole, inParts]) {
      await assert.rejects(read(version), { code: "XResilverObjectDamaged" });
      const damaged = await now(version);
      const purging: Peer = {
        secure: false,
        carriesSecrets: false,
        async ask(request) {
          // No rule carries it: the will of the purge is local.
          await site.objects.delete({ bucket: SRC, key: version.key, versionId: version.versionId });
          return peer.ask(request);
        },
      };
      assert.equal(await repairVersion({ ...deps(), peersFor: async () => [purging] }, bucket, damaged), "repaired");
      assert.equal(await now(version), undefined);
      const stone = await site.objects.tombstone({ bucket: SRC, key: version.key, versionId: version.versionId });
      assert.equal(stone?.will, "local");
    }
    assert.deepEqual(warnings, []);
  });

  test("what is not the lost version is not taken for it", async () => {
    const version = await site.put("k", "x".repeat(BIG));
    site.blobs.files.clear();
    await assert.rejects(read(version), { code: "XResilverObjectDamaged" });
    const damaged = await now(version);
    assert.equal(await repairVersion(deps(), bucket, damaged), "not there");
    peer.holds({ ...version, etag: "0".repeat(32) }, Buffer.alloc(BIG));
    assert.equal(await repairVersion(deps(), bucket, damaged), "not there");
    peer.holds(version, Buffer.alloc(BIG, "y"));
    assert.equal(await repairVersion(deps(), bucket, damaged), "failed");
    assert.equal(await repairVersion({ ...deps(), peersFor: async () => [] }, bucket, damaged), "no peer");
    assert.notEqual((await now(version)).damaged, undefined);
    assert.deepEqual(site.blobs.files.size, 0, "what came and was wrong is not kept");
  });

  test("a version that could not be repaired is left in peace for a while", async () => {
    const version = await site.put("k", "x".repeat(BIG));
    site.blobs.files.clear();
    await assert.rejects(read(version));
    const one = scrub();
    assert.equal(await one.repairAll(signal), 0);
    assert.equal(await one.repairAll(signal), 0);
    assert.equal(peer.asked, 1);
  });

  test("a clock that was far ahead and is set back holds up neither the next pass nor the next repair", async () => {
    const version = await site.put("k", "x".repeat(BIG));
    site.blobs.files.clear();
    await assert.rejects(read(version));
    const one = scrub();
    site.clock.aheadMs = 365 * 86_400_000;
    while (await one.step(signal));
    await one.repairAll(signal);
    assert.equal(peer.asked, 1);
    site.clock.aheadMs = 0;
    assert.equal(await one.step(signal), true);
    await one.repairAll(signal);
    assert.equal(peer.asked, 2);
  });

  async function healed(heals: Heals, task: HealTask): Promise<HealItem[]> {
    const items: HealItem[] = [];
    await until(async () => {
      const { task: state, items: more } = await heals.status(task.token);
      items.push(...more);
      return state.summary !== "running";
    });
    return items;
  }

  test("a heal reports what it looked at; a dry run changes nothing", async () => {
    const versions: ObjectVersion[] = [];
    for (let i = 0; i < 250; i++) versions.push(await site.put(`p/${String(i).padStart(3, "0")}`, "x".repeat(BIG)));
    await site.put("other");
    const [bad, worse] = versions as [ObjectVersion, ObjectVersion];
    rot(bad);
    site.blobs.files.delete(worse.blob?.id ?? "");
    peer.holds(bad, Buffer.from("x".repeat(BIG)));
    const heals = new Heals(deps());
    const ask = { bucket: SRC, prefix: "p/", recursive: true, deep: true };
    const looked = await healed(heals, await heals.start({ ...ask, dryRun: true }, false));
    assert.equal(looked.length, 251);
    assert.deepEqual(
      looked.filter(({ before }) => before !== "ok").map(({ key, before, after }) => [key, before, after]),
      [
        [bad.key, "corrupt", "corrupt"],
        [worse.key, "missing", "missing"],
      ],
    );
    assert.equal((await now(bad)).damaged, undefined);
    const items = await healed(heals, await heals.start({ ...ask, dryRun: false }, false));
    assert.deepEqual(
      items.filter(({ before }) => before !== "ok").map(({ after, detail }) => [after, detail]),
      [
        ["ok", ""],
        ["missing", "no peer has this version with its bytes"],
      ],
    );
    assert.equal(await read(bad), "x".repeat(BIG));
    await assert.rejects(heals.status("none"), { code: "XMinioHealInvalidClientToken" });
    await heals.close();
  });

  test("one heal at a time over the same keys; it can be stopped and replaced", async () => {
    for (let i = 0; i < 1500; i++) await site.put(`k${i}`);
    const heals = new Heals(deps());
    const ask = { bucket: SRC, prefix: "", recursive: true, deep: false, dryRun: false };
    // Nobody reads its results, so it waits.
    const first = await heals.start(ask, false);
    await assert.rejects(heals.start({ ...ask, prefix: "k1" }, false), { code: "XMinioHealAlreadyRunning" });
    const second = await heals.start(ask, true);
    assert.equal((await heals.status(first.token)).task.summary, "stopped");
    assert.equal((await heals.stop(ask)).token, second.token);
    await assert.rejects(heals.stop(ask), { code: "XMinioHealNoSuchProcess" });
    await heals.close();
  });
});

async function* stream(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}
