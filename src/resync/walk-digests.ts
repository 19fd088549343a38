/**
 * The walk of a resync to a target that keeps digests: what differs comes as keys, as from two listings, and what is equal
 * as counts. Costs what differs, not what is stored.
 */
import { NULL_VERSION } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import { DAMAGED_ETAG } from "../protocol/replication-headers.ts";
import { msOf } from "../protocol/time.ts";
import { FRAME_BYTES } from "../reconcile/limits.ts";
import { LocalSide } from "../reconcile/local.ts";
import { keyAt, keyStart, placeOf, rangeIn, spanOf } from "../reconcile/places.ts";
import { reconcile, type Difference } from "../reconcile/reconcile.ts";
import { RECONCILE_PATH, RemoteSide } from "../reconcile/remote.ts";
import { END_PLACE, type Described, type Place } from "../reconcile/side.ts";
import { RESYNC_BATCH_KEYS } from "./limits.ts";
import { errorOf, type TargetClient } from "../replication/wire.ts";
import type { Clock } from "../runtime/clock.ts";
import { rowRange } from "../storage/index/digest/levels.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { splitIdRowKey } from "../storage/keys.ts";
import type { LocalKey } from "./local-listing.ts";
import type { Step } from "./march.ts";
import { sizeOf } from "./sending.ts";
import { listedMetadata, ListingError, type RemoteKey, type RemoteVersion } from "./target-listing.ts";

/** Versions that a sum told equal on both sides. */
export interface EqualCounts {
  readonly count: number;
  /** Sizes of the objects among them. */
  readonly bytes: number;
}

/** All versions after the step before, up to and including those of `key`, are equal. */
export interface EqualStep extends EqualCounts {
  readonly kind: "equal";
  readonly key: string;
}

/** A key of which something differs; `equal` are its other versions. */
export type DifferentStep = Step<LocalKey, RemoteKey> & { readonly equal?: EqualCounts | undefined };

export type DigestStep = DifferentStep | EqualStep;

/** The target does not answer such questions: it has to be listed. */
export class NoDigests extends Error {
  override name = "NoDigests";
}

export interface DigestWalk {
  readonly index: OrderedIndex;
  readonly clock: Clock;
  readonly bucketId: string;
  readonly client: TargetClient;
  readonly prefix: string;
  readonly signal: AbortSignal;
}

/** Steps in order, some at a time. Rejects with NoDigests before the first step, with ListingError when the target refuses later. */
export async function* walkDigests(job: DigestWalk, afterKey: string): AsyncGenerator<readonly DigestStep[]> {
  const span = spanOf(job.prefix, afterKey);
  const steps = new Steps(job, span.start);
  const sides = [new LocalSide(job, FRAME_BYTES, RESYNC_BATCH_KEYS), targetSide(job)] as const;
  for await (const { end, equal, differences } of reconcile(...sides, { level: "state", span, lookups: false })) {
    const told = await steps.take(end, equal, differences);
    if (told.length > 0) yield told;
  }
}

const NOT_SPOKEN: readonly number[] = [400, 403, 404, 405, 501];

function targetSide({ client, signal }: DigestWalk): RemoteSide {
  let spoken = false;
  return new RemoteSide(async (call, body) => {
    const query = { bucket: client.bucket, call };
    const answer = await client.request({
      method: "POST",
      path: RECONCILE_PATH,
      query,
      body,
      payload: "hashed",
      signal,
    });
    if (answer.status === 200) {
      spoken = true;
      return answer.body;
    }
    const { code, message } = errorOf(answer);
    const what = `the target's digests cannot be read: ${code} (${message})`;
    if (!spoken && NOT_SPOKEN.includes(answer.status)) throw new NoDigests(what);
    throw new ListingError(what, answer.status < 500 && answer.status !== 429);
  });
}

/** Turns segments, which may end in the middle of a key, into steps of whole keys: the job's mark is a key. */
class Steps {
  readonly #job: DigestWalk;
  /** All before this place has been told; it is the start of a key. */
  #from: Place;
  /** Equal versions of the key that the last segment ended in. */
  #carried = 0;
  /** What differs and has not been told. */
  #open: Difference<Version, Described>[] = [];

  constructor(job: DigestWalk, start: Place) {
    this.#job = job;
    this.#from = start;
  }

  async take(
    end: Place,
    equal: number,
    differences: readonly Difference<Version, Described>[],
  ): Promise<readonly DigestStep[]> {
    for (const difference of differences) this.#open.push(difference);
    const to = end.equals(END_PLACE) ? end : keyStart(end);
    if (Buffer.compare(to, this.#from) <= 0) {
      this.#carried += equal;
      return [];
    }
    const cut = this.#open.findIndex(({ place }) => Buffer.compare(place, to) >= 0);
    const [told, rest] = cut < 0 ? [this.#open, []] : [this.#open.slice(0, cut), this.#open.slice(cut)];
    const all = this.#carried + equal;
    const carried = to.equals(end) ? 0 : Math.min(all, await this.#equalIn(to, end, rest));
    const steps = await this.#told(to, told, all - carried);
    [this.#from, this.#carried, this.#open] = [to, carried, rest];
    return steps;
  }

  /**
   * Keys in order, the equal ones between them as counts: each step stands for all up to its key, so that a job that is
   * interrupted after any of them counts every version once. `left` bounds what writes made meanwhile could add.
   */
  async #told(to: Place, told: readonly Difference<Version, Described>[], equal: number): Promise<DigestStep[]> {
    const steps: DigestStep[] = [];
    let left = equal;
    for (const step of stepsOf(told)) {
      const key = step.kind === "right" ? step.right.key : step.left.key;
      if (left === 0) {
        steps.push(step);
        continue;
      }
      const start = keyStart(placeOf(key, NULL_VERSION));
      const gap = await this.#equalStep(start, left);
      if (gap !== undefined) steps.push(gap);
      left -= gap?.count ?? 0;
      const here = step.kind === "right" ? [] : step.left.versions;
      const inKey = await this.#countsIn(start, (this.#from = spanOf("", key).start));
      const count = Math.min(left, Math.max(0, inKey.count - here.length));
      const bytes = Math.max(0, inKey.bytes - here.reduce((sum, version) => sum + sizeOf(version), 0));
      left -= count;
      steps.push(count === 0 ? step : { ...step, equal: { count, bytes } });
    }
    const last = left === 0 ? undefined : await this.#equalStep(to, left);
    if (last !== undefined) steps.push(last);
    return steps;
  }

  /** What lies between what was told and `to`. */
  async #equalStep(to: Place, most: number): Promise<EqualStep | undefined> {
    const { count, bytes } = await this.#countsIn(this.#from, to);
    const key = count === 0 ? undefined : await this.#lastKey(to);
    return key === undefined ? undefined : { kind: "equal", key, count: Math.min(count, most), bytes };
  }

  async #countsIn(start: Place, end: Place): Promise<EqualCounts> {
    const { count, bytes } = await this.#job.index.digest(rangeIn(this.#job.bucketId, { start, end }));
    return { count, bytes };
  }

  /** Versions between the two places that are here and not among `different`. */
  async #equalIn(start: Place, end: Place, different: readonly Difference<Version, Described>[]): Promise<number> {
    const { count } = await this.#countsIn(start, end);
    return Math.max(0, count - different.filter(({ x }) => x !== undefined).length);
  }

  /** The last key here before `to` that has not been told. */
  async #lastKey(to: Place): Promise<string | undefined> {
    const { start, end } = rangeIn(this.#job.bucketId, { start: this.#from, end: to });
    const [row] = await this.#job.index.scan(rowRange(0, start, end), { limit: 1, reverse: true, keysOnly: true });
    return row === undefined ? undefined : splitIdRowKey(row.key).key;
  }
}

/** Differences in the order of places, as keys with the versions of both sides. */
function* stepsOf(differences: readonly Difference<Version, Described>[]): Generator<Step<LocalKey, RemoteKey>> {
  for (let at = 0; at < differences.length;) {
    const key = keyAt((differences[at] as Difference<Version, Described>).place) ?? "";
    const here: Version[] = [];
    const there: RemoteVersion[] = [];
    for (; at < differences.length; at++) {
      const { place, x, y } = differences[at] as Difference<Version, Described>;
      if (keyAt(place) !== key) break;
      if (x !== undefined) here.push(x);
      if (y !== undefined) there.push(remoteOf(y));
    }
    const left = { key, versions: here.toSorted(newestFirst) };
    const right = { key, versions: there };
    if (there.length === 0) yield { kind: "left", left };
    else if (here.length === 0) yield { kind: "right", right };
    else yield { kind: "both", left, right };
  }
}

function newestFirst(a: Version, b: Version): number {
  if (a.mtime !== b.mtime) return a.mtime > b.mtime ? -1 : 1;
  return -Buffer.compare(placeOf(a.key, a.versionId), placeOf(b.key, b.versionId));
}

/** What a listing of the target with metadata would show, with exact times. */
function remoteOf(version: Described): RemoteVersion {
  const { versionId, mtime } = version;
  const mtimeMs = msOf(mtime);
  if (version.kind === "delete-marker") return { kind: version.kind, versionId, mtimeMs };
  const { size, tags } = version;
  const etag = version.damaged === undefined ? version.etag : DAMAGED_ETAG;
  const tagsTime = tags?.time ?? 0n;
  return {
    kind: "object",
    versionId,
    etag,
    size,
    mtimeMs,
    precisionMs: 1,
    metadata: listedMetadata(version),
    tags: tags?.value ?? {},
    mtime,
    tagsTime,
  };
}
