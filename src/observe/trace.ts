/** Trace records in the form that MinIO's clients read (admin-api.md 6.4). Secrets are masked when a record is made. */
import type { Feed } from "./feed.ts";

/** Bits of `type` that are used here; clients know many more. */
export const TRACE_TYPES = { s3: 4, replication: 2048 } as const;

export type HeaderMap = Record<string, string[]>;

export interface HttpTrace {
  readonly request: {
    /** RFC 3339. */
    readonly time: string;
    readonly proto: string;
    readonly method: string;
    readonly path: string;
    readonly rawquery?: string | undefined;
    readonly headers: HeaderMap;
    readonly client: string;
  };
  readonly response: { readonly time: string; readonly headers: HeaderMap; readonly statuscode: number };
  /** Durations in ns. */
  readonly stats: {
    readonly inputbytes: number;
    readonly outputbytes: number;
    readonly latency: number;
    readonly timetofirstbyte: number;
  };
}

export interface TraceRecord {
  readonly type: number;
  readonly nodename: string;
  /** `s3.GetObject`, `admin.ServerInfo`, `replication.Send`, ... */
  readonly funcname: string;
  readonly time: string;
  readonly path: string;
  /** Nanoseconds. */
  readonly dur: number;
  readonly bytes?: number | undefined;
  readonly msg?: string | undefined;
  readonly error?: string | undefined;
  readonly custom?: Readonly<Record<string, string>> | undefined;
  readonly http?: HttpTrace | undefined;
}

/** Where producers put records; they ask `active` first. */
export type TraceSink = Pick<Feed<TraceRecord>, "active" | "publish">;

const NS_PER_MS = 1_000_000;
const MASK = "*REDACTED*";
const SECRET_HEADER =
  /^(authorization|cookie|x-amz-security-token|x-amz-(copy-source-)?server-side-encryption-customer-key)$/;
const SECRET_PARAMETER = /(X-Amz-(?:Signature|Security-Token|Credential)|Signature|AWSAccessKeyId)=[^&]*/gi;

/** One finished call over HTTP. */
export interface HttpCall {
  readonly nodeName: string;
  readonly funcName: string;
  readonly method: string;
  /** Request target as sent. */
  readonly url: string;
  readonly httpVersion: string;
  /** Lower-case names. */
  readonly requestHeaders: Readonly<Record<string, string | string[] | undefined>>;
  /** Names and values one after another. */
  readonly responseHeaders: readonly string[];
  readonly client: string;
  readonly status: number;
  readonly startMs: number;
  readonly durationMs: number;
  readonly timeToFirstByteMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Empty on success. */
  readonly error: string;
}

function canonicalName(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
}

function requestHeaders(headers: HttpCall["requestHeaders"]): HeaderMap {
  const out: HeaderMap = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    out[canonicalName(name)] = SECRET_HEADER.test(name) ? [MASK] : [value].flat();
  }
  return out;
}

function responseHeaders(flat: readonly string[]): HeaderMap {
  const out: HeaderMap = {};
  for (let at = 0; at + 1 < flat.length; at += 2)
    (out[canonicalName(flat[at] as string)] ??= []).push(flat[at + 1] as string);
  return out;
}

export function httpTrace(call: HttpCall): TraceRecord {
  const mark = call.url.indexOf("?");
  const path = mark < 0 ? call.url : call.url.slice(0, mark);
  const rawquery = mark < 0 ? "" : call.url.slice(mark + 1).replace(SECRET_PARAMETER, `$1=${MASK}`);
  const time = new Date(call.startMs).toISOString();
  const latency = Math.round(call.durationMs * NS_PER_MS);
  return {
    type: TRACE_TYPES.s3,
    nodename: call.nodeName,
    funcname: call.funcName,
    time,
    path,
    dur: latency,
    ...(call.error !== "" && { error: call.error }),
    http: {
      request: {
        time,
        proto: `HTTP/${call.httpVersion}`,
        method: call.method,
        path,
        ...(rawquery !== "" && { rawquery }),
        headers: requestHeaders(call.requestHeaders),
        client: call.client,
      },
      response: {
        time: new Date(call.startMs + call.durationMs).toISOString(),
        headers: responseHeaders(call.responseHeaders),
        statuscode: call.status,
      },
      stats: {
        inputbytes: call.bytesIn,
        outputbytes: call.bytesOut,
        latency,
        timetofirstbyte: Math.round(call.timeToFirstByteMs * NS_PER_MS),
      },
    },
  };
}

/** One version that a sender dealt with. */
export interface ReplicationCall {
  readonly nodeName: string;
  /** `Send`, or `Resync` when a resync job sent it. */
  readonly name: string;
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string;
  readonly arn: string;
  readonly outcome: string;
  readonly bytes: number;
  readonly startMs: number;
  readonly durationMs: number;
  readonly error?: string | undefined;
}

export function replicationTrace(call: ReplicationCall): TraceRecord {
  return {
    type: TRACE_TYPES.replication,
    nodename: call.nodeName,
    funcname: `replication.${call.name}`,
    time: new Date(call.startMs).toISOString(),
    path: `${call.bucket}/${call.key}`,
    dur: Math.round(call.durationMs * NS_PER_MS),
    bytes: call.bytes,
    msg: call.outcome,
    ...(call.error !== undefined && { error: call.error }),
    custom: { versionId: call.versionId, arn: call.arn },
  };
}
