/**
 * `mc admin heal`: one walk over a bucket or prefix that looks at stored bytes and brings back what is damaged. A task
 * runs in the process that took it; its results are rows, so that any process can hand them out.
 */
import type { Bucket } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { HEAL_ITEMS_MAX, HEAL_KEPT_MS, HEAL_LOOK_MS, HEAL_PAGE, HEAL_SILENT_MS, HEAL_UNREAD_MS } from "./limits.ts";
import type { Random } from "../runtime/random.ts";
import type { BlobState } from "../storage/blobs/blobs.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import { namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { examineVersion, type DamageCheckDeps } from "./damage-check.ts";
import { listHere } from "./local-listing.ts";
import { repairVersion, type RepairDeps, type RepairOutcome } from "./repair.ts";
import { countScrub } from "./scrub.ts";

export interface HealRequest {
  /** Absent: every bucket. */
  readonly bucket?: BucketName | undefined;
  readonly prefix: string;
  /** Look only: nothing is recorded, nothing brought back. */
  readonly dryRun: boolean;
  /** Read every byte; otherwise presence, size and time. */
  readonly deep: boolean;
  /** Everything below the prefix; otherwise the bucket itself alone. */
  readonly recursive: boolean;
}

/** One thing that was looked at: a bucket, or a version of an object. */
export interface HealItem {
  readonly number: number;
  readonly bucket: string;
  readonly key?: string | undefined;
  readonly versionId?: string | undefined;
  readonly size: number;
  readonly before: BlobState;
  readonly after: BlobState;
  /** Why it could not be brought back. */
  readonly detail: string;
}

export type HealSummary = "running" | "finished" | "stopped";

export interface HealTask extends HealRequest {
  readonly token: string;
  readonly startedMs: number;
  /** Raised while it lives. */
  readonly updatedMs: number;
  readonly summary: HealSummary;
  readonly detail: string;
}

export interface HealDeps extends DamageCheckDeps, Pick<RepairDeps, "peersFor" | "warn"> {
  readonly random: Random;
}

const taskRow = (token: string): Buffer => namedRowKey(SPACE.job, `heal/${token}`);
const itemsPrefix = (token: string): string => `heal-items/${token}/`;

const WHY: Readonly<Record<Exclude<RepairOutcome, "repaired">, string>> = {
  "no peer": "no rule names a peer that answers",
  "not there": "no peer has this version with its bytes",
  "customer key": "only clients have its key; a resync from a healthy site brings it back",
  failed: "what a peer sent was not what was lost",
};

export class Heals {
  readonly #deps: HealDeps;
  readonly #running = new Map<string, AbortController>();
  readonly #ends = new Set<Promise<void>>();

  constructor(deps: HealDeps) {
    this.#deps = deps;
  }

  /** XMinioHealAlreadyRunning while another walks over the same keys, unless `force`, which ends that one. */
  async start(request: HealRequest, force: boolean): Promise<HealTask> {
    const { objects, clock, random } = this.#deps;
    if (request.bucket !== undefined) await objects.bucket(request.bucket);
    for (const task of await this.#tasks()) {
      if (task.summary !== "running" || !overlap(task, request)) continue;
      if (!force)
        throw new StoreError("XMinioHealAlreadyRunning", {
          message: `Heal is already running on the given path, its token is ${task.token}.`,
        });
      await this.stop(task);
    }
    const nowMs = clock.nowMs();
    const token = random.uuid();
    const task: HealTask = { ...request, token, startedMs: nowMs, updatedMs: nowMs, summary: "running", detail: "" };
    await this.#save(task);
    this.#launch(task);
    return task;
  }

  #launch(task: HealTask): void {
    const abort = new AbortController();
    this.#running.set(task.token, abort);
    const ended = this.#run(task, abort.signal)
      .catch((error: unknown) => this.#deps.warn("a heal ended unexpectedly", error))
      .finally(() => {
        this.#running.delete(task.token);
        this.#ends.delete(ended);
      });
    this.#ends.add(ended);
  }

  /** Ends a task, wherever it runs. Returns it; XMinioHealNoSuchProcess when there is none. */
  async stop(at: Pick<HealRequest, "bucket" | "prefix">): Promise<HealTask> {
    const found = (await this.#tasks()).find((task) => task.summary === "running" && overlap(task, at));
    if (found === undefined) throw new StoreError("XMinioHealNoSuchProcess");
    const stopped: HealTask = { ...found, summary: "stopped", detail: "it was stopped on request" };
    await this.#save(stopped);
    this.#running.get(found.token)?.abort();
    return stopped;
  }

  /** How a task stands, with what was found since the last question. XMinioHealInvalidClientToken. */
  async status(token: string): Promise<{ task: HealTask; items: readonly HealItem[] }> {
    const raw = await this.#deps.index.get(taskRow(token));
    if (raw === undefined) throw new StoreError("XMinioHealInvalidClientToken");
    let task = decodeRow<HealTask>(raw);
    const silentMs = this.#deps.clock.nowMs() - task.updatedMs;
    if (task.summary === "running" && silentMs > HEAL_SILENT_MS && !this.#running.has(token)) {
      task = { ...task, summary: "stopped", detail: "the server process that healed has ended; start it again" };
      await this.#save(task);
    }
    const items: HealItem[] = [];
    const commit = new CommitBuilder();
    const range = namedRange(SPACE.job, itemsPrefix(token));
    for (const { key, value } of await this.#deps.index.scan(range, { limit: HEAL_ITEMS_MAX / HEAL_PAGE })) {
      items.push(...decodeRow<{ items: HealItem[] }>(value).items);
      commit.delete(key);
    }
    if (items.length > 0) await this.#deps.index.commit(commit);
    // What is left is asked for first: a client stops at the last word.
    const more = items.length >= HEAL_ITEMS_MAX;
    return { task: more && task.summary === "finished" ? { ...task, summary: "running" } : task, items };
  }

  /** Ends what runs in this process. */
  async close(): Promise<void> {
    for (const abort of this.#running.values()) abort.abort();
    await Promise.all(this.#ends);
  }

  async #save(task: HealTask): Promise<void> {
    await this.#deps.index.commit(new CommitBuilder().put(taskRow(task.token), encodeRow(task)));
  }

  /** Every task that is still known; ended ones are forgotten after a while. */
  async #tasks(): Promise<HealTask[]> {
    const { index, clock } = this.#deps;
    const known: HealTask[] = [];
    for (const { key, value } of await index.scan(namedRange(SPACE.job, "heal/"), { limit: 10_000 })) {
      const task = decodeRow<HealTask>(value);
      const ageMs = clock.nowMs() - task.updatedMs;
      if (ageMs > HEAL_KEPT_MS) await this.#forget(key, task.token);
      else if (task.summary !== "running" || ageMs <= HEAL_SILENT_MS || this.#running.has(task.token)) known.push(task);
    }
    return known;
  }

  async #forget(row: Buffer, token: string): Promise<void> {
    const commit = new CommitBuilder().delete(row);
    const range = namedRange(SPACE.job, itemsPrefix(token));
    for (const { key } of await this.#deps.index.scan(range, { limit: 10_000, keysOnly: true })) commit.delete(key);
    await this.#deps.index.commit(commit);
  }

  async #run(task: HealTask, signal: AbortSignal): Promise<void> {
    const writer = new Results(this.#deps, task);
    let [summary, detail]: [HealSummary, string] = ["finished", ""];
    try {
      await this.#walk(task, writer, signal);
    } catch (error) {
      if (!signal.aborted) [summary, detail] = ["stopped", error instanceof Error ? error.message : String(error)];
    }
    if (signal.aborted) return;
    await writer.flush();
    await this.#save({ ...task, updatedMs: this.#deps.clock.nowMs(), summary, detail });
  }

  async #walk(task: HealTask, writer: Results, signal: AbortSignal): Promise<void> {
    const { objects } = this.#deps;
    const buckets = task.bucket === undefined ? await objects.buckets() : [await objects.bucket(task.bucket)];
    for (const bucket of buckets) {
      await writer.add({ bucket: bucket.name, size: 0, before: "ok", after: "ok", detail: "" }, signal);
      if (!task.recursive && task.prefix === "") continue;
      for await (const { versions } of listHere(objects, bucket.name, "", task.prefix)) {
        for (const version of versions) {
          if (version.kind === "object") await writer.add(await this.#heal(task, bucket, version), signal);
          if (signal.aborted) return;
        }
      }
    }
  }

  async #heal(task: HealTask, bucket: Bucket, version: ObjectVersion): Promise<Omit<HealItem, "number">> {
    const before = await examineVersion(this.#deps, bucket, version, task);
    const { key, versionId, size } = version;
    const item = { bucket: bucket.name, key, versionId, size, before, after: before, detail: "" };
    if (before === "ok" || task.dryRun) return item;
    const outcome = await repairVersion(this.#deps, bucket, { ...version, damaged: before });
    const repaired = outcome === "repaired" ? 1 : 0;
    const found = version.damaged === undefined ? 1 : 0;
    await countScrub(this.#deps.index, (now) => ({
      ...now,
      [before]: now[before] + found,
      repaired: now.repaired + repaired,
    }));
    return outcome === "repaired" ? { ...item, after: "ok" } : { ...item, detail: WHY[outcome] };
  }
}

/** Two tasks would walk over the same keys. */
function overlap(a: Pick<HealRequest, "bucket" | "prefix">, b: Pick<HealRequest, "bucket" | "prefix">): boolean {
  if (a.bucket === undefined || b.bucket === undefined) return true;
  return a.bucket === b.bucket && (a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix));
}

/** What a task found, as rows that wait for the client: bounded, so that a slow reader slows the walk. */
class Results {
  readonly #deps: HealDeps;
  #task: HealTask;
  #items: HealItem[] = [];
  #number = 0;
  #row = 0;
  #flushedMs: number;

  constructor(deps: HealDeps, task: HealTask) {
    this.#deps = deps;
    this.#task = task;
    this.#flushedMs = task.startedMs;
  }

  async add(item: Omit<HealItem, "number">, signal: AbortSignal): Promise<void> {
    this.#items.push({ number: ++this.#number, ...item });
    const late = this.#deps.clock.nowMs() - this.#flushedMs >= HEAL_LOOK_MS;
    if (this.#items.length < HEAL_PAGE && !late) return;
    await this.flush();
    await this.#room(signal);
  }

  async flush(): Promise<void> {
    const name = `${itemsPrefix(this.#task.token)}${String(this.#row++).padStart(12, "0")}`;
    this.#flushedMs = this.#deps.clock.nowMs();
    const commit = new CommitBuilder();
    if (this.#items.length > 0) commit.put(namedRowKey(SPACE.job, name), encodeRow({ items: this.#items }));
    const key = taskRow(this.#task.token);
    const raw = await this.#deps.index.get(key);
    // Stopped by another process: its word stays.
    if (raw === undefined || decodeRow<HealTask>(raw).summary !== "running") throw new Error("it was stopped");
    this.#task = { ...this.#task, updatedMs: this.#flushedMs };
    commit.unchanged(key, raw).put(key, encodeRow(this.#task));
    if ((await this.#deps.index.commit(commit)) === "conflict") throw new Error("it was stopped");
    this.#items = [];
  }

  /** Waits while too much is unread. */
  async #room(signal: AbortSignal): Promise<void> {
    const { index, clock } = this.#deps;
    const range = namedRange(SPACE.job, itemsPrefix(this.#task.token));
    for (const sinceMs = clock.nowMs(); !signal.aborted;) {
      const rows = await index.scan(range, { limit: HEAL_ITEMS_MAX / HEAL_PAGE + 1, keysOnly: true });
      if (rows.length <= HEAL_ITEMS_MAX / HEAL_PAGE) return;
      if (clock.nowMs() - sinceMs > HEAL_UNREAD_MS) throw new Error("nobody asks for its results");
      await clock.sleep(HEAL_LOOK_MS, signal);
      await this.flush();
    }
  }
}
