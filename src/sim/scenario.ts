/** One run of one seed: set up, trouble, rest, proof. */
import { hasCode } from "../model/errors.ts";
import { PROBE_AGAIN_MS } from "../replication/limits.ts";
import { FORCED } from "../resync/options.ts";
import * as checks from "./checks.ts";
import { checkIntegrity } from "./integrity.ts";
import { checkReach } from "./reach.ts";
import { checkMinio } from "./minio.ts";
import { Nemesis } from "./nemesis.ts";
import { heldBy, idOf, targetsOf, waitingRows } from "./peek.ts";
import { drawProfile, RETENTION_MS_MAX, type Profile, type ProfileOptions } from "./profile.ts";
import { Dice } from "./random.ts";
import { BUCKET, type Site } from "./site.ts";
import { Stuck } from "./time.ts";
import { Client } from "./workload.ts";
import { World, type Violation } from "./world.ts";

export interface Report {
  readonly seed: string;
  readonly profile: Profile;
  readonly violations: readonly Violation[];
  readonly operations: number;
  readonly refused: number;
  readonly troubles: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly simulatedMs: number;
  /** Equal for two runs exactly when the same things happened in them. */
  readonly digest: string;
  readonly trace: readonly string[];
}

/** Longest time, simulated, until everything that waited has been sent: above the pause after a refusal. */
const REST_MS_MAX = 40 * 60_000;
const REST_STEP_MS = 500;
/** So many looks in a row must find nothing: above the two seconds in which every poll comes round. */
const CALM_STEPS = 6;
/** How long the sites are watched for requests when there is nothing left to send; now and then beyond the longest retry. */
const SILENCE_MS = 10_000;
const LONG_SILENCE_MS = 90_000;
const LONG_SILENCE_CHANCE = 0.1;
/** How often a run waits for rows that are tried again after a quarter of an hour. */
const PATIENCE_CHANCE = 0.1;

/** Runs a seed to its end. Never rejects: what goes wrong is a violation. */
export async function runSeed(seed: string, options: ProfileOptions = {}): Promise<Report> {
  const dice = new Dice(seed);
  const profile = drawProfile(dice.fork("profile"), options);
  const world = new World(profile, dice);
  try {
    await world.time.drive(scenario(world));
  } catch (error) {
    const what = error instanceof Stuck ? "stuck" : "the run broke";
    world.violation(what, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  for (const site of world.sites) site.kill();
  const { counts, network, violations, digest, trace } = world;
  const { faults, requests } = network.traffic;
  return {
    seed,
    profile,
    violations,
    ...counts,
    faults,
    requests,
    simulatedMs: Math.round(world.time.nowMs),
    digest,
    trace,
  };
}

async function scenario(world: World): Promise<void> {
  const { profile, sites, time } = world;
  world.network.stormy = false;
  for (const site of sites) await site.start();
  for (const site of sites) await world.createBucket(site);
  if (profile.prehistory) await prehistory(world);
  for (const site of sites) await world.enableVersioning(site);
  for (const site of sites) await world.configure(site, "on");
  if (profile.bucketMode === "suspended") for (const site of sites) await world.suspendVersioning(site);
  world.network.stormy = true;
  const untilMs = time.nowMs + profile.chaosMs;
  const nemesis = new Nemesis(world);
  const clients = sitesOfWriters(world).flatMap((site) =>
    Array.from({ length: profile.clientsPerSite }, (_, i) => new Client(world, site, `c${i}`)),
  );
  await Promise.all([nemesis.run(untilMs), ...clients.map((client) => client.run(untilMs))]);
  world.note("REST");
  await nemesis.heal();
  if (profile.locks) await unlock(world);
  await prove(world);
}

/** Holds end; retentions do by themselves, at every clock. Purges that a lock stopped are carried out after it. */
async function unlock(world: World): Promise<void> {
  for (const site of sitesOfWriters(world)) {
    const { objects } = site.leader;
    for (const { version } of (await heldBy(site)).values()) {
      if (version.kind !== "object" || version.legalHold?.value !== true) continue;
      const { key, versionId } = version;
      await objects.setLegalHold({ bucket: BUCKET, key, versionId }, false).catch((error: unknown) => {
        // A peer purged it meanwhile.
        if (!hasCode(error, "NoSuchVersion")) throw error;
      });
    }
  }
  await world.time.sleep(RETENTION_MS_MAX + 2 * world.profile.skewMsMax);
}

const sitesOfWriters = (world: World): Site[] => world.profile.writers.map((name) => world.named(name));

/** Writes from before there was versioning or replication. */
async function prehistory(world: World): Promise<void> {
  for (const site of sitesOfWriters(world)) {
    const client = new Client(world, site, "earlier");
    for (let i = 0; i < 4; i++) await client.step("put");
    await site.leader.objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, versioning: { status: "Suspended" } }));
    for (let i = 0; i < 4; i++) await client.step(i % 2 === 0 ? "put" : "delete");
    await client.step("multipart");
  }
}

/** Everything is connected: what waits is sent, resyncs find and mend the rest, and then nothing moves any more. */
async function prove(world: World): Promise<void> {
  await rest(world);
  if (world.violations.length > 0) return;
  if (world.profile.convergesAlone) {
    const hopeless = new Set<string>();
    await checks.checkDrained(world, { hopeless });
    if (world.profile.meets) await checks.checkEqual(world, { hopeless });
    await (world.profile.meets ? checks.checkPromises(world) : checkReach(world));
    if (world.violations.length > 0) return;
  }
  if (!world.profile.meets) return silence(world);
  await resyncAll(world, { mayMove: true });
  const hopeless = await checks.hopelessVersions(world);
  const patient = world.dice.chance(PATIENCE_CHANCE);
  await rest(world, patient ? hopeless : undefined);
  await checks.checkDrained(world, {
    hopeless: patient ? hopeless : new Set([...hopeless, ...(await refused(world))]),
  });
  await checks.checkEqual(world, { hopeless });
  await checks.checkPromises(world);
  await checkMinio(world, hopeless);
  if (world.violations.length > 0) return;
  await resyncAll(world, { mayMove: world.profile.troubles.includes("damage") });
  await silence(world);
}

/** When nothing changes nothing is sent; and what each site has stored is whole in itself. */
async function silence(world: World): Promise<void> {
  // What a resync sent is marked at its target afterwards, once.
  await world.time.sleep(3 * PROBE_AGAIN_MS);
  const before = world.network.traffic.writes;
  world.note("SILENCE");
  await world.time.sleep(world.dice.chance(LONG_SILENCE_CHANCE) ? LONG_SILENCE_MS : SILENCE_MS);
  const more = world.network.traffic.writes - before;
  if (more > 0) world.violation("no silence", `${more} requests although nothing is left to send`);
  await checkIntegrity(world);
}

/**
 * Waits until no change log holds a row, or none that can move: not those of `hopeless` versions; without a list, not
 * those whose bytes are damaged at their source, which only a resync from elsewhere mends.
 */
export async function rest(world: World, hopeless?: ReadonlySet<string>): Promise<void> {
  const endMs = world.time.nowMs + REST_MS_MAX;
  let calm = 0;
  while (world.time.nowMs < endMs) {
    await world.time.sleep(REST_STEP_MS);
    const rows = (await Promise.all(world.sites.map((site) => waiting(site, hopeless)))).reduce(
      (sum, count) => sum + count,
      0,
    );
    // Once may be the moment between two steps of a job that queues what existed before.
    calm = rows === 0 ? calm + 1 : 0;
    if (calm >= CALM_STEPS) return;
  }
}

async function waiting(site: Site, hopeless: ReadonlySet<string> | undefined): Promise<number> {
  let rows = 0;
  for (const { arn } of await targetsOf(site)) {
    for (const { row } of await waitingRows(site, arn)) {
      const stuck = hopeless === undefined ? row.error?.startsWith("XResilverObjectDamaged") : hopeless.has(idOf(row));
      if (stuck !== true) rows++;
    }
  }
  return rows;
}

/** Versions whose bytes were damaged when their row was last tried. */
async function refused(world: World): Promise<string[]> {
  const out: string[] = [];
  for (const site of world.sites) {
    for (const { arn } of await targetsOf(site)) {
      for (const { row } of await waitingRows(site, arn))
        if (row.error?.startsWith("XResilverObjectDamaged")) out.push(idOf(row));
    }
  }
  return out;
}

interface ShownResync {
  readonly resyncStatus: string;
  readonly compared: number;
  readonly sent: number;
  readonly alreadyEqual: number;
  readonly notReplicable: number;
  readonly purged: number;
  readonly failed: number;
  readonly verify?: { readonly different: number; readonly samples: unknown };
  readonly error?: string;
}

/** A resync along every edge, one after another. Without `mayMove` none may find anything to do. */
export async function resyncAll(world: World, options: { mayMove: boolean }): Promise<void> {
  for (const site of world.sites) {
    const { api } = site.leader.replication;
    for (const { arn, endpoint } of await targetsOf(site)) {
      const name = `${site.name} to ${world.nameAt(endpoint)}`;
      for (;;) {
        const before = await statusOf(site, arn);
        if (before?.resyncStatus !== "Pending" && before?.resyncStatus !== "Ongoing") {
          checkSum(world, name, before);
          break;
        }
        await world.time.sleep(REST_STEP_MS);
      }
      await api.resyncStart(BUCKET, { arn, resetId: "", olderThan: "", options: FORCED });
      let shown = await statusOf(site, arn);
      while (shown?.resyncStatus === "Pending" || shown?.resyncStatus === "Ongoing") {
        await world.time.sleep(REST_STEP_MS);
        shown = await statusOf(site, arn);
      }
      world.note(`RESYNC ${name} ${JSON.stringify(shown)}`);
      checkSum(world, name, shown);
      // A first resync meets what is newer at its target, which only the resync of the other direction brings here.
      const different = options.mayMove ? 0 : (shown?.verify?.different ?? 0);
      if (shown?.resyncStatus !== "Completed" || shown.failed + different > 0) {
        world.violation("resync failed", `${name}: ${JSON.stringify(shown)}`);
      } else if (!options.mayMove && shown.sent + shown.purged > 0) {
        world.violation("resync moved what was equal", `${name}: ${JSON.stringify(shown)}`);
      }
    }
  }
}

/** Whatever became of a resync, each version that it compared is in one of its counts. */
function checkSum(world: World, name: string, shown: ShownResync | undefined): void {
  if (shown === undefined) return;
  const { compared, sent, alreadyEqual, notReplicable, failed } = shown;
  if (sent + alreadyEqual + notReplicable + failed === compared && alreadyEqual >= 0) return;
  world.violation("counts do not add up", `${name}: ${JSON.stringify(shown)}`);
}

async function statusOf(site: Site, arn: string): Promise<ShownResync | undefined> {
  const status = (await site.leader.replication.api.resyncStatus(BUCKET, arn as never)) as {
    target?: readonly ShownResync[];
  };
  return status.target?.[0];
}
