/** How much a site holds, bucket by bucket and in all: exact, from the counters of the index. */
import type { Bucket } from "../model/bucket.ts";
import type { AdminDeps } from "./deps.ts";

export interface Usage {
  readonly objects: number;
  readonly versions: number;
  readonly deleteMarkers: number;
  readonly bytes: number;
}

export interface SiteUsage extends Usage {
  readonly buckets: readonly { readonly bucket: Bucket; readonly usage: Usage }[];
}

export async function siteUsage(deps: Pick<AdminDeps, "objects">): Promise<SiteUsage> {
  const buckets: { bucket: Bucket; usage: Usage }[] = [];
  const sum = { objects: 0, versions: 0, deleteMarkers: 0, bytes: 0 };
  for (const bucket of await deps.objects.buckets()) {
    const usage = await deps.objects.usage(bucket);
    buckets.push({ bucket, usage });
    sum.objects += usage.objects;
    sum.versions += usage.versions;
    sum.deleteMarkers += usage.deleteMarkers;
    sum.bytes += usage.bytes;
  }
  return { ...sum, buckets };
}
