/**
 * A damaged site is brought back by a resync, however often either side is killed -9 meanwhile: the job goes on by
 * itself and ends Completed and verified, both sites are equal, what only the damaged site has stays, what was purged
 * for every site stays purged. `CRASH_KILLS` kills a resync (default 3), `CRASH_WORKERS` processes a site,
 * `CRASH_SEED` replays the choices.
 */
import assert from "node:assert/strict";
import { cpSync, renameSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { awsClient } from "./support/clients.ts";
import { blobFiles, damage, KINDS } from "./support/damage.ts";
import { bodyOf, dice, idOfBody, seedOf, setting } from "./support/random.ts";
import { cleanUp } from "./support/server.ts";
import {
  difference,
  explainDifference,
  putParts,
  putRule,
  putTags,
  setRule,
  Site,
  until,
  type Listed,
} from "./support/site.ts";

const KILLS = setting("CRASH_KILLS", 3);
const RESYNC_MS = setting("CRASH_CONVERGE_MS", 60_000);
/** Serving processes of each site. */
const WORKERS = setting("CRASH_WORKERS", 1);
const KEYS = 120;
const BUCKET = "data";
const SIZES = [1024, 1024, 40_960, 40_960, 300_000];

interface Report {
  readonly resetid: string;
  readonly resyncStatus: string;
  readonly compared: number;
  readonly sent: number;
  readonly alreadyEqual: number;
  readonly notReplicable: number;
  readonly failed: number;
  readonly purged: number;
  readonly onlyAtTarget: number;
  readonly verified?: boolean;
  readonly damage?: { readonly missing: number; readonly corrupt: number };
}

const d = dice(seedOf("crash-resync"));
let bodies = 0;
let alpha: Site;
let baker: Site;
let toBaker: string;
let toAlpha: string;

async function put(site: Site, key: string): Promise<string> {
  const answer = await site.call("PUT", BUCKET, {
    key,
    body: bodyOf(++bodies, d.pick(SIZES)),
    headers: { "x-amz-meta-n": String(bodies) },
  });
  await answer.discard();
  assert.equal(answer.status, 200);
  return answer.headers["x-amz-version-id"] ?? "";
}

/** Versions, overwrites, markers, tags and a multipart object. */
async function fill(site: Site, prefix: string, keys: number): Promise<void> {
  for (let at = 0; at < keys; at += 8) {
    const some = Array.from(
      { length: Math.min(8, keys - at) },
      (_, i) => `${prefix}-${String(at + i).padStart(4, "0")}`,
    );
    await Promise.all(
      some.map(async (key, i) => {
        const versionId = await put(site, key);
        if (i % 3 === 0) assert.equal(await putTags(site, BUCKET, { key, versionId }, { n: String(at + i) }), 200);
        if (i % 4 === 1) await put(site, key);
        if (i % 5 === 2) await site.text("DELETE", BUCKET, { key });
      }),
    );
  }
  assert.ok(await putParts(site, BUCKET, `${prefix}-multi`, [bodyOf(++bodies, 5 << 20), bodyOf(++bodies, 50_000)]));
}

async function equal(): Promise<boolean> {
  const { onlyA, onlyB } = await difference(alpha, baker, BUCKET);
  return onlyA.length + onlyB.length === 0;
}

const explain = (): Promise<string> => explainDifference(alpha, baker, BUCKET);

async function report(): Promise<Report> {
  const text = await alpha.text("GET", BUCKET, { query: { "replication-reset-status": "", arn: toBaker } });
  const { target } = JSON.parse(text) as { target?: Report[] };
  assert.ok(target?.[0] !== undefined, "the job is there");
  return target[0];
}

/** Starts a resync at Alpha, kills either side `KILLS` times, and waits for its end. */
async function resyncUnderFire(): Promise<Report> {
  const id = crypto.randomUUID();
  await alpha.text("PUT", BUCKET, { query: { "replication-reset": "", arn: toBaker, "reset-id": id } });
  let during = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(d.below(kill === 0 ? 150 : 500));
    const victim = d.pick([alpha, baker]);
    const before = alpha === victim ? undefined : (await report()).resyncStatus;
    await victim.kill();
    if (before !== "Completed") during++;
    await victim.restart();
  }
  let last: Report | undefined;
  await until(
    async () => {
      last = await report();
      assert.equal(last.resetid, id, "the same job goes on");
      return !["Pending", "Ongoing"].includes(last.resyncStatus);
    },
    RESYNC_MS,
    async () => `the job does not end: ${JSON.stringify(last)}`,
  );
  const result = last as Report;
  process.stderr.write(
    `# ${during} of ${KILLS} kills before the end: ${JSON.stringify({ ...result, samples: undefined })}\n`,
  );
  assert.equal(result.resyncStatus, "Completed", JSON.stringify(result));
  assert.equal(result.verified, true, JSON.stringify(result));
  assert.equal(result.failed + result.notReplicable, 0, JSON.stringify(result));
  assert.equal(result.sent + result.alreadyEqual, result.compared);
  return result;
}

/** Every version of a site, read through the SDK. */
async function readAll(site: Site): Promise<void> {
  const sdk = awsClient(site.server);
  for (const row of await site.versions(BUCKET)) {
    if (row.kind === "DeleteMarker") continue;
    const { Body } = await sdk.send(new GetObjectCommand({ Bucket: BUCKET, Key: row.key, VersionId: row.versionId }));
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    assert.equal(bytes.length, row.size);
    const whole = row.etag.includes("-") ? bytes.subarray(0, 5 << 20) : bytes;
    assert.equal(typeof idOfBody(whole), "number", `${row.key} ${row.versionId}: ${idOfBody(whole)}`);
  }
  sdk.destroy();
}

/** Clients go on while the job runs: new versions, tags and purges of old ones, through every restart. */
async function writeOn(site: Site, signal: AbortSignal): Promise<void> {
  const rows = (await site.versions(BUCKET)).filter((row) => row.kind === "Version");
  for (let i = 0; !signal.aborted; i++) {
    const row = d.pick(rows);
    try {
      await put(site, `during-${i % 50}`);
      await putTags(site, BUCKET, row, { during: String(i) });
      if (d.oneIn(4)) await site.call("DELETE", BUCKET, at(row)).then((answer) => answer.discard());
    } catch {
      // The site is down just now.
      await pause(50);
    }
  }
}

const at = (row: Pick<Listed, "key" | "versionId">): { key: string; query: Record<string, string> } => ({
  key: row.key,
  query: { versionId: row.versionId },
});

describe("resync of a damaged site under kill -9", { timeout: 400_000 + KILLS * 20_000 }, () => {
  before(async () => {
    // A site that repaired itself meanwhile would blur what the resync did.
    const options = { workers: WORKERS, env: { RESILVER_HEAL_BITROTSCAN: "off" } };
    [alpha, baker] = await Promise.all([Site.start(options), Site.start(options)]);
    await Promise.all([alpha.makeBucket(BUCKET), baker.makeBucket(BUCKET)]);
    toBaker = await setRule(alpha, baker, BUCKET);
    toAlpha = await setRule(baker, alpha, BUCKET);
    await fill(alpha, "a", KEYS);
    await fill(baker, "b", KEYS / 4);
    await until(equal, RESYNC_MS, explain);
  });
  after(async () => {
    await Promise.all([alpha.close(), baker.close()]);
    await cleanUp();
  });

  test("files removed, cut, emptied and flipped", async () => {
    const was = await alpha.lines(BUCKET);
    await baker.server.stop();
    const files = blobFiles(baker.server.dir).filter(() => d.oneIn(2));
    for (const path of files) damage(path, d.pick(KINDS), d);
    await baker.restart();
    const result = await resyncUnderFire();
    const found = (result.damage?.missing ?? 0) + (result.damage?.corrupt ?? 0);
    assert.ok(files.length > 10 && found > 0, `${files.length} files, ${found} found`);
    assert.deepEqual([result.compared, result.sent], [was.length, found]);
    await until(equal, RESYNC_MS, explain);
    assert.deepEqual(await alpha.lines(BUCKET), was, "the healthy site is as it was");
    await readAll(baker);
  });

  test("purged by mistake while its rules are disabled; what only it has stays", async () => {
    await putRule(baker, BUCKET, toAlpha, false);
    const own = `own-${d.below(1000)}`;
    await put(baker, own);
    const purged = (await baker.versions(BUCKET)).filter((row) => row.key !== own && d.oneIn(3));
    for (const row of purged) await baker.text("DELETE", BUCKET, at(row));
    await putRule(baker, BUCKET, toAlpha, true);
    const result = await resyncUnderFire();
    assert.ok(result.onlyAtTarget <= 1, JSON.stringify(result));
    const { onlyA, onlyB } = await difference(alpha, baker, BUCKET);
    assert.deepEqual(onlyA, []);
    assert.ok(
      onlyB.every((line) => line.includes(own)),
      onlyB.join("\n"),
    );
    assert.ok(
      (await baker.versions(BUCKET)).some((row) => row.key === own),
      "it stays at Baker",
    );
    await readAll(baker);
  });

  test("an older copy of its directory is put back", async () => {
    await baker.server.stop();
    const copy = `${baker.server.dir}-copy`;
    cpSync(baker.server.dir, copy, { recursive: true, filter: (path) => !path.endsWith("server.lock") });
    await baker.restart();
    await fill(alpha, "c", 40);
    await fill(baker, "d", 20);
    await until(quiet, RESYNC_MS, explain);
    const rows = (await alpha.versions(BUCKET)).filter((row) => !row.key.startsWith("own"));
    const purged = rows.filter(() => d.oneIn(6));
    for (const row of purged)
      await d
        .pick([alpha, alpha, baker])
        .call("DELETE", BUCKET, at(row))
        .then((answer) => answer.discard());
    await until(
      async () => (await missing(purged)) === "" && (await quiet()),
      RESYNC_MS,
      () => missing(purged),
    );
    await baker.server.stop();
    rmSync(baker.server.dir, { recursive: true });
    renameSync(copy, baker.server.dir);
    await baker.restart();
    await resyncUnderFire();
    await until(
      async () => (await missing(purged)) === "",
      RESYNC_MS,
      () => missing(purged),
    );
    const { onlyA, onlyB } = await difference(alpha, baker, BUCKET);
    assert.deepEqual(onlyA, []);
    assert.ok(
      onlyB.every((line) => line.includes("own-")),
      onlyB.join("\n"),
    );
    await readAll(baker);
  });

  test("everything is lost", async () => {
    await baker.kill();
    rmSync(baker.server.dir, { recursive: true });
    await baker.restart();
    await baker.makeBucket(BUCKET);
    const writing = new AbortController();
    const writer = writeOn(alpha, writing.signal);
    const result = await resyncUnderFire().finally(() => writing.abort());
    await writer;
    // What was sent before a kill is found equal after it.
    assert.ok(result.compared > KEYS && result.onlyAtTarget === 0, JSON.stringify(result));
    await until(equal, RESYNC_MS, explain);
    await readAll(baker);
  });
});

/** Which of these versions a site still has. */
async function missing(purged: readonly Listed[]): Promise<string> {
  const out: string[] = [];
  for (const site of [alpha, baker]) {
    const seen = new Set((await site.versions(BUCKET)).map((row) => row.versionId));
    for (const row of purged)
      if (seen.has(row.versionId)) out.push(`${site === alpha ? "Alpha" : "Baker"} has ${row.key} ${row.versionId}`);
  }
  return out.join("\n");
}

/** Nothing waits to be replicated at either side. */
async function quiet(): Promise<boolean> {
  for (const site of [alpha, baker]) {
    const stats = JSON.parse(await site.text("GET", BUCKET, { query: { "replication-metrics": "" } })) as {
      pendingReplicationCount: number;
    };
    if (stats.pendingReplicationCount !== 0) return false;
  }
  return true;
}
