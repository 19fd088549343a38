/**
 * The background scrub: reads every stored byte again and again at a bounded rate, records what is missing or corrupt,
 * and brings damaged versions back from a peer where a rule names one. One process of a site runs it.
 */
import type { Bucket } from "../model/bucket.ts";
import { hasCode } from "../model/errors.ts";
import type { VersionId } from "../model/names.ts";
import type { ObjectVersion, Version } from "../model/version.ts";
import { tokenBucket } from "../replication/bandwidth.ts";
import {
  REPAIR_AGAIN_MS,
  REPAIR_EVERY_MS,
  REPAIR_IN_FLIGHT_MAX,
  REPAIR_MEMORY_MAX,
  REPAIR_PAGE,
  SCRUB_COST_BYTES,
  SCRUB_CYCLE_MS,
  SCRUB_FIRST_MS,
  SCRUB_LOOK_MS,
  SCRUB_PAGE,
} from "./limits.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { keyAfter, keyPrefixRange, namedRowKey, SPACE, splitIdRowKey } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { examineVersion, type DamageCheckDeps } from "./damage-check.ts";
import { repairVersion, type RepairDeps } from "./repair.ts";

export interface ScrubSettings {
  /** False: neither does it read by itself, nor repair. */
  readonly on: boolean;
  /** Bytes a second read from the disk; 0: as fast as it goes. */
  readonly bytesPerSecond: number;
}

export interface ScrubDeps extends DamageCheckDeps, Pick<RepairDeps, "peersFor" | "warn"> {
  readonly settings: () => ScrubSettings;
}

/** Kept in the index: counters since the site exists, and where the pass under way stands. */
export interface ScrubState {
  /** Everything before this is done in the pass under way; absent: none is. */
  readonly cursor?: { readonly bucket: string; readonly key: string; readonly versionId: VersionId | "" } | undefined;
  readonly passStartedMs: number;
  readonly passEndedMs: number;
  readonly passes: number;
  readonly versions: number;
  readonly bytes: number;
  readonly missing: number;
  readonly corrupt: number;
  readonly repaired: number;
}

const FRESH: ScrubState = {
  passStartedMs: 0,
  passEndedMs: 0,
  passes: 0,
  versions: 0,
  bytes: 0,
  missing: 0,
  corrupt: 0,
  repaired: 0,
};
const STATE_ROW = namedRowKey(SPACE.job, "scrub");

export async function scrubState(index: OrderedIndex): Promise<ScrubState> {
  const raw = await index.get(STATE_ROW);
  return raw === undefined ? FRESH : decodeRow<ScrubState>(raw);
}

/** Adds to the counters, whoever else writes the row. */
export async function countScrub(index: OrderedIndex, change: (state: ScrubState) => ScrubState): Promise<ScrubState> {
  for (;;) {
    const raw = await index.get(STATE_ROW);
    const next = change(raw === undefined ? FRESH : decodeRow<ScrubState>(raw));
    const commit = new CommitBuilder().unchanged(STATE_ROW, raw).put(STATE_ROW, encodeRow(next));
    if ((await index.commit(commit)) === "committed") return next;
  }
}

/** Versions that are damaged now; `atMost` of them are counted. */
export async function countDamaged(index: OrderedIndex, buckets: readonly Bucket[], atMost: number): Promise<number> {
  let count = 0;
  for (const { id } of buckets) {
    const range = keyPrefixRange(SPACE.damage, id, "");
    count += (await index.scan(range, { limit: Math.max(atMost - count, 0), keysOnly: true })).length;
  }
  return count;
}

export class Scrub {
  readonly #deps: ScrubDeps;
  readonly #limiter;
  /** When a version that could not be repaired is tried again, by its row. */
  readonly #again = new Map<string, number>();

  constructor(deps: ScrubDeps) {
    this.#deps = deps;
    this.#limiter = tokenBucket(deps.clock, () => deps.settings().bytesPerSecond);
  }

  /** Until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#scrubbing(signal), this.#repairing(signal)]);
  }

  async #scrubbing(signal: AbortSignal): Promise<void> {
    // A start is busy enough, and what was torn by a crash is no rot.
    await this.#deps.clock.sleep(SCRUB_FIRST_MS, signal);
    while (!signal.aborted) {
      let more = false;
      try {
        more = this.#deps.settings().on && (await this.step(signal));
      } catch (error) {
        this.#deps.warn("the scrub could not go on and will be tried again", error);
      }
      if (!more) await this.#deps.clock.sleep(SCRUB_LOOK_MS, signal);
    }
  }

  /** One page of versions. False: nothing is due. */
  async step(signal: AbortSignal): Promise<boolean> {
    const { objects, index, clock } = this.#deps;
    const state = await scrubState(index);
    const ageMs = clock.nowMs() - state.passStartedMs;
    // A pass of the future: the clock was set back, and nothing would be looked at for as long as that.
    if (state.cursor === undefined && ageMs >= 0 && ageMs < SCRUB_CYCLE_MS) return false;
    const startedMs = state.cursor === undefined ? clock.nowMs() : state.passStartedMs;
    const { bucket: at = "", key = "", versionId = "" } = state.cursor ?? {};
    const buckets = (await objects.buckets()).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const bucket = buckets.find(({ name }) => name >= at);
    if (bucket === undefined) {
      const ended = { cursor: undefined, passStartedMs: startedMs, passEndedMs: clock.nowMs() };
      await countScrub(index, (now) => ({ ...now, ...ended, passes: now.passes + 1 }));
      return false;
    }
    const resumed = bucket.name === at && key !== "";
    const marker = resumed ? { keyMarker: key, versionIdMarker: versionId || undefined } : { keyMarker: "" };
    const page = await objects.listVersions({
      bucket: bucket.name,
      prefix: "",
      delimiter: "",
      maxKeys: SCRUB_PAGE,
      ...marker,
    });
    const found = await this.#examine(
      bucket,
      page.versions.map(({ version }) => version),
      signal,
    );
    if (signal.aborted) return false;
    const last = page.versions.at(-1)?.version;
    const more = page.truncated && last !== undefined;
    const cursor = more
      ? { bucket: bucket.name, key: last.key, versionId: last.versionId }
      : { bucket: `${bucket.name}\0`, key: "", versionId: "" as const };
    await countScrub(index, (now) => ({
      ...now,
      cursor,
      passStartedMs: startedMs,
      versions: now.versions + found.versions,
      bytes: now.bytes + found.bytes,
      missing: now.missing + found.missing,
      corrupt: now.corrupt + found.corrupt,
    }));
    return true;
  }

  async #examine(
    bucket: Bucket,
    versions: readonly Version[],
    signal: AbortSignal,
  ): Promise<{ versions: number; bytes: number; missing: number; corrupt: number }> {
    const found = { versions: 0, bytes: 0, missing: 0, corrupt: 0 };
    for (const version of versions) {
      if (version.kind === "delete-marker" || version.damaged !== undefined) continue;
      await this.#limiter.take(version.size + SCRUB_COST_BYTES, signal);
      if (signal.aborted) return found;
      const state = await examineVersion(this.#deps, bucket, version, { deep: true });
      found.versions++;
      found.bytes += version.size;
      if (state !== "ok") found[state]++;
    }
    return found;
  }

  async #repairing(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(REPAIR_EVERY_MS, signal);
      if (signal.aborted) return;
      try {
        if (this.#deps.settings().on) await this.repairAll(signal);
      } catch (error) {
        this.#deps.warn("damaged versions could not be looked through", error);
      }
    }
  }

  /** Tries every damaged version whose time has come, whoever found it. Resolves to the number that came back. */
  async repairAll(signal: AbortSignal): Promise<number> {
    let repaired = 0;
    for (const bucket of await this.#deps.objects.buckets()) {
      if (bucket.replication === undefined) continue;
      let { start, end } = keyPrefixRange(SPACE.damage, bucket.id, "");
      for (;;) {
        const rows = await this.#deps.index.scan({ start, end }, { limit: REPAIR_PAGE, keysOnly: true });
        for (let i = 0; i < rows.length; i += REPAIR_IN_FLIGHT_MAX) {
          const some = rows.slice(i, i + REPAIR_IN_FLIGHT_MAX).map(({ key }) => this.#repair(bucket, key, signal));
          repaired += (await Promise.all(some)).filter(Boolean).length;
        }
        const last = rows.at(-1);
        if (signal.aborted || last === undefined || rows.length < REPAIR_PAGE) break;
        start = keyAfter(last.key);
      }
    }
    if (repaired > 0) await countScrub(this.#deps.index, (now) => ({ ...now, repaired: now.repaired + repaired }));
    return repaired;
  }

  async #repair(bucket: Bucket, row: Buffer, signal: AbortSignal): Promise<boolean> {
    const name = row.toString("latin1");
    const nowMs = this.#deps.clock.nowMs();
    const waitMs = (this.#again.get(name) ?? 0) - nowMs;
    if (signal.aborted || (waitMs > 0 && waitMs <= REPAIR_AGAIN_MS)) return false;
    const found = await this.#damaged(bucket, row);
    if (found === undefined) return false;
    const outcome = await repairVersion({ ...this.#deps, limiter: this.#limiter }, bucket, found);
    this.#again.delete(name);
    if (outcome === "repaired") return true;
    // What is forgotten is tried sooner than it need be.
    if (this.#again.size >= REPAIR_MEMORY_MAX) this.#again.clear();
    this.#again.set(name, nowMs + REPAIR_AGAIN_MS);
    return false;
  }

  async #damaged(bucket: Bucket, row: Buffer): Promise<ObjectVersion | undefined> {
    try {
      const found = (await this.#deps.objects.version({ bucket: bucket.name, ...splitIdRowKey(row) }))?.version;
      return found?.kind === "object" && found.damaged !== undefined ? found : undefined;
    } catch (error) {
      if (hasCode(error, "NoSuchBucket")) return undefined;
      throw error;
    }
  }
}
