import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../runtime/clock.ts";
import type { BucketSite } from "./common.ts";
import { resync } from "./testing.ts";
import { watchResync, type ResyncWatch } from "./resync-watch.ts";

const ARN = "arn:minio:replication::1:dst";

/** A server that gives these answers to questions for the status, one after the other. */
function watching(
  answers: readonly object[],
  resetId: string | undefined,
): { watch: ResyncWatch; asked: () => number } {
  let asked = 0;
  const send = async (): Promise<object> => {
    const text = JSON.stringify(answers[Math.min(asked++, answers.length - 1)]);
    return { bytes: () => Promise.resolve(Buffer.from(text)) };
  };
  const out = { interactive: false, message: () => undefined, progress: () => undefined };
  const ctx = { out, signal: new AbortController().signal };
  const site = { ctx, bucket: "src", url: "a/src", s3: { send } } as unknown as BucketSite;
  const clock = { nowMs: () => 0, nowNs: () => 0n, sleep: () => Promise.resolve() } satisfies Clock;
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
