/**
 * What must hold in a ring or a star, where a version goes from the site that took it to those that this one sends to, and
 * no further: it is there, the same wherever it is, and a purge holds as far as it was carried.
 */
import type { Version } from "../model/version.ts";
import { heldBy } from "./peek.ts";
import type { World } from "./world.ts";

/** Parts that nobody may change. */
function fixed(version: Version): string {
  const { kind, mtime } = version;
  if (kind === "delete-marker") return `marker of ${mtime}`;
  return JSON.stringify([String(mtime), version.etag, version.size, version.headers, version.userMetadata]);
}

export async function checkReach(world: World): Promise<void> {
  const { history, sites } = world;
  const holders = new Map(await Promise.all(sites.map(async (site) => [site.name, await heldBy(site)] as const)));
  for (const [id, { site: origin, kind, etag }] of history.acknowledged) {
    if (history.purgeTried.has(id)) continue;
    for (const name of reachedFrom(world, origin)) {
      const found = holders.get(name)?.get(id)?.version;
      if (found === undefined)
        world.violation("acknowledged version lost", `${id}, written at ${origin}, is not at ${name}`);
      else if (found.kind !== kind || (found.kind === "object" && found.etag !== etag))
        world.violation("version changed", `${id} at ${name}: ${found.kind}`);
    }
  }
  checkNoFurther(world, holders);
  for (const [id, places] of history.purgedAt)
    for (const name of [...places].flatMap((place) => reachedFrom(world, place)))
      if (holders.get(name)?.has(id) === true) world.violation("purged version came back", `${id} at ${name}`);
  const ids = new Set([...holders.values()].flatMap((held) => [...held.keys()]));
  for (const id of ids) {
    if (id.endsWith(" null")) continue;
    const shown = [...holders].flatMap(([name, held]) => {
      const found = held.get(id)?.version;
      return found === undefined ? [] : [{ name, text: fixed(found) }];
    });
    if (new Set(shown.map(({ text }) => text)).size > 1)
      world.violation("sites differ", `${id}: ${JSON.stringify(shown)}`);
  }
}

/** Replicas do not travel on by themselves. Where there are locks, holds are ended everywhere: that is sent on too. */
function checkNoFurther(world: World, holders: ReadonlyMap<string, ReadonlyMap<string, unknown>>): void {
  const { history, profile } = world;
  if (profile.locks) return;
  for (const [id, { key, site: origin }] of history.acknowledged) {
    // Tags of what is not here are changed at the targets, and go on from there.
    const editors = [...(history.editedAt.get(key) ?? [])].flatMap((site) => reachedFrom(world, site));
    const reached = new Set([origin, ...editors].flatMap((site) => reachedFrom(world, site)));
    for (const [name, held] of holders)
      if (held.has(id) && !reached.has(name))
        world.violation("version went too far", `${id}, written at ${origin}, is at ${name}`);
  }
}

const reachedFrom = ({ profile }: World, origin: string): string[] => [
  origin,
  ...profile.edges.flatMap(([from, to]) => (from === origin ? [to] : [])),
];
