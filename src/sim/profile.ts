/** What a run is like: drawn from its seed, so that every seed is another mixture of few or many troubles. */
import type { Dice } from "./random.ts";
import { FAULTS, type Fault, type NetworkProfile } from "./network.ts";
import type { StorageProfile } from "./storage.ts";

const TROUBLES = [
  "cut",
  "partition",
  "kill",
  "power",
  "restart",
  "restore",
  "wipe",
  "damage",
  "rules",
  "targets",
  "skew",
  "resync",
  "full",
  "failing",
] as const;
export type Trouble = (typeof TROUBLES)[number];

/** Troubles after which replication alone need not make sites equal: what they lost or kept back takes a resync. */
const NEED_RESYNC: ReadonlySet<Trouble> = new Set<Trouble>(["restore", "wipe", "damage", "rules", "targets"]);

/** How null versions come about. `suspended`: all versions of the bucket are null. `excluded`: those below a prefix. */
export type BucketMode = "versioned" | "suspended" | "excluded";

const OPERATIONS = {
  put: 30,
  delete: 10,
  purge: 10,
  tag: 12,
  untag: 2,
  copy: 6,
  multipart: 4,
  deleteMany: 4,
  read: 6,
} as const;
export type Operation = keyof typeof OPERATIONS | "lock" | "look";

/** Weight of changes of locks where there are any. */
const LOCK_WEIGHT = 14;
/** Faults that one draw decides on; a newer one has a draw of its own, which leaves those of other things as they are. */
const FIRST_FAULTS = (Object.keys(FAULTS) as Fault[]).filter((fault) => fault !== "torn");
/** Weight of reads of versions by id, wherever they were written, where clients make such. */
const LOOK_WEIGHT = 25;
/** Longest retention, by the clock of its site. */
export const RETENTION_MS_MAX = 20_000;

export interface Profile {
  readonly sites: readonly string[];
  /** Ordered pairs: who replicates to whom. */
  readonly edges: readonly (readonly [from: string, to: string])[];
  /** Every site sends to every other, or only one does: all come to hold the same. Not so in a ring or a star. */
  readonly meets: boolean;
  /** Sites that clients write at. */
  readonly writers: readonly string[];
  readonly processes: number;
  readonly bucketMode: BucketMode;
  /** The bucket has object lock, and clients use it. */
  readonly locks: boolean;
  /** Every site sends to a MinIO too. */
  readonly minio: boolean;
  /** Versions are written before there is any replication. */
  readonly prehistory: boolean;
  readonly keys: readonly string[];
  /** Some uploads have a part of the smallest size that a part before the last may have. */
  readonly largeUploads: boolean;
  readonly clockStepNs: number;
  readonly skewMsMax: number;
  readonly network: NetworkProfile;
  readonly storage: StorageProfile;
  readonly troubles: readonly Trouble[];
  readonly troubleEveryMs: number;
  readonly chaosMs: number;
  /** Clients stop after so many operations, all of them together. */
  readonly operationsMax: number;
  readonly clientsPerSite: number;
  readonly thinkMs: number;
  readonly operations: Readonly<Record<Operation, number>>;
  /** Writes are answered when their targets were tried. */
  readonly synchronous: boolean;
  /** Replication alone must make the sites equal. */
  readonly convergesAlone: boolean;
}

const KEYS = ["a", "dir/b", "dir/ключ +%", "z\u{1F600}"];

function someOf<T>(dice: Dice, items: readonly T[], chance: number): T[] {
  return items.filter(() => dice.chance(chance));
}

export interface ProfileOptions {
  /** Fewer operations in less time. */
  readonly brief?: boolean | undefined;
}

type Edge = readonly [from: string, to: string];

const SHAPES: Readonly<Record<string, (sites: readonly string[]) => Edge[]>> = {
  mesh: (sites) => sites.flatMap((from) => sites.filter((to) => to !== from).map((to): Edge => [from, to])),
  /** Each to the next. */
  ring: (sites) => sites.map((from, i) => [from, sites[(i + 1) % sites.length] as string]),
  /** The first with each of the others, both ways. */
  star: ([hub = "", ...others]) =>
    others.flatMap((other): Edge[] => [
      [hub, other],
      [other, hub],
    ]),
};

/** Who sends to whom, of draws of their own: more shapes do not change what other draws say. */
function drawShape(
  dice: Dice,
  few: readonly string[],
  oneWay: boolean,
): Pick<Profile, "sites" | "edges"> & { readonly name: string } {
  const name = oneWay || few.length === 2 ? "mesh" : dice.weighted({ mesh: 3, ring: 1, star: 1 });
  const sites = few.length > 2 && dice.chance(0.3) ? [...few, "south"] : few;
  return { name, sites, edges: (SHAPES[name] as (typeof SHAPES)[string])(sites) };
}

export function drawProfile(dice: Dice, options: ProfileOptions = {}): Profile {
  const few = dice.chance(0.6) ? ["east", "west"] : ["east", "west", "north"];
  const oneWay = dice.chance(0.12);
  const { sites, edges, name: shape } = drawShape(dice.fork("shape"), few, oneWay);
  const meets = shape === "mesh";
  const bucketMode = dice.weighted({ versioned: 6, suspended: 2, excluded: 2 });
  // No target may be set, on a new site either, while versioning is suspended.
  const possible = TROUBLES.filter(
    (trouble) =>
      (bucketMode !== "suspended" || (trouble !== "wipe" && trouble !== "targets")) &&
      // Where versions go no further than one site a resync carries them on, one after another.
      (meets || (trouble !== "resync" && !NEED_RESYNC.has(trouble))),
  );
  const drawn = dice.chance(0.25) ? [] : someOf(dice, possible, dice.pick([0.15, 0.3, 0.6]));
  // What a source of one direction purges for itself alone nobody brings back.
  const troubles = oneWay ? drawn.filter((trouble) => trouble !== "rules" && trouble !== "targets") : drawn;
  const heavy = someOf(dice, Object.keys(OPERATIONS) as Operation[], 0.3);
  const operations = Object.fromEntries(
    (Object.entries(OPERATIONS) as [Operation, number][]).map(([name, weight]) => [
      name,
      heavy.includes(name) ? weight * 4 : weight,
    ]),
  ) as Record<keyof typeof OPERATIONS, number>;
  const prehistory = dice.chance(0.3);
  const locks = bucketMode === "versioned" && dice.fork("locks").chance(0.35);
  return {
    sites,
    meets,
    edges: oneWay ? edges.filter(([from]) => from === "east") : edges,
    writers: oneWay ? ["east"] : sites,
    processes: dice.chance(0.3) ? 2 : 1,
    bucketMode,
    locks,
    minio: meets && bucketMode === "versioned" && !locks && !prehistory && dice.fork("minio").chance(0.3),
    prehistory,
    keys:
      bucketMode === "excluded"
        ? [...KEYS.slice(0, 2), "null/x", "null/y"]
        : KEYS.slice(0, dice.between(1, KEYS.length)),
    largeUploads: dice.chance(options.brief === true ? 0.03 : 0.1),
    clockStepNs: dice.pick([1, 1, 1000, 1_000_000]),
    skewMsMax: dice.pick([0, 5, 2000, 300_000]),
    network: {
      faultChance: dice.pick([0, 0.02, 0.1, 0.3]),
      faults: [...someOf(dice, FIRST_FAULTS, 0.6), ...someOf(dice.fork("torn"), ["torn"] as const, 0.5)],
      slowChance: dice.pick([0, 0.01, 0.05]),
    },
    storage: { slowChance: dice.pick([0, 0.05, 0.5]) },
    troubles,
    troubleEveryMs: dice.pick([200, 600, 2000]),
    chaosMs: dice.chance(options.brief === true ? 1 : 0.75) ? dice.between(2000, 6000) : dice.between(6000, 25_000),
    operationsMax: dice.between(20, options.brief === true ? 50 : 160),
    clientsPerSite: dice.between(1, 3),
    thinkMs: dice.pick([30, 150, 800]),
    operations: {
      ...operations,
      lock: locks ? LOCK_WEIGHT : 0,
      look: dice.fork("look").chance(0.3) ? LOOK_WEIGHT : 0,
    },
    synchronous: dice.chance(0.15),
    convergesAlone: !troubles.some((trouble) => NEED_RESYNC.has(trouble)),
  };
}
