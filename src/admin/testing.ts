/** An admin API on a loopback port over memory, for tests. */
import { createServer } from "node:http";
import type { Arn } from "../model/names.ts";
import type { AddressInfo } from "node:net";
import { AdminClient } from "../client/admin-client.ts";
import type { IamService } from "../iam/identities.ts";
import { TEST_ROOT, testIam } from "../iam/testing.ts";
import { StoreError } from "../model/errors.ts";
import { MetricsRegistry } from "../observe/metrics.ts";
import { Feed } from "../observe/feed.ts";
import { LogTail } from "../observe/log-tail.ts";
import type { TraceRecord } from "../observe/trace.ts";
import { silentLog } from "../observe/log.ts";
import { testSite } from "../objects/testing.ts";
import type { TestSite } from "../objects/testing.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import { ConfigStore } from "./config-store.ts";
import type { AdminDeps } from "./deps.ts";
import { createAdminHandler } from "./handler.ts";
import type { BacklogApi, TargetsApi } from "./targets-api.ts";

const ARN = "arn:minio:replication::0f0e0d0c-0b0a-4908-8706-050403020100:dst";

/** Remembers what it was asked. */
function recordingTargets(calls: unknown[]): TargetsApi {
  return {
    async set(bucket, target, flags) {
      calls.push(["set", bucket, target, [...flags]]);
      return ARN;
    },
    async list(bucket, type) {
      calls.push(["list", bucket, type]);
      return null;
    },
    async remove(bucket, arn) {
      calls.push(["remove", bucket, arn]);
      throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket });
    },
    lockChange: async (_bucket, objectLock) => (bucket) => ({ ...bucket, objectLock }),
  };
}

const failed = { count: 1, bytes: 5 };
const waiting = { count: 2, bytes: 20 };
const spread = { curr: 1, avg: 0.5, max: 4 };
const NUMBERS = {
  currStats: {
    replicaSize: 7,
    replicaCount: 1,
    Stats: {
      [ARN]: {
        state: "NOT_REPLICABLE",
        completedReplicationSize: 30,
        replicationCount: 3,
        pendingReplicationSize: 20,
        pendingReplicationCount: 2,
        failedReplicationSize: 20,
        failedReplicationCount: 2,
        notReplicableSize: 5,
        notReplicableCount: 1,
        oldestPending: "2026-11-23T00:43:10Z",
        lagMs: 1500,
        failed: { lastMinute: failed, lastHour: failed, totals: failed, errCounts: { AccessDenied: 3, SlowDown: 1 } },
      },
    },
  },
  queueStats: {
    nodes: [
      {
        activeWorkers: spread,
        transferSummary: { Total: { currRate: 10, avgRate: 5, peakRate: 20 } },
        queueStats: { curr: waiting, avg: waiting, max: waiting },
      },
    ],
  },
  proxyStats: { getProxyTotal: 9, getProxyFailed: 1 },
};

const backlog: BacklogApi = {
  async diff(bucket, request) {
    if (request.arn === "unknown") throw new StoreError("InvalidRequest", { bucket });
    const time = "2026-11-23T00:43:10Z";
    return (async function* () {
      for (const object of ["a", "b"]) {
        yield {
          object,
          versionId: "null",
          targets: {},
          rStatus: "FAILED",
          replTimestamp: time,
          lastModified: time,
          deletemarker: false,
        };
      }
    })();
  },
  async failures(bucket) {
    return (async function* () {
      const failing = { versionId: "null", retryCount: 1, state: "FAILED", targetArn: "arn" as Arn } as const;
      yield { nodeName: "n", bucket: bucket ?? "all", object: "a", ...failing };
    })();
  },
};

export interface TestAdmin {
  readonly iam: IamService;
  readonly site: TestSite;
  readonly url: string;
  readonly root: AdminClient;
  /** What targets and process control were asked. */
  readonly calls: unknown[];
  readonly metrics: MetricsRegistry;
  readonly config: ConfigStore;
  readonly traces: Feed<TraceRecord>;
  readonly logTail: LogTail;
  /** Resolves when somebody follows. */
  following(feed: "trace" | "log"): Promise<void>;
  setReady(ready: boolean): void;
  client(accessKey: string, secretKey: string): AdminClient;
  close(): Promise<void>;
}

export async function testAdmin(
  settings: Partial<AdminDeps["settings"]> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<TestAdmin> {
  const site = testSite();
  const iam = testIam(site.index);
  const calls: unknown[] = [];
  const metrics = new MetricsRegistry({ server: "n" });
  const config = await ConfigStore.open({
    index: site.index,
    environment: (name) => environment[name],
    changed: () => void calls.push(["config changed"]),
  });
  const traces = new Feed<TraceRecord>(systemClock());
  const logTail = new LogTail(systemClock());
  let ready = true;
  const handler = createAdminHandler({
    iam,
    objects: site.objects,
    clock: systemClock(),
    random: systemRandom,
    settings: {
      region: "",
      domains: [],
      deploymentId: "11111111-2222-4333-8444-555555555555",
      hostId: "host",
      serverHeader: "MinIO",
      version: "0.1.0",
      metricsPublic: false,
      peerProtocol: "1",
      ...settings,
    },
    site: {
      nodeName: "n:9000",
      secure: false,
      startedMs: Date.now(),
      disk: async () => ({ path: "/data", total: 100, used: 40, free: 60, filesUsed: 4, filesFree: 6 }),
      ready: () => ready,
      control: (action) => void calls.push(["control", action]),
    },
    targets: recordingTargets(calls),
    replication: { metrics: async () => NUMBERS },
    backlog,
    metrics,
    config,
    traces,
    logTail,
    log: silentLog,
  });
  const server = createServer((request, response) => {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    if (handler(request, response, path, query)) return;
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clients: AdminClient[] = [];
  const client = (accessKey: string, secretKey: string): AdminClient => {
    const made = new AdminClient({ url, accessKey, secretKey });
    clients.push(made);
    return made;
  };
  return {
    iam,
    site,
    url,
    calls,
    metrics,
    config,
    traces,
    logTail,
    client,
    async following(feed) {
      const followed = feed === "trace" ? traces : logTail.feed;
      while (!followed.active) await systemClock().sleep(1);
    },
    root: client(TEST_ROOT.accessKey, TEST_ROOT.secretKey),
    setReady: (now) => void (ready = now),
    async close() {
      await Promise.all(clients.map((made) => made.close()));
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
