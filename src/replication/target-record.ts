/** A remote target as stored, as a client sends it, and as it is listed (replication.md 2.1 to 2.3). */
import { z } from "zod";
import { StoreError } from "../model/errors.ts";
import type { Arn } from "../model/names.ts";
import { ZERO_TIME } from "../protocol/time.ts";
import type { HealthView } from "./health.ts";
import { msToNs } from "./health.ts";

export interface TargetRecord {
  readonly arn: Arn;
  /** `host:port`, port always spelled out, lower-case; several with commas between them, the preferred one first. */
  readonly endpoint: string;
  /** As the client wrote it: what lists answer. */
  readonly endpointAsGiven: string;
  readonly secure: boolean;
  readonly targetBucket: string;
  readonly accessKey: string;
  /** Sealed. */
  readonly secret: string;
  readonly sessionToken?: string | undefined;
  readonly region: string;
  readonly path: string;
  readonly api: string;
  /** Bytes per second; 0: none. */
  readonly bandwidth: number;
  readonly sync: boolean;
  readonly disableProxy: boolean;
  readonly healthCheckNs: number;
  readonly storageClass: string;
  /** `s3`: plain S3 that mints its own version ids (generic-client.ts). Absent: MinIO's wire. */
  readonly dialect?: "s3" | undefined;
  readonly resetId: string;
  /** RFC 3339. */
  readonly resetBefore: string;
}

const number = z.number().optional();
const text = z.string().optional();
const schema = z.looseObject({
  endpoint: text,
  credentials: z.looseObject({ accessKey: text, secretKey: text, sessionToken: text }).nullish(),
  targetbucket: text,
  secure: z.boolean().optional(),
  path: text,
  api: text,
  arn: text,
  type: text,
  region: text,
  omitempty: text,
  bandwidthlimit: number,
  replicationSync: z.boolean().optional(),
  storageclass: text,
  healthCheckDuration: number,
  disableProxy: z.boolean().optional(),
});
export type TargetInput = z.infer<typeof schema>;

/** Throws XMinioAdminConfigBadJSON. */
export function parseTargetJson(json: unknown): TargetInput {
  const parsed = schema.safeParse(typeof json === "string" ? safeJson(json) : json);
  if (!parsed.success)
    throw new StoreError("XMinioAdminConfigBadJSON", { message: "The target is not a valid JSON document" });
  return parsed.data;
}

function safeJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const ENDPOINTS_MAX = 32;

/** Each `host:port` of a target. */
export const endpointsOf = ({ endpoint }: Pick<TargetRecord, "endpoint">): string[] => endpoint.split(",");

/** `host:port[,host:port...]` in lower case with the ports spelled out. Throws XMinioAdminConfigBadJSON. */
export function normalEndpoints(given: string, secure: boolean): string {
  const all = given.split(",").map((one) => normalEndpoint(one.trim(), secure));
  if (all.length > ENDPOINTS_MAX)
    throw new StoreError("XMinioAdminConfigBadJSON", { message: `A target has at most ${ENDPOINTS_MAX} endpoints` });
  return [...new Set(all)].join(",");
}

function normalEndpoint(given: string, secure: boolean): string {
  const bare = given.replace(/^https?:\/\//i, "").replace(/\/+$/, "");
  let url: URL;
  try {
    url = new URL(`http://${bare}`);
  } catch {
    throw new StoreError("XMinioAdminConfigBadJSON", { message: `"${given}" is not a host with an optional port` });
  }
  const bad = url.pathname !== "/" || url.username !== "" || url.hostname === "" || url.search !== "";
  if (bad)
    throw new StoreError("XMinioAdminConfigBadJSON", { message: `"${given}" is not a host with an optional port` });
  const port = /:(\d+)$/.exec(bare)?.[1] ?? (secure ? "443" : "80");
  return `${url.hostname}:${Number(port)}`;
}

/** The JSON object of list-remote-targets: no secrets, members as MinIO orders and omits them. */
export function listedTarget(record: TargetRecord, sourceBucket: string, health: HealthView): Record<string, unknown> {
  const lastOnline = health.lastOnlineMs === 0 ? ZERO_TIME : new Date(health.lastOnlineMs).toISOString();
  return {
    sourcebucket: sourceBucket,
    endpoint: record.endpointAsGiven,
    credentials: { accessKey: record.accessKey, expiration: ZERO_TIME },
    targetbucket: record.targetBucket,
    secure: record.secure,
    ...(record.path === "" ? {} : { path: record.path }),
    ...(record.api === "" ? {} : { api: record.api }),
    arn: record.arn,
    type: "replication",
    // Clients of 2022 read the region under a name that a slip in a struct tag gave it.
    ...(record.region === "" ? {} : { region: record.region, omitempty: record.region }),
    ...(record.bandwidth === 0 ? {} : { bandwidthlimit: record.bandwidth }),
    replicationSync: record.sync,
    ...(record.storageClass === "" ? {} : { storageclass: record.storageClass }),
    ...(record.healthCheckNs === 0 ? {} : { healthCheckDuration: record.healthCheckNs }),
    disableProxy: record.disableProxy,
    resetBeforeDate: record.resetBefore,
    ...(record.resetId === "" ? {} : { resetID: record.resetId }),
    totalDowntime: msToNs(health.totalDowntimeMs),
    lastOnline,
    isOnline: health.isOnline,
    latency: health.latency,
    ...(record.dialect === undefined ? {} : { dialect: record.dialect }),
    edge: false,
    edgeSyncBeforeExpiry: false,
    offlineCount: health.offlineCount,
  };
}
