/** Rows and files of each site agree with each other: nothing dangles, nothing leaks, counters count what is there. */
import { decodeRow, decodeVersion } from "../storage/records.ts";
import { checkDigests } from "../storage/digests.ts";
import { checkFileRows } from "../storage/file-rows.ts";
import { collectGarbage } from "../storage/collector.ts";
import * as keys from "../storage/keys.ts";
import * as peek from "./peek.ts";
import type { Site } from "./site.ts";
import type { World } from "./world.ts";

const rowsOf = (site: Site, space: number) => site.storage.rows(keys.prefixRange(Buffer.from([space])));

/** Runs the collector to its end, then checks every site. */
export async function checkIntegrity(world: World): Promise<void> {
  for (const site of world.sites) {
    const { index, blobs } = site.leader;
    await collectGarbage({
      index,
      blobs,
      clock: { nowMs: () => 0, nowNs: () => 0n, sleep: () => Promise.resolve() },
      graceMs: 0,
    });
    const fault = (what: string, detail: string): void => world.violation(what, `${site.name}: ${detail}`);
    await checkLookups(site, fault);
    for await (const found of checkDigests(site.storage.index))
      fault(found.what, ("place" in found ? found.place : found.row).toString("latin1"));
    await checkBytes(world, site, fault);
    await checkUsage(site, fault);
  }
}

type Fault = (what: string, detail: string) => void;

async function checkLookups(site: Site, fault: Fault): Promise<void> {
  const held = await peek.heldBy(site);
  const ids = new Map(
    (await rowsOf(site, keys.SPACE.byId)).map(({ key, value }) => [
      peek.idOf(keys.splitIdRowKey(key)),
      value.readBigUInt64BE(0),
    ]),
  );
  for (const [id, { version, parts }] of held) {
    if (ids.get(id) !== version.mtime) fault("lookup row wrong", id);
    if (version.kind === "object" && parts.length !== version.partCount) fault("parts row wrong", id);
  }
  if ((await rowsOf(site, keys.SPACE.version)).length !== held.size) fault("two rows of one version", "");
  for (const id of ids.keys()) if (!held.has(id)) fault("lookup row dangles", id);
  for (const { key } of await rowsOf(site, keys.SPACE.parts))
    if (!held.has(peek.idOf(keys.splitIdRowKey(key)))) fault("parts row dangles", "");
  const stones = await peek.tombstonesOf(site);
  for (const [id, stone] of stones) {
    if (held.has(id) && stone.versionId !== "null") fault("purged and present", id);
  }
  const damaged = new Set((await rowsOf(site, keys.SPACE.damage)).map(({ key }) => peek.idOf(keys.splitIdRowKey(key))));
  for (const [id, { version }] of held) {
    if ((version.kind === "object" && version.damaged !== undefined) !== damaged.has(id)) fault("damage row wrong", id);
    damaged.delete(id);
  }
  for (const id of damaged) fault("damage row dangles", id);
  for await (const { what, row } of checkFileRows(site.storage.index)) fault(what, peek.idOf(keys.splitIdRowKey(row)));
}

async function checkBytes(world: World, site: Site, fault: Fault): Promise<void> {
  const inline = new Set((await rowsOf(site, keys.SPACE.data)).map(({ key }) => key.toString("hex", 1)));
  const files = new Set(
    site.storage.files.filesBelow("/data/blobs").map((path) => path.slice(path.lastIndexOf("/") + 1)),
  );
  const mayMiss = world.profile.troubles.includes("damage");
  const use = (id: string, isInline: boolean, what: string): void => {
    const there = isInline ? inline.delete(id) : files.delete(id);
    if (!there && !mayMiss) fault("bytes dangle", `${what} names ${isInline ? "row" : "file"} ${id}`);
  };
  for (const [id, held] of await peek.heldBy(site)) for (const ref of peek.refsOf(held)) use(ref.id, ref.inline, id);
  for (const { value } of await rowsOf(site, keys.SPACE.uploadPart)) {
    const { blob } = decodeRow<{ blob: { id: string; inline: boolean } }>(value);
    use(blob.id, blob.inline, "an upload");
  }
  for (const id of inline) fault("inline bytes leak", id);
  // A process that ends between the bytes and the commit (a restart here waits for nobody) leaves an orphan for the sweep.
  const crashes = world.profile.troubles.some((trouble) =>
    ["kill", "restart", "power", "restore", "wipe", "full", "failing"].includes(trouble),
  );
  if (!crashes) for (const id of files) fault("file leaks", id);
}

async function checkUsage(site: Site, fault: Fault): Promise<void> {
  const bucket = await peek.bucketOf(site);
  const sums = { versions: 0, markers: 0, bytes: 0 };
  let encrypted = 0;
  for (const { value } of await rowsOf(site, keys.SPACE.version)) {
    const version = decodeVersion(value);
    if (version.kind === "delete-marker") sums.markers++;
    else {
      sums.versions++;
      sums.bytes += version.size;
      if (version.encryption !== undefined) encrypted++;
    }
  }
  for (const [what, sum] of Object.entries(sums)) {
    const counted = await peek.counter(site, `usage/${bucket?.id}/${what}`);
    if (counted !== sum) fault("usage counter wrong", `${what}: ${counted} for ${sum}`);
  }
  const counted = await peek.counter(site, `encrypted/${bucket?.id}/SSE-S3/main`);
  if (counted !== encrypted) fault("usage counter wrong", `encrypted: ${counted} for ${encrypted}`);
}
