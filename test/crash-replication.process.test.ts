/**
 * Sites that replicate to each other, all written to, any of them killed -9 or paused every few seconds: when nothing is
 * pending, a client that is not ours finds the same versions, ids, times, bytes, metadata, tags, locks and markers at all
 * of them, whatever was answered is there, and purges hold. What came from a peer goes no further: in a ring of one
 * direction, or a star, a version is at the site that took it and at those that this one sends to.
 * `CRASH_ROUNDS` kills (default 12), `CRASH_SEED` replays the choices.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { DATA, HELD, lane, Ledger, NULLS, type Load } from "./support/crash-load.ts";
import { inventory, type Seen } from "./support/inventory.ts";
import { bodyOf, dice, seedOf, setting, type Dice } from "./support/random.ts";
import { cleanUp } from "./support/server.ts";
import { setRules, Site, until } from "./support/site.ts";

const ROUNDS = setting("CRASH_ROUNDS", 12);
const CONVERGE_MS = setting("CRASH_CONVERGE_MS", 60_000);
const LANES_PER_SITE = 3;
const BUCKETS = [DATA, HELD];
/** Settled and compared after so many rounds. */
const COMPARE_EVERY = 6;

interface Topology {
  readonly name: string;
  readonly workers: number;
  /** To which others each site sends. */
  readonly sends: readonly (readonly number[])[];
  /** Share of the rounds. */
  readonly share: number;
}

const TOPOLOGIES: readonly Topology[] = [
  { name: "two sites, two processes each", workers: 2, sends: [[1], [0]], share: 1 / 3 },
  {
    name: "three sites, each to both others",
    workers: 1,
    sends: [
      [1, 2],
      [0, 2],
      [0, 1],
    ],
    share: 1 / 3,
  },
  { name: "a ring of one direction", workers: 1, sends: [[1], [2], [0]], share: 1 / 6 },
  { name: "a star that sends both ways", workers: 1, sends: [[1, 2], [0], [0]], share: 1 / 6 },
];

interface Fleet {
  readonly sites: readonly Site[];
  readonly topology: Topology;
  readonly ledger: Ledger;
  readonly dice: Dice;
}

const holdersOf = ({ topology }: Fleet, origin: number): number[] =>
  [origin, ...(topology.sends[origin] ?? [])].toSorted();
const isShared = (fleet: Fleet): boolean =>
  fleet.sites.every((_, origin) => holdersOf(fleet, origin).length === fleet.sites.length);

async function startFleet(topology: Topology): Promise<Fleet> {
  const sites = await Promise.all(topology.sends.map(() => Site.start({ workers: topology.workers })));
  const ledger = new Ledger();
  for (const site of sites) {
    await site.text("PUT", DATA);
    // From before there was versioning: a null version that every site has one of.
    const early = { key: "early", body: bodyOf(ledger.nextBody(), 2048) };
    await (await site.call("PUT", DATA, early)).discard();
    const excluded = `<ExcludedPrefixes><Prefix>${NULLS}</Prefix></ExcludedPrefixes>`;
    const body = `<VersioningConfiguration><Status>Enabled</Status>${excluded}</VersioningConfiguration>`;
    await site.text("PUT", DATA, { query: { versioning: "" }, body });
    await site.text("PUT", HELD, { headers: { "x-amz-bucket-object-lock-enabled": "true" } });
  }
  for (const [from, to] of topology.sends.entries())
    for (const bucket of BUCKETS)
      await setRules(
        sites[from] as Site,
        to.map((i) => sites[i] as Site),
        bucket,
      );
  return { sites, topology, ledger, dice: dice(seedOf(`crash-replication, ${topology.name}`)) };
}

/** Load on all sites; one of them, or two, die after so many answers and start again, or hold their breath. */
async function attack(fleet: Fleet): Promise<void> {
  const { sites, ledger, dice: d } = fleet;
  const answers = 20 + d.below(150);
  const moment = d.below(30);
  const victims = d.oneIn(3) ? sites.filter((_, i) => i !== d.below(sites.length)) : [d.pick(sites)];
  let reached: () => void = () => undefined;
  const enough = new Promise<void>((resolve) => (reached = resolve));
  let count = 0;
  let stopped = false;
  const common = { ledger, dice: d, shared: isShared(fleet), stopped: () => stopped };
  const onAnswer = (): unknown => ++count >= answers && reached();
  const loads = sites.map((site, at): Load => ({ ...common, site, at, onAnswer: () => void onAnswer() }));
  const lanes = Promise.all(loads.flatMap((load) => Array.from({ length: LANES_PER_SITE }, () => lane(load))));
  await Promise.race([enough, lanes.then(() => assert.fail("the clients ended before the kill"))]);
  await pause(moment);
  if (d.oneIn(5)) await holdBreath(victims, d);
  const killed = Promise.all(victims.map((site) => site.kill()));
  await killed;
  // Sites that live on are written to while others are away and come back.
  await pause(d.below(400));
  const restarts = Promise.all(victims.map((site) => site.restart()));
  if (d.oneIn(2)) await restarts;
  stopped = true;
  await lanes;
  await restarts;
}

async function holdBreath(victims: readonly Site[], d: Dice): Promise<void> {
  for (const { server } of victims) server.process.kill("SIGSTOP");
  await pause(d.below(600));
  for (const { server } of victims) server.process.kill("SIGCONT");
}

interface Stats {
  readonly pendingReplicationCount: number;
  readonly pendingReplicationSize: number;
  readonly failed: { readonly errCounts?: Readonly<Record<string, number>> };
}

async function pending(site: Site, bucket: string): Promise<Stats> {
  return JSON.parse(await site.text("GET", bucket, { query: { "replication-metrics": "" } })) as Stats;
}

async function settled({ sites }: Fleet): Promise<boolean> {
  for (const site of sites) {
    for (const bucket of BUCKETS) {
      const { pendingReplicationCount: count, pendingReplicationSize: size } = await pending(site, bucket);
      if (count !== 0 || size !== 0) return false;
    }
  }
  return true;
}

async function explain({ sites }: Fleet): Promise<string> {
  const lines = sites.map(async (site, i) => {
    const numbers = await Promise.all(BUCKETS.map((bucket) => pending(site, bucket)));
    const left = numbers.map((n) => `${n.pendingReplicationCount} rows, ${n.pendingReplicationSize} bytes`).join("; ");
    const codes = JSON.stringify(numbers.map(({ failed }) => failed.errCounts ?? {}));
    return `site ${i}: pending ${left}; failures ${codes}\n${site.server.log().split("\n").slice(-5).join("\n")}`;
  });
  return (await Promise.all(lines)).join("\n");
}

/** What all sites hold, against each other and against what the clients were told. */
async function compare(fleet: Fleet): Promise<void> {
  for (const bucket of BUCKETS) {
    const held = await Promise.all(fleet.sites.map((site) => inventory(site, bucket)));
    const names = new Set(held.flatMap((one) => [...one.keys()]));
    for (const name of names) agree(fleet, name, held);
    checkVersions(fleet, bucket, held);
    if (bucket === DATA) for (const key of fleet.ledger.nulls.keys()) checkNull(fleet, key, held);
  }
}

type Held = readonly ReadonlyMap<string, Seen>[];

/** Every site that a version was meant for has it, no other has, and all see the same. */
function agree(fleet: Fleet, name: string, held: Held): void {
  const at = held.flatMap((one, i) => (one.has(name) ? [i] : []));
  const meant = fleet.sites.map((_, origin) => holdersOf(fleet, origin).join());
  // Each site has its own null version of a key from before: where sites do not all meet, each sees another newest.
  if (name === "early null" && !isShared(fleet)) return;
  assert.ok(meant.includes(at.join()), `${name} is at the sites ${at.join()}`);
  const seen = at.map((i) => held[i]?.get(name) as Seen);
  assert.equal(new Set(seen.map(({ text }) => text)).size, 1, `${name}: ${seen.map(({ text }) => text).join("\n")}`);
  if (isShared(fleet)) assert.equal(new Set(seen.map(({ latest }) => latest)).size, 1, `${name}: current at some`);
}

function checkVersions(fleet: Fleet, bucket: string, held: Held): void {
  for (const known of fleet.ledger.versions.values()) {
    if (known.bucket !== bucket) continue;
    const { key, versionId, state, origin, bodyId, tag } = known;
    for (const i of holdersOf(fleet, origin)) {
      const seen = held[i]?.get(`${key} ${versionId}`);
      if (state === "there") assert.ok(seen !== undefined, `lost at ${i}: ${key} ${versionId}`);
      if (state === "gone") assert.ok(seen === undefined, `came back at ${i}: ${key} ${versionId}`);
      if (seen === undefined) continue;
      assert.equal(seen.bodyId, bodyId, `${key} ${versionId}`);
      if (tag !== undefined) assert.equal(seen.tags["t"] ?? "", tag, `tags of ${key} ${versionId}`);
    }
    // A purge that was not answered is settled now: for good.
    if (state === "unsure") known.state = held[origin]?.has(`${key} ${versionId}`) === true ? "there" : "gone";
  }
}

function checkNull(fleet: Fleet, key: string, held: Held): void {
  const last = fleet.ledger.lastNulls(key);
  const origin = last[0]?.origin ?? 0;
  const seen = held[origin]?.get(`${key} null`);
  const is = seen === undefined ? "purge" : "object";
  const possible = last.some((change) => change.kind === is && change.bodyId === seen?.bodyId);
  // Nothing was ever acknowledged, and what was not did not happen.
  const never = is === "purge" && !fleet.ledger.nulls.get(key)?.some((change) => change.acknowledged);
  assert.ok(possible || never, `${key} is a ${is} of ${seen?.bodyId}, and should be one of ${JSON.stringify(last)}`);
}

for (const topology of TOPOLOGIES) {
  describe(topology.name, { timeout: 90_000 + ROUNDS * 8000 }, () => {
    after(cleanUp);

    test("under writes and kill -9 they end equal", async () => {
      const fleet = await startFleet(topology);
      const rounds = Math.ceil(ROUNDS * topology.share);
      for (let round = 1; round <= rounds; round++) {
        await attack(fleet);
        if (round % COMPARE_EVERY !== 0 && round !== rounds) continue;
        const started = performance.now();
        await until(
          () => settled(fleet),
          CONVERGE_MS,
          () => explain(fleet),
        );
        const tookMs = Math.round(performance.now() - started);
        const { versions, nulls } = fleet.ledger;
        process.stderr.write(
          `# round ${round}: ${versions.size} versions, ${nulls.size} null keys, settled in ${tookMs} ms\n`,
        );
        await compare(fleet);
      }
      for (const site of fleet.sites) {
        await site.close();
        assert.equal(await site.server.stop(), 0);
      }
    });
  });
}
