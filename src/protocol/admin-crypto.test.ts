import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import { openAdminBody, sealAdminBody, type AdminAlgorithm } from "./admin-crypto.ts";

const PASSWORD = "minioadmin";
const salt = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const nonce = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]);
const PLAIN = Buffer.from('{"status":"enabled"}');

/** admin-api.md 2.3, worked vectors. */
const VECTORS: readonly [AdminAlgorithm, string][] = [
  [0, "778fcfeb360f3bb29b9c05dd4490c52d292adb97bbb3460df48c9ce4d1c53a248d5cb062"],
  [1, "d83f19919f0e7be5da5dcd8c4d42a4b70ba2e635d6953d6bdf999c184f4fd341c530dbb9"],
  [2, "0ad84f57c7674eca1dc5e8d6ad0e2d0ecc5f9a38fd72d71445617bc05e6d75eb1bf7ddae"],
];

for (const [algorithm, expected] of VECTORS) {
  test(`algorithm ${algorithm} seals as the published vector and opens again`, async () => {
    const sealed = await sealAdminBody(PASSWORD, PLAIN, { algorithm, salt, nonce });
    assert.equal(sealed.subarray(41).toString("hex"), expected);
    assert.deepEqual(await openAdminBody(PASSWORD, sealed), PLAIN);
  });
}

test("several fragments, the last one full or not", async () => {
  for (const [length, size, digest] of [
    [16384, 16441, "8ab35e28d672bb242f3feaf6d3d91dacf951bcd7432809b4307308a03503cf12"],
    [16385, 16458, "5e9248bc6b49f1ba20cc51e424ee1097530f807d1fcebe059b600db653c7df67"],
  ] as const) {
    const sealed = await sealAdminBody(PASSWORD, Buffer.alloc(length, "a"), { algorithm: 0, salt, nonce });
    assert.equal(sealed.length, size);
    assert.equal(createHash("sha256").update(sealed).digest("hex"), digest);
    assert.equal((await openAdminBody(PASSWORD, sealed)).length, length);
  }
});

test("a body captured from a real client opens", async () => {
  const captured =
    "bffea89d971f511e0ab0f1d63905e790ec28b14edbc08c546a58726ff9457b44001bbd930478457299368a05cca26e4eab7cbee18e9bb9bfeeb698132e5e2e1a9e898e35afd8d623ac89ee0a617e0cf5a833806a04740af737f22020413cc3278302deef14300bac1a9d5de3f380c2128b2ad7250e01f0596fe4";
  const plain = await openAdminBody(PASSWORD, Buffer.from(captured, "hex"));
  assert.equal(plain.toString(), '{"policies":["ReplicationAdminPolicy"],"user":"ReplicationAdmin"}');
});

test("what was changed, cut or sealed with another key does not open", async () => {
  const sealed = await sealAdminBody(PASSWORD, Buffer.alloc(40_000, 1));
  const flipped = Buffer.from(sealed);
  flipped[20_000] = (flipped[20_000] as number) ^ 1;
  for (const bad of [flipped, sealed.subarray(0, 41 + 16_400), Buffer.from("{}"), Buffer.alloc(0)]) {
    await assert.rejects(openAdminBody(PASSWORD, bad), (error) => hasCode(error, "XMinioAdminConfigBadJSON"));
  }
  await assert.rejects(openAdminBody("another", sealed), (error) => hasCode(error, "XMinioAdminConfigBadJSON"));
  assert.equal((await openAdminBody(PASSWORD, await sealAdminBody(PASSWORD, Buffer.alloc(0)))).length, 0);
});
