import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import { keyRingContract } from "../storage/keyring/contract.ts";
import { keyContext, type KeyRing } from "../storage/keyring/keyring.ts";
import { identityOf, KesDouble, type KesDoubleOptions } from "./kes-testing.ts";
import { identityOfApiKey, kesRing } from "./kes.ts";
import { selfSigned, type KeyPair } from "./self-signed.ts";

const CONTEXT = keyContext("b", "k");

function apiKey(seed = randomBytes(32)): KeyPair {
  const text = `kes:v1:${Buffer.concat([Buffer.from([0]), seed]).toString("base64")}`;
  return identityOfApiKey(text, Date.now()) ?? assert.fail("an API key");
}

async function doubleOf(identity: KeyPair, options: Omit<KesDoubleOptions, "allowed"> = {}): Promise<KesDouble> {
  const double = new KesDouble({ allowed: identityOf(identity.cert), ...options });
  await double.start();
  double.keys.set("main", randomBytes(32));
  return double;
}

const ringOf = (identity: KeyPair, ...doubles: KesDouble[]): KeyRing =>
  kesRing({
    endpoints: doubles.map(({ endpoint }) => endpoint),
    defaultKeyId: "main",
    identity,
    ca: doubles.map(({ certificate }) => certificate.cert),
  });

for (const options of [{}, { method: "PUT", lines: true }] as const) {
  keyRingContract(`a key server ${JSON.stringify(options)}`, async () => {
    const identity = apiKey();
    const [own, other] = [await doubleOf(identity, options), await doubleOf(identity, options)];
    const [ring, stranger] = [ringOf(identity, own), ringOf(identity, other)];
    const close = async (): Promise<void> => {
      for (const part of [ring, stranger]) await part.close();
      for (const part of [own, other]) await part.stop();
    };
    return { ring, stranger, close };
  });
}

test("a key server that is away is said so, and found again", async () => {
  const identity = apiKey();
  const double = await doubleOf(identity);
  const ring = ringOf(identity, double);
  try {
    const { plain, sealed } = await ring.generate("main", CONTEXT);
    await double.stop();
    await assert.rejects(ring.open("main", sealed, CONTEXT), (e) => hasCode(e, "XResilverKeyServerUnavailable"));
    assert.deepEqual((await ring.status()).endpoints, { [double.endpoint]: "offline" });
    await double.start();
    assert.ok((await ring.open("main", sealed, CONTEXT)).equals(plain));
    assert.deepEqual((await ring.status()).endpoints, { [double.endpoint]: "online" });
  } finally {
    await ring.close();
    await double.stop();
  }
});

test("another endpoint stands in for one that is away", async () => {
  const identity = apiKey();
  const [first, second] = [await doubleOf(identity), await doubleOf(identity)];
  second.keys.set("main", first.keys.get("main") as Buffer);
  const ring = ringOf(identity, first, second);
  try {
    const { plain, sealed } = await ring.generate("main", CONTEXT);
    await first.stop();
    assert.ok((await ring.open("main", sealed, CONTEXT)).equals(plain));
  } finally {
    await ring.close();
    await second.stop();
  }
});

test("a site that the key server does not know, and a server that the site does not trust", async () => {
  const double = await doubleOf(apiKey());
  const stranger = ringOf(apiKey(), double);
  const other = selfSigned({ seed: randomBytes(32), name: "x", nowMs: Date.now() });
  const identity = apiKey();
  const careful = kesRing({ endpoints: [double.endpoint], defaultKeyId: "main", identity, ca: [other.cert] });
  try {
    await assert.rejects(stranger.generate("main", CONTEXT), (e) => hasCode(e, "KMS.AccessDeniedException"));
    await assert.rejects(careful.generate("main", CONTEXT), (e) => hasCode(e, "XResilverKeyServerUnavailable"));
  } finally {
    await stranger.close();
    await careful.close();
    await double.stop();
  }
});

test("what is no API key", () => {
  for (const text of ["", "kes:v1:", "kes:v1:AAAA", `kes:v2:${"A".repeat(44)}`, `kes:v1:B${"A".repeat(43)}`])
    assert.equal(identityOfApiKey(text, 0), undefined, text);
});
