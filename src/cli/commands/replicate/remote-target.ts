/** Remote targets as the admin API lists and takes them (admin-api.md 4.2), and as `mc` prints them. Pure. */
import { ZERO_TIME } from "../../../protocol/time.ts";
import type { ParsedFlags } from "../../command.ts";
import { parseBandwidth } from "../units.ts";
import type { RemoteEndpoint } from "./remote-address.ts";
import { readSwitch } from "./rule-edit.ts";

export interface RemoteTarget {
  readonly sourcebucket: string;
  readonly endpoint: string;
  readonly credentials?: { readonly accessKey: string; readonly secretKey?: string | undefined } | undefined;
  readonly targetbucket: string;
  readonly secure: boolean;
  readonly path?: string | undefined;
  readonly api?: string | undefined;
  readonly arn?: string | undefined;
  readonly type: string;
  readonly region?: string | undefined;
  /** Bytes per second; absent or 0 = no limit. */
  readonly bandwidthlimit?: number | undefined;
  readonly replicationSync: boolean;
  /** Nanoseconds. */
  readonly healthCheckDuration?: number | undefined;
  readonly disableProxy: boolean;
  readonly resetBeforeDate?: string | undefined;
  readonly resetID?: string | undefined;
  /** Nanoseconds. */
  readonly totalDowntime?: number | undefined;
  readonly isOnline?: boolean | undefined;
  /** Nanoseconds. */
  readonly latency?: { readonly curr: number; readonly avg: number; readonly max: number } | undefined;
}

export interface TargetOptions {
  readonly path?: string | undefined;
  readonly region?: string | undefined;
  readonly bandwidthLimit?: number | undefined;
  readonly sync?: boolean | undefined;
  readonly disableProxy?: boolean | undefined;
  readonly healthCheckSeconds?: number | undefined;
}

/** Which parts of a stored target an update rewrites; the query keys of set-remote-target (admin-api.md 4.1). */
export type TargetUpdate = "creds" | "sync" | "proxy" | "bandwidth" | "healthcheck" | "path";

const HEALTH_CHECK_SECONDS_DEFAULT = 60;
const NS_PER_SECOND = 1e9;

/** The settings that flags name, to change a target; a bandwidth without a unit counts in what the command has always meant. */
export function targetOptions(flags: ParsedFlags, bandwidthUnit: "bits" | "bytes"): TargetOptions {
  const sync = flags.string("sync");
  const proxy = flags.string("proxy");
  const bandwidth = flags.string("bandwidth");
  return {
    sync: sync === undefined ? undefined : readSwitch("--sync", sync),
    disableProxy: proxy === undefined ? undefined : !readSwitch("--proxy", proxy),
    bandwidthLimit: bandwidth === undefined ? undefined : parseBandwidth(bandwidth, bandwidthUnit),
    healthCheckSeconds: flags.int("healthcheck-seconds"),
    path: flags.string("path"),
  };
}

/** The record for a new target (captures.md 3). `credentials` must be present in `remote`. */
export function newTarget(remote: RemoteEndpoint, options: TargetOptions): RemoteTarget {
  return {
    sourcebucket: "",
    endpoint: remote.endpoint,
    ...(remote.credentials === undefined ? {} : { credentials: remote.credentials }),
    targetbucket: remote.bucket,
    secure: remote.secure,
    path: options.path ?? "auto",
    api: "s3v4",
    type: "replication",
    ...(options.region === undefined || options.region === "" ? {} : { region: options.region }),
    ...(options.bandwidthLimit === undefined || options.bandwidthLimit === 0
      ? {}
      : { bandwidthlimit: options.bandwidthLimit }),
    replicationSync: options.sync ?? false,
    healthCheckDuration: (options.healthCheckSeconds ?? HEALTH_CHECK_SECONDS_DEFAULT) * NS_PER_SECOND,
    disableProxy: options.disableProxy ?? false,
    resetBeforeDate: ZERO_TIME,
  };
}

/**
 * A stored record with some parts replaced, and the list of those parts: only these are rewritten by the server, so
 * that a changed limit needs no keys (mc-cli.md 10 point 4).
 */
export function changedTarget(
  stored: RemoteTarget,
  remote: RemoteEndpoint | undefined,
  options: TargetOptions,
): { readonly target: RemoteTarget; readonly parts: readonly TargetUpdate[] } {
  const parts: TargetUpdate[] = [];
  const change: { -readonly [K in keyof RemoteTarget]?: RemoteTarget[K] } = {};
  if (remote?.credentials !== undefined) {
    parts.push("creds");
    change.endpoint = remote.endpoint;
    change.secure = remote.secure;
    change.targetbucket = remote.bucket;
    change.credentials = remote.credentials;
  }
  if (options.sync !== undefined) {
    parts.push("sync");
    change.replicationSync = options.sync;
  }
  if (options.disableProxy !== undefined) {
    parts.push("proxy");
    change.disableProxy = options.disableProxy;
  }
  if (options.bandwidthLimit !== undefined) {
    parts.push("bandwidth");
    change.bandwidthlimit = options.bandwidthLimit;
  }
  if (options.healthCheckSeconds !== undefined) {
    parts.push("healthcheck");
    change.healthCheckDuration = options.healthCheckSeconds * NS_PER_SECOND;
  }
  if (options.path !== undefined) {
    parts.push("path");
    change.path = options.path;
  }
  return { target: { ...stored, ...change }, parts };
}

/** `http://host:port`. */
export function targetUrl(target: RemoteTarget): string {
  return `${target.secure ? "https" : "http"}://${target.endpoint}`;
}

/** The JSON of `admin bucket remote` (mc-cli.md 7.1); scripts read `.RemoteARN`. The secret key is never shown. */
export function remoteTargetJson(target: RemoteTarget): Record<string, unknown> {
  return {
    status: "success",
    accessKey: target.credentials?.accessKey ?? "",
    sourceBucket: target.sourcebucket,
    TargetURL: targetUrl(target),
    TargetBucket: target.targetbucket,
    RemoteARN: target.arn ?? "",
    ...(target.path === undefined || target.path === "" ? {} : { path: target.path }),
    ...(target.region === undefined || target.region === "" ? {} : { region: target.region }),
    service: target.type,
    bandwidth: target.bandwidthlimit ?? 0,
    replicationSync: target.replicationSync,
    proxy: !target.disableProxy,
    healthcheckDuration: target.healthCheckDuration ?? 0,
    resetID: target.resetID ?? "",
    resetBeforeDate: target.resetBeforeDate ?? ZERO_TIME,
  };
}
