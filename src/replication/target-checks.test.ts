import assert from "node:assert/strict";
import { test } from "node:test";
import { checkBucketThere } from "./target-checks.ts";
import type { TargetClient } from "./wire.ts";

const answering = (status: number, headers: Record<string, string>): TargetClient =>
  ({
    bucket: "b",
    request: () => Promise.resolve({ status, headers, body: Buffer.alloc(0) }),
  }) as unknown as TargetClient;

test("plain HTTP at a TLS port, which a HEAD cannot be told, is guessed at", async () => {
  await assert.rejects(
    checkBucketThere(answering(400, {}), "NoSuchBucket"),
    /HTTP400 .*If its port speaks TLS, write https:\/\//,
  );
  const refusal = checkBucketThere(answering(403, { "x-minio-error-code": "AccessDenied" }), "NoSuchBucket");
  await assert.rejects(refusal, (error: Error) => /AccessDenied/.test(error.message) && !/https/.test(error.message));
});

test("a target's words are told without the entities of XML", async () => {
  const body = Buffer.from("<Error><Code>RequestTimeTooSkewed</Code><Message>the server&#39;s time</Message></Error>");
  const client = { bucket: "b", request: () => Promise.resolve({ status: 403, headers: {}, body }) };
  await assert.rejects(
    checkBucketThere(client as unknown as TargetClient, "NoSuchBucket"),
    /RequestTimeTooSkewed \(the server's time\)/,
  );
});
