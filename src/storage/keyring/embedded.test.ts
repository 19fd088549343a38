import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { hasCode } from "../../model/errors.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";
import type { OrderedIndex } from "../index/index.ts";
import { memoryIndex } from "../index/memory.ts";
import { keyRingContract } from "./contract.ts";
import { ChangedKeysError, openEmbeddedRing, parseNamedKeys, type NamedKey } from "./embedded.ts";
import { keyContext, type KeyRing } from "./keyring.ts";
import { newObjectKey, openObjectKey, sealObjectKey } from "./object-key.ts";

const keyOf = (name: string): NamedKey => ({ name, key: randomBytes(32) });
const CONTEXT = keyContext("b", "k");

function ringOf(index: OrderedIndex, ...keys: NamedKey[]): Promise<KeyRing> {
  return openEmbeddedRing({ index, clock: systemClock(), random: systemRandom, keys });
}

keyRingContract("the embedded key ring", async () => ({
  ring: await ringOf(memoryIndex(), keyOf("main")),
  stranger: await ringOf(memoryIndex(), keyOf("main")),
  close: () => Promise.resolve(),
}));

test("keys of the settings: names and 32 bytes each, the first is the default", async () => {
  const [a, b] = [keyOf("one"), keyOf("two")];
  const text = (key: NamedKey): string => `${key.name}:${key.key.toString("base64")}`;
  assert.deepEqual(parseNamedKeys(`${text(a)},${text(b)}`), [a, b]);
  for (const wrong of ["", "one", "one:AAAA", `:${a.key.toString("base64")}`, `${text(a)},${text(a)}`])
    assert.equal(parseNamedKeys(wrong), undefined, wrong);
  assert.equal((await ringOf(memoryIndex(), a, b)).defaultKeyId, "one");
});

test("another key under a used name is refused at the start", async () => {
  const index = memoryIndex();
  const key = keyOf("main");
  await ringOf(index, key);
  await ringOf(index, key);
  await assert.rejects(
    ringOf(index, keyOf("main")),
    (error) => error instanceof ChangedKeysError && error.keys.includes("main"),
  );
});

test("a new master takes over the keys that were made under the old one", async () => {
  const index = memoryIndex();
  const [old, fresh] = [keyOf("old"), keyOf("fresh")];
  const before = await ringOf(index, old);
  await before.create("made", "ada");
  const { plain, sealed } = await before.generate("made", CONTEXT);
  await ringOf(index, fresh, old);
  const after = await ringOf(index, fresh);
  assert.ok((await after.open("made", sealed, CONTEXT)).equals(plain));
  const other = await before.generate("old", CONTEXT);
  await assert.rejects(after.open("old", other.sealed, CONTEXT), (error) => hasCode(error, "KMS.NotFoundException"));
});

test("an object key opens with its key and in its place only", () => {
  const [key, objectKey] = [randomBytes(32), newObjectKey(systemRandom)];
  const sealed = sealObjectKey(key, objectKey, CONTEXT, systemRandom);
  assert.ok(openObjectKey(key, sealed, CONTEXT)?.equals(objectKey));
  assert.equal(openObjectKey(randomBytes(32), sealed, CONTEXT), undefined);
  assert.equal(openObjectKey(key, sealed, keyContext("b", "other")), undefined);
  assert.equal(openObjectKey(key, "AAAA", CONTEXT), undefined);
});
