/** Makes the sender's view of a target (wire.ts) from the outgoing S3 client. */
import { Answer } from "../client/answer-parser.ts";
import { S3Client, type S3Endpoint, type S3Response } from "../client/s3-client.ts";
import type { Clock } from "../runtime/clock.ts";
import { COMPLETE_TIMEOUT_MS, PEER_READS_MAX, REQUEST_IDLE_MS, TARGET_CONNECTIONS_MAX } from "./limits.ts";
import type { OpenResponse, TargetClient, TargetRequest, TargetResponse } from "./wire.ts";

export interface TargetAddress {
  /** `host:port` */
  readonly endpoint: string;
  readonly secure: boolean;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string | undefined;
  readonly region: string;
}

export interface ClientSettings {
  readonly clock: Clock;
  readonly userAgent: string;
  /** PEM roots trusted in addition to none: absent, those of the machine. */
  readonly ca?: readonly string[] | (() => readonly string[]) | undefined;
  /** Another way to the target than connections of its own: the simulator's. */
  readonly transport?: S3Endpoint["transport"];
}

/** The answer with its body; a 2xx body goes to `onData` when that is given. */
export async function collected(response: S3Response, onData: TargetRequest["onData"]): Promise<TargetResponse> {
  if (response instanceof Answer) return response;
  if (onData === undefined || response.status >= 300) {
    return { status: response.status, headers: response.headers, body: await response.bytes() };
  }
  for await (const chunk of response.stream) onData(chunk);
  return { status: response.status, headers: response.headers, body: Buffer.alloc(0) };
}

/**
 * Pools of connections: ordinary requests, those that may stay silent for long, reads on behalf of clients (who may take
 * their time), and probes that wait behind none. A pool that nobody uses has no connections.
 */
export function targetClient(address: TargetAddress, settings: ClientSettings): TargetClient {
  const { clock } = settings;
  const base = {
    url: `${address.secure ? "https" : "http"}://${address.endpoint}`,
    sessionToken: address.sessionToken,
    region: address.region,
    userAgent: settings.userAgent,
    ca: settings.ca,
    transport: settings.transport,
  };
  const keys = { accessKey: address.accessKey, secretKey: address.secretKey };
  const ordinary = new S3Client(
    {
      ...base,
      ...keys,
      connections: TARGET_CONNECTIONS_MAX,
      headersTimeoutMs: REQUEST_IDLE_MS,
      bodyTimeoutMs: REQUEST_IDLE_MS,
    },
    clock.nowMs,
  );
  const patient = new S3Client({ ...base, ...keys, connections: 8, bodyTimeoutMs: COMPLETE_TIMEOUT_MS }, clock.nowMs);
  const prober = new S3Client({ ...base, accessKey: "", secretKey: "", connections: 2 }, clock.nowMs);

  const reader = new S3Client(
    {
      ...base,
      ...keys,
      connections: PEER_READS_MAX,
      headersTimeoutMs: REQUEST_IDLE_MS,
      bodyTimeoutMs: REQUEST_IDLE_MS,
    },
    clock.nowMs,
  );

  const ask = (client: S3Client, request: TargetRequest, whole: boolean): Promise<S3Response> => {
    const { body } = request;
    const stream =
      body === undefined || Buffer.isBuffer(body) ? body : { stream: body, length: request.contentLength ?? 0 };
    return client.request({
      method: request.method,
      ...(request.path === undefined ? { bucket: address.bucket, key: request.key } : { key: request.path.slice(1) }),
      query: request.query,
      headers: request.headers,
      body: stream,
      hashBody: request.payload === "hashed",
      signal: request.signal,
      whole,
    });
  };
  const send = async (client: S3Client, request: TargetRequest): Promise<TargetResponse> =>
    collected(await ask(client, request, request.onData === undefined), request.onData);
  /** The signal that `work` gets aborts when its promise is not settled in time; later it does nothing. */
  const within = async <T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const limit = new AbortController();
    const answered = new AbortController();
    void clock.sleep(timeoutMs, answered.signal).then(() => {
      if (!answered.signal.aborted) limit.abort(new Error(`no answer within ${timeoutMs} ms`));
    });
    try {
      return await work(limit.signal);
    } finally {
      answered.abort();
    }
  };

  return {
    bucket: address.bucket,
    request: (request) => send((request.idleTimeoutMs ?? 0) > REQUEST_IDLE_MS ? patient : ordinary, request),
    open: (request, timeoutMs): Promise<OpenResponse> =>
      within(timeoutMs, (signal) => ask(reader, { ...request, signal }, false)),
    probe: (path, timeoutMs) =>
      within(timeoutMs, (signal) => send(prober, { method: "GET", path, payload: "hashed", signal })),
    async close() {
      await Promise.all([ordinary.close(), patient.close(), reader.close(), prober.close()]);
    },
  };
}
