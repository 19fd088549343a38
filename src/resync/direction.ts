/**
 * Refuses a resync in the wrong direction: from the site that lost data to the one that has it. Such a job harms
 * nothing, but it mends nothing either, and whoever started it believes that it did.
 */
import type { Bucket } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import type { ObjectKey, UnixNs, VersionId } from "../model/names.ts";
import { purgeOf } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import type { Connection } from "../replication/connections.ts";
import { RESYNC_BATCH_KEYS, RESYNC_LOOK_VERSIONS } from "./limits.ts";
import { listHere } from "./local-listing.ts";
import { march } from "./march.ts";
import { askPurges, type NamedInstance } from "./purges-client.ts";
import { listTarget } from "./target-listing.ts";

/** Versions and markers of a bucket. */
interface Holdings {
  readonly here: number;
  /** Undefined: the target does not tell without being listed. */
  readonly there: number | undefined;
}

/** The first versions of both sides, in key order. */
interface Look {
  readonly there: number;
  readonly lackingHere: number;
  /** Without what was purged there for every site: an old copy of a directory holds versions that nobody misses. */
  readonly lackingThere: number;
  /** Only there because their purge, which was meant for every site, has not come there. */
  readonly purgedHere: number;
  /** All keys of both sides were looked at. */
  readonly whole: boolean;
}

/** A target may hold a little more (writes on their way, a few of its own) and is not taken for the fuller side. */
const SLACK = 0.1;
/** Where both sides lost versions, one that lacks this many times more is the one to be mended first. */
const CLEARLY = 4;

const clearlyMore = (a: number, b: number): boolean => a - b > SLACK * a;

/** Pure: undefined, or why the source looks like the damaged side. */
export function wrongDirection(holdings: Holdings, look: Look): string | undefined {
  const { here, there } = holdings;
  const only = (count: number, of: string): string => `${count} of ${of} are not here`;
  if (here === 0 && (there ?? look.there) > 0)
    return `the bucket is empty and the target holds ${there ?? `at least ${look.there}`} versions`;
  const emptier = look.lackingHere > CLEARLY * look.lackingThere;
  if (there !== undefined && !clearlyMore(there, here)) return undefined;
  if (there !== undefined && !look.whole && look.lackingHere + look.lackingThere + look.purgedHere === 0)
    return `the bucket holds ${here} versions, the target ${there}`;
  if (!emptier || !clearlyMore(look.there, look.there - look.lackingHere)) return undefined;
  const looked = look.whole ? `the target's ${look.there} versions` : `the first ${look.there} versions of the target`;
  return `${only(look.lackingHere, looked)}, and ${look.lackingThere} of this bucket are not there`;
}

export interface DirectionCheck {
  readonly objects: Objects;
  readonly bucket: Bucket;
  readonly connection: Connection;
  readonly resyncId: string;
  /** Only keys that begin with it. */
  readonly prefix: string;
}

/** Why the target is clearly the fuller side; undefined: it is not, or it cannot be listed (the job will say why). */
export async function askDirection(check: DirectionCheck): Promise<string | undefined> {
  const usage = await check.objects.usage(check.bucket);
  const here = usage.versions + usage.deleteMarkers;
  try {
    const there = check.prefix === "" ? await holdingsThere(check.connection) : undefined;
    if (there !== undefined && here > 0 && !clearlyMore(there, here)) return undefined;
    return wrongDirection({ here, there }, await look(check));
  } catch (error) {
    if (error instanceof StoreError) throw error;
    return undefined;
  }
}

/** What a target of ours counts; undefined from any other. */
async function holdingsThere({ client, endpoint }: Connection): Promise<number | undefined> {
  if (!(await endpoint.confirm()) || endpoint.resilver === undefined) return undefined;
  const query = { bucket: client.bucket };
  const answer = await client.request({ method: "GET", path: "/resilver/v1/usage", query, payload: "hashed" });
  if (answer.status !== 200) return undefined;
  const { versions, deleteMarkers } = JSON.parse(answer.body.toString("utf8")) as Record<string, number>;
  return (versions ?? 0) + (deleteMarkers ?? 0);
}

async function look({ objects, bucket, connection, resyncId, prefix }: DirectionCheck): Promise<Look> {
  const { signal } = new AbortController();
  const options = { resyncId, prefix, afterKey: "", signal, metadata: { wanted: false } };
  const both = march(listHere(objects, bucket.name, "", prefix), listTarget(connection.client, options));
  const onlyHere: NamedInstance[] = [];
  let [there, lackingHere, purgedHere, seen, whole] = [0, 0, 0, 0, true];
  for await (const step of both) {
    if (seen >= RESYNC_LOOK_VERSIONS) {
      whole = false;
      break;
    }
    const key = (step.kind === "right" ? step.right.key : step.left.key) as ObjectKey;
    const left = step.kind === "right" ? [] : step.left.versions;
    const ours = new Map(left.map(({ versionId, mtime }): [string, UnixNs] => [versionId, mtime]));
    const right = step.kind === "left" ? [] : step.right.versions;
    const theirs = new Map(right.map(({ versionId, mtimeMs }) => [versionId, mtimeMs]));
    there += theirs.size;
    seen += Math.max(ours.size, theirs.size);
    for (const [versionId, mtime] of ours) if (!theirs.has(versionId)) onlyHere.push({ key, versionId, mtime });
    for (const [id, mtimeMs] of theirs) {
      if (ours.has(id)) continue;
      const stone = await objects.tombstone({ bucket: bucket.name, key, versionId: id as VersionId });
      if (stone !== undefined && purgeOf(stone, BigInt(mtimeMs) * 1_000_000n) === "everywhere") purgedHere++;
      else lackingHere++;
    }
  }
  // Nobody is asked where the answer cannot matter.
  const purgedThere = lackingHere === 0 ? 0 : await purgedAmong(connection, onlyHere, signal);
  return { there, lackingHere, lackingThere: onlyHere.length - purgedThere, purgedHere, whole };
}

/** How many of these versions the target has purged for every site. */
async function purgedAmong(
  connection: Connection,
  versions: readonly NamedInstance[],
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for (let at = 0; at < versions.length; at += RESYNC_BATCH_KEYS) {
    const wills = await askPurges(connection, versions.slice(at, at + RESYNC_BATCH_KEYS), signal);
    count += wills?.filter((will) => will === "everywhere").length ?? 0;
  }
  return count;
}
