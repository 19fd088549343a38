/** A scheduler at work for a site of a test. */
import { systemRandom } from "../../runtime/random.ts";
import { Scheduler } from "../scheduler.ts";
import type { TestSite } from "./site.ts";

export interface RunningScheduler {
  readonly scheduler: Scheduler;
  /** Tells it to end; resolves when it has. */
  stop(): Promise<void>;
}

/** `warn` is told of what nobody asked for. */
export function runScheduler(site: TestSite, warn: (message: string, error: unknown) => void): RunningScheduler {
  const { index, objects, clock, targets } = site;
  const scheduler = new Scheduler({ index, objects, clock, targets, random: systemRandom, warn });
  site.onPoke = (arns) => arns.forEach((arn) => scheduler.poke(arn));
  const ending = new AbortController();
  const ended = scheduler.run(ending.signal);
  return {
    scheduler,
    stop() {
      ending.abort();
      return ended;
    },
  };
}
