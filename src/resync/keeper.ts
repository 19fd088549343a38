/** Writes the record of one run, each time over exactly what it wrote before: anything else there ends the run. */
import type { Clock } from "../runtime/clock.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { encodeRow } from "../storage/records.ts";
import type { ResyncRecord, ResyncState } from "./record.ts";
import type { Reports } from "./report.ts";
import type { ResyncRun } from "./run.ts";

/** Another process changed the record: cancelled, or replaced by another job. */
export class Superseded extends Error {
  override name = "Superseded";
}

export interface KeeperDeps {
  readonly index: OrderedIndex;
  readonly clock: Clock;
  readonly reports: Reports;
}

export interface KeptJob {
  readonly key: Buffer;
  readonly raw: Buffer;
  readonly record: ResyncRecord;
}

const TERMINAL: ReadonlySet<ResyncState> = new Set(["Completed", "Failed", "Canceled"]);

export class Keeper {
  readonly #deps: KeeperDeps;
  readonly #key: Buffer;
  #raw: Buffer;
  readonly #record: ResyncRecord;
  readonly #sinceMs: number;
  #last: Promise<void> = Promise.resolve();

  constructor(deps: KeeperDeps, job: KeptJob) {
    this.#deps = deps;
    this.#key = job.key;
    this.#raw = job.raw;
    this.#record = job.record;
    this.#sinceMs = deps.clock.nowMs();
  }

  /** The record as the run stands, only what is below the low-water mark counted. */
  now(run: ResyncRun, state: ResyncState, error?: string): ResyncRecord {
    const { phase, pass, cursor, counters, samples, damage, verify } = run.state;
    // A clock that is set back takes nothing away.
    const activeMs = (this.#record.activeMs ?? 0) + Math.max(0, this.#deps.clock.nowMs() - this.#sinceMs);
    const updated = this.#deps.clock.nowNs();
    const progress = { phase, pass, cursor, counters, samples, damage, verify };
    return { ...this.#record, ...progress, state, updated, activeMs, error };
  }

  /** One after another; rejects with Superseded when someone else wrote the row. */
  save(run: ResyncRun, state: ResyncState, error?: string): Promise<void> {
    const next = this.#last.catch(() => undefined).then(() => this.#write(run, state, error));
    this.#last = next;
    return next;
  }

  async #write(run: ResyncRun, state: ResyncState, error: string | undefined): Promise<void> {
    const record = this.now(run, state, error);
    const value = encodeRow(record);
    const commit = new CommitBuilder().unchanged(this.#key, this.#raw).put(this.#key, value);
    const settled = run.settled();
    for (const row of settled) commit.delete(row);
    const text = TERMINAL.has(state) ? await this.#deps.reports.add(commit, record) : undefined;
    if ((await this.#deps.index.commit(commit)) === "conflict") throw new Superseded();
    run.deleted(settled);
    this.#raw = value;
    if (text !== undefined) await this.#deps.reports.keep(record, text);
  }
}
