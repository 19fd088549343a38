/** What the admin API is given: the layers below it and what it must know of the process around it. */
import type { IamService } from "../iam/identities.ts";
import type { CallerDeps } from "../iam/signed-caller.ts";
import type { Feed } from "../observe/feed.ts";
import type { LogTail } from "../observe/log-tail.ts";
import type { Logger } from "../observe/log.ts";
import type { MetricsRegistry } from "../observe/metrics.ts";
import type { TraceRecord } from "../observe/trace.ts";
import type { BucketName } from "../model/names.ts";
import type { Objects } from "../objects/objects.ts";
import type { Heals } from "../resync/heal.ts";
import type { Random } from "../runtime/random.ts";
import type { KeyRing } from "../storage/keyring/keyring.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import type { TargetVerifier } from "../verify/target.ts";
import type { ConfigStore } from "./config-store.ts";
import type { BacklogApi, TargetsApi } from "./targets-api.ts";

export interface AdminSettings {
  /** Empty: not configured. */
  readonly region: string;
  readonly domains: readonly string[];
  readonly deploymentId: string;
  /** x-amz-id-2 and HostId. */
  readonly hostId: string;
  readonly serverHeader: string;
  /** Shown as the server's version. */
  readonly version: string;
  /** Metrics need no token. */
  readonly metricsPublic: boolean;
  /** Value of `x-resilver` on /minio/health/live: the protocol version that peers may use. Absent: MinIO's wire alone. */
  readonly peerProtocol: string | undefined;
}

/** The file system that holds the site. Bytes. */
export interface DiskUsage {
  readonly path: string;
  readonly total: number;
  readonly used: number;
  readonly free: number;
  readonly filesUsed: number;
  readonly filesFree: number;
}

export const SERVICE_ACTIONS = ["restart", "stop", "freeze", "unfreeze"] as const;
export type ServiceAction = (typeof SERVICE_ACTIONS)[number];

/** The process and its machine. */
export interface Site {
  /** `host:port` under which clients know this server. */
  readonly nodeName: string;
  readonly secure: boolean;
  readonly startedMs: number;
  disk(): Promise<DiskUsage>;
  /** False while storage is not open yet. */
  ready(): boolean;
  /** Called after the answer has left. Freeze makes S3 calls wait until unfreeze. */
  control(action: ServiceAction): void;
}

export interface AdminDeps extends CallerDeps {
  readonly iam: IamService;
  readonly objects: Objects;
  readonly random: Random;
  readonly settings: AdminSettings;
  readonly site: Site;
  readonly targets: TargetsApi;
  /** Absent: nothing is encrypted here. */
  readonly keyRing?: KeyRing | undefined;
  /** The code of what is wrong with the default key; absent: there is no key ring. */
  readonly keyFault?: (() => Promise<string | undefined>) | undefined;
  readonly backlog: BacklogApi;
  /** Numbers of a bucket's replication: the document of replication.md 9.1. Absent: metrics leave replication out. */
  readonly replication?: { metrics(bucket: BucketName, version: 1 | 2): Promise<object> } | undefined;
  /** Compares buckets with their targets; absent: this server cannot. */
  readonly verifier?: Pick<TargetVerifier, "start" | "results"> | undefined;
  /** Checks and repairs stored bytes; absent: this server cannot. */
  readonly healing?:
    | { readonly index: OrderedIndex; readonly heals: Pick<Heals, "start" | "stop" | "status"> }
    | undefined;
  /** Settings that can be changed; absent: none. */
  readonly config?: ConfigStore | undefined;
  /** Traces of everything that answers or sends here; absent: there are none. */
  readonly traces?: Feed<TraceRecord> | undefined;
  readonly logTail?: LogTail | undefined;
  readonly metrics: Pick<MetricsRegistry, "families">;
  readonly log: Logger;
}
