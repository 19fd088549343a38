/** What the S3 listener is given: the layers below it and the settings of the site. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ClientAddressOf } from "../iam/client-address.ts";
import type { Failures } from "../iam/failures.ts";
import type { Iam } from "../iam/types.ts";
import type { TraceSink } from "../observe/trace.ts";
import type { Objects } from "../objects/objects.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Clients } from "../runtime/giving-way.ts";
import type { Random } from "../runtime/random.ts";
import type { ReplicationApi } from "./replication-api.ts";

export interface S3Settings {
  /** Empty: not configured, any region of a credential scope is accepted. */
  readonly region: string;
  /** Requests in work at once; absent: REQUESTS_MAX. May change. */
  readonly requestsMax?: number | undefined;
  /** Origins that browsers may call from, `*` wildcards allowed; absent: any. May change. */
  readonly corsAllowOrigin?: readonly string[] | undefined;
  /** Domains for virtual-host style; empty: path style only. */
  readonly domains: readonly string[];
  /** Base of the Location of a completed upload; absent: what the client wrote in Host. */
  readonly serverUrl?: string | undefined;
  readonly deploymentId: string;
  /** x-amz-id-2 and HostId. */
  readonly hostId: string;
  /** Value of `Server`: `MinIO` unless an operator says otherwise. */
  readonly serverHeader: string;
}

/** One finished request, for metrics, audit and trace. */
export interface RequestRecord {
  /** AWS's name of the operation, `Unknown` when none was found. */
  readonly api: string;
  readonly method: string;
  /** Request target as sent, without the signature of a presigned one. */
  readonly url: string;
  readonly bucket: string;
  readonly key: string;
  readonly status: number;
  /** S3 error code, empty on success. */
  readonly errorCode: string;
  /** Set when the failure was not foreseen: for the log. */
  readonly error?: unknown;
  readonly accessKey: string;
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly requestId: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly timeToFirstByteMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** A peer's replication sent it. */
  readonly replication: boolean;
}

export interface Observe {
  request(record: RequestRecord): void;
}

/** Answers the request and returns true, or returns false when the path is not its own. */
export type Fallback = (request: IncomingMessage, response: ServerResponse, url: string) => boolean;

export interface S3Deps {
  readonly objects: Objects;
  readonly iam: Iam;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: S3Settings;
  readonly replication: ReplicationApi;
  readonly observe: Observe;
  /** Follows every request; absent: nobody ever does. */
  readonly trace?: TraceSink | undefined;
  /** How this server calls itself in traces. */
  readonly nodeName?: string | undefined;
  /** Whom a request is from; absent: the peer of its connection. */
  readonly clientAddress?: ClientAddressOf | undefined;
  /** Is told of every client that is served, so that background work gives way. */
  readonly clients?: Clients | undefined;
  /** Slows down whoever sends bad signatures; absent: nobody is slowed down. */
  readonly failures?: Failures | undefined;
  /** Admin API, health, metrics, console: asked first for paths under /minio/ and /resilver/, and for a form posted to /. */
  readonly fallback?: Fallback | undefined;
}
