/** The troubles of a run: one after another at random, each with its own end. */
import { FORCED } from "../resync/options.ts";
import { StoreError } from "../model/errors.ts";
import { heldBy, refsOf, targetsOf } from "./peek.ts";
import type { Trouble } from "./profile.ts";
import type { Dice } from "./random.ts";
import { BUCKET, type Site } from "./site.ts";
import type { Backup } from "./storage.ts";
import type { World } from "./world.ts";

export class Nemesis {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #backups = new Map<Site, Backup>();

  constructor(world: World) {
    this.#world = world;
    this.#dice = world.dice.fork("nemesis");
  }

  async run(untilMs: number): Promise<void> {
    const { time, profile, counts } = this.#world;
    if (profile.troubles.length === 0) return;
    for (;;) {
      await time.sleep(this.#dice.between(0, profile.troubleEveryMs * 2));
      if (time.nowMs >= untilMs) return;
      const trouble = this.#dice.pick(profile.troubles);
      const site = this.#dice.pick(this.#world.sites);
      this.#world.note(`TROUBLE ${trouble} ${site.name}`);
      counts.troubles++;
      try {
        await this.#make(trouble, site);
      } catch (error) {
        // An operator's call is refused now and then: a full disk, a peer that is away, a bucket that is gone.
        if (!(error instanceof StoreError)) throw error;
        this.#world.note(`operator refused: ${error.code}`);
      }
    }
  }

  /** Brings every site up and every link back; rules, clocks and disks are as they were meant. */
  async heal(): Promise<void> {
    const { network, sites, time } = this.#world;
    network.stormy = false;
    network.mendAll();
    for (const { storage } of sites) [storage.full, storage.failing] = [false, 0];
    // What arrives after the rest could bring back what every site has lost since.
    while (network.underway > 0) await time.sleep(1000);
    for (const site of sites) if (!site.up) await site.start();
    for (const site of sites) await this.#world.createBucket(site);
    for (const site of sites) await this.#world.enableVersioning(site);
    for (const site of this.#dice.shuffled(sites)) {
      // The first tries may meet a peer that was not asked again yet.
      for (let tries = 0; ; tries++) {
        try {
          if (this.#world.isConfigured(site)) await this.#world.setRules(site, "on");
          else await this.#world.configure(site, "on");
          break;
        } catch (error) {
          if (!(error instanceof StoreError) || tries > 20) throw error;
          await time.sleep(1000);
        }
      }
    }
  }

  async #make(trouble: Trouble, site: Site): Promise<void> {
    switch (trouble) {
      case "cut":
        return this.#cut(site);
      case "partition":
        return this.#partition(site);
      case "kill":
        return this.#down(site, () => site.kill());
      case "power":
        return this.#down(site, () => site.kill(true));
      case "restart":
        return this.#restart(site);
      case "restore":
        return this.#restore(site);
      case "wipe":
        return this.#wipe(site);
      case "damage":
        return this.#damage(site);
      case "rules":
        return this.#rules(site);
      case "targets":
        return this.#targets(site);
      case "skew":
        site.skew.ms = this.#dice.between(-this.#world.profile.skewMsMax, this.#world.profile.skewMsMax);
        return;
      case "resync":
        return this.#resync(site);
      case "full":
        site.storage.full = true;
        this.#world.time.after(this.#dice.between(100, 4000), () => {
          site.storage.full = false;
        });
        return;
      case "failing":
        site.storage.failing = this.#dice.pick([0.01, 0.1, 0.5]);
        this.#world.time.after(this.#dice.between(100, 4000), () => {
          site.storage.failing = 0;
        });
        return;
    }
  }

  #others(site: Site): Site[] {
    return this.#world.sites.filter((other) => other !== site);
  }

  /** Sites whose loss a healthy one can undo: in one direction only, the source must not lose anything. */
  #mayLose(site: Site): boolean {
    return this.#world.profile.edges.some(([, to]) => to === site.name) && this.#world.profile.writers.length !== 1
      ? true
      : !this.#world.profile.writers.includes(site.name);
  }

  #cut(site: Site): void {
    const { network, time } = this.#world;
    const other = this.#dice.pick(this.#others(site));
    network.cut(site.name, other.name);
    time.after(this.#dice.between(100, 12_000), () => network.mend(site.name, other.name));
  }

  #partition(site: Site): void {
    const { network, time } = this.#world;
    const pairs = this.#others(site).flatMap(
      (other) =>
        [
          [site.name, other.name],
          [other.name, site.name],
        ] as const,
    );
    for (const [from, to] of pairs) network.cut(from, to);
    time.after(this.#dice.between(100, 12_000), () => {
      for (const [from, to] of pairs) network.mend(from, to);
    });
  }

  async #down(site: Site, kill: () => void): Promise<void> {
    if (!site.up) return;
    kill();
    await this.#world.time.sleep(this.#dice.between(0, 3000));
    await site.start();
  }

  async #restart(site: Site): Promise<void> {
    if (!site.up) return;
    await site.stop();
    await this.#world.time.sleep(this.#dice.between(0, 1000));
    await site.start();
  }

  /** An older copy of the whole directory comes back; the first time, the copy is taken. */
  async #restore(site: Site): Promise<void> {
    if (!this.#mayLose(site)) return;
    const backup = this.#backups.get(site);
    if (backup === undefined || this.#dice.chance(0.3)) {
      this.#backups.set(site, await site.storage.backup());
      return;
    }
    site.kill();
    await this.#world.history.surviving(this.#world.sites, site, () => site.storage.restore(backup));
    await site.start();
  }

  async #wipe(site: Site): Promise<void> {
    if (!this.#mayLose(site)) return;
    site.kill();
    await this.#world.history.surviving(this.#world.sites, site, () => site.storage.restore(undefined));
    this.#world.forgetConfiguration(site);
    await this.#world.time.sleep(this.#dice.between(0, 2000));
    await site.start();
    await this.#world.createBucket(site);
    await this.#world.enableVersioning(site);
    if (this.#dice.chance(0.7)) await this.#world.configure(site, "on");
  }

  async #damage(site: Site): Promise<void> {
    if (!this.#mayLose(site)) return;
    // Files of versions: what a request is about to name is not yet anybody's to lose.
    const files = [...(await heldBy(site)).values()]
      .flatMap(refsOf)
      .flatMap((ref) => (ref.inline ? [] : [`/data/blobs/${ref.id.slice(0, 2)}/${ref.id}`]));
    if (files.length === 0) return;
    await this.#world.history.surviving(this.#world.sites, site, async () => {
      for (let i = this.#dice.between(1, 3); i > 0; i--) {
        const path = this.#dice.pick(files);
        if (this.#dice.chance(0.5)) await site.storage.files.unlink(path).catch(() => undefined);
        else this.#spoil(site, path);
      }
    });
  }

  #spoil(site: Site, path: string): void {
    const at = this.#dice.u32();
    const short = this.#dice.chance(0.3);
    const change = (bytes: Buffer): Buffer => {
      if (short) return bytes.subarray(0, bytes.length >> 1);
      if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ 0x55;
      return bytes;
    };
    try {
      // Bytes that rot under an unchanged time are found by reading them, not by the quick check of a resync.
      site.storage.files.damage(path, change, true);
    } catch {
      // Gone meanwhile.
    }
  }

  async #rules(site: Site): Promise<void> {
    const mode = this.#dice.weighted({ on: 2, off: 4, noPurges: 2, noDeletes: 1 });
    if (site.up && this.#world.isConfigured(site)) await this.#world.setRules(site, mode);
  }

  /** Replication of the site is taken away, and perhaps set up again at once: its targets are new ones then. */
  async #targets(site: Site): Promise<void> {
    if (!site.up || !this.#world.isConfigured(site) || this.#world.peersOf(site).length === 0) return;
    await this.#world.unconfigure(site);
    await this.#world.time.sleep(this.#dice.between(0, 1500));
    if (site.up && this.#dice.chance(0.5)) await this.#world.configure(site, "on");
  }

  async #resync(site: Site): Promise<void> {
    if (!site.up) return;
    const target = this.#dice.pick([...(await targetsOf(site)), undefined]);
    if (target === undefined) return;
    const { api } = site.leader.replication;
    if (this.#dice.chance(0.2)) await api.resyncCancel(BUCKET, target.arn);
    else await api.resyncStart(BUCKET, { arn: target.arn, resetId: "", olderThan: "", options: FORCED });
  }
}
