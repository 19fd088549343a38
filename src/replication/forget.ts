/**
 * When a target is removed, versions that still wait for it would say PENDING for ever: a job with a durable cursor takes
 * those statuses away. Its row is written in the commit that removes the target.
 */
import type { Arn } from "../model/names.ts";
import { dropStatuses } from "../objects/status.ts";
import type { Clock } from "../runtime/clock.ts";
import { Waker } from "../runtime/waker.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { FALLBACK_POLL_MS } from "./limits.ts";
import { dropLog } from "./log.ts";
import { dropRemoteIds } from "./remote-ids.ts";

const PREFIX = "forget/";

interface ForgetJob {
  readonly bucketId: string;
  readonly arn: Arn;
  /** Hex of the row key where the next step begins. */
  readonly from?: string | undefined;
}

/** Adds the job to the commit that removes a target. */
export function putForgetJob(commit: CommitBuilder, bucketId: string, arn: Arn): void {
  commit.put(namedRowKey(SPACE.job, `${PREFIX}${bucketId}/${arn}`), encodeRow({ bucketId, arn } satisfies ForgetJob));
}

export interface ForgetDeps {
  readonly index: OrderedIndex;
  readonly clock: Clock;
  readonly warn: (message: string, error: unknown) => void;
}

export class ForgottenTargets {
  readonly #deps: ForgetDeps;
  readonly #waker = new Waker();

  constructor(deps: ForgetDeps) {
    this.#deps = deps;
  }

  /** A target was removed. */
  wake(): void {
    this.#waker.wake();
  }

  /** Works off open jobs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, warn } = this.#deps;
    await this.#waker.repeat({
      clock,
      signal,
      idleMs: () => FALLBACK_POLL_MS * 4,
      round: () => this.#work(signal),
      failed: (error) => warn("statuses of a removed target could not be put right", error),
    });
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { index } = this.#deps;
    for (const { key, value } of await index.scan(namedRange(SPACE.job, PREFIX), { limit: 1000 })) {
      const job = decodeRow<ForgetJob>(value);
      let from: Buffer | undefined = job.from === undefined ? undefined : Buffer.from(job.from, "hex");
      do {
        if (signal.aborted) return;
        from = await dropStatuses(index, job.bucketId, job.arn, from);
        if (from !== undefined)
          await index.commit(new CommitBuilder().put(key, encodeRow({ ...job, from: from.toString("hex") })));
      } while (from !== undefined);
      // A row written by a commit that was under way when the target went.
      await dropLog(index, job.arn);
      await dropRemoteIds(index, job.arn);
      await index.commit(new CommitBuilder().delete(key));
    }
  }
}
