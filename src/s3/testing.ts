/** An S3 port over memory, for tests of this layer and those above it. */
import { createHash } from "node:crypto";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { testIam, TEST_ROOT } from "../iam/testing.ts";
import type { IamService } from "../iam/identities.ts";
import { testSite, type TestSite } from "../objects/testing.ts";
import { signRequest } from "../protocol/sigv4-sign.ts";
import { systemClock, type Clock } from "../runtime/clock.ts";
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
  lockChange: async (_bucket, objectLock) => (bucket) => ({ ...bucket, objectLock }),
  configChanged: () => Promise.resolve(),
  removeAllTargets: () => Promise.resolve(0),
  check: () => Promise.resolve(),
  metrics: (_bucket, version) => Promise.resolve({ version }),
  resyncStart: (_bucket, request) => Promise.resolve({ target: [request] }),
  resyncStatus: () => Promise.resolve({}),
  resyncCancel: () => Promise.resolve("id"),
  reconcile: () => Promise.resolve(Buffer.alloc(0)),
  peersFor: () => Promise.resolve([]),
  proxied: () => undefined,
  resyncPlan: () =>
    Promise.resolve(
      (async function* () {
        yield { done: true };
      })(),
    ),
  resyncControl: () => Promise.resolve({}),
  resyncReport: () => Promise.resolve("{}"),
};

export async function startTestPort(
  settings: Partial<S3Settings> = {},
  replication = noReplication,
  clock: Clock = systemClock(),
): Promise<TestPort> {
  const site = testSite(clock);
  const iam = testIam(site.index);
  const records: RequestRecord[] = [];
  const handler = createS3Handler({
    objects: site.objects,
    iam,
    clock,
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

export interface Call {
  readonly method: string;
  /** Raw path, percent-encoded. */
  readonly path: string;
  /** Raw query without `?`. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Default: the hash of the body. */
  readonly payloadHash?: string;
  /** null: send no signature. */
  readonly credentials?: { readonly accessKey: string; readonly secretKey: string } | null;
  readonly nowMs?: number;
  /** Headers that are sent but not signed, e.g. `transfer-encoding`; or sent in other lines than those signed. */
  readonly unsigned?: Readonly<Record<string, string | string[]>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** `Code` of an error document, or of the headers that HEAD carries; empty without. */
  readonly code: string;
}

/** One signed request as it stands, without a client's cleverness. */
export function call(port: Pick<TestPort, "port">, request: Call): Promise<Answer> {
  const body = Buffer.from(request.body ?? "");
  const host = `127.0.0.1:${port.port}`;
  const credentials = request.credentials === undefined ? TEST_ROOT : request.credentials;
  const payloadHash = request.payloadHash ?? createHash("sha256").update(body).digest("hex");
  const own = { host, ...request.headers };
  const signed =
    credentials === null
      ? { ...own, ...(request.payloadHash === undefined ? {} : { "x-amz-content-sha256": payloadHash }) }
      : signRequest({
          ...credentials,
          region: "us-east-1",
          method: request.method,
          path: request.path,
          query: request.query ?? "",
          headers: own,
          payloadHash,
          nowMs: request.nowMs ?? Date.now(),
        });
  const path = request.query === undefined ? request.path : `${request.path}?${request.query}`;
  const chunked = request.unsigned?.["transfer-encoding"] !== undefined;
  const length =
    chunked || request.unsigned?.["content-length"] !== undefined ? {} : { "content-length": String(body.length) };
  const headers = { ...signed, ...length, ...request.unsigned };
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { port: port.port, method: request.method, path, headers, agent: false },
      (incoming) => {
        const pieces: Buffer[] = [];
        incoming.on("data", (piece: Buffer) => pieces.push(piece));
        incoming.on("end", () => resolve(answerOf(incoming, Buffer.concat(pieces).toString("utf8"))));
        incoming.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function answerOf(incoming: IncomingMessage, body: string): Answer {
  const headers = incoming.headers as Record<string, string>;
  const code = headers["x-minio-error-code"] ?? /<Code>([^<]*)<\/Code>/.exec(body)?.[1] ?? "";
  return { status: incoming.statusCode ?? 0, headers, rawHeaders: incoming.rawHeaders, body, code };
}
