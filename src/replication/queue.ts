/**
 * Works off the change log of one target: a bounded window of rows in memory, two lanes of requests in flight, the rows
 * of one key one after another, finished rows committed in batches. The index is the only memory: a row that is not
 * finished when the process ends is simply read again, and sending a version twice is harmless.
 */
import type { Objects } from "../objects/objects.ts";
import type { FinishedLogRow, VersionRow } from "../objects/types.ts";
import { hasCode } from "../model/errors.ts";
import type { Arn } from "../model/names.ts";
import { unreachable } from "../runtime/assert.ts";
import type { Clock } from "../runtime/clock.ts";
import { Drain } from "../runtime/drain.ts";
import type { Random } from "../runtime/random.ts";
import { Waker } from "../runtime/waker.ts";
import type { Entry, OrderedIndex } from "../storage/index/index.ts";
import { keyAfter } from "../storage/keys.ts";
import { Activity } from "./activity.ts";
import { Allowance } from "./allowance.ts";
import { backoffMs } from "./backoff.ts";
import type { Connection } from "./connections.ts";
import { Fifo } from "../runtime/fifo.ts";
import * as limits from "./limits.ts";
import { logRange } from "./log.ts";
import { KeyLanes } from "./key-lanes.ts";
import { itemOf, nameOf, type QueueItem } from "./queue-item.ts";
import { RetryQueue } from "./retry-queue.ts";
import { cutRows, mayGoTogether, sendRowsTogether } from "./rows-together.ts";
import { isMinio, sendVersion } from "./sender.ts";
import type { Sent } from "./send-types.ts";
import type { SendOutcome } from "./wire.ts";

export interface QueueDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly random: Random;
  /** Something went wrong in this process (not at the target). */
  readonly warn: (message: string, error: unknown) => void;
}

const FINISH_BATCH = 200;

/** Ended well without being sent. */
const MET = { as: "met", bytes: 0 } as const;

export class TargetQueue {
  readonly arn: Arn;
  readonly activity: Activity;
  readonly #deps: QueueDeps;
  #connection: Connection;
  readonly #abort = new AbortController();
  /** Rows in memory: waiting, parked, running or finishing. */
  readonly #known = new Set<string>();
  readonly #waiting = { small: new Fifo<QueueItem>(), large: new Fifo<QueueItem>() };
  readonly #lanes = new KeyLanes();
  readonly #running = { small: 0, large: 0 };
  /** Rows whose last attempt ended without an answer: what was sent may be there, and may have been purged there since. */
  readonly #unsure = new Set<string>();
  /** Rows that may have been on their way when the process before this one died are older, and among the first. */
  readonly #since: bigint;
  #firstRows = limits.FIRST_ROWS_ASKED;
  #finished: { item: QueueItem; row: FinishedLogRow }[] = [];
  readonly #finishing = new Drain(
    () => this.#finished.length > 0,
    () => this.#commitFinished(),
  );
  #reading: Promise<void> | undefined;
  /** The log may hold rows that were not read yet. */
  #more = true;
  /** Where the log is read on; undefined: from its start. */
  #from: Buffer | undefined;
  #rewoundAtMs = 0;
  #lookPlanned = false;
  readonly #retries: RetryQueue;
  /** Answers in a row that were refusals of the target. */
  #refusedInARow = 0;
  readonly #tries: Allowance;
  readonly #newestTries: Allowance;
  #pumpPlanned = false;
  #pumpsSoon = false;
  readonly #waker = new Waker();
  #unlisten: () => void;

  constructor(deps: QueueDeps, connection: Connection) {
    this.#deps = deps;
    this.arn = connection.arn;
    this.#since = deps.clock.nowNs();
    this.activity = new Activity(deps.clock);
    this.#retries = new RetryQueue(deps, connection.arn);
    this.#tries = new Allowance(deps.clock, limits.TRIES_PER_SECOND_MAX, limits.TRIES_AT_ONCE_MAX);
    this.#newestTries = new Allowance(deps.clock, limits.TRIES_PER_SECOND_MAX, 1);
    this.#connection = connection;
    this.#unlisten = connection.endpoint.onOnline(() => this.#lookAgain());
  }

  /** The record changed: requests from now on use this connection. */
  use(connection: Connection): void {
    if (connection === this.#connection) return;
    if (connection.endpoint !== this.#connection.endpoint) {
      this.#unlisten();
      this.#unlisten = connection.endpoint.onOnline(() => this.#lookAgain());
    }
    // Other credentials or another address: what failed before may work now.
    if (connection.client !== this.#connection.client) {
      this.#retries.flush();
      this.#refusedInARow = 0;
    }
    this.#connection = connection;
    this.#lookAgain();
  }

  /** A row was written. */
  poke(): void {
    this.#more = true;
    this.#pump();
  }

  /** Everything in the log is gone through once more: a row may lie before those read last, or was put back. */
  #lookAgain(): void {
    this.#from = undefined;
    this.poke();
  }

  #lookSoon(): void {
    if (this.#lookPlanned) return;
    this.#lookPlanned = true;
    void this.#deps.clock.sleep(limits.LOOK_AGAIN_MS, this.#abort.signal).then(() => {
      this.#lookPlanned = false;
      this.#lookAgain();
    });
  }

  /** Once for all that ends in this turn, so that what waits goes out together. */
  #pumpSoon(): void {
    if (this.#pumpsSoon) return;
    this.#pumpsSoon = true;
    void this.#deps.clock.sleep(0).then(() => {
      this.#pumpsSoon = false;
      this.#pump();
    });
  }

  /** Rows in memory, for status. */
  get inFlight(): number {
    return this.#running.small + this.#running.large;
  }

  /** Looks for rows until `stop`: at once when poked, else when a retry is due or the fallback poll comes round. */
  async run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      this.#lookAgain();
      const waitMs = Math.min(Math.max(this.#retries.untilDueMs, 5), limits.FALLBACK_POLL_MS);
      await this.#waker.sleep(this.#deps.clock, waitMs, this.#abort.signal);
    }
    await this.#settled();
  }

  /** Ends sending; what is under way is cut and will be read again by whoever comes next. */
  stop(): void {
    this.#abort.abort();
    this.#unlisten();
  }

  async #settled(): Promise<void> {
    await this.#reading;
    while (this.inFlight > 0 || this.#finishing.ended !== undefined) {
      await (this.#finishing.ended ?? this.#deps.clock.sleep(5));
    }
  }

  #pump(): void {
    if (this.#abort.signal.aborted) return;
    if (!this.#connection.endpoint.isKnownAndOpen) {
      this.#release();
      return;
    }
    this.#startLane("small", this.#together ? limits.SMALL_IN_FLIGHT_INGEST_MAX : limits.SMALL_IN_FLIGHT_MAX);
    this.#startLane("large", limits.LARGE_IN_FLIGHT_MAX);
    const wanted = this.#more || this.#retries.isFlushing;
    if (
      wanted &&
      this.#reading === undefined &&
      // Large ones that wait must not hold up the small ones behind them in the log.
      this.#waiting.small.length < limits.LOOKAHEAD_LOW &&
      this.#known.size < limits.KNOWN_ROWS_MAX
    ) {
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined;
        if (this.#waiting.small.length + this.#waiting.large.length > 0 || this.#more) this.#pump();
      });
    }
  }

  /** The target takes many small versions in one request. */
  get #together(): boolean {
    return this.#connection.ingest?.isSpoken === true;
  }

  #startLane(lane: "small" | "large", max: number): void {
    const ready: QueueItem[] = [];
    while (this.#running[lane] + ready.length < max && this.#waiting[lane].length > 0) {
      if (!this.#mayTry()) break;
      const item = this.#waiting[lane].shift();
      if (item !== undefined && this.#lanes.enter(item)) ready.push(item);
    }
    this.#start(ready);
  }

  /** Rows that may run: each is the first of its key. */
  #start(items: readonly QueueItem[]): void {
    const company: QueueItem[] = [];
    for (const item of items) {
      if (!this.#together || item.large || !mayGoTogether(item.row)) {
        this.#startAlone(item);
        continue;
      }
      this.#running.small++;
      company.push(item, ...this.#followers(item));
    }
    this.#startTogether(company);
  }

  #startAlone(item: QueueItem): void {
    const lane = item.large ? "large" : "small";
    this.#running[lane]++;
    void this.#process(item, lane);
  }

  /** Further rows of its key that may travel with `item`: one request carries them in their order. */
  #followers(item: QueueItem): QueueItem[] {
    const versions = new Set([item.row.versionId]);
    const taken = this.#lanes.takeFollowing(item, (next) => {
      const joins =
        mayGoTogether(next.row) &&
        !versions.has(next.row.versionId) &&
        this.#running.small + versions.size <= limits.SMALL_IN_FLIGHT_INGEST_MAX;
      versions.add(next.row.versionId);
      return joins;
    });
    this.#running.small += taken.length;
    return taken;
  }

  /** Running rows that may travel together, those of one key side by side. */
  #startTogether(company: readonly QueueItem[]): void {
    for (const { together, alone, later } of cutRows(company)) {
      this.#putBack(later);
      if (together.length > 0) void this.#processTogether(together);
      for (const item of alone) void this.#process(item, "small");
    }
  }

  #putBack(items: readonly QueueItem[]): void {
    this.#running.small -= items.length;
    this.#lanes.putBack(items);
  }

  async #processTogether(items: readonly QueueItem[]): Promise<void> {
    const { objects, clock, warn } = this.#deps;
    const startedMs = clock.nowMs();
    const rows = items.map(({ row }) => row);
    let arrived: (VersionRow | undefined)[] = [];
    try {
      arrived = await sendRowsTogether(objects, this.#connection, rows, this.#abort.signal);
    } catch (error) {
      // What a deleted bucket's rows end with is for the sender of one version to say.
      if (!hasCode(error, "NoSuchBucket")) warn("versions could not be read to be sent together", error);
    }
    // What did not arrive so finds out by itself why, one row of a key after another.
    const left = items.filter((_, at) => arrived[at] === undefined);
    const firsts = new Map(left.toReversed().map((item) => [item.lane, item]));
    this.#putBack(left.filter((item) => firsts.get(item.lane) !== item));
    for (const item of firsts.values()) void this.#process(item, "small");
    for (const [at, item] of items.entries()) {
      const sent = arrived[at];
      if (sent === undefined) continue;
      this.#leave("small");
      const bytes = item.row.size;
      this.#end(item, this.#arrived(item, { kind: "sent", bytes, what: "object" }, sent, startedMs));
    }
  }

  /** Each try costs as much as a version that is taken: a target that refuses everything gets so many a second. */
  #mayTry(): boolean {
    if (this.#refusedInARow < limits.REFUSED_IN_A_ROW) return true;
    if (this.#tries.left > 0) {
      this.#tries.take(1);
      return true;
    }
    if (this.#pumpPlanned) return false;
    this.#pumpPlanned = true;
    void this.#deps.clock
      .sleep(limits.TRY_AGAIN_MS, this.#abort.signal)
      .then(() => this.#tryNewest())
      .then(() => {
        this.#pumpPlanned = false;
        this.#pump();
      });
    return false;
  }

  /** Many rows that can never go through must not hold up those behind them: where these are taken, all are tried again. */
  async #tryNewest(): Promise<void> {
    const { index, warn } = this.#deps;
    if (this.#newestTries.left === 0) return;
    this.#newestTries.take(1);
    try {
      const [entry] = await index.scan(logRange(this.arn), { limit: 1, reverse: true });
      if (entry === undefined || this.#abort.signal.aborted || !this.#connection.endpoint.isKnownAndOpen) return;
      const item = itemOf(entry);
      if (this.#known.has(item.name) || this.#lanes.isBusy(item)) return;
      this.#known.add(item.name);
      this.#lanes.enter(item);
      this.#startAlone(item);
    } catch (error) {
      warn("the change log could not be read", error);
    }
  }

  /** The target is away: rows go back to the log, where they are. */
  #release(): void {
    for (const lane of ["small", "large"] as const)
      for (const item of this.#waiting[lane].drain()) this.#known.delete(item.name);
    for (const item of this.#lanes.drain()) this.#known.delete(item.name);
    this.#from = undefined;
    this.#more = true;
  }

  /**
   * Reads on behind the rows read last. The commit of another process that serves, or of a clock that went back, may put
   * a row before them: so a log of few rows is read from its start soon after, a long one now and then (`run`).
   */
  async #read(): Promise<void> {
    this.#more = false;
    const { start, end } = logRange(this.arn);
    const isShort = this.#known.size < limits.LOOKAHEAD_ROWS;
    const sinceMs = Math.abs(this.#deps.clock.nowMs() - this.#rewoundAtMs);
    if (isShort && sinceMs >= limits.LOOK_AGAIN_MS) this.#from = undefined;
    const from = this.#from;
    try {
      const page = await this.#deps.index.scan({ start: from ?? start, end }, { limit: limits.LOOKAHEAD_ROWS });
      const last = page.at(-1);
      if (last !== undefined) this.#from = keyAfter(last.key);
      for (const entry of page) this.#admit(entry);
      if (page.length === limits.LOOKAHEAD_ROWS) this.#more = true;
      if (from === undefined) this.#rewoundAtMs = this.#deps.clock.nowMs();
      else if (isShort) this.#lookSoon();
      if (from !== undefined && !this.#retries.isFlushing) return;
      const again = await this.#retries.read(this.#known.size, (entry) => this.#admit(entry));
      if (again) this.#more = true;
    } catch (error) {
      this.#deps.warn("the change log could not be read", error);
    }
  }

  /** False: it is in memory already. */
  #admit(entry: Entry): boolean {
    const name = nameOf(entry);
    if (this.#known.has(name)) return false;
    this.#known.add(name);
    const item = itemOf(entry);
    if (this.#firstRows > 0 && item.row.time < this.#since) {
      this.#firstRows--;
      this.#unsure.add(name);
    }
    this.#waiting[item.large ? "large" : "small"].push(item);
    return true;
  }

  async #process(item: QueueItem, lane: "small" | "large"): Promise<void> {
    const { row } = item;
    const startedMs = this.#deps.clock.nowMs();
    this.activity.working(this.inFlight);
    // A target of our own refuses what was purged there, without being asked.
    const unsure = this.#unsure.delete(item.name) && this.#connection.ingest?.isSpoken !== true;
    const sent = await sendVersion(this.#deps.objects, this.#connection, {
      bucket: row.bucket,
      bucketId: row.bucketId,
      key: row.key,
      versionId: row.versionId,
      compareFirst: row.operation === "metadata" || row.attempts > 0 || unsure,
      repeated: row.attempts > 0,
      skipCompleted: true,
      marks: {},
      signal: this.#abort.signal,
    });
    this.#leave(lane);
    this.#end(item, this.#abort.signal.aborted ? undefined : await this.#judge(item, sent, startedMs));
  }

  #leave(lane: "small" | "large"): void {
    this.#running[lane]--;
    this.activity.working(this.inFlight);
  }

  /** `ended` undefined: the row stays where it is, and will be read again. */
  #end(item: QueueItem, ended: FinishedLogRow | undefined): void {
    if (ended === undefined) {
      this.#forget([item]);
      this.#from = undefined;
    } else this.#finish(item, ended);
    this.#pumpSoon();
  }

  /** How the row ends; undefined: it stays where it is. */
  async #judge(item: QueueItem, { outcome, local }: Sent, startedMs: number): Promise<FinishedLogRow | undefined> {
    switch (outcome.kind) {
      case "gone":
        return { rowKey: item.rowKey, row: item.row, raw: item.raw };
      case "sent":
      case "alreadyEqual":
      case "purged":
      case "purgedThere":
        return this.#arrived(item, outcome, local.kind === "version" ? local.stored : undefined, startedMs);
      case "retry":
        // No answer: is it the target or this request? Only the latter is put off; else the row waits for the target.
        if (outcome.network && !(await this.#connection.endpoint.confirm())) {
          this.#unsure.add(item.name);
          return undefined;
        }
        if (!outcome.network) this.#refusedInARow++;
        return this.#putOff(item, outcome, outcome.afterMs ?? backoffMs(item.row.attempts, this.#deps.random));
      case "refused":
        return this.#putOff(item, outcome, limits.REFUSED_RETRY_MS, true);
      default:
        return unreachable(outcome);
    }
  }

  /** The target is in line with `version` (undefined: with its purge). */
  #arrived(item: QueueItem, outcome: SendOutcome, version: VersionRow | undefined, startedMs: number): FinishedLogRow {
    const isObject = version?.version.kind === "object";
    this.#tookIt(item, outcome, startedMs);
    return {
      rowKey: item.rowKey,
      row: item.row,
      raw: item.raw,
      status: "COMPLETED",
      sent: outcome.kind === "purged" ? "purge" : (version ?? "purge"),
      losesRegisters: isObject && isMinio(this.#connection),
      counted: outcome.kind === "sent" ? { as: "sent", bytes: isObject ? version.version.size : 0 } : MET,
    };
  }

  #tookIt(item: QueueItem, outcome: SendOutcome, startedMs: number): void {
    const nowNs = this.#deps.clock.nowNs();
    const tookMs = this.#deps.clock.nowMs() - startedMs;
    const lagMs = Number(nowNs - item.row.time) / 1e6;
    const first = item.row.attempts === 0;
    if (outcome.kind === "sent") this.activity.sent({ bytes: outcome.bytes, tookMs, lagMs, large: item.large, first });
    const refusedAll = this.#refusedInARow >= limits.REFUSED_IN_A_ROW;
    this.#refusedInARow = 0;
    // A row that had failed went through, or one at last: whatever stood in the way of the others is probably gone too.
    if (first && !refusedAll) return;
    this.#retries.wentThrough();
  }

  #putOff(
    item: QueueItem,
    outcome: { reason: string; code: string },
    delayMs: number,
    refused = false,
  ): FinishedLogRow {
    const { row, rowKey } = item;
    this.activity.failed(outcome.code, row.size);
    if (row.attempts > 0) this.activity.retried();
    this.#retries.failed();
    const due = this.#retries.dueIn(delayMs);
    const reason = `${outcome.code}: ${outcome.reason}`;
    const status = refused ? "NOT_REPLICABLE" : "FAILED";
    return { rowKey, row, status, retry: { due, reason, refused }, counted: { as: "failed", bytes: row.size } };
  }

  #finish(item: QueueItem, row: FinishedLogRow): void {
    this.#finished.push({ item, row });
    this.#finishing.start();
  }

  async #commitFinished(): Promise<void> {
    const batch = this.#finished.splice(0, FINISH_BATCH);
    try {
      await this.#deps.objects.finishLogRows(
        this.arn,
        batch.map(({ row }) => row),
      );
      if (batch.some(({ row }) => row.retry !== undefined)) this.#waker.wake();
    } catch (error) {
      // The rows stay in the log and are read again; the targets hold the versions, so the repeat costs little.
      this.#deps.warn("finished replication could not be recorded", error);
      await this.#deps.clock.sleep(limits.RETRY_FIRST_MS, this.#abort.signal);
      this.#from = undefined;
      this.#more = true;
    }
    this.#forget(batch.map(({ item }) => item));
    this.#pump();
  }

  /** The rows left memory: the next ones of their keys run. */
  #forget(items: readonly QueueItem[]): void {
    for (const { name } of items) this.#known.delete(name);
    const next = items.map((item) => this.#lanes.leave(item)).filter((item) => item !== undefined);
    if (!this.#abort.signal.aborted) this.#start(next);
  }
}
