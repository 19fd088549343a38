/**
 * Proves two buckets equal, or says exactly what differs. Reports only. Both sides may take writes: a difference counts
 * when a second look, a moment later, finds it again, and what was changed since the start is not judged.
 */
import { createHash } from "node:crypto";
import { reconcile } from "../reconcile/reconcile.ts";
import { spanOf } from "../reconcile/places.ts";
import { march } from "../resync/march.ts";
import { msOf } from "../protocol/time.ts";
import type { Clock } from "../runtime/clock.ts";
import {
  ATTEMPTS,
  DIFFERENCES_MAX,
  LOOKED_UP_AT_ONCE,
  LOOKS_IN_FLIGHT_MAX,
  READS_IN_FLIGHT_MAX,
  RETRY_MS,
} from "./limits.ts";
import { parallel } from "./parallel.ts";
import { countKinds, countLevels, type Difference, type VerifyResult } from "./result.ts";
import {
  levelOf,
  mismatches,
  seenOfDescribed,
  type Mismatch,
  type Seen,
  type SeenObject,
  type VerifyLevel,
} from "./seen.ts";
import { CannotLook, type Looked } from "./side.ts";

export interface VerifyProgress {
  readonly phase: "compare" | "bytes" | "second look";
  readonly compared: number;
  /** So far; the second look may take some back. */
  readonly different: number;
  readonly bytesRead: number;
}

export interface VerifyOptions {
  readonly level: VerifyLevel;
  /** How long after a difference is found it is looked at again. */
  readonly settleMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

/** Throws CannotLook. */
export function verify(source: Looked, target: Looked, options: VerifyOptions): Promise<VerifyResult> {
  return new Verification(source, target, options).run();
}

/** A version as both sides show it. */
interface Pair {
  readonly key: string;
  readonly versionId: string;
  readonly source: Seen | undefined;
  readonly target: Seen | undefined;
}
type ReadablePair = Pair & { readonly source: SeenObject; readonly target: SeenObject };

/** Codes of a body that only its owner's key opens. */
const NEEDS_KEY: readonly string[] = ["InvalidRequest", "SSECustomerKeyMissing", "InvalidObjectState"];
const GONE: readonly string[] = ["NoSuchKey", "NoSuchVersion", "MethodNotAllowed"];
const REFUSED: readonly string[] = ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"];

class Verification {
  readonly #source: Looked;
  readonly #target: Looked;
  readonly #options: VerifyOptions;
  /** What differs, by name; looked at again before it counts. */
  readonly #found = new Map<string, Difference>();
  /** Beyond what is kept. */
  #more = 0;
  #compared = 0;
  #newer = 0;
  #unread = 0;
  #read = 0;
  #bytesRead = 0;
  #startedMs = 0;
  #how: VerifyResult["how"] = "listings";

  constructor(source: Looked, target: Looked, options: VerifyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  /** Metadata and below: bytes are read by a walk of their own. */
  get #level(): "identity" | "metadata" {
    return this.#options.level === "identity" ? "identity" : "metadata";
  }

  async run(): Promise<VerifyResult> {
    const { clock, level, signal } = this.#options;
    this.#startedMs = clock.nowMs();
    this.#how = (await this.#knowDigests()) ? "digests" : "listings";
    if (this.#how === "digests") await this.#compareDigests();
    else await this.#compareListings();
    if (level === "bytes") await this.#compareBytes();
    if (this.#found.size > 0) {
      this.#progress("second look");
      await clock.sleep(this.#options.settleMs, signal);
      signal.throwIfAborted();
      await this.#lookAgain();
    }
    return this.#result();
  }

  #progress(phase: VerifyProgress["phase"]): void {
    const different = this.#found.size + this.#more;
    this.#options.onProgress?.({ phase, compared: this.#compared, different, bytesRead: this.#bytesRead });
  }

  /** Both are Resilvers that keep digests and let us ask. */
  async #knowDigests(): Promise<boolean> {
    const sides = [this.#source, this.#target];
    const spoken = await Promise.all(sides.map((side) => side.resilver()));
    if (spoken.includes(undefined)) return false;
    const question = { ask: "sum", ...spanOf(this.#source.prefix) } as const;
    try {
      await Promise.all(sides.map((side) => side.digests().answer("state", [question])));
      return true;
    } catch {
      // Whatever is wrong with it, the listings say so, or do without.
      return false;
    }
  }

  async #compareDigests(): Promise<void> {
    const span = spanOf(this.#source.prefix);
    const level = this.#level === "identity" ? "identity" : "state";
    const [x, y] = [this.#source.digests(), this.#target.digests()];
    for await (const { equal, differences } of reconcile(x, y, { level, span, lookups: true })) {
      this.#options.signal.throwIfAborted();
      this.#compared += equal;
      for (const { x: here, y: there, purged } of differences) {
        const some = here ?? there;
        if (some === undefined) continue;
        const [source, target] = [here, there].map((side) => (side === undefined ? undefined : seenOfDescribed(side)));
        const purgedMs = purged === undefined ? 0 : msOf(purged.time);
        this.#judge({ key: some.key, versionId: some.versionId, source, target }, purgedMs);
      }
      this.#progress("compare");
    }
  }

  async #compareListings(): Promise<void> {
    const complete = async ({ source, target, ...name }: Pair): Promise<Pair> => {
      if (this.#level === "identity" || source?.kind !== "object" || target?.kind !== "object")
        return { ...name, source, target };
      const [here, there] = await Promise.all([this.#source.complete(source), this.#target.complete(target)]);
      return { ...name, source: here, target: there };
    };
    for await (const pair of parallel(this.#pairs(), LOOKS_IN_FLIGHT_MAX, complete)) {
      this.#judge(pair, 0);
      if (this.#compared % 1000 === 0) this.#progress("compare");
    }
  }

  /** Both listings side by side, version by version. */
  async *#pairs(): AsyncGenerator<Pair> {
    for await (const step of march(this.#source.list(), this.#target.list())) {
      this.#options.signal.throwIfAborted();
      const key = step.kind === "right" ? step.right.key : step.left.key;
      const there = new Map((step.kind === "left" ? [] : step.right.versions).map((seen) => [seen.versionId, seen]));
      for (const source of step.kind === "right" ? [] : step.left.versions) {
        const target = there.get(source.versionId);
        there.delete(source.versionId);
        yield { key, versionId: source.versionId, source, target };
      }
      for (const target of there.values()) yield { key, versionId: target.versionId, source: undefined, target };
    }
  }

  #judge(pair: Pair, purgedMs: number): void {
    this.#compared++;
    const found = mismatches(pair.source, pair.target, this.#level);
    if (found.length === 0) return;
    if (this.#isNewer(pair, purgedMs)) this.#newer++;
    else this.#differs(pair, found);
  }

  /** Changed since the start. A time yet to come says nothing of when: it is from a site whose clock is ahead. */
  #isNewer({ source, target }: Pair, purgedMs = 0): boolean {
    const nowMs = this.#options.clock.nowMs();
    const times = [source?.touchedMs ?? 0, target?.touchedMs ?? 0, purgedMs];
    return times.some((ms) => ms >= this.#startedMs && ms <= nowMs);
  }

  #differs(pair: Pair, found: Mismatch[]): void {
    const name = nameOf(pair);
    if (this.#found.size < DIFFERENCES_MAX || this.#found.has(name)) this.#found.set(name, differenceOf(pair, found));
    else this.#more++;
  }

  /** Every object that both have is read on both sides. */
  async #compareBytes(): Promise<void> {
    const work = async (pair: ReadablePair): Promise<void> => {
      const found = await this.#readBoth(pair);
      this.#read++;
      if (found === "unread") this.#unread++;
      else if (found !== undefined) this.#differs(pair, [found]);
    };
    for await (const _ of parallel(this.#readable(), READS_IN_FLIGHT_MAX, work)) this.#progress("bytes");
  }

  async *#readable(): AsyncGenerator<ReadablePair> {
    for await (const pair of this.#pairs()) {
      const { source, target } = pair;
      if (source?.kind !== "object" || target?.kind !== "object" || this.#isNewer(pair)) continue;
      // What is not even the same version has been told already.
      if (this.#found.get(nameOf(pair))?.mismatches.some(({ kind }) => levelOf(kind) === "identity")) continue;
      yield { ...pair, source, target };
    }
  }

  async #readBoth({ source, target }: ReadablePair): Promise<Mismatch | "unread" | undefined> {
    const [here, there] = await Promise.all([this.#hash(this.#source, source), this.#hash(this.#target, target)]);
    if (here.failed !== undefined && there.failed !== undefined && NEEDS_KEY.includes(here.failed)) return "unread";
    for (const [side, { failed }] of [
      ["source", here],
      ["target", there],
    ] as const) {
      if (failed !== undefined) return { kind: "bytes", reason: `cannot be read at the ${side}: ${failed}` };
    }
    if (here.sha256 === there.sha256) return undefined;
    return { kind: "bytes", reason: `SHA-256 ${here.sha256} at the source, ${there.sha256} at the target` };
  }

  async #hash(side: Looked, seen: Seen): Promise<{ sha256: string; failed?: string | undefined }> {
    const { clock, signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const sum = createHash("sha256");
      let failed: string | undefined;
      try {
        failed = await side.read(seen, (chunk) => {
          sum.update(chunk);
          this.#bytesRead += chunk.length;
        });
      } catch (error) {
        signal.throwIfAborted();
        // Damage behind the first bytes cuts the connection, and so does a site that goes away: only that one is silent.
        failed = `the connection ended (${(error as Error).message})`;
        if (attempt === ATTEMPTS) await side.resilver();
      }
      if (failed !== undefined && REFUSED.includes(failed))
        throw new CannotLook(`${side.name}: ${seen.key} cannot be read: ${failed}`);
      const isFinal =
        failed === undefined || GONE.includes(failed) || NEEDS_KEY.includes(failed) || attempt === ATTEMPTS;
      if (isFinal) return { sha256: sum.digest("hex"), failed };
      await clock.sleep(RETRY_MS * attempt, signal);
      signal.throwIfAborted();
    }
  }

  async #lookAgain(): Promise<void> {
    const found = [...this.#found.values()];
    for (let from = 0; from < found.length; from += LOOKED_UP_AT_ONCE) {
      const batch = found.slice(from, from + LOOKED_UP_AT_ONCE);
      const [sources, targets] = await Promise.all([
        this.#lookedUp(this.#source, batch),
        this.#lookedUp(this.#target, batch),
      ]);
      for (const [i, { key, versionId }] of batch.entries())
        await this.#judgeAgain({ key, versionId, source: sources[i], target: targets[i] });
      this.#progress("second look");
    }
  }

  async #lookedUp(side: Looked, names: readonly Difference[]): Promise<(Seen | undefined)[]> {
    if (this.#how === "digests") return side.lookAll(names);
    const out: (Seen | undefined)[] = [];
    const look = async ({ key, versionId }: Difference): Promise<Seen | undefined> => {
      const seen = await side.look(key, versionId);
      return this.#level === "identity" ? seen : side.complete(seen);
    };
    for await (const seen of parallel(names, LOOKS_IN_FLIGHT_MAX, look)) out.push(seen);
    return out;
  }

  async #judgeAgain(pair: Pair): Promise<void> {
    const name = nameOf(pair);
    const before = this.#found.get(name)?.mismatches ?? [];
    this.#found.delete(name);
    const { source, target } = pair;
    if (source === undefined && target === undefined) return void this.#compared--;
    if (this.#isNewer(pair)) return void this.#newer++;
    let found = mismatches(source, target, this.#level);
    if (
      found.length === 0 &&
      before.some(({ kind }) => kind === "bytes") &&
      source?.kind === "object" &&
      target?.kind === "object"
    ) {
      const again = await this.#readBoth({ ...pair, source, target });
      found = again === undefined || again === "unread" ? [] : [again];
    }
    if (found.length > 0) this.#found.set(name, differenceOf(pair, found));
  }

  #result(): VerifyResult {
    const { level, clock } = this.#options;
    const differences = [...this.#found.values()];
    const different = differences.length + this.#more;
    const metadata = level === "identity" ? {} : { metadata: this.#compared };
    const bytes = level === "bytes" ? { bytes: this.#read - this.#unread } : {};
    return {
      source: this.#source.name,
      target: this.#target.name,
      level,
      how: this.#how,
      startedMs: this.#startedMs,
      endedMs: clock.nowMs(),
      compared: this.#compared,
      equal: this.#compared - different - this.#newer,
      different,
      newer: this.#newer,
      unread: this.#unread,
      bytesRead: this.#bytesRead,
      levels: countLevels(differences, { identity: this.#compared, ...metadata, ...bytes }),
      byKind: countKinds(differences),
      differences,
    };
  }
}

/** What is kept of a pair: with their metadata, as many as there may be would fill the memory of a server. */
const differenceOf = ({ key, versionId, source, target }: Pair, found: readonly Mismatch[]): Difference => ({
  key,
  versionId,
  what: (source ?? target)?.kind === "delete-marker" ? "delete-marker" : "version",
  mismatches: found,
});

const nameOf = ({ key, versionId }: Pick<Pair, "key" | "versionId">): string => `${versionId} ${key}`;
