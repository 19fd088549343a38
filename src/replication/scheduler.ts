/** Keeps one queue running for every target there is; only the process that does the background work runs it. */
import type { Arn } from "../model/names.ts";
import { Waker } from "../runtime/waker.ts";
import { ActivityPublisher } from "./activity-rows.ts";
import { dropLog } from "./log.ts";
import { FALLBACK_POLL_MS, TARGETS_REFRESH_MS } from "./limits.ts";
import { TargetQueue, type QueueDeps } from "./queue.ts";
import type { KnownTarget, Targets } from "./targets.ts";

export interface SchedulerDeps extends QueueDeps {
  readonly targets: Targets;
}

interface Running {
  readonly queue: TargetQueue;
  readonly ended: Promise<void>;
}

export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #queues = new Map<Arn, Running>();
  /** Targets that cannot be connected to, and were named in the log. */
  readonly #named = new Set<Arn>();
  #refreshing: Promise<void> | undefined;
  readonly #waker = new Waker();
  readonly #publisher: ActivityPublisher;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    this.#publisher = new ActivityPublisher(deps.index);
  }

  queue(arn: Arn): TargetQueue | undefined {
    return this.#queues.get(arn)?.queue;
  }

  get queues(): TargetQueue[] {
    return [...this.#queues.values()].map((running) => running.queue);
  }

  /** Rows were written for this target; undefined: look at everything, targets included. */
  poke(arn?: Arn): void {
    const known = arn === undefined ? undefined : this.#queues.get(arn);
    if (known !== undefined) known.queue.poke();
    else this.#waker.wake();
  }

  /** Runs until `signal` aborts; resolves when nothing is under way any more. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, warn } = this.#deps;
    await this.#waker.repeat({
      clock,
      signal,
      idleMs: () => (this.#queues.size === 0 ? FALLBACK_POLL_MS : TARGETS_REFRESH_MS),
      round: async () => {
        await this.#refresh();
        await this.#publisher.publish(this.queues);
      },
      failed: (error) => warn("the replication targets could not be read", error),
    });
    const running = [...this.#queues.values()];
    this.#queues.clear();
    for (const { queue } of running) queue.stop();
    await Promise.all(running.map(({ ended }) => ended));
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#refreshOnce().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refreshOnce(): Promise<void> {
    const known = await this.#deps.targets.all();
    for (const target of known) this.#ensure(target);
    const alive = new Set(known.map(({ record }) => record.arn));
    for (const [arn, running] of this.#queues) {
      if (alive.has(arn)) continue;
      this.#queues.delete(arn);
      running.queue.stop();
      await running.ended;
      // Whoever removed the target dropped its log already, but a row may have been written meanwhile.
      await dropLog(this.#deps.index, arn);
      await this.#deps.targets.connections.forget(arn);
    }
  }

  #ensure(target: KnownTarget): void {
    const { arn } = target.record;
    try {
      const connection = this.#deps.targets.connect(target);
      this.#named.delete(arn);
      const running = this.#queues.get(arn);
      if (running !== undefined) return running.queue.use(connection);
      const queue = new TargetQueue(this.#deps, connection);
      this.#queues.set(arn, { queue, ended: queue.run() });
    } catch (error) {
      // A secret that does not open, an address that is none: no reason to leave the other targets unserved.
      if (this.#named.has(arn)) return;
      this.#named.add(arn);
      this.#deps.warn(`target ${arn} of bucket ${target.bucket} cannot be connected to`, error);
    }
  }
}
