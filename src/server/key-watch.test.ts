import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { StoreError } from "../model/errors.ts";
import { createObjects } from "../objects/create.ts";
import { bodyOf, bucketName, objectKey, PLAIN, SettableClock } from "../objects/testing.ts";
import { createLogger } from "../observe/log.ts";
import { systemRandom } from "../runtime/random.ts";
import { memoryBlobStore } from "../storage/blobs/memory.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { openEmbeddedRing } from "../storage/keyring/embedded.ts";
import type { KeyRing } from "../storage/keyring/keyring.ts";
import { codeOf, KeyWatch } from "./key-watch.ts";

const keysOf = (...names: string[]) => names.map((name) => ({ name, key: randomBytes(32) }));
const bucket = bucketName("sealed");

/** Keys elsewhere, as a key server has them: the ring keeps nothing in the site's index. */
async function ringAside(keys: ReturnType<typeof keysOf>): Promise<KeyRing> {
  return openEmbeddedRing({ index: memoryIndex(), clock: new SettableClock(0), random: systemRandom, keys });
}

function away(): never {
  throw new StoreError("XResilverKeyServerUnavailable", { message: "away" });
}

test("a key that is away, gone, or another one of its name is found without an object; one look serves many calls", async () => {
  const clock = new SettableClock(1_000_000);
  const parts = { index: memoryIndex(), clock, random: systemRandom };
  const keys = keysOf("main", "named");
  let ring = await ringAside(keys);
  let looks = 0;
  const current: KeyRing = {
    defaultKeyId: "main",
    always: false,
    generate: (...args) => (looks++, ring.generate(...args)),
    open: (...args) => ring.open(...args),
    create: (...args) => ring.create(...args),
    list: () => ring.list(),
    status: () => ring.status(),
    close: () => ring.close(),
  };
  const blobs = memoryBlobStore(systemRandom);
  const objects = createObjects({ ...parts, blobs, keyRing: current, poke: () => undefined });
  const lines: string[] = [];
  const log = createLogger({ json: false, clock, write: (line) => void lines.push(line) });
  const watch = new KeyWatch({ ...parts, ring: current, objects, log });
  const look = async (): Promise<string | undefined> => {
    clock.ms += 5000;
    return codeOf(await watch.fault());
  };

  await objects.createBucket(bucket, { owner: "root" });
  const encryption = { kind: "SSE-KMS", keyId: "named" } as const;
  await objects.put({ bucket, key: objectKey("k"), attributes: PLAIN, encryption, body: bodyOf("text") });
  await watch.step();
  assert.deepEqual(lines, []);
  assert.equal(await look(), undefined);
  const before = looks;
  await Promise.all([watch.fault(), watch.fault()]);
  assert.equal(looks, before);
  clock.ms += 5000;
  const first = watch.fault();
  clock.ms += 5000;
  await Promise.all([first, watch.fault()]);
  assert.equal(looks, before + 1);
  // Set back: what was seen may be of any age.
  clock.ms -= 1_000_000;
  await watch.fault();
  assert.equal(looks, before + 2);

  const good = ring;
  ring = { ...current, generate: async () => away(), open: async () => away() };
  assert.equal(await look(), "XResilverKeyServerUnavailable");
  await watch.step();
  await watch.step();
  assert.equal(lines.length, 2, lines.join(""));
  ring = good;
  assert.equal(await look(), undefined);
  await watch.step();
  assert.match(lines.slice(2).join(""), /works again key=main\n.*works again key=named\n$/);

  ring = await ringAside(keysOf("main", "other"));
  assert.equal(await look(), "KMS.InvalidCiphertextException");
  await watch.step();
  assert.match(lines.slice(4).join(""), /key=main error=.*\n.*key=named error=.*no key/);
  await assert.rejects(objects.checkEncryptionKey(undefined), { code: "KMS.InvalidCiphertextException" });
  await assert.rejects(objects.checkEncryptionKey("named"), { code: "KMS.NotFoundException" });
  ring = await ringAside(keysOf("other"));
  assert.equal(await look(), "KMS.NotFoundException");
});
