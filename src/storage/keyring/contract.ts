/** What every key ring must do, as tests: for the embedded one and for key servers. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { hasCode } from "../../model/errors.ts";
import { keyContext, type KeyRing } from "./keyring.ts";

export interface KeyRingSite {
  readonly ring: KeyRing;
  /** Another ring that has a default key of the same name, but another one. */
  readonly stranger: KeyRing;
  close(): Promise<void>;
}

const CONTEXT = keyContext("photos", "a/b.jpg");

/** Registers the suite. `make` gives a ring with its default key only. */
export function keyRingContract(name: string, make: () => Promise<KeyRingSite>): void {
  const on = (title: string, run: (site: KeyRingSite) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const site = await make();
      try {
        await run(site);
      } finally {
        await site.close();
      }
    });
  };

  on("a data key opens with its key and its context", async ({ ring }) => {
    const first = await ring.generate(ring.defaultKeyId, CONTEXT);
    const second = await ring.generate(ring.defaultKeyId, CONTEXT);
    assert.equal(first.plain.length, 32);
    assert.ok(!first.plain.equals(second.plain));
    assert.ok(!Buffer.from(first.sealed, "base64").includes(first.plain));
    assert.ok((await ring.open(ring.defaultKeyId, first.sealed, CONTEXT)).equals(first.plain));
  });

  on("another context, another key of that name, and changed bytes open nothing", async ({ ring, stranger }) => {
    const { sealed } = await ring.generate(ring.defaultKeyId, CONTEXT);
    const refused = (error: unknown): boolean => hasCode(error, "KMS.InvalidCiphertextException");
    await assert.rejects(ring.open(ring.defaultKeyId, sealed, keyContext("photos", "a/c.jpg")), refused);
    await assert.rejects(stranger.open(ring.defaultKeyId, sealed, CONTEXT), refused);
    await assert.rejects(ring.open(ring.defaultKeyId, randomBytes(60).toString("base64"), CONTEXT), refused);
  });

  on("a key that is not there is told by name", async ({ ring }) => {
    await assert.rejects(ring.generate("nobody", CONTEXT), (error) => hasCode(error, "kms:KeyNotFound"));
    const { sealed } = await ring.generate(ring.defaultKeyId, CONTEXT);
    await assert.rejects(
      ring.open("nobody", sealed, CONTEXT),
      (error) => hasCode(error, "KMS.NotFoundException") && error.message.includes("nobody"),
    );
  });

  on("keys are made once, listed in order, and work", async ({ ring }) => {
    await ring.create("zebra", "ada");
    await ring.create("apple", "ada");
    await assert.rejects(ring.create("zebra", "ada"), (error) => hasCode(error, "XMinioKMSKeyExists"));
    await assert.rejects(ring.create("no/slash", "ada"), (error) => hasCode(error, "XMinioAdminInvalidArgument"));
    const names = (await ring.list()).map((key) => key.name);
    assert.deepEqual(names, [ring.defaultKeyId, "apple", "zebra"].toSorted());
    const { plain, sealed } = await ring.generate("apple", CONTEXT);
    assert.ok((await ring.open("apple", sealed, CONTEXT)).equals(plain));
    await assert.rejects(ring.open("zebra", sealed, CONTEXT), (error) =>
      hasCode(error, "KMS.InvalidCiphertextException"),
    );
  });
}
