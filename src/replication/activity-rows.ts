/**
 * What the queues do, as rows: processes that only serve answer metrics too, and know it from here. Written about once a
 * second while something changes, never waited for, worth nothing after the process that wrote them.
 */
import type { Arn } from "../model/names.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import type { ActivityView } from "./activity.ts";
import { waitingWork } from "./log.ts";
import type { TargetQueue } from "./queue.ts";

const rowKey = (arn: Arn): Buffer => namedRowKey(SPACE.job, `activity/${arn}`);

export class ActivityPublisher {
  readonly #index: OrderedIndex;
  readonly #written = new Map<Arn, Buffer>();

  constructor(index: OrderedIndex) {
    this.#index = index;
  }

  /** Writes what changed since the last time, in one commit. */
  async publish(queues: readonly TargetQueue[]): Promise<void> {
    const commit = new CommitBuilder();
    for (const { arn, activity } of queues) {
      activity.waiting(await waitingWork(this.#index, arn));
      const row = encodeRow(activity.view());
      if (this.#written.get(arn)?.equals(row)) continue;
      this.#written.set(arn, row);
      commit.put(rowKey(arn), row);
    }
    const alive = new Set(queues.map(({ arn }) => arn));
    for (const arn of this.#written.keys()) {
      if (alive.has(arn)) continue;
      this.#written.delete(arn);
      commit.delete(rowKey(arn));
    }
    if (commit.puts.length + commit.deletes.length > 0) await this.#index.commit(commit);
  }
}

/** The last that was written of a target. */
export async function publishedActivity(index: OrderedIndex, arn: Arn): Promise<ActivityView | undefined> {
  const raw = await index.get(rowKey(arn));
  return raw === undefined ? undefined : decodeRow<ActivityView>(raw);
}
