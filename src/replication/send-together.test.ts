import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Arn } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { decodeIngest, encodeIngestResults, type IngestItem, type IngestResult } from "../protocol/ingest.ts";
import { SOURCE_ETAG } from "../protocol/replication-headers.ts";
import { Ingest } from "./ingest.ts";
import { KeyMutex } from "./key-mutex.ts";
import { sendTogether } from "./send-together.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { blobRowKey, SPACE } from "../storage/keys.ts";
import { systemClock } from "../runtime/clock.ts";
import type { SendTarget } from "./send-types.ts";
import { SRC, testSite, type TestSite } from "./testing/site.ts";
import type { TargetClient, TargetResponse } from "./wire.ts";

let site: TestSite;
beforeEach(async () => {
  site = await testSite();
});
afterEach(() => site.close());

type Answer = (items: IngestItem[]) => Promise<TargetResponse>;

function targetOf(answer: Answer): SendTarget {
  const client: TargetClient = {
    bucket: "b",
    request: ({ body }) => answer(decodeIngest(body as Buffer)),
    open: () => Promise.reject(new Error("not asked")),
    probe: () => Promise.reject(new Error("not asked")),
    close: () => Promise.resolve(),
  };
  const ingest = new Ingest(client, () => true);
  return { arn: "arn" as Arn, client, ingest, mutex: new KeyMutex(), carriesSecrets: false, clock: systemClock() };
}

const answering = (status: number, results: readonly IngestResult[] | string): Promise<TargetResponse> =>
  Promise.resolve({
    status,
    headers: {},
    body: Buffer.from(typeof results === "string" ? results : encodeIngestResults(results)),
  });

async function send(versions: readonly ObjectVersion[], answer: Answer): Promise<string[]> {
  const bucket = await site.objects.bucket(SRC);
  const outcomes = await sendTogether(site.objects, targetOf(answer), { bucket, versions, marks: { resyncId: "r" } });
  return outcomes.map(({ kind }) => kind);
}

async function three(): Promise<ObjectVersion[]> {
  return [await site.put("a", "one"), await site.put("b", "two"), await site.put("c", "three")];
}

test("one request has them all, as they were seen; each has its own outcome", async () => {
  const versions = await three();
  const [a] = versions as [ObjectVersion];
  // What is changed while it is on its way reaches the target by the row that the change left.
  versions[0] = await site.objects.setTags({ bucket: SRC, key: a.key }, { old: "tag" });
  await site.objects.setTags({ bucket: SRC, key: a.key }, { new: "tag" });
  const seen: IngestItem[][] = [];
  const outcomes = await send(versions, (items) => {
    seen.push(items);
    return answering(200, [
      { status: 200 },
      { status: 412, code: "PreconditionFailed" },
      { status: 503, code: "SlowDown" },
    ]);
  });
  assert.deepEqual(outcomes, ["sent", "alone", "again"]);
  assert.equal(seen.length, 1);
  assert.deepEqual(
    seen[0]?.map(({ key, versionId, body, headers }) => [key, versionId, body.toString(), headers[SOURCE_ETAG]]),
    versions.map(({ key, versionId, etag }, i) => [key, versionId, ["one", "two", "three"][i], etag]),
  );
  assert.equal(seen[0]?.[0]?.headers["x-amz-tagging"], "old=tag");
});

test("what is gone, damaged or in a file is left alone, and the rest goes", async () => {
  const versions = [...(await three()), await site.put("large", "x".repeat(5000))];
  const [a, b] = versions as [ObjectVersion, ObjectVersion];
  await site.objects.delete({ bucket: SRC, key: a.key, versionId: a.versionId });
  const lost = blobRowKey(SPACE.data, b.blob?.id ?? "");
  await site.index.commit(new CommitBuilder().put(lost, Buffer.from("rot")));
  const outcomes = await send(versions, (items) =>
    answering(
      200,
      items.map(() => ({ status: 200 })),
    ),
  );
  assert.deepEqual(outcomes, ["alone", "alone", "sent", "alone"]);
});

test("without an answer, or with one that says nothing of each, every one is tried again; an older target is not", async () => {
  const versions = await three();
  assert.deepEqual(await send(versions, () => Promise.reject(new Error("cut"))), ["again", "again", "again"]);
  assert.deepEqual(await send(versions, () => answering(200, [{ status: 200 }])), ["again", "again", "again"]);
  assert.deepEqual(await send(versions, () => answering(503, "")), ["again", "again", "again"]);
  assert.deepEqual(await send(versions, () => answering(501, "")), ["alone", "alone", "alone"]);
});
