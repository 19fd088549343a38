/** Two sites without any trouble but what a test makes itself. */
import { drawProfile, type Profile } from "./profile.ts";
import { Dice } from "./random.ts";
import { World } from "./world.ts";

export function quietWorld(seed: string, options: Pick<Profile, "bucketMode" | "locks">): World {
  const dice = new Dice(seed);
  return new World(
    {
      ...drawProfile(dice.fork("profile"), { brief: true }),
      ...options,
      sites: ["east", "west"],
      edges: [
        ["east", "west"],
        ["west", "east"],
      ],
      meets: true,
      writers: ["east", "west"],
      processes: 1,
      prehistory: false,
      minio: false,
      synchronous: false,
      skewMsMax: 0,
      clockStepNs: 1,
      network: { faultChance: 0, faults: [], slowChance: 0 },
      storage: { slowChance: 0 },
      troubles: [],
    },
    dice,
  );
}

/** Starts the sites, each with the bucket and its rules. */
export async function startAll(world: World): Promise<void> {
  world.network.stormy = false;
  for (const site of world.sites) await site.start();
  for (const site of world.sites) await world.createBucket(site);
  for (const site of world.sites) await world.enableVersioning(site);
  for (const site of world.sites) await world.configure(site, "on");
  if (world.profile.bucketMode === "suspended") for (const site of world.sites) await world.suspendVersioning(site);
}
