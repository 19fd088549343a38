/**
 * kill -9 of a site under writes: what was answered is there, what was not is there whole or not at all, what was
 * deleted stays deleted. `CRASH_ROUNDS` kills (default 16), `CRASH_SEED` replays the choices.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { checkDigests } from "../src/storage/digests.ts";
import { openLmdbIndex } from "../src/storage/index/lmdb/index.ts";
import { awsClient } from "./support/clients.ts";
import { bodyOf, dice, idOfBody, md5, seedOf, setting, type Dice } from "./support/random.ts";
import { cleanUp, startServer, temporaryFolder } from "./support/server.ts";
import { Site, putParts, putTags, type Listed } from "./support/site.ts";

const ROUNDS = setting("CRASH_ROUNDS", 16);
const LANES = 8;
const KEYS_PER_LANE = 4;
const SIZES = [1024, 1024, 1024, 40_960, 40_960, 1 << 20];
const PART_SIZES = [5 << 20, 5 << 20, 70_000];
const VERSIONED = "versioned";
const PLAIN = "plain";

/** What may be true of one version: an operation without an answer leaves two possibilities. */
interface Known {
  readonly key: string;
  readonly versionId: string;
  readonly bodyId: number;
  /** Purged, perhaps purged, there. */
  state: "there" | "unsure" | "gone";
  tags: Set<string>;
}

interface Head {
  /** Version ids (or `marker:ID`), body ids in the plain bucket, that a GET without version id may show; "" is none. */
  allowed: Set<string>;
}

/** All that the clients know, and whether what a site shows agrees with it. */
class Ledger {
  readonly versions = new Map<string, Known>();
  readonly markers = new Map<string, { key: string; state: "there" | "unsure" | "gone" }>();
  /** Plain bucket: by key. */
  readonly plain = new Map<string, Head>();
  /** Bodies that were sent and not answered, by id: they may have become versions. */
  readonly unanswered = new Map<number, string>();
  /** Keys whose delete was sent and not answered: a marker that nobody named may be there. */
  readonly unansweredMarkers = new Set<string>();
  acknowledged = 0;
  #nextBody = 1;
  nextBody(): number {
    return this.#nextBody++;
  }
}

interface Load {
  readonly site: Site;
  readonly ledger: Ledger;
  readonly dice: Dice;
  stopped: boolean;
  /** Called at each answer. */
  onAnswer: () => void;
}

/** One client: one request at a time, on keys of its own, until the server is gone. */
async function lane(load: Load, number: number): Promise<void> {
  while (!load.stopped) {
    const key = `lane-${number}/key-${load.dice.below(KEYS_PER_LANE)}`;
    try {
      await (load.dice.oneIn(4) ? plainStep(load, key) : versionedStep(load, key));
    } catch (error) {
      if (error instanceof assert.AssertionError && !load.stopped) throw error;
      return;
    }
    load.ledger.acknowledged++;
    load.onAnswer();
  }
}

/** Answers other than success are not expected, except those of a server that is going. */
function ok(status: number, what: string): void {
  assert.ok(status >= 200 && status < 300, `${what} was answered with ${status}`);
}

async function versionedStep(load: Load, key: string): Promise<void> {
  const { ledger, dice: d } = load;
  const mine = [...ledger.versions.values()].filter((known) => known.key === key && known.state === "there");
  const choice = d.below(20);
  if (mine.length > 0 && choice < 3) return purge(load, d.pick(mine));
  if (mine.length > 0 && choice < 6) return tag(load, d.pick(mine));
  if (choice < 8) return mark(load, key);
  const multipart = choice === 8;
  const bodyId = ledger.nextBody();
  const body = bodyOf(bodyId, multipart ? PART_SIZES.reduce((sum, size) => sum + size) : d.pick(SIZES));
  ledger.unanswered.set(bodyId, key);
  const versionId = multipart ? await multi(load, key, body) : await single(load, key, body);
  assert.ok(versionId, "an acknowledged write has a version id");
  ledger.unanswered.delete(bodyId);
  ledger.versions.set(versionId, { key, versionId, bodyId, state: "there", tags: new Set([""]) });
}

async function multi(load: Load, key: string, body: Buffer): Promise<string | undefined> {
  let at = 0;
  const parts = PART_SIZES.map((size) => body.subarray(at, (at += size)));
  return putParts(load.site, VERSIONED, key, parts);
}

async function single(load: Load, key: string, body: Buffer): Promise<string> {
  const answer = await load.site.call("PUT", VERSIONED, { key, body });
  await answer.discard();
  ok(answer.status, "PUT");
  assert.equal(answer.headers["etag"], `"${md5(body)}"`);
  return answer.headers["x-amz-version-id"] ?? "";
}

async function purge(load: Load, known: Known): Promise<void> {
  known.state = "unsure";
  const answer = await load.site.call("DELETE", VERSIONED, { key: known.key, query: { versionId: known.versionId } });
  await answer.discard();
  ok(answer.status, "DELETE of a version");
  known.state = "gone";
}

async function tag(load: Load, known: Known): Promise<void> {
  const value = String(load.dice.below(1_000_000));
  known.tags.add(`t=${value}`);
  ok(await putTags(load.site, VERSIONED, known, { t: value }), "PUT of tags");
  known.tags = new Set([`t=${value}`]);
}

async function mark(load: Load, key: string): Promise<void> {
  load.ledger.unansweredMarkers.add(key);
  const answer = await load.site.call("DELETE", VERSIONED, { key });
  await answer.discard();
  ok(answer.status, "DELETE");
  load.ledger.unansweredMarkers.delete(key);
  load.ledger.markers.set(answer.headers["x-amz-version-id"] ?? "", { key, state: "there" });
}

async function plainStep(load: Load, key: string): Promise<void> {
  const head = load.ledger.plain.get(key) ?? { allowed: new Set([""]) };
  load.ledger.plain.set(key, head);
  if (load.dice.oneIn(5)) {
    head.allowed.add("");
    const answer = await load.site.call("DELETE", PLAIN, { key });
    await answer.discard();
    ok(answer.status, "DELETE");
    head.allowed = new Set([""]);
    return;
  }
  const bodyId = load.ledger.nextBody();
  head.allowed.add(String(bodyId));
  const answer = await load.site.call("PUT", PLAIN, { key, body: bodyOf(bodyId, load.dice.pick(SIZES)) });
  await answer.discard();
  ok(answer.status, "PUT");
  head.allowed = new Set([String(bodyId)]);
}

/** What the server shows against what the clients know; then what was unsure is settled: it must not change any more. */
async function check(site: Site, ledger: Ledger, read: (row: Listed) => boolean): Promise<void> {
  const rows = await site.versions(VERSIONED);
  const seen = new Map(rows.map((row) => [row.versionId, row]));
  assert.equal(seen.size, rows.length, "a version is listed once");
  for (const row of rows) await checkRow(site, ledger, row, read);
  for (const known of ledger.versions.values()) {
    if (known.state === "there")
      assert.ok(seen.has(known.versionId), `lost: ${known.key} ${known.versionId} (body ${known.bodyId})`);
    if (known.state === "unsure") known.state = seen.has(known.versionId) ? "there" : "gone";
  }
  for (const [versionId, marker] of ledger.markers)
    assert.ok(seen.has(versionId), `lost: marker ${marker.key} ${versionId}`);
  ledger.unanswered.clear();
  ledger.unansweredMarkers.clear();
  for (const [key, head] of ledger.plain) await checkPlain(site, key, head);
}

async function checkRow(site: Site, ledger: Ledger, row: Listed, read: (row: Listed) => boolean): Promise<void> {
  if (row.kind === "DeleteMarker") {
    if (!ledger.markers.has(row.versionId)) {
      assert.ok(ledger.unansweredMarkers.delete(row.key), `nobody made the marker ${row.key} ${row.versionId}`);
      ledger.markers.set(row.versionId, { key: row.key, state: "there" });
    }
    return;
  }
  const known = ledger.versions.get(row.versionId);
  assert.notEqual(known?.state, "gone", `came back: ${row.key} ${row.versionId}`);
  if (known !== undefined) {
    assert.ok(
      known.tags.has(row.tags),
      `tags of ${row.key} are "${row.tags}", not one of ${[...known.tags].join(" ")}`,
    );
    known.tags = new Set([row.tags]);
    if (!read(row)) return;
  }
  const answer = await site.call("GET", VERSIONED, { key: row.key, query: { versionId: row.versionId } });
  const body = await answer.bytes();
  assert.equal(answer.status, 200, `${row.key} ${row.versionId} cannot be read: ${body.toString("utf8", 0, 300)}`);
  const id = idOfBody(body);
  assert.equal(typeof id, "number", `torn: ${row.key} ${row.versionId}: ${id}`);
  if (!row.etag.includes("-")) assert.equal(row.etag, md5(body));
  assert.equal(row.size, body.length);
  if (known !== undefined) assert.equal(id, known.bodyId);
  else {
    assert.equal(ledger.unanswered.get(id as number), row.key, `nobody wrote body ${id} to ${row.key}`);
    ledger.versions.set(row.versionId, {
      key: row.key,
      versionId: row.versionId,
      bodyId: id as number,
      state: "there",
      tags: new Set([row.tags]),
    });
  }
}

async function checkPlain(site: Site, key: string, head: Head): Promise<void> {
  const answer = await site.call("GET", PLAIN, { key });
  const body = await answer.bytes();
  assert.ok(
    answer.status === 200 || answer.status === 404,
    `${key} cannot be read: ${answer.status} ${body.toString("utf8", 0, 300)}`,
  );
  const found = answer.status === 404 ? "" : String(idOfBody(body));
  assert.ok(head.allowed.has(found), `plain ${key} holds "${found}", not one of "${[...head.allowed].join('", "')}"`);
  head.allowed = new Set([found]);
}

/** Direct children of a process. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

/** Load until so many answers came, then a moment more, then the kill. */
async function attack(site: Site, ledger: Ledger, d: Dice): Promise<void> {
  const answers = 1 + d.below(d.oneIn(4) ? 10 : 150);
  const moment = d.below(25);
  let reached: () => void = () => undefined;
  const enough = new Promise<void>((resolve) => (reached = resolve));
  let count = 0;
  const load: Load = { site, ledger, dice: d, stopped: false, onAnswer: () => ++count >= answers && reached() };
  const lanes = Promise.all(Array.from({ length: LANES }, (_, i) => lane(load, i)));
  await Promise.race([enough, lanes.then(() => assert.fail("the clients ended before the kill"))]);
  await pause(moment);
  load.stopped = true;
  await site.kill();
  await lanes;
}

/** Sometimes the start itself is killed, once or twice. */
async function restartRoughly(site: Site, d: Dice): Promise<void> {
  if (d.oneIn(4)) {
    const starting = site.restart().catch(() => undefined);
    await pause(d.below(250));
    site.killStarting();
    await starting;
    await site.kill();
  }
  await site.restart();
}

for (const workers of [1, 2]) {
  describe(
    `kill -9 under writes, ${workers} serving process${workers > 1 ? "es" : ""}`,
    { timeout: 60_000 + ROUNDS * 4000 },
    () => {
      after(cleanUp);

      test(`${Math.ceil(ROUNDS / 2)} kills lose nothing that was answered`, async () => {
        const d = dice(seedOf(`crash-writes, ${workers} workers`));
        const site = await Site.start({ workers });
        await site.makeBucket(VERSIONED);
        await site.makeBucket(PLAIN, { versioned: false });
        const ledger = new Ledger();
        for (let round = 0; round < Math.ceil(ROUNDS / 2); round++) {
          await attack(site, ledger, d);
          await restartRoughly(site, d);
          await check(site, ledger, () => d.oneIn(8));
        }
        await check(site, ledger, () => true);
        await readWithSdk(site, ledger);
        const starts = site.startsMs.toSorted((one, other) => one - other);
        const median = starts[starts.length >> 1] ?? 0;
        process.stderr.write(
          `# ${ledger.acknowledged} answers, ${ledger.versions.size} versions; starts ${starts[0]}, ${median}, ${starts.at(-1)} ms\n`,
        );
        assert.equal(await site.server.stop(), 0);
        await checkSums(site);
        await site.close();
      });
    },
  );
}

describe("kill -9 of one serving process of two", { timeout: 60_000 }, () => {
  after(cleanUp);

  test("it is replaced, and nothing answered is lost", async () => {
    const d = dice(seedOf("crash-writes, one of two"));
    const site = await Site.start({ workers: 2 });
    await site.makeBucket(VERSIONED);
    await site.makeBucket(PLAIN, { versioned: false });
    const ledger = new Ledger();
    for (let round = 0; round < 3; round++) {
      const [child] = childrenOf(site.server.process.pid as number);
      assert.ok(child !== undefined, "a second process serves");
      await attackWorker(site, ledger, d, child);
      await untilReplaced(site, child);
      await check(site, ledger, () => d.oneIn(2));
    }
    assert.equal(await site.server.stop(), 0);
    await checkSums(site);
    await site.close();
  });
});

/** The site is stopped: every digest is that of the versions which the kills left. */
async function checkSums(site: Site): Promise<void> {
  const index = await openLmdbIndex({ path: join(site.server.dir, "index") });
  try {
    const faults = [];
    for await (const fault of checkDigests(index)) faults.push(fault);
    assert.deepEqual(faults, []);
  } finally {
    await index.close();
  }
}

/** Clients whose process is killed go away; those of the other go on, so the load is stopped by hand. */
async function attackWorker(site: Site, ledger: Ledger, d: Dice, pid: number): Promise<void> {
  const answers = 20 + d.below(80);
  let reached: () => void = () => undefined;
  const enough = new Promise<void>((resolve) => (reached = resolve));
  let count = 0;
  const load: Load = { site, ledger, dice: d, stopped: false, onAnswer: () => ++count >= answers && reached() };
  const lanes = Promise.all(Array.from({ length: LANES }, (_, i) => lane(load, i)));
  await enough;
  process.kill(pid, "SIGKILL");
  load.stopped = true;
  await lanes;
}

async function untilReplaced(site: Site, dead: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const [child] = childrenOf(site.server.process.pid as number);
    if (child !== undefined && child !== dead) return;
    assert.ok(Date.now() < deadline, "no other process took its place");
    await pause(20);
  }
}

/** The independent client sees the same. */
async function readWithSdk(site: Site, ledger: Ledger): Promise<void> {
  const sdk = awsClient(site.server);
  for (const { key, versionId, bodyId } of [...ledger.versions.values()]
    .filter((known) => known.state === "there")
    .slice(-40)) {
    const { Body } = await sdk.send(new GetObjectCommand({ Bucket: VERSIONED, Key: key, VersionId: versionId }));
    assert.equal(idOfBody(Buffer.from((await Body?.transformToByteArray()) ?? [])), bodyId);
  }
  sdk.destroy();
}

describe("kill -9 of the very first start", { timeout: 120_000 }, () => {
  after(cleanUp);

  test("whatever it left, the next start makes a site of it", async () => {
    const d = dice(seedOf("crash-writes, first start"));
    for (let round = 0; round < Math.ceil(ROUNDS / 4); round++) {
      const dir = join(temporaryFolder(), "site");
      for (let attempt = 0; attempt < 2; attempt++) {
        let child: ChildProcess | undefined;
        const starting = startServer({ dir, spawned: (process) => (child = process) }).catch(() => undefined);
        await pause(d.below(700));
        child?.kill("SIGKILL");
        await starting;
      }
      const site = await Site.start({ dir });
      await site.makeBucket(VERSIONED);
      await site.text("PUT", VERSIONED, { key: "k", body: bodyOf(1, 40_960) });
      assert.equal(await site.server.stop(), 0);
      await site.close();
    }
  });
});
