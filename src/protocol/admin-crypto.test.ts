import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  ADMIN_ALGORITHMS,
  AdminCryptoError,
  openAdminBody,
  openAdminStream,
  sealAdminBody,
  sealAdminStream,
} from "./admin-crypto.ts";

const PASSWORD = "minioadmin";
const RANDOM = Buffer.from([...Array(32).keys(), ...Array(8).keys()]);

test("worked vectors of all three algorithms, both ways", async () => {
  const plain = Buffer.from('{"status":"enabled"}');
  const vectors = {
    [ADMIN_ALGORITHMS.argon2Aes]: "778fcfeb360f3bb29b9c05dd4490c52d292adb97bbb3460df48c9ce4d1c53a248d5cb062",
    [ADMIN_ALGORITHMS.argon2ChaCha]: "d83f19919f0e7be5da5dcd8c4d42a4b70ba2e635d6953d6bdf999c184f4fd341c530dbb9",
    [ADMIN_ALGORITHMS.pbkdf2Aes]: "0ad84f57c7674eca1dc5e8d6ad0e2d0ecc5f9a38fd72d71445617bc05e6d75eb1bf7ddae",
  };
  for (const algorithm of Object.values(ADMIN_ALGORITHMS)) {
    const sealed = await sealAdminBody(PASSWORD, plain, { algorithm, random: RANDOM });
    assert.equal(sealed.subarray(41).toString("hex"), vectors[algorithm]);
    assert.deepEqual(await openAdminBody(PASSWORD, sealed), plain);
  }
});

test("several fragments", async () => {
  const hashes = {
    16384: "8ab35e28d672bb242f3feaf6d3d91dacf951bcd7432809b4307308a03503cf12",
    16385: "5e9248bc6b49f1ba20cc51e424ee1097530f807d1fcebe059b600db653c7df67",
  };
  for (const [size, expected] of Object.entries(hashes)) {
    const plain = Buffer.alloc(Number(size), "a");
    const sealed = await sealAdminBody(PASSWORD, plain, { algorithm: ADMIN_ALGORITHMS.argon2Aes, random: RANDOM });
    assert.equal(createHash("sha256").update(sealed).digest("hex"), expected);
    assert.deepEqual(await openAdminBody(PASSWORD, sealed), plain);
  }
});

test("captured bodies open", async () => {
  const request =
    "bffea89d971f511e0ab0f1d63905e790ec28b14edbc08c546a58726ff9457b44001bbd930478457299368a05cca26e4eab7cbee18" +
    "e9bb9bfeeb698132e5e2e1a9e898e35afd8d623ac89ee0a617e0cf5a833806a04740af737f22020413cc3278302deef14300bac1a" +
    "9d5de3f380c2128b2ad7250e01f0596fe4";
  const answer =
    "62dfce421d3c9e03f1a42f2e5ca0f3e9562781e7abf77bc2f1cbfb3d4f9bfe8700af1830cc2996e099cd992c76441aeb0230cdc54" +
    "faef331c8b6c599b584ab0a85ff2df58267e0e1a38f4c7ca51265d8d5c20b4eda7314bbd0c336d6c7e9df417c3e987d69d7de2565" +
    "326e03db8e628b143e9ed279b6ad5ea5b578d1dfaa997c149af95b57f22dc09122f0c15f9ad889628c09936c";
  const open = async (hex: string): Promise<string> =>
    (await openAdminBody(PASSWORD, Buffer.from(hex, "hex"))).toString();
  assert.equal(await open(request), '{"policies":["ReplicationAdminPolicy"],"user":"ReplicationAdmin"}');
  assert.equal(
    await open(answer),
    '{"policiesAttached":["ReplicationAdminPolicy"],"updatedAt":"2026-11-23T00:38:40.398171948Z"}',
  );
});

test("a wrong password, a changed byte, a cut body and plain JSON are refused", async () => {
  const sealed = await sealAdminBody(PASSWORD, Buffer.alloc(40_000, "x"));
  await assert.rejects(openAdminBody("other", sealed), AdminCryptoError);
  for (const at of [0, 33, 41, 16_441, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] as number) ^ 1;
    await assert.rejects(openAdminBody(PASSWORD, changed), AdminCryptoError);
  }
  for (const end of [0, 56, 41 + 16_400, sealed.length - 1]) {
    await assert.rejects(openAdminBody(PASSWORD, sealed.subarray(0, end)), AdminCryptoError);
  }
  await assert.rejects(openAdminBody(PASSWORD, Buffer.from(`{"secretKey":"${"x".repeat(100)}"}`)), AdminCryptoError);
  assert.deepEqual(await openAdminBody(PASSWORD, await sealAdminBody(PASSWORD, Buffer.alloc(0))), Buffer.alloc(0));
});

test("many argon2 bodies at once all open", async () => {
  const sealed = await sealAdminBody(PASSWORD, Buffer.from("x"), { algorithm: ADMIN_ALGORITHMS.argon2Aes });
  const opened = await Promise.all([1, 2, 3, 4].map(() => openAdminBody(PASSWORD, sealed)));
  assert.deepEqual(opened.map(String), ["x", "x", "x", "x"]);
});

test("streams are the same bytes, however they are cut", async () => {
  const cut = async function* (bytes: Buffer, sizes: readonly number[]): AsyncIterable<Buffer> {
    let at = 0;
    for (const size of sizes) {
      yield bytes.subarray(at, at + size);
      at += size;
    }
    yield bytes.subarray(at);
  };
  const joined = async (source: AsyncIterable<Buffer>): Promise<Buffer> => {
    const out: Buffer[] = [];
    for await (const piece of source) out.push(piece);
    return Buffer.concat(out);
  };
  const length = fc.constantFrom(0, 1, 16_383, 16_384, 16_385, 40_000);
  const cuts = fc.array(fc.nat({ max: 20_000 }), { maxLength: 5 });
  const options = { algorithm: ADMIN_ALGORITHMS.pbkdf2Aes, random: RANDOM };
  await fc.assert(
    fc.asyncProperty(length, cuts, cuts, async (bytes, plainCuts, sealedCuts) => {
      const plain = Buffer.alloc(bytes, "abc");
      const sealed = await joined(sealAdminStream(PASSWORD, cut(plain, plainCuts), options));
      assert.deepEqual(sealed, await sealAdminBody(PASSWORD, plain, options));
      assert.deepEqual(await joined(openAdminStream(PASSWORD, cut(sealed, sealedCuts))), plain);
      const short = joined(openAdminStream(PASSWORD, cut(sealed.subarray(0, -1), sealedCuts)));
      await assert.rejects(short, AdminCryptoError);
    }),
    { numRuns: 40 },
  );
});
