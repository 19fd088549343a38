/** An S3 port over memory, for tests of this layer and those above it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { testIam, TEST_ROOT } from "../iam/testing.ts";
import type { IamService } from "../iam/identities.ts";
import { testSite, type TestSite } from "../objects/testing.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import type { RequestRecord, S3Settings } from "./deps.ts";
import { configureServer, createS3Handler, SERVER_OPTIONS } from "./listener.ts";
import type { ReplicationApi } from "./replication-api.ts";

export interface TestPort {
  readonly endpoint: string;
  readonly port: number;
  readonly site: TestSite;
  readonly iam: IamService;
  readonly records: RequestRecord[];
  readonly server: Server;
  close(): Promise<void>;
}

export { TEST_ROOT };

/** Replication that knows no target: every call answers as for a site without any. */
export const noReplication: ReplicationApi = {
  validateConfig: () => Promise.resolve(),
  configChanged: () => Promise.resolve(),
  removeAllTargets: () => Promise.resolve(),
  check: () => Promise.resolve(),
  metrics: (_bucket, version) => Promise.resolve({ version }),
  resyncStart: (_bucket, request) => Promise.resolve({ target: [request] }),
  resyncStatus: () => Promise.resolve({}),
  resyncCancel: () => Promise.resolve("id"),
};

export async function startTestPort(settings: Partial<S3Settings> = {}, replication = noReplication): Promise<TestPort> {
  const site = testSite();
  const iam = testIam(site.index);
  const records: RequestRecord[] = [];
  const handler = createS3Handler({
    objects: site.objects,
    iam,
    clock: systemClock(),
    random: systemRandom,
    settings: { region: "", domains: [], deploymentId: "d", hostId: "h", serverHeader: "MinIO", ...settings },
    replication,
    observe: { request: (record) => void records.push(record) },
  });
  const server = createServer(SERVER_OPTIONS, handler);
  configureServer(server, handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    site,
    iam,
    records,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
