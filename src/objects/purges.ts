/**
 * What is remembered of purges when one comes upon another, or a version upon them (docs/design/convergence.md). The null
 * id is used again and again, so its tombstone has two times: up to which it was purged at all, and for every site. It
 * stays behind a newer null version, or the purge of that one would forget the older.
 */
import { NULL_VERSION } from "../model/names.ts";
import {
  purgedEverywhere,
  purgeOf,
  type PurgeWill,
  type ReplicationState,
  type Tombstone,
  type Version,
} from "../model/version.ts";
import type { CommitBuilder } from "../storage/index/commit-builder.ts";
import { encodeTombstone } from "../storage/records.ts";
import type { ReplicaSource } from "./types.ts";

/** A tombstone as it was read; the commit must hold its row unchanged. */
export interface StoneRow {
  readonly key: Buffer;
  readonly raw: Buffer | undefined;
  readonly tombstone: Tombstone | undefined;
}

/** The will of a purge that keeps this write out; undefined: it may come in. Only an explicit resync undoes a local one. */
export function purgedBefore(
  tombstone: Tombstone | undefined,
  source: ReplicaSource | undefined,
): PurgeWill | undefined {
  if (tombstone === undefined || source === undefined) return undefined;
  const will = purgeOf(tombstone, source.mtime);
  return will === "local" && source.resyncId !== undefined ? undefined : will;
}

/** A version came in: what of the tombstone of its id no longer holds goes. */
export function liftPurge(commit: CommitBuilder, stone: StoneRow, version: Version): void {
  const { tombstone } = stone;
  if (tombstone === undefined) return;
  const left = version.versionId === NULL_VERSION ? behind(tombstone, version) : undefined;
  if (left === undefined) commit.delete(stone.key);
  else if (left !== tombstone) commit.put(stone.key, encodeTombstone(left));
}

/** The tombstone behind a null version. The targets that get this need no word of what was there before it. */
function behind(tombstone: Tombstone, version: Version): Tombstone | undefined {
  const { everywhere: _older, ...stone } = tombstone;
  const everywhere = purgedEverywhere(tombstone);
  const undone = version.mtime <= tombstone.time;
  if (undone && everywhere === undefined) return undefined;
  const entries = Object.entries(tombstone.replication.targets);
  const targets = entries.filter(([arn]) => version.replication.targets[arn] === undefined);
  if (!undone && targets.length === entries.length) return tombstone;
  const replication: ReplicationState = { ...tombstone.replication, targets: Object.fromEntries(targets) };
  if (undone && everywhere !== undefined) return { ...stone, time: everywhere, will: "everywhere", replication };
  return { ...tombstone, replication };
}

/** What is remembered when a purge joins what was purged before: of each will the latest time stays. */
export function joined(known: Tombstone | undefined, purge: Tombstone): Tombstone {
  if (known === undefined) return purge;
  const time = known.time > purge.time ? known.time : purge.time;
  if (purge.versionId !== NULL_VERSION) {
    const will = known.will === "everywhere" ? known.will : purge.will;
    return { ...purge, time, will };
  }
  const [older, newer] = [purgedEverywhere(known), purgedEverywhere(purge)];
  const everywhere = newer === undefined || (older !== undefined && older > newer) ? older : newer;
  if (everywhere === time) return { ...purge, time, will: "everywhere" };
  return { ...purge, time, will: "local", ...(everywhere === undefined ? {} : { everywhere }) };
}
