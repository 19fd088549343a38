/** What a resync does with one version: send it, insist while the target is away, look whether it is there. */
import type { Bucket } from "../model/bucket.ts";
import { NULL_VERSION, type ObjectKey, type VersionId } from "../model/names.ts";
import { targetsFor } from "../model/replication-config.ts";
import { purgedEverywhere, type ObjectVersion, type TargetStatus, type Version } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import { msOf } from "../protocol/time.ts";
import { backoffMs } from "../replication/backoff.ts";
import type { Connection } from "../replication/connections.ts";
import { RESYNC_ATTEMPTS, RESYNC_REFUSED_IN_ROW } from "./limits.ts";
import { sendTogether } from "../replication/send-together.ts";
import { askAndCompare } from "../replication/ask-target.ts";
import { sendVersion } from "../replication/sender.ts";
import type { SendRequest, Sent } from "../replication/send-types.ts";
import type { SendOutcome } from "../replication/wire.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { PlannedVersion } from "./plan.ts";
import type { Counters, ResyncRecord } from "./record.ts";
import type { RemoteVersion } from "./target-listing.ts";

export interface SendingDeps {
  readonly objects: Objects;
  readonly clock: Clock;
  readonly random: Random;
}

export interface SendingJob {
  readonly record: ResyncRecord;
  /** Asked on every use: credentials and addresses may be edited while it runs. */
  readonly connection: () => Promise<Connection>;
  readonly signal: AbortSignal;
}

/** What became of one version, as changes of the counters. */
export interface Done {
  readonly delta: Partial<Counters>;
  /** Why it failed or cannot be replicated. */
  readonly reason?: string | undefined;
}

/** What a verification says of one version. `equal`: also one that is gone here since; `exempt`: it cannot be made equal. */
export type Proof =
  | { readonly kind: "equal" }
  | { readonly kind: "exempt" }
  | { readonly kind: "different"; readonly why: string };

const EQUAL: Proof = { kind: "equal" };
const EXEMPT: Proof = { kind: "exempt" };

export const sizeOf = (version: Version): number => (version.kind === "object" ? version.size : 0);

/** Of the body, as far as a comparison can tell: where the target is asked first, tags and locks may be all that lacks. */
export const bytesToMove = ({ version, verdict }: PlannedVersion): number =>
  verdict.kind !== "send" || verdict.ask ? 0 : sizeOf(version);

export class Sending {
  readonly #deps: SendingDeps;
  readonly #job: SendingJob;
  /** Versions in a row that the target refused to the end: one that refuses everything is not asked four times for each. */
  #refusedInRow = 0;

  constructor(deps: SendingDeps, job: SendingJob) {
    this.#deps = deps;
    this.#job = job;
  }

  /**
   * `sentBefore`: bytes that an earlier run of this job meant to move for it, see Intents. `tried`: an attempt was made
   * just now whose end is not known.
   */
  async version(bucket: Bucket, planned: PlannedVersion, sentBefore: number | undefined, tried = false): Promise<Done> {
    const { version, verdict } = planned;
    const size = sizeOf(version);
    if (verdict.kind === "notReplicable") {
      await this.#purgeBefore(bucket, version);
      return { delta: { compared: 1, notReplicable: 1 }, reason: verdict.why };
    }
    if (verdict.kind === "equal") {
      await this.#settle(bucket, version, sentBefore === undefined ? "FAILED" : undefined);
      return { delta: sentBefore === undefined ? equal(size) : sent(sentBefore, size) };
    }
    const result = await this.#brought(bucket, version, verdict.ask, tried);
    const ours = (result.repeated || sentBefore !== undefined) && verdict.unsure !== true;
    const done = counted(result, size, ours ? (sentBefore ?? bytesToMove(planned)) : undefined);
    const { local } = result;
    if (local.kind === "version") {
      if (done.delta.failed === 1) await this.#status(bucket, local.version, "FAILED");
      else if (result.outcome.kind === "sent") await this.#settle(bucket, local.version);
      else if (done.delta.sent === 1 || done.delta.alreadyEqual === 1)
        await this.#settle(bucket, local.version, "FAILED");
    }
    return done;
  }

  /** Plain versions (groups.ts) in one request; what that does not settle goes alone. In the order of `planned`. */
  async together(bucket: Bucket, planned: readonly PlannedVersion[]): Promise<Done[]> {
    const { signal, record } = this.#job;
    const connection = await this.#job.connection();
    const versions = planned.map(({ version }) => version as ObjectVersion);
    const request = { bucket, versions, marks: { resyncId: record.id }, signal };
    const outcomes = await sendTogether(this.#deps.objects, connection, request);
    const arrived = outcomes.flatMap((outcome) => (outcome.kind === "sent" ? [outcome.version] : []));
    if (arrived.length > 0) this.#refusedInRow = 0;
    const unsettled = arrived.filter(({ replication }) => replication.targets[record.arn] !== "COMPLETED");
    await this.#deps.objects.setTargetStatuses(bucket.name, record.arn, "COMPLETED", unsettled);
    return Promise.all(
      planned.map((one, at) => {
        const outcome = outcomes[at];
        if (outcome?.kind === "sent") return { delta: sent(outcome.version.size, outcome.version.size) };
        return this.version(bucket, one, undefined, outcome?.kind === "again");
      }),
    );
  }

  /**
   * This job sent it before it was interrupted, and it is equal now: its status may not say so yet. False: it was purged
   * here since, and is none of those that were compared.
   */
  async arrivedBefore(bucket: Bucket, { key, versionId }: { key: string; versionId: string }): Promise<boolean> {
    const selector = { bucket: bucket.name, key: key as ObjectKey, versionId: versionId as VersionId };
    const found = await this.#deps.objects.version(selector);
    if (found !== undefined) await this.#settle(bucket, found.version);
    return found !== undefined;
  }

  /** The status COMPLETED; with `only`, in place of that status alone. */
  async #settle(bucket: Bucket, version: Version, only?: TargetStatus): Promise<void> {
    const now = version.replication.targets[this.#job.record.arn];
    if (now === "COMPLETED" || (only !== undefined && now !== only)) return;
    await this.#status(bucket, version, "COMPLETED");
  }

  async #status(bucket: Bucket, version: Version, status: TargetStatus): Promise<void> {
    const { arn } = this.#job.record;
    if (version.replication.targets[arn] === status) return;
    const { key, versionId } = version;
    await this.#deps.objects.setTargetStatus({ bucket: bucket.name, key, versionId }, arn, status, version);
  }

  /** Whether a version that only the target has was purged here for every site, and a rule carries purges there. */
  async isPurgedHere(bucket: Bucket, key: ObjectKey, version: RemoteVersion): Promise<boolean> {
    const versionId = version.versionId as VersionId;
    const tombstone = await this.#deps.objects.tombstone({ bucket: bucket.name, key, versionId });
    const purged = tombstone && purgedEverywhere(tombstone);
    if (purged === undefined) return false;
    // The null id is used again and again: a null version that was written after the purge stays.
    if (versionId === NULL_VERSION && msOf(purged) < version.mtimeMs) return false;
    return this.#carriesPurges(bucket, key);
  }

  /** A null version whose bytes are lost stays here; that an older one was purged for every site, the target hears all the same. */
  async #purgeBefore(bucket: Bucket, version: Version): Promise<void> {
    const { key, versionId } = version;
    if (versionId !== NULL_VERSION || version.kind !== "object" || version.damaged === undefined) return;
    const tombstone = await this.#deps.objects.tombstone({ bucket: bucket.name, key, versionId });
    if (tombstone === undefined || purgedEverywhere(tombstone) === undefined || !this.#carriesPurges(bucket, key))
      return;
    await this.#insisting(bucket, version, { ask: true });
  }

  #carriesPurges(bucket: Bucket, key: ObjectKey): boolean {
    const question = { key, tags: undefined, operation: "purge", replica: false } as const;
    return targetsFor(bucket.replication, question).includes(this.#job.record.arn);
  }

  /** A purge that was meant for every site is carried to a target that has the version (an older copy was put back there). */
  async purgeThere(bucket: Bucket, key: ObjectKey, version: RemoteVersion): Promise<boolean> {
    if (!(await this.isPurgedHere(bucket, key, version))) return false;
    const { outcome } = await this.#insisting(bucket, { key, versionId: version.versionId as VersionId }, {});
    return outcome.kind === "purged";
  }

  #request(bucket: Bucket, version: Pick<Version, "key" | "versionId">, compareFirst: boolean): SendRequest {
    const { key, versionId } = version;
    const { record, signal } = this.#job;
    const marks = { resyncId: record.id };
    return { bucket: bucket.name, bucketId: bucket.id, key, versionId, compareFirst, marks, signal };
  }

  /** Waits out a target that is away; a refusal is repeated a few times. `repeated`: not the first request decided. */
  async #insisting(
    bucket: Bucket,
    version: Pick<Version, "key" | "versionId">,
    { ask = false, tried = false, once = false }: Attempts,
  ): Promise<Insisted> {
    const { signal } = this.#job;
    let repeated = tried;
    for (let attempts = 0; ; repeated = true) {
      const connection = await this.#job.connection();
      const request = { ...this.#request(bucket, version, ask || repeated), repeated: attempts > 0 };
      const result = await sendVersion(this.#deps.objects, connection, request);
      const { outcome } = result;
      signal.throwIfAborted();
      if (outcome.kind !== "retry") {
        this.#refusedInRow = 0;
        return { ...result, repeated };
      }
      const away = outcome.network && !(await connection.endpoint.confirm());
      const most = once || this.#refusedInRow >= RESYNC_REFUSED_IN_ROW ? 1 : RESYNC_ATTEMPTS;
      if (!away && ++attempts >= most) {
        this.#refusedInRow++;
        return { ...result, repeated };
      }
      const pauseMs = outcome.afterMs ?? backoffMs(Math.max(attempts - 1, 0), this.#deps.random);
      await this.#deps.clock.sleep(pauseMs, signal);
      signal.throwIfAborted();
    }
  }

  /**
   * Brings one version there. A target that answers "I have it" to one that its listing lacked, or showed to be another,
   * is asked what it has: it may have arrived meanwhile, or be what the listing said.
   */
  async #brought(bucket: Bucket, version: Version, ask: boolean, tried: boolean): Promise<Insisted> {
    const result = await this.#insisting(bucket, version, { ask, tried });
    const isUnseen = !ask && !result.repeated && result.outcome.kind === "alreadyEqual";
    return isUnseen && version.kind === "object" ? this.#insisting(bucket, version, { ask: true }) : result;
  }

  /**
   * Listings of two sites are never of one moment: a difference counts only if one more attempt to send that very
   * version, and a look at it, leave it there.
   */
  async prove(bucket: Bucket, { version, verdict }: PlannedVersion): Promise<Proof> {
    if (verdict.kind === "equal") return EQUAL;
    if (verdict.kind === "notReplicable") return EXEMPT;
    const { key, versionId } = version;
    // It was refused as often as it is worth when it failed.
    const once = version.replication.targets[this.#job.record.arn] === "FAILED";
    let why: string | undefined = verdict.why;
    for (let attempts = 0; attempts < RESYNC_ATTEMPTS && why !== undefined; attempts++) {
      const { outcome, local } = await this.#insisting(bucket, version, {
        ask: verdict.ask || attempts > 0,
        once,
      });
      if (outcome.kind === "retry") return { kind: "different", why: failure(outcome) };
      if (outcome.kind === "refused" || outcome.kind === "purgedThere") return EXEMPT;
      if (outcome.kind === "sent" && local.kind === "version") await this.#settle(bucket, local.version);
      // A marker's time cannot be changed at every target, and a null version there may win by its exact time.
      if (version.kind === "delete-marker" || versionId === NULL_VERSION) return EQUAL;
      if (outcome.kind === "alreadyEqual" && outcome.fixed !== undefined) return EXEMPT;
      const now = await this.#deps.objects.version({ bucket: bucket.name, key, versionId });
      if (now === undefined || now.version.kind !== "object") return EQUAL;
      why = await this.look(bucket, now.version);
      // What is not as it was sent a moment ago, the target does not keep (the time of large objects, an old MinIO).
      if (why !== undefined && outcome.kind === "sent") return { kind: "different", why };
    }
    return why === undefined ? EQUAL : { kind: "different", why };
  }

  /** What the target answers for this one version. Undefined: the same as here. */
  async look(bucket: Bucket, version: ObjectVersion): Promise<string | undefined> {
    const target = await this.#job.connection();
    const found = await askAndCompare({ target, request: this.#request(bucket, version, true) }, version);
    switch (found.kind) {
      case "equal":
      case "fixed":
      case "newerThere":
        return undefined;
      case "failed":
      case "busy":
        return found.outcome.kind === "retry" ? failure(found.outcome) : "it could not be asked for";
      case "absent":
        return "absent";
      default:
        return found.what;
    }
  }
}

interface Attempts {
  /** The target is asked what it has, before anything is sent. */
  readonly ask?: boolean | undefined;
  /** An attempt was made just now whose end is not known. */
  readonly tried?: boolean | undefined;
  /** A refusal is not repeated. */
  readonly once?: boolean | undefined;
}

interface Insisted extends Sent {
  readonly repeated: boolean;
}

const equal = (size: number): Partial<Counters> => ({ compared: 1, alreadyEqual: 1, presentBytes: size });
const sent = (bytes: number, size: number): Partial<Counters> => ({
  compared: 1,
  sent: 1,
  sentBytes: bytes,
  presentBytes: size,
});
const cannot = (reason: string): Done => ({ delta: { compared: 1, notReplicable: 1 }, reason });

/** `ours`: bytes, where what is equal was not so before this job sent it: the answer was lost, or who waited for it. */
function counted({ outcome }: Insisted, size: number, ours: number | undefined): Done {
  switch (outcome.kind) {
    case "sent":
      return { delta: sent(outcome.bytes, size) };
    case "alreadyEqual":
      if (outcome.fixed !== undefined) return cannot(`${outcome.fixed} differs and cannot be changed there`);
      return { delta: ours === undefined ? equal(size) : sent(ours, size) };
    case "purged":
    case "gone":
      // Removed here while the walk went on: nothing to hold the target to.
      return { delta: { compared: 1, alreadyEqual: 1 } };
    case "purgedThere":
      return cannot("it was purged there for every site");
    case "retry":
      return { delta: { compared: 1, failed: 1, failedBytes: size }, reason: failure(outcome) };
    case "refused":
      return cannot(outcome.reason);
  }
}

const failure = ({ code, reason }: Extract<SendOutcome, { kind: "retry" }>): string => `${code}: ${reason}`;
