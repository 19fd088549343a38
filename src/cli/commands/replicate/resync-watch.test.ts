import assert from "node:assert/strict";
import { test } from "node:test";
import { NetworkError } from "../../../client/errors.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { BucketSite } from "./common.ts";
import { resync } from "./testing.ts";
import { watchResync, type ResyncWatch } from "./resync-watch.ts";

const ARN = "arn:minio:replication::1:dst";

/** A server that gives these answers to questions for the status, one after the other; an Error: none, for that reason. */
function watching(
  answers: readonly object[],
  resetId: string | undefined,
): { watch: ResyncWatch; asked: () => number } {
  let asked = 0;
  const send = async (): Promise<object> => {
    const answer = answers[Math.min(asked++, answers.length - 1)];
    if (answer instanceof Error) throw answer;
    const text = JSON.stringify(answer);
    return { bytes: () => Promise.resolve(Buffer.from(text)) };
  };
  const out = { interactive: false, message: () => undefined, progress: () => undefined };
  const ctx = { out, signal: new AbortController().signal };
  const site = { ctx, bucket: "src", url: "a/src", s3: { send } } as unknown as BucketSite;
  let nowMs = 0;
  const sleep = async (ms: number): Promise<void> => void (nowMs += ms);
  const clock = { nowMs: () => nowMs, nowNs: () => 0n, sleep } satisfies Clock;
  return { watch: { site, clock, arn: ARN, resetId, show: false }, asked: () => asked };
}

test("an older resync of the same target is not taken for the one that was started", async () => {
  const [old, ours] = ["old", "ours"].map((id) => resync(ARN, id, { resyncStatus: "Completed" }));
  const { watch, asked } = watching(
    [old as object, resync(ARN, "ours", { resyncStatus: "Ongoing" }), ours as object],
    "ours",
  );
  assert.deepEqual([await watchResync(watch), asked()], [0, 3]);
});

test("a resync whose place another one took is not waited for until the end of time", async () => {
  const answers = [
    resync(ARN, "ours", { resyncStatus: "Ongoing" }),
    resync(ARN, "next", { resyncStatus: "Completed" }),
  ];
  await assert.rejects(watchResync(watching(answers, "ours").watch), /another resync took its place/);
  const removed = watching([answers[0] as object, {}], undefined);
  await assert.rejects(watchResync(removed.watch), /its target was removed/);
});

test("a server that restarts is waited for; one that never answered or stays away is told", async () => {
  const away = new NetworkError("GET http://a", new Error("connection refused"));
  const [ongoing, done] = ["Ongoing", "Completed"].map((resyncStatus) => resync(ARN, "ours", { resyncStatus }));
  const { watch, asked } = watching([ongoing as object, away, away, done as object], "ours");
  assert.deepEqual([await watchResync(watch), asked()], [0, 4]);
  const never = watching([away], "ours");
  await assert.rejects(watchResync(never.watch), { cause: away });
  assert.equal(never.asked(), 1);
  await assert.rejects(watchResync(watching([ongoing as object, away], "ours").watch), { cause: away });
});
