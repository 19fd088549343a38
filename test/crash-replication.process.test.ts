/**
 * Two sites that replicate to each other, both written to, either killed -9 at any moment: they end equal, whatever was
 * answered is at both, purges hold, and nothing is left in the change logs. `CRASH_ROUNDS` kills (default 12),
 * `CRASH_SEED` replays the choices.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { bodyOf, dice, idOfBody, seedOf, setting, type Dice } from "./support/random.ts";
import { cleanUp } from "./support/server.ts";
import { difference, explainDifference, putParts, putTags, setRule, Site, until } from "./support/site.ts";

const ROUNDS = setting("CRASH_ROUNDS", 12);
const CONVERGE_MS = setting("CRASH_CONVERGE_MS", 60_000);
const LANES_PER_SITE = 4;
const KEYS = 24;
const SIZES = [1024, 1024, 1024, 40_960, 300_000];
const PART_SIZES = [5 << 20, 90_000];
const BUCKET = "both";

interface Known {
  readonly key: string;
  readonly versionId: string;
  /** Undefined: a delete marker. */
  readonly bodyId: number | undefined;
  state: "there" | "unsure" | "gone";
}

/** What the clients of both sites were told. */
class Ledger {
  readonly versions = new Map<string, Known>();
  #nextBody = 1;
  nextBody(): number {
    return this.#nextBody++;
  }
  living(): Known[] {
    return [...this.versions.values()].filter((known) => known.state === "there");
  }
}

interface Load {
  readonly site: Site;
  readonly ledger: Ledger;
  readonly dice: Dice;
  stopped: () => boolean;
  onAnswer: () => void;
}

/** One client of one site; ends when the load stops or its site is gone. */
async function lane(load: Load): Promise<void> {
  while (!load.stopped()) {
    try {
      await step(load);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return;
    }
    load.onAnswer();
  }
}

async function step(load: Load): Promise<void> {
  const { site, ledger, dice: d } = load;
  const key = `key-${d.below(KEYS)}`;
  const living = ledger.living();
  const choice = d.below(20);
  if (living.length > 0 && choice < 3) return purge(load, d.pick(living));
  if (living.length > 0 && choice < 7) return tag(load, d.pick(living));
  if (choice < 9) return mark(load, key);
  const bodyId = ledger.nextBody();
  let versionId: string | undefined;
  if (choice === 9 && d.oneIn(3)) {
    const body = bodyOf(
      bodyId,
      PART_SIZES.reduce((sum, size) => sum + size),
    );
    versionId = await putParts(site, BUCKET, key, [body.subarray(0, PART_SIZES[0]), body.subarray(PART_SIZES[0])]);
  } else {
    const answer = await site.call("PUT", BUCKET, {
      key,
      body: bodyOf(bodyId, d.pick(SIZES)),
      headers: { "x-amz-meta-id": String(bodyId) },
    });
    await answer.discard();
    assert.equal(answer.status, 200);
    versionId = answer.headers["x-amz-version-id"];
  }
  assert.ok(versionId, "an acknowledged write has a version id");
  ledger.versions.set(versionId, { key, versionId, bodyId, state: "there" });
}

/** At the site that may not have the version yet: then nothing is purged, and the version may stay or not. */
async function purge(load: Load, known: Known): Promise<void> {
  known.state = "unsure";
  const at = { key: known.key, query: { versionId: known.versionId } };
  const head = await load.site.call("HEAD", BUCKET, at);
  await head.discard();
  const present = head.status === 200 || (head.status === 405 && known.bodyId === undefined);
  const answer = await load.site.call("DELETE", BUCKET, at);
  await answer.discard();
  assert.equal(answer.status, 204);
  if (present) known.state = "gone";
}

async function tag(load: Load, known: Known): Promise<void> {
  if (known.bodyId === undefined) return;
  const status = await putTags(load.site, BUCKET, known, { t: String(load.dice.below(1_000_000)) });
  // The other site may not have it yet, or somebody purges it now.
  assert.ok(status === 200 || status === 404, `tags were answered with ${status}`);
}

async function mark(load: Load, key: string): Promise<void> {
  const answer = await load.site.call("DELETE", BUCKET, { key });
  await answer.discard();
  assert.equal(answer.status, 204);
  const versionId = answer.headers["x-amz-version-id"] ?? "";
  load.ledger.versions.set(versionId, { key, versionId, bodyId: undefined, state: "there" });
}

/** Load on both sites; one of them (or both) dies after so many answers and starts again. */
async function attack(sites: readonly [Site, Site], ledger: Ledger, d: Dice): Promise<void> {
  const answers = 1 + d.below(120);
  const moment = d.below(30);
  const victims = d.oneIn(4) ? [...sites] : [d.pick(sites)];
  let reached: () => void = () => undefined;
  const enough = new Promise<void>((resolve) => (reached = resolve));
  let count = 0;
  let stopped = false;
  const onAnswer = (): unknown => ++count >= answers && reached();
  const lanes = Promise.all(
    sites.flatMap((site) =>
      Array.from({ length: LANES_PER_SITE }, () => lane({ site, ledger, dice: d, stopped: () => stopped, onAnswer })),
    ),
  );
  await Promise.race([enough, lanes.then(() => assert.fail("the clients ended before the kill"))]);
  await pause(moment);
  await Promise.all(victims.map((site) => site.kill()));
  // The site that lives on is written to while the other is away and comes back.
  if (victims.length === 1) await pause(d.below(200));
  const restarts = Promise.all(victims.map((site) => site.restart()));
  if (d.oneIn(2)) await restarts;
  stopped = true;
  await lanes;
  await restarts;
}

interface Stats {
  readonly pendingReplicationCount: number;
  readonly pendingReplicationSize: number;
}

async function pending(site: Site): Promise<Stats> {
  return JSON.parse(await site.text("GET", BUCKET, { query: { "replication-metrics": "" } })) as Stats;
}

async function settled(a: Site, b: Site): Promise<boolean> {
  for (const site of [a, b]) {
    const { pendingReplicationCount: count, pendingReplicationSize: size } = await pending(site);
    if (count !== 0 || size !== 0) return false;
  }
  const { onlyA, onlyB } = await difference(a, b, BUCKET);
  return onlyA.length + onlyB.length === 0;
}

async function explain(a: Site, b: Site): Promise<string> {
  const numbers = await Promise.all([pending(a), pending(b)]);
  const left = numbers.map((n) => `${n.pendingReplicationCount} rows, ${n.pendingReplicationSize} bytes pending`);
  const logs = [a, b].map((site) => site.server.log().split("\n").slice(-5).join("\n")).join("\n");
  return `${left.join("; ")}\n${await explainDifference(a, b, BUCKET)}\n${logs}`;
}

/** What both sites list, against what the clients were told; bytes are read at each site. */
async function checkAll(site: Site, ledger: Ledger): Promise<void> {
  const rows = await site.versions(BUCKET);
  const seen = new Set(rows.map((row) => row.versionId));
  for (const known of ledger.versions.values()) {
    if (known.state === "there") assert.ok(seen.has(known.versionId), `lost: ${known.key} ${known.versionId}`);
    if (known.state === "gone") assert.ok(!seen.has(known.versionId), `came back: ${known.key} ${known.versionId}`);
  }
  for (const row of rows) {
    if (row.kind === "DeleteMarker") continue;
    const answer = await site.call("GET", BUCKET, { key: row.key, query: { versionId: row.versionId } });
    const body = await answer.bytes();
    assert.equal(answer.status, 200, `${row.key} ${row.versionId} cannot be read: ${body.toString("utf8", 0, 300)}`);
    const id = idOfBody(body);
    assert.equal(typeof id, "number", `${row.key} ${row.versionId}: ${id}`);
    const known = ledger.versions.get(row.versionId);
    if (known !== undefined) assert.equal(id, known.bodyId);
  }
}

for (const workers of [1, 2]) {
  describe(`two sites under writes and kill -9, ${workers} serving`, { timeout: 90_000 + ROUNDS * 8000 }, () => {
    after(cleanUp);

    test("both end equal", async () => {
      const d = dice(seedOf(`crash-replication, ${workers} workers`));
      const [a, b] = await Promise.all([Site.start({ workers }), Site.start({ workers })]);
      await Promise.all([a.makeBucket(BUCKET), b.makeBucket(BUCKET)]);
      await setRule(a, b, BUCKET);
      await setRule(b, a, BUCKET);
      const ledger = new Ledger();
      for (let round = 1; round <= Math.ceil(ROUNDS / 2); round++) {
        await attack([a, b], ledger, d);
        if (round % 3 !== 0 && round !== Math.ceil(ROUNDS / 2)) continue;
        const started = performance.now();
        await until(
          () => settled(a, b),
          CONVERGE_MS,
          () => explain(a, b),
        );
        process.stderr.write(
          `# round ${round}: ${ledger.versions.size} versions, equal after ${Math.round(performance.now() - started)} ms\n`,
        );
        await Promise.all([checkAll(a, ledger), checkAll(b, ledger)]);
        // A version that was purged where it had not arrived is settled now: it is here or it is not, for good.
        const seen = new Set((await a.versions(BUCKET)).map((row) => row.versionId));
        for (const known of ledger.versions.values())
          if (known.state === "unsure") known.state = seen.has(known.versionId) ? "there" : "gone";
      }
      await Promise.all([a.close(), b.close()]);
      assert.deepEqual(await Promise.all([a.server.stop(), b.server.stop()]), [0, 0]);
    });
  });
}
