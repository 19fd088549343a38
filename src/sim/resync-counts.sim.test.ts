/**
 * What a resync says it did, under kills at chosen moments: right after a commit of either side, or at any time between
 * two. Whatever was killed, every version is compared once, and those that had been found damaged are those that were sent.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as s3 from "../client/s3-calls.ts";
import type { Arn } from "../model/names.ts";
import { DEFAULT_OPTIONS, type JobLimits, type JobOptions } from "../resync/options.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { heldBy, refsOf, targetsOf } from "./peek.ts";
import { drawProfile, type Profile } from "./profile.ts";
import { Dice } from "./random.ts";
import { BUCKET, type Site } from "./site.ts";
import { World } from "./world.ts";

const SEEDS = 60;
const PER_TEST = 20;
const KEYS = 30;
const STEP_MS = 50;
const JOB_MS_MAX = 10 * 60_000;

interface Shown {
  readonly resyncStatus: string;
  readonly compared: number;
  readonly sent: number;
  readonly alreadyEqual: number;
  readonly notReplicable: number;
  readonly failed: number;
  readonly verified?: boolean;
  readonly damage?: { readonly missing: number; readonly corrupt: number };
}

/** Two sites, one direction (west repairs nothing by itself), no trouble but the kills of this file. */
function profileOf(dice: Dice): Profile {
  return {
    ...drawProfile(dice, { brief: true }),
    sites: ["east", "west"],
    edges: [["east", "west"]],
    meets: true,
    writers: ["east"],
    processes: 1,
    bucketMode: "versioned",
    locks: false,
    prehistory: false,
    minio: false,
    synchronous: false,
    skewMsMax: 0,
    network: { faultChance: dice.pick([0, 0, 0.1]), faults: ["refused", "answerLost", "badGateway"], slowChance: 0 },
    storage: { slowChance: dice.pick([0, 0.3]) },
    troubles: [],
  };
}

async function run(seed: string): Promise<void> {
  const dice = new Dice(`resync-counts/${seed}`);
  const world = new World(profileOf(dice.fork("profile")), dice);
  try {
    await world.time.drive(scenario(world, dice));
  } finally {
    for (const site of world.sites) site.kill();
  }
  assert.deepEqual(world.violations, []);
}

async function scenario(world: World, dice: Dice): Promise<void> {
  const [east, west] = world.sites as [Site, Site];
  world.network.stormy = false;
  for (const site of world.sites) await site.start();
  for (const site of world.sites) await world.createBucket(site);
  for (const site of world.sites) await world.enableVersioning(site);
  await fill(east, dice.fork("fill"));
  await world.configure(east, "on");
  const arn = (await targetsOf(east))[0]?.arn as Arn;
  assert.equal((await resync(world, { site: east, arn })).failed, 0);
  const lost = await damage(west, dice.fork("damage"));
  const kills = dice.fork("kills");
  const limits = { bytesPerSecond: kills.pick([0, 2000]), inFlight: kills.between(0, 8) };
  const options = { ...DEFAULT_OPTIONS, order: kills.pick(["key", "key", "current", "recent"] as const) };
  const trouble = (): void => {
    world.network.stormy = true;
    for (let left = kills.between(1, 4); left > 0; left--) killLater(world, kills.pick([east, east, west]), kills);
  };
  const shown = await resync(world, { site: east, arn, limits, options, trouble });
  const { compared, sent, alreadyEqual, notReplicable, failed, verified } = shown;
  const text = JSON.stringify(shown);
  const total = (await heldBy(east)).size;
  assert.deepEqual([compared, alreadyEqual, notReplicable, verified], [total, total - lost, 0, true], text);
  assert.equal((shown.damage?.missing ?? 0) + (shown.damage?.corrupt ?? 0), lost, text);
  // What met a fault at each of its attempts has failed; its proof tries once more.
  assert.deepEqual([sent + failed, failed > 0 && world.profile.network.faultChance === 0], [lost, false], text);
}

/** Bodies that are files, several versions of a key, markers. */
async function fill(site: Site, dice: Dice): Promise<void> {
  const client = site.client("filler");
  for (let i = 0; i < KEYS; i++) {
    const key = `k${String(i).padStart(2, "0")}`;
    for (let more = dice.pick([1, 1, 2, 3]); more > 0; more--)
      await s3.putObject(client, { bucket: BUCKET, key, headers: {}, body: Buffer.alloc(dice.between(100, 400), i) });
    if (dice.chance(0.2)) await s3.deleteObject(client, { bucket: BUCKET, key });
  }
}

/** Files of some versions are gone. Returns how many versions. */
async function damage(site: Site, dice: Dice): Promise<number> {
  let lost = 0;
  for (const held of (await heldBy(site)).values()) {
    if (held.version.kind !== "object" || !dice.chance(0.5)) continue;
    lost++;
    for (const { id } of refsOf(held)) await site.storage.files.unlink(`/data/blobs/${id.slice(0, 2)}/${id}`);
  }
  return lost;
}

/** After one of its next commits, or so many ms from now; it comes back soon after. */
function killLater(world: World, site: Site, dice: Dice): void {
  const kill = (): void => {
    if (!site.up) return;
    site.kill();
    world.time.after(dice.between(0, 1500), () => void site.start());
  };
  if (dice.chance(0.4)) return void world.time.after(dice.between(0, 6000), kill);
  afterCommit(site, dice.between(1, dice.pick([10, 60])), kill);
}

function afterCommit(site: Site, count: number, kill: () => void): void {
  const { storage } = site;
  const inner: OrderedIndex = storage.index;
  let left = count;
  storage.index = new Proxy(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (name !== "commit") return member.bind(target);
      return async (commit: Parameters<OrderedIndex["commit"]>[0]) => {
        const result = await target.commit(commit);
        if (--left === 0) kill();
        return result;
      };
    },
  });
}

/** Runs a resync to its end; `trouble` begins with it. */
async function resync(
  world: World,
  job: { site: Site; arn: Arn; limits?: JobLimits; options?: JobOptions; trouble?: () => void },
): Promise<Shown> {
  const { site, arn, limits, options = DEFAULT_OPTIONS, trouble } = job;
  const request = { arn, resetId: "", olderThan: "", options, limits };
  await site.leader.replication.api.resyncStart(BUCKET, request);
  trouble?.();
  for (const endMs = world.time.nowMs + JOB_MS_MAX; ;) {
    await world.time.sleep(STEP_MS);
    const shown = await statusOf(site, arn);
    if (shown?.resyncStatus === "Completed") return shown;
    assert.ok(world.time.nowMs < endMs && shown?.resyncStatus !== "Failed", JSON.stringify(shown));
  }
}

/** Undefined: the process is down, or died before it could say. */
async function statusOf(site: Site, arn: Arn): Promise<Shown | undefined> {
  if (!site.up) return undefined;
  const { life, replication } = site.leader;
  const death = new Promise<undefined>((resolve) => void life.onDeath(() => resolve(undefined)));
  const status = (await Promise.race([replication.api.resyncStatus(BUCKET, arn), death])) as
    | { target?: readonly Shown[] }
    | undefined;
  return status?.target?.[0];
}

describe("what a resync counts under kills", () => {
  for (let first = 1; first <= SEEDS; first += PER_TEST) {
    test(`seeds ${first} to ${first + PER_TEST - 1}`, async () => {
      for (let seed = first; seed < first + PER_TEST; seed++)
        await run(String(seed)).catch((error: unknown) =>
          assert.fail(`seed ${seed}: ${String((error as Error).stack)}`),
        );
    });
  }
});
