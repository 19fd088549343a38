/** The metrics endpoints: which families each one shows, and the numbers that are read from the site when asked. */
import type { Bucket } from "../model/bucket.ts";
import type { Family, FamilyOptions } from "../observe/metrics.ts";
import { family, renderMetrics } from "../observe/metrics.ts";
import type { AdminDeps } from "./deps.ts";
import { linkFamilies, replicationFamilies } from "./metrics-replication.ts";
import { scrubFamilies } from "./metrics-scrub.ts";
import { verifyFamilies } from "./metrics-verify.ts";
import { siteUsage } from "./usage.ts";

const V3 = "/minio/metrics/v3";

/** Endpoints of version 2 and the placements that each shows. */
const V2_ENDPOINTS: ReadonlyMap<string, readonly FamilyOptions["v2"][]> = new Map([
  ["/minio/v2/metrics/cluster", ["cluster"]],
  ["/minio/v2/metrics/node", ["node"]],
  ["/minio/v2/metrics/bucket", ["bucket"]],
  ["/minio/v2/metrics/resource", ["node"]],
  ["/minio/prometheus/metrics", ["cluster", "node", "bucket"]],
]);

export function isMetricsPath(path: string): boolean {
  return V2_ENDPOINTS.has(path) || path === V3 || path.startsWith(`${V3}/`);
}

const place = (v2: FamilyOptions["v2"], name: string, help: string, v3Path: string, v3Name: string): FamilyOptions => ({
  name,
  help,
  v2,
  v3: { path: v3Path, name: v3Name },
});

const one = (options: FamilyOptions, value: number): Family => family("gauge", options, [[{}, value]]);

async function siteFamilies(deps: AdminDeps): Promise<Family[]> {
  const [usage, disk] = await Promise.all([siteUsage(deps), deps.site.disk()]);
  const ready = deps.site.ready() ? 1 : 0;
  const cluster = (name: string, help: string, path: string, v3: string): FamilyOptions =>
    place(
      "cluster",
      `minio_cluster_${name}`,
      help,
      `cluster/${path}`,
      `minio_cluster_${path.replaceAll("/", "_")}_${v3}`,
    );
  return [
    one(cluster("health_status", "1 when the site serves.", "health", "status"), ready),
    one(cluster("nodes_online_total", "Servers that are online.", "health", "nodes_online_count"), ready),
    one(cluster("nodes_offline_total", "Servers that are offline.", "health", "nodes_offline_count"), 1 - ready),
    one(cluster("drive_total", "Drives.", "health", "drives_count"), 1),
    one(cluster("drive_online_total", "Drives that are online.", "health", "drives_online_count"), ready),
    one(cluster("drive_offline_total", "Drives that are offline.", "health", "drives_offline_count"), 1 - ready),
    one(
      cluster("capacity_raw_total_bytes", "Size of the file system.", "health", "capacity_raw_total_bytes"),
      disk.total,
    ),
    one(
      cluster("capacity_raw_free_bytes", "Free bytes of the file system.", "health", "capacity_raw_free_bytes"),
      disk.free,
    ),
    one(cluster("capacity_usable_total_bytes", "Usable size.", "health", "capacity_usable_total_bytes"), disk.total),
    one(cluster("capacity_usable_free_bytes", "Usable free bytes.", "health", "capacity_usable_free_bytes"), disk.free),
    one(cluster("usage_total_bytes", "Bytes of all versions.", "usage/objects", "size_bytes"), usage.bytes),
    one(cluster("usage_object_total", "Objects.", "usage/objects", "count"), usage.objects),
    one(cluster("usage_version_total", "Versions.", "usage/objects", "versions_count"), usage.versions),
    one(
      cluster("usage_deletemarker_total", "Delete markers.", "usage/objects", "delete_markers_count"),
      usage.deleteMarkers,
    ),
    one(cluster("bucket_total", "Buckets.", "usage/objects", "buckets_count"), usage.buckets.length),
    ...bucketFamilies(usage.buckets),
    ...(await replicationFamilies(
      deps,
      usage.buckets.map(({ bucket }) => bucket),
    )),
    ...(await verifyFamilies(
      deps,
      usage.buckets.map(({ bucket }) => bucket),
    )),
    ...(await linkFamilies(deps)),
    ...(await scrubFamilies(
      deps,
      usage.buckets.map(({ bucket }) => bucket),
    )),
  ];
}

/** What each process of the site says of itself. */
export function processFamilies(): Family[] {
  const node = (name: string, help: string): FamilyOptions =>
    place("node", `minio_node_process_${name}`, help, "system/process", `minio_system_process_${name}`);
  return [
    one(node("uptime_seconds", "Seconds since the process started."), process.uptime()),
    one(node("resident_memory_bytes", "Memory of the process."), process.memoryUsage.rss()),
  ];
}

function bucketFamilies(buckets: Awaited<ReturnType<typeof siteUsage>>["buckets"]): Family[] {
  const gauge = (
    name: string,
    v3: string,
    help: string,
    read: (usage: (typeof buckets)[number]["usage"]) => number,
  ): Family => {
    const options = place(
      "bucket",
      `minio_bucket_usage_${name}`,
      help,
      "cluster/usage/buckets",
      `minio_cluster_usage_buckets_${v3}`,
    );
    return family(
      "gauge",
      options,
      buckets.map(({ bucket, usage }) => [{ bucket: bucket.name }, read(usage)] as const),
    );
  };
  return [
    gauge("total_bytes", "total_bytes", "Bytes of all versions of a bucket.", (usage) => usage.bytes),
    gauge("object_total", "objects_count", "Objects of a bucket.", (usage) => usage.objects),
    gauge("version_total", "versions_count", "Versions of a bucket.", (usage) => usage.versions),
    quotaFamily(buckets.map(({ bucket }) => bucket)),
    gauge("deletemarker_total", "delete_markers_count", "Delete markers of a bucket.", (usage) => usage.deleteMarkers),
  ];
}

function quotaFamily(buckets: readonly Bucket[]): Family {
  const limited = buckets.flatMap(({ name, quota }) =>
    quota === undefined ? [] : [[{ bucket: name }, quota] as const],
  );
  const path = "cluster/usage/buckets";
  const v3 = "minio_cluster_usage_buckets_quota_total_bytes";
  const options = place("bucket", "minio_bucket_quota_total_bytes", "Most bytes that a bucket may hold.", path, v3);
  return family("gauge", options, limited);
}

/** `bucket/replication/NAME` is the group `bucket/replication` for one bucket; any other path names a group or a prefix. */
function v3Selection(path: string): { group: string; bucket?: string | undefined } {
  const match = /^(bucket\/(?:api|replication))\/(.+)$/.exec(path);
  return match === null ? { group: path } : { group: match[1] ?? "", bucket: match[2] };
}

function v3Families(families: readonly Family[], path: string): Family[] {
  const { group, bucket } = v3Selection(path);
  const out: Family[] = [];
  for (const known of families) {
    if (known.v3 === undefined) continue;
    const inside = group === "" || known.v3.path === group || known.v3.path.startsWith(`${group}/`);
    if (!inside) continue;
    const samples =
      bucket === undefined ? known.samples : known.samples.filter(({ labels }) => labels["bucket"] === bucket);
    out.push({ ...known, name: known.v3.name, samples });
  }
  return out;
}

function catalogue(families: readonly Family[]): string {
  const rows = families.map(({ name, type, help }) => `| \`${name}\` | \`${type}\` | ${help} |\n`);
  return `| Name | Type | Help |\n| --- | --- | --- |\n${rows.join("")}`;
}

/** Text of a metrics endpoint; undefined when there is no such path. */
export async function metricsText(deps: AdminDeps, path: string, list: boolean): Promise<string | undefined> {
  const server = { server: deps.site.nodeName };
  const own = (await siteFamilies(deps)).map((known) => ({
    ...known,
    samples: known.samples.map((sample) => ({ ...sample, labels: { ...server, ...sample.labels } })),
  }));
  const families = [...own, ...(await deps.metrics.families())];
  const shown = V2_ENDPOINTS.get(path);
  if (shown !== undefined) return renderMetrics(families.filter(({ v2 }) => shown.includes(v2)));
  const selected = v3Families(families, path.slice(V3.length + 1));
  if (selected.length === 0) return undefined;
  return list ? catalogue(selected) : renderMetrics(selected);
}
