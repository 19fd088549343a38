/** A MinIO to which every site sends: the double of the tests, on the simulated network; and what it must hold in the end. */
import { createHash } from "node:crypto";
import { FakeTarget } from "../replication/testing/fake-target.ts";
import { msOf } from "../protocol/time.ts";
import { Life } from "./life.ts";
import { heldBy, idOf, type Held } from "./peek.ts";
import { simRandom, type Dice } from "./random.ts";
import { BUCKET } from "./site.ts";
import type { Place } from "./network.ts";
import { simClock, type SimTime } from "./time.ts";
import type { World } from "./world.ts";

export class MinioDouble implements Place {
  readonly name = "minio";
  readonly endpoint = "minio.sim:9000";
  /** It remembers no purge, and a marker that comes twice goes again: no rule of ours can mend a network that repeats itself. */
  readonly isForgetful = true;
  readonly fake: FakeTarget;
  readonly #life = new Life();

  constructor(dice: Dice, time: SimTime) {
    const random = simRandom(dice);
    const { nowNs } = simClock(time, { ms: 0, stepNs: 1 }, this.#life);
    this.fake = new FakeTarget(BUCKET, () => random.uuid(), nowNs);
  }

  listener(): ReturnType<NonNullable<Place["listener"]>> {
    return { handler: this.fake.handler, life: this.#life };
  }
}

/** As a MinIO tells it: whole seconds. */
function shown(version: Held["version"]): string {
  const seconds = Math.floor(msOf(version.mtime) / 1000);
  if (version.kind === "delete-marker") return `marker of ${seconds}`;
  const tags = new URLSearchParams(Object.entries(version.tags?.value ?? {}).toSorted()).toString();
  return JSON.stringify([seconds, version.etag, version.size, tags, version.userMetadata]);
}

/** What the sites hold and can serve is there as well, and what was purged for every site is not. */
export async function checkMinio(world: World, hopeless: ReadonlySet<string>): Promise<void> {
  const { minio, sites, history } = world;
  const [site] = sites;
  if (minio === undefined || site === undefined) return;
  const there = new Map(minio.fake.versions.map((version) => [idOf(version), version]));
  for (const [id, held] of await heldBy(site)) {
    if (hopeless.has(id)) continue;
    const found = there.get(id);
    const { kind, mtime, etag, body, tags, metadata } = found ?? {};
    const seconds = Math.floor(msOf(mtime ?? 0n) / 1000);
    const meta = Object.fromEntries(Object.entries(metadata ?? {}).filter(([name]) => name.startsWith("x-amz-meta-")));
    const sorted = new URLSearchParams([...new URLSearchParams(tags ?? "")].toSorted()).toString();
    const text =
      kind === "delete-marker" ? `marker of ${seconds}` : JSON.stringify([seconds, etag, body?.length, sorted, meta]);
    const wanted = shown(held.version);
    if (found === undefined || text !== wanted)
      world.violation("MinIO differs", `${id}: ${found === undefined ? "absent" : text}, should be ${wanted}`);
    else if (body !== undefined && kind === "object") {
      const known = history.contentOf(etag ?? "");
      if (known !== createHash("md5").update(body).digest("hex")) world.violation("MinIO has wrong bytes", id);
    }
  }
  for (const id of history.purgedEverywhere)
    if (there.has(id)) world.violation("purged version came back", `${id} at minio`);
}
