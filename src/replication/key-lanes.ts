/** The order of each key's rows: those of one key run one after another, or together where they travel in one request. */
import type { QueueItem } from "./queue-item.ts";

interface Lane {
  running: number;
  /** In order. Whoever comes next waits behind them. */
  readonly parked: QueueItem[];
}

export class KeyLanes {
  readonly #lanes = new Map<string, Lane>();

  isBusy({ lane }: QueueItem): boolean {
    return this.#lanes.has(lane);
  }

  /** True: the row runs now. False: others of its key do, and it waits behind them. */
  enter(item: QueueItem): boolean {
    const lane = this.#lanes.get(item.lane);
    lane?.parked.push(item);
    if (lane === undefined) this.#lanes.set(item.lane, { running: 1, parked: [] });
    return lane === undefined;
  }

  /** Rows that wait right behind the running `item`, as long as `joins` says so: they run with it. */
  takeFollowing(item: QueueItem, joins: (next: QueueItem) => boolean): QueueItem[] {
    const lane = this.#lanes.get(item.lane);
    const end = lane?.parked.findIndex((next) => !joins(next)) ?? 0;
    const taken = lane?.parked.splice(0, end === -1 ? Infinity : end) ?? [];
    if (lane !== undefined) lane.running += taken.length;
    return taken;
  }

  /** Rows that were to run, in order, wait again: the first of their key still runs. */
  putBack(items: readonly QueueItem[]): void {
    for (const item of items.toReversed()) {
      const lane = this.#lanes.get(item.lane);
      if (lane === undefined) continue;
      lane.running--;
      lane.parked.unshift(item);
    }
  }

  /** A row that ran has ended; the one that runs next: at once, so that none that comes later overtakes it. */
  leave(item: QueueItem): QueueItem | undefined {
    const lane = this.#lanes.get(item.lane);
    if (lane === undefined || --lane.running > 0) return undefined;
    const next = lane.parked.shift();
    if (next === undefined) this.#lanes.delete(item.lane);
    else lane.running = 1;
    return next;
  }

  /** Takes out all that waits. */
  drain(): QueueItem[] {
    return [...this.#lanes.values()].flatMap(({ parked }) => parked.splice(0));
  }
}
