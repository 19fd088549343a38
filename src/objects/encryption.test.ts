import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { CustomerKey, EncryptionRequest } from "../model/encryption.ts";
import { hasCode } from "../model/errors.ts";
import { NULL_VERSION } from "../model/names.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import { memoryBlobStore } from "../storage/blobs/memory.ts";
import { PACKAGE_BYTES } from "../storage/blobs/seal.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { openEmbeddedRing } from "../storage/keyring/embedded.ts";
import type { KeyRing } from "../storage/keyring/keyring.ts";
import { createObjects } from "./create.ts";
import type { Objects } from "./objects.ts";
import { bodyOf, bucketName, objectKey, PLAIN } from "./testing.ts";
import type { FoundObject } from "./types.ts";

const B = bucketName("photos");
const K = objectKey("a/b.jpg");

const customer = (key = randomBytes(32)): CustomerKey => ({
  key,
  md5: createHash("md5").update(key).digest("base64"),
});
const KEY = customer();

/** Every way to store an object; SSE-KMS with and without what it may have. */
const WAYS: readonly (EncryptionRequest | undefined)[] = [
  undefined,
  { kind: "SSE-S3" },
  { kind: "SSE-KMS" },
  { kind: "SSE-KMS", keyId: "second", context: Buffer.from('{"team":"x"}').toString("base64") },
  { kind: "SSE-C", customerKey: KEY },
];
const keyFor = (way: EncryptionRequest | undefined): CustomerKey | undefined =>
  way?.kind === "SSE-C" ? way.customerKey : undefined;

async function siteOf() {
  const index = memoryIndex();
  const blobs = memoryBlobStore(systemRandom);
  const deps = { index, blobs, clock: systemClock(), random: systemRandom, poke: () => undefined };
  const keys = ["main", "second"].map((name) => ({ name, key: randomBytes(32) }));
  const keyRing = await openEmbeddedRing({ ...deps, keys });
  const objects = createObjects({ ...deps, keyRing });
  await objects.createBucket(B, { owner: "root" });
  return {
    objects,
    blobs,
    index,
    keys,
    /** The same site with other keys, or none. */
    with: (ring: KeyRing | undefined): Objects => createObjects({ ...deps, keyRing: ring }),
  };
}

async function put(objects: Objects, bytes: Buffer, encryption: EncryptionRequest | undefined, key = K) {
  return objects.put({ bucket: B, key, attributes: PLAIN, body: bodyOf(bytes), encryption });
}

async function bytesOf(found: FoundObject, start = 0, end = found.version.size): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of found.read(start, end)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

async function readBack(objects: Objects, key = K, customerKey?: CustomerKey): Promise<Buffer> {
  const found = await objects.find({ bucket: B, key });
  await found.unlock?.(customerKey);
  return bytesOf(found);
}

const SIZES = [0, 1, 1000, PACKAGE_BYTES - 1, PACKAGE_BYTES, PACKAGE_BYTES + 1, 3 * PACKAGE_BYTES + 17];
const refused = (code: string) => (error: unknown) => hasCode(error, code);

test("objects of every way and size come back, and their bytes lie nowhere", async () => {
  const { objects, blobs } = await siteOf();
  for (const way of WAYS) {
    for (const size of SIZES) {
      const bytes = randomBytes(size);
      const { version } = await put(objects, bytes, way);
      assert.equal(version.size, size);
      assert.equal(version.encryption?.kind, way?.kind);
      const isMd5 = version.etag === createHash("md5").update(bytes).digest("hex");
      assert.equal(isMd5, way === undefined || way.kind === "SSE-S3");
      assert.ok((await readBack(objects, K, keyFor(way))).equals(bytes));
      const lies = [...blobs.files.values()].some((file) => size >= 16 && file.includes(bytes.subarray(0, 16)));
      assert.equal(lies, way === undefined && size > 1024);
      await objects.delete({ bucket: B, key: K });
    }
  }
});

test("every range of objects with and without parts", async () => {
  const { objects } = await siteOf();
  for (const way of WAYS) {
    const parts = [randomBytes(5 * 1024 * 1024), randomBytes(5 * 1024 * 1024 + 3), randomBytes(PACKAGE_BYTES)];
    const bytes = Buffer.concat(parts);
    const upload = await objects.createUpload({
      bucket: B,
      key: K,
      attributes: PLAIN,
      initiator: "root",
      encryption: way,
    });
    const at = { bucket: B, key: K, uploadId: upload.uploadId };
    const done = [];
    for (const [i, part] of parts.entries()) {
      // Sent twice: the same part number must not meet the same key.
      await objects.putPart(at, i + 1, bodyOf(randomBytes(part.length)), keyFor(way));
      done.push(await objects.putPart(at, i + 1, bodyOf(part), keyFor(way)));
    }
    await objects.completeUpload({ ...at, parts: done });
    const found = await objects.find({ bucket: B, key: K });
    await found.unlock?.(keyFor(way));
    const edges = [0, PACKAGE_BYTES, 5 * 1024 * 1024, 10 * 1024 * 1024 + 3, bytes.length];
    const position = fc
      .oneof(
        fc.nat(bytes.length),
        fc.tuple(fc.constantFrom(...edges), fc.integer({ min: -2, max: 2 })).map(([a, b]) => a + b),
      )
      .map((value) => Math.max(0, Math.min(bytes.length, value)));
    await fc.assert(
      fc.asyncProperty(position, position, async (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        assert.ok((await bytesOf(found, start, end)).equals(bytes.subarray(start, end)));
      }),
      { numRuns: 15 },
    );
  }
});

test("copies from every way to every way", async () => {
  const { objects } = await siteOf();
  const to = objectKey("copy");
  for (const from of WAYS) {
    for (const way of WAYS) {
      for (const size of [10, 100_000]) {
        const bytes = randomBytes(size);
        await objects.put({
          bucket: B,
          key: K,
          attributes: PLAIN,
          body: { ...bodyOf(bytes), checksumAlgorithm: "CRC64NVME" },
          encryption: from,
        });
        const copied = await objects.copy({
          bucket: B,
          key: to,
          from: { bucket: B, key: K },
          encryption: way,
          fromKey: keyFor(from),
        });
        assert.equal(copied.version.encryption?.kind, way?.kind);
        if (way === undefined || way.kind === "SSE-S3")
          assert.equal(copied.version.etag, createHash("md5").update(bytes).digest("hex"));
        assert.ok((await readBack(objects, to, keyFor(way))).equals(bytes), `${from?.kind} to ${way?.kind}`);
      }
    }
  }
});

test("a copy onto itself with another key rewrites no byte", async () => {
  const { objects, blobs } = await siteOf();
  const bytes = randomBytes(100_000);
  await objects.put({
    bucket: B,
    key: K,
    attributes: PLAIN,
    body: { ...bodyOf(bytes), checksumAlgorithm: "CRC64NVME" },
    encryption: { kind: "SSE-C", customerKey: KEY },
  });
  const [before] = blobs.files.values();
  const next = customer();
  await objects.copy({
    bucket: B,
    key: K,
    from: { bucket: B, key: K },
    encryption: { kind: "SSE-C", customerKey: next },
    fromKey: KEY,
  });
  assert.ok([...blobs.files.values()].every((file) => file.equals(before as Buffer)));
  assert.ok((await readBack(objects, K, next)).equals(bytes));
  await assert.rejects(readBack(objects, K, KEY), refused("AccessDenied"));
});

test("a client's key: missing, wrong, and where none belongs", async () => {
  const { objects } = await siteOf();
  await put(objects, randomBytes(10), { kind: "SSE-C", customerKey: KEY });
  await assert.rejects(readBack(objects), refused("InvalidRequest"));
  await assert.rejects(readBack(objects, K, customer()), refused("AccessDenied"));
  await put(objects, randomBytes(10), { kind: "SSE-S3" });
  await assert.rejects(readBack(objects, K, KEY), refused("InvalidRequest"));
  const upload = await objects.createUpload({
    bucket: B,
    key: K,
    attributes: PLAIN,
    initiator: "root",
    encryption: { kind: "SSE-C", customerKey: KEY },
  });
  const at = { bucket: B, key: K, uploadId: upload.uploadId };
  await assert.rejects(objects.putPart(at, 1, bodyOf("x")), refused("InvalidRequest"));
  await assert.rejects(objects.putPart(at, 1, bodyOf("x"), customer()), refused("InvalidRequest"));
});

test("defaults of the bucket hold for what asks for nothing", async () => {
  const { objects } = await siteOf();
  await objects.updateBucket(B, (bucket) => ({ ...bucket, encryption: { kind: "SSE-KMS", keyId: "second" } }));
  assert.equal((await put(objects, randomBytes(10), undefined)).version.encryption?.keyId, "second");
  assert.equal((await put(objects, randomBytes(10), { kind: "SSE-S3" })).version.encryption?.kind, "SSE-S3");
  const way: EncryptionRequest = { kind: "SSE-C", customerKey: KEY };
  assert.equal((await put(objects, randomBytes(10), way)).version.encryption?.kind, "SSE-C");
  const copied = await objects.copy({ bucket: B, key: objectKey("c"), from: { bucket: B, key: K }, fromKey: KEY });
  assert.equal(copied.version.encryption?.keyId, "second");
});

test("without the key a read says so: no damage is recorded, no byte is served", async () => {
  const site = await siteOf();
  await put(site.objects, randomBytes(100_000), { kind: "SSE-KMS", keyId: "second" });
  const deps = { index: memoryIndex(), clock: systemClock(), random: systemRandom };
  const [main] = site.keys;
  assert.ok(main !== undefined);
  const without = await openEmbeddedRing({ ...deps, keys: [main] });
  const other = await openEmbeddedRing({ ...deps, keys: [main, { name: "second", key: randomBytes(32) }] });
  await assert.rejects(readBack(site.with(without)), refused("KMS.NotFoundException"));
  await assert.rejects(readBack(site.with(other)), refused("KMS.InvalidCiphertextException"));
  await assert.rejects(readBack(site.with(undefined)), refused("NotImplemented"));
  await assert.rejects(put(site.with(undefined), randomBytes(5), { kind: "SSE-S3" }), refused("NotImplemented"));
  const seen = await site.objects.version({ bucket: B, key: K });
  assert.equal(seen?.version.kind === "object" && seen.version.damaged, undefined);
  assert.equal((await readBack(site.objects)).length, 100_000);
});

test("changed bytes are damage", async () => {
  const { objects, blobs } = await siteOf();
  await put(objects, randomBytes(100_000), { kind: "SSE-S3" });
  for (const file of blobs.files.values()) file[70_000] = (file[70_000] as number) ^ 1;
  await assert.rejects(readBack(objects), refused("XResilverObjectDamaged"));
  const seen = await objects.version({ bucket: B, key: K, versionId: NULL_VERSION });
  assert.equal(seen?.version.kind === "object" && seen.version.damaged, "corrupt");
});

test("a rotation puts keys under another one and touches no byte", async () => {
  const site = await siteOf();
  const { objects, blobs } = site;
  const bytes = randomBytes(70_000);
  await put(objects, bytes, { kind: "SSE-KMS", keyId: "second", context: Buffer.from('{"a":"b"}').toString("base64") });
  await put(objects, bytes, { kind: "SSE-C", customerKey: KEY }, objectKey("c"));
  const upload = await objects.createUpload({
    bucket: B,
    key: objectKey("parts"),
    attributes: PLAIN,
    initiator: "root",
    encryption: { kind: "SSE-KMS", keyId: "second" },
  });
  const at = { bucket: B, key: objectKey("parts"), uploadId: upload.uploadId };
  const part = await objects.putPart(at, 1, bodyOf("a part from before"));
  const files = [...blobs.files.values()].map((file) => Buffer.from(file));
  assert.deepEqual(await objects.rewrap("second", "main"), { rewrapped: 2, failed: 0 });
  assert.deepEqual(await objects.rewrap("second", "main"), { rewrapped: 0, failed: 0 });
  assert.deepEqual([...blobs.files.values()], files);
  const [main] = site.keys;
  assert.ok(main !== undefined);
  const deps = { index: site.index, clock: systemClock(), random: systemRandom };
  const after = site.with(await openEmbeddedRing({ ...deps, keys: [main] }));
  assert.ok((await readBack(after)).equals(bytes));
  await after.completeUpload({ ...at, parts: [part] });
  assert.equal((await readBack(after, objectKey("parts"))).toString(), "a part from before");
  const ways = await after.encryptedWith(await after.bucket(B));
  assert.deepEqual(
    ways.map(({ kind, keyId, versions }) => [kind, keyId, versions]),
    [
      ["SSE-C", undefined, 1],
      ["SSE-KMS", "main", 2],
    ],
  );
});
