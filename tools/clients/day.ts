/** A client's normal day against one site: what it does, step by step, and what came of it. */
import type { Feature } from "./features.ts";

export interface ClientSite {
  readonly url: string;
  readonly port: number;
  readonly accessKey: string;
  readonly secretKey: string;
  /** An empty folder of the client's own. */
  readonly folder: string;
}

export interface Client {
  readonly name: string;
  /** Where it comes from, as one would type it. */
  readonly install: string;
  /** What is installed; undefined: nothing, the day is skipped and said so. */
  version(): Promise<string | undefined>;
  /** What the site and the client need of each other: a setting, a flag. For the table. */
  readonly remarks: string;
  /** In this order. A feature that is absent is one that the client does not have. */
  day(site: ClientSite): readonly Step[];
}

export interface Step {
  readonly feature: Feature;
  readonly run: () => Promise<void>;
}

export interface StepResult {
  readonly feature: Feature;
  /** Undefined: it worked. */
  readonly fault?: string | undefined;
}

/** Runs every step, also after one that failed. */
export async function runDay(client: Client, site: ClientSite): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (const { feature, run } of client.day(site)) {
    try {
      await run();
      results.push({ feature });
    } catch (error) {
      results.push({ feature, fault: error instanceof Error ? error.message : String(error) });
    }
  }
  return results;
}
