/**
 * Routes that describe the server (admin-api.md 6.1, 6.2). One site is shown as one pool with one set of one drive:
 * clients index these arrays by each other, so they must agree.
 */
import { rfc3339Nano } from "../protocol/time.ts";
import type { Answer } from "./answer.ts";
import { json } from "./answer.ts";
import type { AdminDeps, DiskUsage } from "./deps.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";
import { siteUsage } from "./usage.ts";

function drive(deps: AdminDeps, disk: DiskUsage): object {
  return {
    endpoint: disk.path,
    path: disk.path,
    state: deps.site.ready() ? "ok" : "offline",
    uuid: deps.settings.deploymentId,
    totalspace: disk.total,
    usedspace: disk.used,
    availspace: disk.free,
    used_inodes: disk.filesUsed,
    free_inodes: disk.filesFree,
    metrics: {},
    local: true,
    pool_index: 0,
    set_index: 0,
    disk_index: 0,
  };
}

function server(deps: AdminDeps, disk: DiskUsage): object {
  const { site, settings, clock } = deps;
  const ready = site.ready();
  return {
    state: ready ? "online" : "initializing",
    endpoint: site.nodeName,
    scheme: site.secure ? "https" : "http",
    uptime: Math.max(0, Math.floor((clock.nowMs() - site.startedMs) / 1000)),
    version: settings.version,
    network: { [site.nodeName]: "online" },
    drives: [drive(deps, disk)],
    poolNumber: 1,
    poolNumbers: [1],
    runtime_version: process.version,
    edition: "",
    is_leader: true,
    ilm_expiry_in_progress: false,
  };
}

/** One entry for the embedded key ring, one for each endpoint of a key server; undefined without a key ring. */
async function keyServers({ keyRing }: AdminDeps): Promise<object[] | undefined> {
  if (keyRing === undefined) return undefined;
  const { name, version, endpoints } = await keyRing.status();
  const listed = Object.entries(endpoints).map(([endpoint, status]) => ({ status, endpoint, version }));
  return listed.length > 0 ? listed : [{ status: "online", endpoint: name, version }];
}

async function info({ deps }: AdminRequest): Promise<Answer> {
  const { settings, site } = deps;
  const [usage, disk, kmsStatus] = await Promise.all([siteUsage(deps), site.disk(), keyServers(deps)]);
  const ready = site.ready();
  return json({
    mode: ready ? "online" : "initializing",
    ...(settings.domains.length > 0 && { domain: settings.domains }),
    ...(settings.region !== "" && { region: settings.region }),
    deploymentID: settings.deploymentId,
    buckets: { count: usage.buckets.length },
    objects: { count: usage.objects },
    versions: { count: usage.versions },
    deletemarkers: { count: usage.deleteMarkers },
    usage: { size: usage.bytes },
    services: { kms: {}, ...(kmsStatus && { kmsStatus }), ldap: {} },
    backend: {
      backendType: "Erasure",
      onlineDisks: ready ? 1 : 0,
      offlineDisks: ready ? 0 : 1,
      standardSCParity: 0,
      rrSCParity: 0,
      totalSets: [1],
      totalDrivesPerSet: [1],
    },
    servers: [server(deps, disk)],
    pools: {
      0: {
        0: {
          id: 0,
          rawUsage: disk.used,
          rawCapacity: disk.total,
          usage: usage.bytes,
          objectsCount: usage.objects,
          versionsCount: usage.versions,
          deleteMarkersCount: usage.deleteMarkers,
          healDisks: 0,
        },
      },
    },
  });
}

/** BackendInfo of storageinfo and accountinfo: type 2 is erasure coding. */
export function backendInfo({ site }: AdminDeps): object {
  const online = site.ready() ? 1 : 0;
  return {
    Type: 2,
    GatewayOnline: false,
    OnlineDisks: { [site.nodeName]: online },
    OfflineDisks: { [site.nodeName]: 1 - online },
    StandardSCData: [1],
    StandardSCParities: [0],
    StandardSCParity: 0,
    RRSCData: [1],
    RRSCParities: [0],
    RRSCParity: 0,
    TotalSets: [1],
    DrivesPerSet: [1],
  };
}

async function storageInfo({ deps }: AdminRequest): Promise<Answer> {
  return json({ Disks: [drive(deps, await deps.site.disk())], Backend: backendInfo(deps) });
}

async function dataUsage({ deps }: AdminRequest): Promise<Answer> {
  const [usage, disk] = await Promise.all([siteUsage(deps), deps.site.disk()]);
  const buckets = usage.buckets.map(
    ({ bucket, usage: own }) =>
      [
        bucket.name,
        {
          size: own.bytes,
          objectsCount: own.objects,
          versionsCount: own.versions,
          deleteMarkersCount: own.deleteMarkers,
          objectsSizesHistogram: {},
          objectsVersionsHistogram: {},
        },
      ] as const,
  );
  return json({
    lastUpdate: rfc3339Nano(deps.clock.nowNs()),
    objectsCount: usage.objects,
    versionsCount: usage.versions,
    deleteMarkersCount: usage.deleteMarkers,
    objectsTotalSize: usage.bytes,
    bucketsCount: buckets.length,
    bucketsUsageInfo: Object.fromEntries(buckets),
    bucketsSizes: Object.fromEntries(buckets.map(([name, own]) => [name, own.size])),
    capacity: disk.total,
    freeCapacity: disk.free,
    usedCapacity: disk.used,
  });
}

export const INFO_ROUTES: readonly Route[] = [
  { method: "GET", path: "info", query: [], actions: ["admin:ServerInfo"], run: info },
  { method: "GET", path: "storageinfo", query: [], actions: ["admin:StorageInfo"], run: storageInfo },
  { method: "GET", path: "datausageinfo", query: [], actions: ["admin:DataUsageInfo"], run: dataUsage },
];
