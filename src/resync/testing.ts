/** Resync jobs of a site in memory, for the tests of this layer. */
import assert from "node:assert/strict";
import type { ObjectVersion } from "../model/version.ts";
import { until, type TestSite } from "../replication/testing/site.ts";
import { systemRandom } from "../runtime/random.ts";
import { namedRange, SPACE } from "../storage/keys.ts";
import { ResyncJobs, type JobsDeps } from "./jobs.ts";
import { loadRecords, type ResyncRecord } from "./record.ts";

/** `warnings` collects what nobody asked for. */
export function jobsOf(site: TestSite, warnings: string[], more: Pick<JobsDeps, "saveReport"> = {}): ResyncJobs {
  const { index, objects, clock, targets } = site;
  return new ResyncJobs({
    index,
    objects,
    clock,
    targets,
    random: systemRandom,
    site: "here",
    sealer: { seal: (plain) => plain, open: (sealed) => sealed },
    warn: (message, error) => warnings.push(`${message}: ${String(error)}`),
    ...more,
  });
}

/** Of the only job. */
export async function recordOf(site: TestSite): Promise<ResyncRecord> {
  const [found] = await loadRecords(site.index);
  return found?.record as ResyncRecord;
}

/** The record of the only job once it has ended: its counters add up, and nothing is left of what it meant to send. */
export async function finishedJob(site: TestSite): Promise<ResyncRecord> {
  await until(async () => !["Pending", "Ongoing"].includes((await recordOf(site)).state));
  const record = await recordOf(site);
  const { compared, sent, alreadyEqual, notReplicable, failed } = record.counters;
  assert.equal(sent + alreadyEqual + notReplicable + failed, compared);
  assert.deepEqual(await site.index.scan(namedRange(SPACE.job, "resync-intents/"), { limit: 1 }), []);
  return record;
}

export const keyOf = (i: number): string => `k${String(i).padStart(4, "0")}`;

/** Versions of the keys from `keyOf(0)` on. */
export const fillWith = (site: TestSite, count: number): Promise<ObjectVersion[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => site.put(keyOf(i), `body ${i}`)));
