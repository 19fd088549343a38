/** How much of a resync is under way at once, and when it pauses: clients that are served beside it wait for its work. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeIngest, encodeIngestResults, INGEST_ITEMS_MAX } from "../protocol/ingest.ts";
import { Ingest } from "../replication/ingest.ts";
import { RESYNC_CLIENTS_PAUSE_MS } from "./limits.ts";
import type { FakeTarget } from "../replication/testing/fake-target.ts";
import { eachWithTarget, replicateTo, SRC, type TestSite } from "../replication/testing/site.ts";
import type { TargetClient } from "../replication/wire.ts";
import { systemRandom } from "../runtime/random.ts";
import { DEFAULT_LIMITS } from "./options.ts";
import { NO_COUNTS, type ResyncRecord } from "./record.ts";
import { ResyncRun, type RunJob } from "./run.ts";

const GROUPS = 4;
/** Turns of the event loop that a request is out: in far fewer another one would follow. */
const TURNS = 100;

class Compared extends Error {
  override name = "Compared";
}

describe("work under way", { timeout: 60_000 }, () => {
  let site: TestSite;
  let fake: FakeTarget;
  let events: ("asked" | "answered" | "paused")[];

  eachWithTarget(async (made) => {
    ({ site, fake } = made);
    events = [];
  });

  /** A target that takes small versions together, and takes its time. */
  const slow = (client: TargetClient): TargetClient => ({
    ...client,
    async request({ body }) {
      events.push("asked");
      for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
      events.push("answered");
      const results = decodeIngest(body as Buffer).map(() => ({ status: 200 }));
      return { status: 200, headers: {}, body: Buffer.from(encodeIngestResults(results)) };
    },
  });

  /** Sends four requests full of versions to an empty target, up to the proof. */
  async function compare(clientsAreServed: () => boolean, keyOf = (i: number) => `k${i}`): Promise<void> {
    const arn = await replicateTo(site, fake);
    for (let i = 0; i < GROUPS * INGEST_ITEMS_MAX; i++) await site.put(keyOf(i));
    const target = site.targets.connect(await site.targets.get(SRC, arn));
    const connection = { ...target, ingest: new Ingest(slow(target.client), () => true) };
    const record: ResyncRecord = {
      id: "job",
      arn,
      bucket: SRC,
      bucketId: (await site.objects.bucket(SRC)).id,
      state: "Ongoing",
      phase: "compare",
      beforeMs: Number.MAX_SAFE_INTEGER,
      total: GROUPS * INGEST_ITEMS_MAX,
      cursor: "",
      counters: NO_COUNTS,
      samples: [],
    };
    const clock = {
      ...site.clock,
      clientsAreServed,
      sleep: (ms: number) => {
        if (ms === RESYNC_CLIENTS_PAUSE_MS) events.push("paused");
        return site.clock.sleep(ms);
      },
    };
    const job: RunJob = {
      record,
      connection: async () => connection,
      save: async () => {
        if (run.state.phase === "verify") throw new Compared();
      },
      limits: () => DEFAULT_LIMITS,
      signal: new AbortController().signal,
    };
    const { objects, index } = site;
    const run: ResyncRun = new ResyncRun({ objects, index, clock, random: systemRandom }, job);
    await assert.rejects(run.run(), Compared);
    assert.equal(run.state.counters.sent, GROUPS * INGEST_ITEMS_MAX);
  }

  test("while clients are served one request is under way, and after each comes a pause", async () => {
    await compare(() => true);
    assert.deepEqual(events, Array.from({ length: GROUPS }, () => ["asked", "answered", "paused"]).flat());
  });

  test("with nobody to wait for the next request is out before the last one's answer, and nothing pauses", async () => {
    await compare(() => false);
    assert.deepEqual(events.slice(0, 3), ["asked", "asked", "answered"]);
    assert.ok(!events.includes("paused"));
  });

  test("the versions of one key travel together as those of many do", async () => {
    await compare(
      () => true,
      () => "k",
    );
    assert.deepEqual(events, Array.from({ length: GROUPS }, () => ["asked", "answered", "paused"]).flat());
  });
});
