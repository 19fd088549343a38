/**
 * Every pair of concurrent operations: one at each site, before either has seen the other's, with the clock of the one or
 * of the other ahead. What both hold afterwards is what the tables of docs/design/convergence.md say, by replication alone
 * and after resyncs in both directions.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as lockCalls from "../client/lock-calls.ts";
import * as s3 from "../client/s3-calls.ts";
import type { S3Client } from "../client/s3-client.ts";
import { isActive, newerRetention } from "../model/object-lock.ts";
import { newerRegister, purgedEverywhere, type ObjectVersion, type Tombstone, type Version } from "../model/version.ts";
import { BUCKET, type Site } from "./site.ts";
import { heldBy, tombstonesOf } from "./peek.ts";
import type { Profile } from "./profile.ts";
import { rest, resyncAll } from "./scenario.ts";
import { quietWorld, startAll } from "./testing.ts";
import type { World } from "./world.ts";

/** Longer than what the index takes: a file that can be damaged. */
const body = (text: string): Buffer => Buffer.from(text.padEnd(100, "."));
const FAR = "2100-01-01T00:00:00.000Z";

interface At {
  readonly site: Site;
  readonly client: S3Client;
  readonly key: string;
  /** The version that both sites have. */
  readonly base: string;
}

type Operation = (at: At) => Promise<unknown>;

const put: Operation = ({ client, key, site }) =>
  s3.putObject(client, { bucket: BUCKET, key, headers: { "x-amz-tagging": "of=put" }, body: body(`put ${site.name}`) });
const copy: Operation = ({ client, key }) =>
  s3.copyObject(client, {
    bucket: BUCKET,
    key,
    from: { bucket: BUCKET, key },
    headers: { "x-amz-metadata-directive": "REPLACE", "x-amz-meta-note": "copied" },
  });
const multipart: Operation = async ({ client, key, site }) => {
  const name = { bucket: BUCKET, key };
  const upload = { ...name, uploadId: await s3.createUpload(client, { ...name, headers: {} }) };
  const etag = (await s3.uploadPart(client, { ...upload, number: 2, body: body(`part ${site.name}`) }))["etag"] ?? "";
  await s3.completeUpload(client, { ...upload, parts: [{ number: 2, etag }] });
};
const remove: Operation = ({ client, key }) => s3.deleteObject(client, { bucket: BUCKET, key });
const purge: Operation = ({ client, key, base }) =>
  s3.deleteObject(client, {
    bucket: BUCKET,
    key,
    versionId: base,
    headers: { "x-amz-bypass-governance-retention": "true" },
  });
const tag: Operation = ({ client, key, base, site }) =>
  s3.putTags(client, { bucket: BUCKET, key, versionId: base }, { by: site.name });
/** The value that both sites have, with a later time: it wins over whatever came before that. */
const tagAgain: Operation = ({ client, key, base }) =>
  s3.putTags(client, { bucket: BUCKET, key, versionId: base }, { of: "base" });
const untag: Operation = ({ client, key, base }) => s3.deleteTags(client, { bucket: BUCKET, key, versionId: base });
/** As the lifecycle of one site alone does it. */
const expire: Operation = async ({ site, key, base }) => {
  const { objects } = site.leader;
  const at = { bucket: BUCKET, key: key as Version["key"], versionId: base as Version["versionId"] };
  const mtime = (await objects.version(at))?.version.mtime;
  await objects.delete({ ...at, versionId: undefined, conditions: { mtime }, byLifecycle: true });
};
const expireVersion: Operation = async ({ site, key, base }) => {
  const at = { bucket: BUCKET, key: key as Version["key"], versionId: base as Version["versionId"] };
  await site.leader.objects.delete({ ...at, byLifecycle: true });
};
/** The bytes are gone; the peer's bring them back, with whatever the peer has done to the version meanwhile. */
const damage: Operation = async ({ site, key, base }) => {
  const at = { bucket: BUCKET, key: key as Version["key"], versionId: base as Version["versionId"] };
  const found = await site.leader.objects.version(at);
  if (found?.version.kind !== "object") return;
  const { blob } = found.version;
  if (blob !== undefined) await site.storage.files.unlink(`/data/blobs/${blob.id.slice(0, 2)}/${blob.id}`);
  await site.leader.objects.markDamaged(at, "missing");
};
const retain =
  (mode: "GOVERNANCE" | "COMPLIANCE", until: string): Operation =>
  ({ client, key, base }) =>
    lockCalls.putRetention(
      client,
      { bucket: BUCKET, key, versionId: base },
      { mode, until },
      { bypassGovernance: true },
    );
const hold =
  (on: boolean): Operation =>
  ({ client, key, base }) =>
    lockCalls.putLegalHold(client, { bucket: BUCKET, key, versionId: base }, on);

/** Operations whose purges no rule carries. */
const LOCAL = new Set(["purge here", "expire version"]);

interface Family {
  readonly mode: Profile["bucketMode"];
  readonly locks: boolean;
  readonly prefix: string;
  /** The version that both sites have is a delete marker, on top of a version that nobody touches. */
  readonly marker?: boolean;
  readonly operations: Readonly<Record<string, Operation>>;
}

const writes = { put, copy, multipart };
const purges = { purge, "purge here": purge, "expire version": expireVersion };
const FAMILIES: Readonly<Record<string, Family>> = {
  "versions with ids": {
    mode: "versioned",
    locks: false,
    prefix: "v",
    operations: { ...writes, "delete marker": remove, ...purges, tag, "tag again": tagAgain, untag, expire, damage },
  },
  "delete markers with ids": {
    mode: "versioned",
    locks: false,
    prefix: "m",
    marker: true,
    operations: { put, multipart, "delete marker": remove, ...purges },
  },
  "null delete markers of a suspended bucket": {
    mode: "suspended",
    locks: false,
    prefix: "n",
    marker: true,
    operations: { put, multipart, "delete marker": remove, ...purges },
  },
  "versions under lock": {
    mode: "versioned",
    locks: true,
    prefix: "l",
    operations: {
      put,
      purge,
      tag,
      governance: retain("GOVERNANCE", FAR),
      compliance: retain("COMPLIANCE", "2099-01-01T00:00:00.000Z"),
      "legal hold": hold(true),
      "no legal hold": hold(false),
    },
  },
  "null versions of a suspended bucket": {
    mode: "suspended",
    locks: false,
    prefix: "s",
    operations: { ...writes, "delete marker": remove, ...purges, tag, untag },
  },
  "null versions of an excluded prefix": {
    mode: "excluded",
    locks: false,
    prefix: "null/x",
    operations: { ...writes, "delete without an id": remove, ...purges, tag, untag },
  },
};

/** What a site holds of one key. */
interface State {
  readonly versions: ReadonlyMap<string, Version>;
  readonly stones: ReadonlyMap<string, Tombstone>;
}

async function stateOf(site: Site, key: string): Promise<State> {
  const held = [...(await heldBy(site)).values()]
    .map(({ version }) => version)
    .filter((version) => version.key === key);
  const stones = [...(await tombstonesOf(site)).values()].filter((stone) => stone.key === key);
  const named = <T extends { versionId: string }>(all: readonly T[]): Map<string, T> =>
    new Map(all.map((one) => [one.versionId, one]));
  return { versions: named(held), stones: named(stones) };
}

/** The later of two null versions: docs/design/convergence.md, "The null version". */
function laterNull(a: Version, b: Version): Version {
  if (a.mtime !== b.mtime) return a.mtime > b.mtime ? a : b;
  if (a.kind !== b.kind) return a.kind === "object" ? a : b;
  return a.kind === "object" && b.kind === "object" && a.etag !== b.etag ? (a.etag > b.etag ? a : b) : merged(a, b);
}

function merged(a: Version, b: Version): Version {
  if (a.kind !== "object" || b.kind !== "object") return a;
  const both: ObjectVersion = {
    ...a,
    tags: newerRegister(a.tags, b.tags),
    retention: newerRetention(a.retention, b.retention),
    legalHold: newerRegister(a.legalHold, b.legalHold),
  };
  return both;
}

/** A lock that keeps `version` from a peer's purge of this time. */
function isKept({ retention, legalHold }: ObjectVersion, time: bigint, nowMs: number): boolean {
  if (legalHold?.value === true && legalHold.time > time) return true;
  if (!isActive(retention?.value, nowMs)) return false;
  return retention?.value?.mode === "COMPLIANCE" || (retention?.time ?? 0n) > time;
}

interface Expected {
  readonly versions: Map<string, Version>;
  /** Only the first site, or only the second, may have it: the purge of the other waits for the end of a lock. */
  readonly kept: ReadonlySet<string>;
}

/** The tables as a function: what `here` and `there` become when each has heard of all that the other did. */
function expected(here: State, there: State, at: { readonly resynced: boolean; readonly nowMs: number }): Expected {
  const out = new Map<string, Version>();
  const kept = new Set<string>();
  for (const id of new Set([...here.versions.keys(), ...there.versions.keys()])) {
    const [a, b] = [here.versions.get(id), there.versions.get(id)];
    const both = a === undefined || b === undefined ? (a ?? b) : id === "null" ? laterNull(a, b) : merged(a, b);
    const version = both as Version;
    const stones = [here.stones.get(id), there.stones.get(id)].flatMap((stone) => stone ?? []);
    const times = stones.flatMap((stone) => purgedEverywhere(stone) ?? []);
    const covered = times.filter((time) => id !== "null" || version.mtime <= time);
    if (covered.length === 0) out.set(id, version);
    else if (version.kind === "object" && covered.every((time) => isKept(version, time, at.nowMs))) {
      out.set(id, version);
      kept.add(id);
    }
  }
  return { versions: out, kept };
}

function shown(version: Version | undefined): string {
  if (version === undefined) return "absent";
  const { kind, mtime } = version;
  if (kind === "delete-marker") return `marker ${mtime}`;
  const { etag, tags, retention, legalHold, userMetadata, damaged } = version;
  const locks = [retention?.value ?? null, legalHold?.value ?? false];
  return JSON.stringify([String(mtime), etag, tags?.value ?? {}, ...locks, userMetadata, damaged ?? "whole"]);
}

interface Pair {
  readonly key: string;
  readonly names: readonly [string, string];
  base: string;
}

async function baseOf(world: World, { marker }: Family, pair: Pair): Promise<void> {
  const [east] = world.sites as [Site];
  const client = east.client("base");
  const at = { bucket: BUCKET, key: pair.key };
  const put = await s3.putObject(client, { ...at, headers: { "x-amz-tagging": "of=base" }, body: body("base") });
  const made = marker === true ? await s3.deleteObject(client, at) : put;
  pair.base = made["x-amz-version-id"] ?? "null";
}

async function operate(world: World, family: Family, pairs: readonly Pair[]): Promise<void> {
  for (const [i, site] of world.sites.entries()) {
    const client = site.client("clients");
    for (const local of [false, true]) {
      if (local) await world.setRules(site, "noPurges");
      for (const { key, base, names } of pairs) {
        const name = names[i] as string;
        if (LOCAL.has(name) === local) await family.operations[name]?.({ site, client, key, base });
      }
    }
    await world.setRules(site, "on");
  }
}

async function compare(world: World, pair: Pair, before: readonly [State, State], resynced: boolean): Promise<void> {
  const { versions, kept } = expected(...before, { resynced, nowMs: world.sites[0]?.nowMs() ?? 0 });
  const what = `${pair.names.join(" | ")}${resynced ? ", resynced" : ""}`;
  for (const [i, site] of world.sites.entries()) {
    const now = await stateOf(site, pair.key);
    const own = before[i] as State;
    const other = before[1 - i] as State;
    for (const id of new Set([...versions.keys(), ...now.versions.keys(), ...own.versions.keys()])) {
      const wanted = versions.get(id);
      const purgedHere = own.stones.get(id);
      const isGone = purgedHere !== undefined && !own.versions.has(id);
      const held = now.versions.get(id);
      // A version of which no good copy is left stays lost.
      const isLost = resynced && wanted?.kind === "object" && wanted.damaged !== undefined;
      if (isLost && isGone) continue;
      if (kept.has(id) && isGone) assert.equal(held, undefined, `${what}: ${site.name} purged it itself`);
      else if (!resynced && isGone && wanted !== undefined && wanted.mtime <= purgedHere.time && !kept.has(id))
        assert.equal(held, undefined, `${what}: nobody asked ${site.name} to bring back ${id}`);
      else
        assert.equal(
          shown(held),
          shown(wanted),
          `${what} at ${site.name}: ${id} (it had ${shown(other.versions.get(id))})`,
        );
    }
  }
}

async function scenario(world: World, family: Family, ahead: number): Promise<void> {
  const [east, west] = world.sites as [Site, Site];
  await startAll(world);
  const names = Object.keys(family.operations);
  const pairs = names.flatMap((one) =>
    names.map((other, i): Pair => ({
      key: `${family.prefix}/${names.indexOf(one)}-${i}`,
      names: [one, other],
      base: "",
    })),
  );
  for (const pair of pairs) await baseOf(world, family, pair);
  await rest(world);
  east.skew.ms = ahead;
  world.network.cut("east", "west");
  world.network.cut("west", "east");
  await operate(world, family, pairs);
  const states: [State, State][] = [];
  for (const { key } of pairs) states.push([await stateOf(east, key), await stateOf(west, key)]);
  world.network.mendAll();
  await (family.locks ? world.time.sleep(60_000) : rest(world));
  for (const [i, pair] of pairs.entries())
    if (!pair.names.includes("damage")) await compare(world, pair, states[i] as [State, State], false);
  if (family.locks) return;
  // A resync refuses a suspended target; null versions stay what they are.
  for (const site of world.sites) await world.enableVersioning(site);
  await resyncAll(world, { mayMove: true });
  await rest(world);
  for (const [i, pair] of pairs.entries()) await compare(world, pair, healed(pair, states[i] as [State, State]), true);
}

/** Damage is mended by the peer's bytes: what was damaged counts as whole wherever the other site has it still. */
function healed({ names, base }: Pair, [here, there]: [State, State]): [State, State] {
  const mend = (state: State, other: State, name: string): State => {
    const version = state.versions.get(base);
    if (name !== "damage" || version?.kind !== "object") return state;
    const twin = other.versions.get(base);
    const isWhole = twin?.kind === "object" && twin.damaged === undefined;
    if (!isWhole) return state;
    const { damaged: _mended, ...whole } = version;
    return { ...state, versions: new Map(state.versions).set(base, whole) };
  };
  return [mend(here, there, names[0]), mend(there, here, names[1])];
}

describe("pairs of concurrent operations", () => {
  for (const [name, family] of Object.entries(FAMILIES)) {
    for (const [order, ahead] of Object.entries({ "the first": 5000, "the second": -5000 })) {
      test(`${name}, the clock of ${order} is ahead`, async () => {
        const world = quietWorld(`pairs/${name}`, { bucketMode: family.mode, locks: family.locks });
        try {
          await world.time.drive(scenario(world, family, ahead));
          assert.deepEqual(world.violations, []);
        } finally {
          for (const site of world.sites) site.kill();
        }
      });
    }
  }
});
