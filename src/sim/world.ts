/** Several sites, their network and their rules: what scenarios act on. */
import { hasCode } from "../model/errors.ts";
import type { Arn } from "../model/names.ts";
import type { ReplicationConfig, ReplicationRule } from "../model/replication-config.ts";
import { AssertionError } from "../runtime/assert.ts";
import { History } from "./history.ts";
import { MinioDouble } from "./minio.ts";
import { Network } from "./network.ts";
import type { Profile } from "./profile.ts";
import type { Dice } from "./random.ts";
import { BUCKET, ROOT, Site } from "./site.ts";
import { SimTime } from "./time.ts";

/** How the rules of a site stand. */
export type RuleMode = "on" | "off" | "noPurges" | "noDeletes";

/** Something happened that must never happen. */
export interface Violation {
  readonly what: string;
  readonly detail: string;
}

const TRACE_LINES_KEPT = 4000;

export class World {
  readonly time = new SimTime();
  readonly history = new History();
  readonly network: Network;
  readonly sites: readonly Site[];
  /** A target of every site. */
  readonly minio: MinioDouble | undefined;
  readonly profile: Profile;
  readonly dice: Dice;
  readonly violations: Violation[] = [];
  /** Troubles and operations that took place. */
  readonly counts = { operations: 0, refused: 0, troubles: 0 };
  /** Sites whose rules have to be made anew. */
  readonly #unconfigured = new Set<Site>();
  readonly #trace: string[] = [];
  #digest = 0;
  #steps = 0;

  constructor(profile: Profile, dice: Dice) {
    this.profile = profile;
    this.dice = dice;
    this.network = new Network(this.time, dice.fork("network"), profile.network, (text) => this.note(text));
    this.minio = profile.minio ? new MinioDouble(dice.fork("minio"), this.time) : undefined;
    const around = {
      time: this.time,
      network: this.network,
      placeOf: (endpoint: string) => (endpoint === this.minio?.endpoint ? this.minio : this.siteAt(endpoint)),
      warned: (site: string, message: string, error: unknown) => this.#warned(site, message, error),
    };
    this.sites = profile.sites.map((name) => {
      const own = dice.fork(name);
      const ms = own.between(-profile.skewMsMax, profile.skewMsMax);
      const skew = { ms, stepNs: profile.clockStepNs };
      return new Site(around, { name, dice: own, skew, storage: profile.storage, processes: profile.processes });
    });
  }

  siteAt(endpoint: string): Site {
    const found = this.sites.find((site) => site.endpoint === endpoint);
    if (found === undefined) throw new Error(`no site at ${endpoint}`);
    return found;
  }

  named(name: string): Site {
    return this.siteAt(`${name}.sim:9000`);
  }

  /** Remembers what happened, and folds it into a digest that tells two runs apart. */
  note(text: string): void {
    const line = `${(this.time.nowMs / 1000).toFixed(6)} ${text}`;
    for (let i = 0; i < line.length; i++) this.#digest = Math.imul(this.#digest ^ line.charCodeAt(i), 0x01000193);
    this.#steps++;
    this.#trace.push(line);
    if (this.#trace.length > 2 * TRACE_LINES_KEPT) this.#trace.splice(0, TRACE_LINES_KEPT);
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  /** The same for two runs exactly when the same things happened in them. */
  get digest(): string {
    return `${this.#steps}-${(this.#digest >>> 0).toString(16)}`;
  }

  violation(what: string, detail: string): void {
    this.note(`VIOLATION ${what}: ${detail}`);
    if (this.violations.length < 20) this.violations.push({ what, detail });
  }

  #warned(site: string, message: string, error: unknown): void {
    this.note(`${site} warns: ${message}: ${String(error)}`);
    // A full disk is a fault of the run; anything else that surprises a process is one of the program.
    if (hasCode(error, "XMinioStorageFull")) return;
    if (
      error instanceof AssertionError ||
      error instanceof TypeError ||
      error instanceof RangeError ||
      error instanceof SyntaxError
    ) {
      this.violation("a process met a bug", `${site}: ${message}: ${error.stack ?? error.message}`);
    }
  }

  /** Makes the bucket unless it is there. */
  async createBucket(site: Site): Promise<void> {
    const { objects } = site.leader;
    await objects.createBucket(BUCKET, { owner: ROOT.accessKey }).catch((error: unknown) => {
      if (!hasCode(error, "BucketAlreadyOwnedByYou")) throw error;
    });
  }

  /** As targets, rules and object lock want it; with prefixes below which versions are null when the profile says so. */
  async enableVersioning(site: Site): Promise<void> {
    const excludedPrefixes = this.profile.bucketMode === "excluded" ? ["null/"] : undefined;
    await site.leader.objects.updateBucket(BUCKET, (bucket) => ({
      ...bucket,
      versioning: { status: "Enabled", excludedPrefixes },
      ...(this.profile.locks ? { objectLock: bucket.objectLock ?? {} } : {}),
    }));
  }

  /**
   * Every version is null from now on. The wire refuses this where rules are, but buckets that another server's
   * configuration made so exist, and null versions must converge too.
   */
  async suspendVersioning(site: Site): Promise<void> {
    await site.leader.objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, versioning: { status: "Suspended" } }));
  }

  peersOf(site: Site): Site[] {
    return this.profile.edges.filter(([from]) => from === site.name).map(([, to]) => this.named(to));
  }

  /** Targets and rules of a site. Throws what the site says when a peer is away. */
  async configure(site: Site, mode: RuleMode): Promise<void> {
    this.#unconfigured.add(site);
    const { objects, replication } = site.leader;
    const rules: ReplicationRule[] = [];
    const places = [...this.peersOf(site), ...(this.minio === undefined ? [] : [this.minio])];
    for (const place of places) rules.push(ruleTo(await this.#target(site, place), rules.length + 1, mode));
    if (rules.length > 0)
      await objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, replication: { rules, role: "" } }));
    await replication.api.configChanged(BUCKET);
    this.#unconfigured.delete(site);
    this.note(`${site.name} rules ${mode}`);
  }

  /** As DELETE ?replication does it. */
  async unconfigure(site: Site): Promise<void> {
    this.#unconfigured.add(site);
    const { objects, replication } = site.leader;
    await objects.updateBucket(BUCKET, ({ replication: _removed, ...bucket }) => bucket);
    await replication.api.configChanged(BUCKET);
    await replication.api.removeAllTargets(BUCKET);
    this.note(`${site.name} without rules`);
  }

  isConfigured(site: Site): boolean {
    return !this.#unconfigured.has(site);
  }

  /** The site lost its rules. */
  forgetConfiguration(site: Site): void {
    this.#unconfigured.add(site);
  }

  /** Where a target leads. */
  nameAt(endpoint: string): string {
    return endpoint.slice(0, endpoint.indexOf("."));
  }

  #target(site: Site, { endpoint }: { readonly endpoint: string }): Promise<Arn> {
    const json = {
      endpoint,
      credentials: ROOT,
      targetbucket: BUCKET,
      secure: false,
      type: "replication",
      replicationSync: this.profile.synchronous,
    };
    return site.leader.replication.targets.set(BUCKET, json);
  }

  /** Changes the rules as an operator would; throws NoSuchBucket and the like after a disaster. */
  async setRules(site: Site, mode: RuleMode): Promise<void> {
    const { objects, replication } = site.leader;
    await objects.updateBucket(BUCKET, (bucket) => {
      const config: ReplicationConfig | undefined = bucket.replication;
      if (config === undefined) return bucket;
      const rules = config.rules.map((rule) => ruleTo(rule.destination as Arn, rule.priority, mode));
      return { ...bucket, replication: { ...config, rules } };
    });
    await replication.api.configChanged(BUCKET);
    this.note(`${site.name} rules ${mode}`);
  }
}

function ruleTo(arn: Arn, priority: number, mode: RuleMode): ReplicationRule {
  return {
    id: `rule-${priority}`,
    enabled: mode !== "off",
    priority,
    prefix: "",
    tags: [],
    filterForm: "prefix",
    deleteMarkerReplication: mode !== "noDeletes",
    deleteReplication: mode === "on",
    existingObjectReplication: true,
    replicaModifications: true,
    destination: arn,
  };
}
