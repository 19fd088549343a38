import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { NetworkError, S3ResponseError } from "./errors.ts";
import { isRetryable, retryWaitMs, withRetry } from "./retry.ts";

const answered = (status: number, code = ""): S3ResponseError =>
  new S3ResponseError({
    status,
    code,
    message: "",
    bucket: "",
    key: "",
    resource: "",
    requestId: "",
    hostId: "",
    region: "",
    server: "",
  });

function setting(): { waits: number[]; clock: Clock; random: Random } {
  const waits: number[] = [];
  const clock: Clock = { nowNs: () => 0n, nowMs: () => 0, sleep: async (ms) => void waits.push(ms) };
  const random: Random = { bytes: (length) => Buffer.alloc(length, 0x80), uuid: () => "" };
  return { waits, clock, random };
}

test("repeats what may pass, with growing waits, and no more often than told", async () => {
  const { waits, clock, random } = setting();
  let calls = 0;
  const flaky = async (): Promise<string> => {
    if (++calls < 4) throw calls === 1 ? new NetworkError("GET", new Error("reset")) : answered(503, "SlowDown");
    return "done";
  };
  assert.equal(await withRetry(flaky, { clock, random }), "done");
  assert.equal(waits.length, 3);
  assert.ok(waits.every((ms, i) => ms > 0 && ms <= retryWaitMs(i + 2)));
  await assert.rejects(
    withRetry(() => Promise.reject(answered(503)), { clock, random, attempts: 2 }),
    /503/,
  );
  assert.equal(waits.length, 4);
});

test("refusals are final, and an abort ends the waiting", async () => {
  const { waits, clock, random } = setting();
  await assert.rejects(withRetry(() => Promise.reject(answered(403, "AccessDenied")), { clock, random }));
  await assert.rejects(withRetry(() => Promise.reject(answered(503)), { clock, random, signal: AbortSignal.abort() }));
  assert.equal(waits.length, 0);
  assert.ok(!isRetryable(new Error("x")));
  assert.ok(isRetryable(answered(400, "RequestTimeout")));
});
