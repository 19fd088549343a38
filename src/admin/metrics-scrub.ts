/** Numbers of the scrub: what it has read, found and brought back, and what is damaged now. */
import type { Bucket } from "../model/bucket.ts";
import { family, type Family, type FamilyOptions } from "../observe/metrics.ts";
import { countDamaged, scrubState } from "../resync/scrub.ts";
import type { AdminDeps } from "./deps.ts";

/** Most damaged versions that a scrape counts. */
const DAMAGED_COUNTED = 10_000;

export async function scrubFamilies(deps: AdminDeps, buckets: readonly Bucket[]): Promise<Family[]> {
  if (deps.healing === undefined) return [];
  const { index } = deps.healing;
  const [state, damaged] = await Promise.all([scrubState(index), countDamaged(index, buckets, DAMAGED_COUNTED)]);
  const options = (name: string, help: string): FamilyOptions => ({
    name: `resilver_scrub_${name}`,
    help,
    v2: "cluster",
    v3: { path: "cluster/health", name: `resilver_scrub_${name}` },
  });
  const counter = (name: string, help: string, value: number): Family =>
    family("counter", options(name, help), [[{}, value]]);
  const gauge = (name: string, help: string, value: number): Family =>
    family("gauge", options(name, help), [[{}, value]]);
  return [
    counter("versions_total", "Versions whose bytes the scrub has read.", state.versions),
    counter("bytes_total", "Bytes that the scrub has read.", state.bytes),
    counter("passes_total", "Passes over everything stored that have ended.", state.passes),
    counter("missing_total", "Versions whose bytes were found missing by scrub or heal.", state.missing),
    counter("corrupt_total", "Versions whose bytes were found wrong by scrub or heal.", state.corrupt),
    counter("repaired_total", "Versions whose bytes were brought back from a peer by scrub or heal.", state.repaired),
    gauge("damaged_versions", "Versions that are damaged now; at most 10000 are counted.", damaged),
    gauge("last_pass_end_timestamp_seconds", "When the last pass ended, 0 for never.", state.passEndedMs / 1000),
  ];
}
