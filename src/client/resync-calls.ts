/** Calls about resyncs (replication.md 7; those of our own: docs/reference/resync.md). */
import { RESILVER } from "../protocol/replication-headers.ts";
import { read, type ResourceName } from "./s3-calls.ts";
import type { S3Client } from "./s3-client.ts";

/** One target in an answer about resyncs (replication.md 7.2). */
export interface ResyncTarget {
  readonly arn: string;
  readonly resetid: string;
  readonly startTime: string;
  readonly endTime: string;
  readonly resyncStatus?: string;
  readonly completedReplicationSize?: number;
  readonly failedReplicationSize?: number;
  readonly failedReplicationCount?: number;
  readonly replicationCount?: number;
  readonly bucket?: string;
  readonly object?: string;
}
export interface ResyncAnswer {
  readonly target?: readonly ResyncTarget[];
}

export interface ResyncName extends ResourceName {
  /** Empty: the only target. */
  readonly arn: string;
}

/** What a start may ask for beyond MinIO's parameters; only a Resilver server heeds it. */
export interface ResyncExtras {
  readonly prefix?: string | undefined;
  readonly deep?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly failedOnly?: boolean | undefined;
  readonly priority?: string | undefined;
  /** Bytes a second; 0: no limit. */
  readonly bandwidth?: number | undefined;
  /** Versions on their way at the same time; 0: as suits the target. */
  readonly concurrency?: number | undefined;
  /** Lines of JSON with `key` and `versionId`: only these. */
  readonly versions?: string | undefined;
}

export interface ResyncStart extends ResyncName {
  readonly resetId: string;
  /** Go duration whose nanoseconds mean hours (`168ns` is seven days). */
  readonly olderThan?: string | undefined;
  readonly extras?: ResyncExtras | undefined;
}

type Query = Record<string, string>;

function extraQuery(extras: ResyncExtras): Query {
  const query: Query = {};
  if (extras.prefix) query["prefix"] = extras.prefix;
  if (extras.deep === true) query["deep"] = "true";
  if (extras.force === true) query["force"] = "true";
  if (extras.failedOnly === true) query["failed-only"] = "true";
  if (extras.priority !== undefined) query["priority"] = extras.priority;
  return { ...query, ...limitQuery(extras) };
}

function limitQuery({ bandwidth, concurrency }: Pick<ResyncExtras, "bandwidth" | "concurrency">): Query {
  const query: Query = {};
  if (bandwidth !== undefined) query["bandwidth"] = String(bandwidth);
  if (concurrency !== undefined) query["concurrency"] = String(concurrency);
  return query;
}

function startQuery(start: ResyncStart): Query {
  const query: Query = { arn: start.arn, "reset-id": start.resetId };
  if (start.olderThan !== undefined) query["older-than"] = start.olderThan;
  return { ...query, ...extraQuery(start.extras ?? {}) };
}

const bodyOf = ({ extras }: ResyncStart): { body: Buffer; hashBody: boolean } | object =>
  extras?.versions === undefined ? {} : { body: Buffer.from(extras.versions), hashBody: true };

/** Why a MinIO of 2021 makes a bucket for a start, and lists one for a status (replication.md 7.3). */
export const KNOWS_NO_RESYNC = "this server is too old to know resyncs of a bucket";

async function json<T>(client: S3Client, request: Parameters<typeof read>[1]): Promise<T> {
  const text = (await read(client, request)).toString("utf8");
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new Error(KNOWS_NO_RESYNC, { cause });
  }
}

export async function startResync(client: S3Client, start: ResyncStart): Promise<ResyncAnswer> {
  const query = { "replication-reset": "", ...startQuery(start) };
  return json(client, { method: "PUT", bucket: start.bucket, query, signal: start.signal, ...bodyOf(start) });
}

/** What a start would do: lines of progress, the last with `done`. Rejects when the server could not go on. */
export async function* planResync(client: S3Client, start: ResyncStart): AsyncGenerator<object> {
  const query = { "replication-reset-plan": "", ...startQuery(start) };
  const { bucket, signal } = start;
  const response = await client.send({ method: "POST", bucket, query, signal, ...bodyOf(start) });
  let rest = "";
  for await (const chunk of response.stream) {
    const lines = (rest + chunk.toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const row = JSON.parse(line) as { error?: string };
      if (row.error !== undefined) throw new Error(row.error);
      yield row;
    }
  }
}

export async function resyncStatus(
  client: S3Client,
  name: ResourceName & { readonly arn?: string | undefined },
): Promise<ResyncAnswer> {
  const query = { "replication-reset-status": "", ...(name.arn === undefined ? {} : { arn: name.arn }) };
  return json(client, { method: "GET", bucket: name.bucket, query, signal: name.signal });
}

/** Answers as the status does. */
export async function controlResync(
  client: S3Client,
  name: ResyncName,
  action: "pause" | "resume" | "limits",
  limits: Pick<ResyncExtras, "bandwidth" | "concurrency"> = {},
): Promise<ResyncAnswer> {
  const query = { "replication-reset-control": "", arn: name.arn, action, ...limitQuery(limits) };
  return json(client, { method: "PUT", bucket: name.bucket, query, signal: name.signal });
}

/** The id of the cancelled resync. */
export async function cancelResync(client: S3Client, name: ResyncName): Promise<string> {
  const query = { "replication-reset-cancel": "", arn: name.arn };
  return (await read(client, { method: "PUT", bucket: name.bucket, query, signal: name.signal })).toString("utf8");
}

/** The signed report of the last resync, as the server wrote it. */
export async function resyncReport(client: S3Client, name: ResyncName): Promise<string> {
  const query = { "replication-reset-report": "", arn: name.arn };
  return (await read(client, { method: "GET", bucket: name.bucket, query, signal: name.signal })).toString("utf8");
}

/** Whether the server is one of ours: others ignore parameters that they do not know. */
export async function isResilver(client: S3Client, signal: AbortSignal | undefined): Promise<boolean> {
  const response = await client.request({ method: "GET", key: "minio/health/live", signal });
  await response.discard();
  return response.headers[RESILVER] !== undefined;
}
