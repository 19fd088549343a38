/** Numbers of every process of the site in one answer: whichever process is asked, asks the others. */
import type { Family, MetricsRegistry } from "../observe/metrics.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { MetricsMessage, ProcessMessage } from "./processes.ts";

/** A process that is busy for longer, or has just died, is left out of this answer. */
const WAIT_MS = 1000;
const ID_BYTES = 8;

export interface GatherOptions {
  readonly registry: Pick<MetricsRegistry, "families">;
  /** Other processes of the site. */
  readonly others: number;
  readonly tellOthers: (message: ProcessMessage) => void;
  readonly clock: Clock;
  readonly random: Random;
}

interface Question {
  readonly answers: (readonly Family[])[];
  readonly complete: () => void;
}

export class GatheredMetrics {
  readonly #options: GatherOptions;
  readonly #open = new Map<string, Question>();

  constructor(options: GatherOptions) {
    this.#options = options;
  }

  /** Own families and those of the others, each name once. */
  async families(): Promise<Family[]> {
    const { registry, others, clock, random, tellOthers } = this.#options;
    if (others === 0) return registry.families();
    const id = random.bytes(ID_BYTES).toString("hex");
    const answers: (readonly Family[])[] = [];
    const waiting = new AbortController();
    this.#open.set(id, { answers, complete: () => waiting.abort() });
    tellOthers({ metricsWanted: id });
    const [own] = await Promise.all([registry.families(), clock.sleep(WAIT_MS, waiting.signal)]);
    this.#open.delete(id);
    return merged([own, ...answers]);
  }

  async told(message: MetricsMessage): Promise<void> {
    if ("metricsWanted" in message) {
      const families = await this.#options.registry.families();
      return this.#options.tellOthers({ metricsFor: message.metricsWanted, families });
    }
    // Asked by another process, or too late.
    const question = this.#open.get(message.metricsFor);
    if (question === undefined) return;
    question.answers.push(message.families);
    if (question.answers.length >= this.#options.others) question.complete();
  }
}

function merged(all: readonly (readonly Family[])[]): Family[] {
  const byName = new Map<string, Family>();
  for (const known of all.flat()) {
    const before = byName.get(known.name);
    byName.set(
      known.name,
      before === undefined ? known : { ...before, samples: [...before.samples, ...known.samples] },
    );
  }
  return [...byName.values()];
}
