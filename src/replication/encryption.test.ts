import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Objects } from "../objects/objects.ts";
import { systemClock } from "../runtime/clock.ts";
import { targetClient } from "./client-adapter.ts";
import { checkEncryption } from "./encryption.ts";
import { FakeTarget, type SeenRequest } from "./testing/fake-target.ts";
import { SRC } from "./testing/site.ts";
import type { TargetClient } from "./wire.ts";

/** A bucket whose default is SSE-S3, at a site that has the key. */
const encrypting = {
  bucket: async () => ({ encryption: { kind: "SSE-S3" } }),
  encryptedWith: async () => [],
  checkEncryptionKey: async () => undefined,
} as unknown as Objects;

describe("a look for the key at the target", { timeout: 20_000 }, () => {
  let fake: FakeTarget;
  let client: TargetClient;

  beforeEach(async () => {
    fake = new FakeTarget();
    await fake.start();
    const address = { endpoint: fake.endpoint, secure: false, bucket: fake.bucket, accessKey: "AK", secretKey: "SK" };
    client = targetClient({ ...address, region: "" }, { clock: systemClock(), userAgent: "test" });
  });
  afterEach(async () => {
    await client.close();
    await fake.stop();
  });
  const look = (): Promise<void> => checkEncryption(encrypting, SRC, { client, carriesSecrets: true }, 1n);
  const puts =
    (answer: ReturnType<FakeTarget["interfere"]>) =>
    ({ method }: SeenRequest) =>
      method === "PUT" ? answer : undefined;

  test("a dry run that is refused as such found the key", () => look());

  test("without an answer, or from a busy target, nothing is known: the connection is to blame", async () => {
    for (const answer of ["cut" as const, { status: 503, code: "SlowDown" }]) {
      fake.interfere = puts(answer);
      await assert.rejects(look(), { code: "XMinioAdminReplicationRemoteConnectionError" });
    }
  });

  test("a target without a key ring is named", async () => {
    fake.interfere = puts({ status: 501, code: "NotImplemented" });
    await assert.rejects(look(), { code: "InvalidRequest", message: /cannot encrypt/ });
  });
});
