/** What must hold when everything is connected, enabled and has come to rest. */
import type { Arn } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import { copyId, md5 } from "./history.ts";
import * as peek from "./peek.ts";
import type { Held } from "./peek.ts";
import type { Site } from "./site.ts";
import type { World } from "./world.ts";

interface Inventory {
  readonly site: Site;
  readonly held: ReadonlyMap<string, Held>;
  readonly healthy: ReadonlySet<string>;
  readonly stones: Awaited<ReturnType<typeof peek.tombstonesOf>>;
}

async function inventoryOf(world: World, site: Site): Promise<Inventory> {
  const blobs = await peek.inspector(site);
  const held = await peek.heldBy(site);
  const healthy = new Set<string>();
  for (const [id, one] of held) {
    if (!(await peek.isHealthy(site, blobs, one))) continue;
    healthy.add(id);
    if (one.version.kind === "delete-marker") continue;
    const content = md5(await peek.bytesOf(site, blobs, one));
    const known = world.history.contentOf(one.version.etag);
    if (known !== content)
      world.violation("stored bytes are nobody's", `${id} at ${site.name}: etag ${one.version.etag}`);
  }
  return { site, held, healthy, stones: await peek.tombstonesOf(site) };
}

/** Everything of a version that must be the same at every site. */
function shown({ version, parts }: Held): string {
  const common = { id: peek.idOf(version), kind: version.kind, mtime: String(version.mtime) };
  if (version.kind === "delete-marker") return JSON.stringify(common);
  const { size, etag, headers, userMetadata, storageClass, checksum, tags, retention, legalHold, partCount } = version;
  const sizes = parts.map((part) => [part.number, part.size, part.etag]);
  const fixed = { size, etag, headers: withType(headers), userMetadata, storageClass, checksum, partCount, sizes };
  return JSON.stringify({
    ...common,
    ...fixed,
    tags: tags?.value ?? {},
    retention: retention?.value ?? null,
    legalHold: legalHold?.value ?? false,
  });
}

/** The wire always names a content type; a version without one and one with the default are the same to every reader. */
function withType(headers: Readonly<Record<string, string>>): object {
  const all: Record<string, string> = { "content-type": "application/octet-stream", ...headers };
  return Object.fromEntries(
    Object.keys(all)
      .sort()
      .map((name) => [name, all[name]]),
  );
}

export interface EqualityOptions {
  /** Versions that no site can serve any more, and that a disaster took: they need not be equal. */
  readonly hopeless: ReadonlySet<string>;
}

/**
 * Versions without any good copy; of null versions the newest counts. It is a violation when neither a disaster nor a
 * purge of the good copies accounts for it.
 */
export async function hopelessVersions(world: World): Promise<Set<string>> {
  const { forfeited, purgeTried } = world.history;
  const newest = new Map<string, { held: Held; healthy: boolean; sites: string[] }>();
  for (const { site, held, healthy } of await Promise.all(world.sites.map((each) => inventoryOf(world, each)))) {
    for (const [id, one] of held) {
      const known = newest.get(id);
      if (known === undefined || one.version.mtime > known.held.version.mtime) {
        newest.set(id, { held: one, healthy: healthy.has(id), sites: [site.name] });
      } else if (one.version.mtime === known.held.version.mtime) {
        newest.set(id, {
          held: known.held,
          healthy: known.healthy || healthy.has(id),
          sites: [...known.sites, site.name],
        });
      }
    }
  }
  const out = new Set<string>();
  for (const [id, { held, healthy, sites }] of newest) {
    if (healthy) continue;
    out.add(id);
    if (!forfeited.has(copyId(id, held)) && !purgeTried.has(id))
      world.violation("bytes lost", `${id}, seen at ${sites.join(", ")}`);
  }
  return out;
}

/** All sites hold the same versions, with good bytes. */
export async function checkEqual(world: World, options: EqualityOptions): Promise<void> {
  const inventories = await Promise.all(world.sites.map((site) => inventoryOf(world, site)));
  const ids = new Set(inventories.flatMap(({ held }) => [...held.keys()]));
  for (const id of ids) {
    if (options.hopeless.has(id)) continue;
    const copies = inventories.map(({ site, held, healthy, stones }) => {
      const one = held.get(id);
      const stone = stones.get(id);
      if (one === undefined)
        return {
          site,
          text: stone === undefined ? "absent" : `absent (purged ${stone.will} ${stone.time})`,
          same: "absent",
        };
      const text = healthy.has(id) ? shown(one) : `damaged ${shown(one)}`;
      // Not compared: listings do not tell the times of tags, so that a resync cannot make them equal.
      const time = one.version.kind === "object" ? ` tags of ${one.version.tags?.time ?? "never"}` : "";
      return { site, text: text + time, same: text };
    });
    if (new Set(copies.map(({ same }) => same)).size === 1) continue;
    world.violation("sites differ", copies.map(({ site, text }) => `\n  ${site.name}: ${text}`).join(""));
  }
}

/** Acknowledged versions are there unless someone purged them or a disaster took them; purged ones are not. */
export async function checkPromises(world: World): Promise<void> {
  const { history } = world;
  const holders = await Promise.all(world.sites.map(async (site) => ({ site, held: await peek.heldBy(site) })));
  for (const { site, held } of holders) {
    if (!world.profile.edges.some(([from, to]) => from === site.name || to === site.name)) continue;
    for (const [id, { kind, etag, site: at }] of history.acknowledged) {
      const found = held.get(id)?.version;
      if (found === undefined) {
        if (!history.purgeTried.has(id) && !history.forfeited.has(id))
          world.violation("acknowledged version lost", `${id}, written at ${at}, is not at ${site.name}`);
      } else if (found.kind !== kind || (found.kind === "object" && found.etag !== etag)) {
        world.violation("version changed", `${id} at ${site.name}: ${found.kind}`);
      }
    }
    for (const id of history.purgedEverywhere)
      if (held.has(id)) world.violation("purged version came back", `${id} at ${site.name}`);
    checkNulls(world, site, held);
  }
}

/**
 * The newest null version that was acknowledged and that no purge can have reached, or a newer one, is there; none that was
 * purged for every site is.
 */
function checkNulls(world: World, site: Site, held: ReadonlyMap<string, Held>): void {
  const { history } = world;
  for (const [key, time] of history.nullPurgedEverywhere) {
    const back = held.get(peek.idOf({ key, versionId: "null" }))?.version.mtime;
    if (back !== undefined && back <= time)
      world.violation("purged null version came back", `${key} at ${site.name}: ${back}, purged until ${time}`);
  }
  for (const [key, writes] of history.nullWrites) {
    const id = peek.idOf({ key, versionId: "null" });
    const purged = history.nullPurged.has(key) ? history.nullPurged.get(key) : 0n;
    if (purged === undefined) continue;
    const sure = writes.filter(({ mtime }) => mtime > (history.nullForfeited.get(key) ?? 0n) && mtime > purged);
    const newest = sure.reduce((latest, { mtime }) => (mtime > latest ? mtime : latest), 0n);
    const found: Version | undefined = held.get(id)?.version;
    if (newest > 0n && (found === undefined || found.mtime < newest)) {
      world.violation(
        "acknowledged null version lost",
        `${key} at ${site.name}: ${found?.mtime ?? "absent"} < ${newest}`,
      );
    }
  }
}

/** Rows of the retry queue have their ages and their counters. */
async function checkFailing(world: World, site: Site, arn: Arn, rows: readonly peek.WaitingRow[]): Promise<void> {
  const failing = rows.filter(({ retry }) => retry).map(({ row }) => row);
  const ages = (await peek.ageTimes(site, arn)).join();
  const times = failing.map(({ time }) => time).toSorted((a, b) => (a < b ? -1 : Number(a > b)));
  if (ages !== times.join()) world.violation("ages differ from rows", `${site.name}: ${ages} for ${times.join()}`);
  const sums = { retry: failing, refused: failing.filter(({ refused }) => refused === true) };
  for (const [kind, of] of Object.entries(sums)) {
    const count = await peek.counter(site, `${kind}/${arn}/count`);
    const bytes = await peek.counter(site, `${kind}/${arn}/bytes`);
    const sum = of.reduce((total, { size }) => total + size, 0);
    if (count === of.length && bytes === sum) continue;
    world.violation(
      "failing counters differ from rows",
      `${site.name} ${kind}: ${count} (${bytes} bytes) for ${of.length} rows (${sum} bytes)`,
    );
  }
}

/** Change logs are empty and their counters say so; every version says that its targets have it. */
export async function checkDrained(world: World, options: EqualityOptions): Promise<void> {
  for (const site of world.sites) {
    for (const { arn } of await peek.targetsOf(site)) {
      const rows = await peek.waitingRows(site, arn);
      await checkFailing(world, site, arn, rows);
      const bytes = rows.reduce((sum, { row }) => sum + row.size, 0);
      const counted = {
        count: await peek.counter(site, `log/${arn}/count`),
        bytes: await peek.counter(site, `log/${arn}/bytes`),
      };
      if (counted.count !== rows.length || counted.bytes !== bytes) {
        world.violation(
          "counters differ from rows",
          `${site.name}: ${counted.count} (${counted.bytes} bytes) for ${rows.length} rows (${bytes} bytes)`,
        );
      }
      for (const { row } of rows) {
        if (!options.hopeless.has(peek.idOf(row)))
          world.violation(
            "still waiting",
            `${site.name}: ${row.operation} ${peek.idOf(row)} ${row.attempts} ${row.error ?? ""}`,
          );
      }
      for (const [id, { version }] of await peek.heldBy(site)) {
        const status = version.replication.targets[arn];
        const fine = status === undefined || status === "COMPLETED" || options.hopeless.has(id);
        if (!fine) world.violation("status not completed", `${site.name}: ${id} is ${status}`);
      }
    }
  }
}
